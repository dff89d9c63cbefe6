"""The worker: one thread, in order, whatever happens to those who wait."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from bot.worker import Worker


@pytest.fixture
async def worker():
    worker = Worker("test-worker")
    yield worker
    await worker.close()


async def test_everything_runs_in_order_on_one_named_thread(worker):
    ran = []

    def note(number):
        ran.append(number)
        return threading.current_thread()

    threads = await asyncio.gather(*(worker.run(note, number) for number in range(50)))
    assert ran == list(range(50))
    assert len(set(threads)) == 1
    assert threads[0].name.startswith("test-worker")
    assert not threads[0].daemon


async def test_results_and_exceptions_come_back(worker):
    assert await worker.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 7, 0)
    assert await worker.run(int, "10", base=2) == 2


async def test_stop_iteration_does_not_leave_the_caller_waiting(worker):
    async with asyncio.timeout(5):
        with pytest.raises(RuntimeError):
            await worker.run(next, iter(()))


async def test_a_cancelled_caller_wedges_nothing_and_what_had_not_begun_is_dropped(worker):
    began, go_on = threading.Event(), threading.Event()
    ran = []

    def block():
        began.set()
        go_on.wait(5)
        ran.append("block")

    first = asyncio.create_task(worker.run(block))
    second = asyncio.create_task(worker.run(ran.append, "dropped"))
    await asyncio.to_thread(began.wait, 5)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled() and second.cancelled()
    go_on.set()
    await worker.run(ran.append, "after")
    assert ran == ["block", "after"]


async def test_context_variables_are_those_of_the_caller(worker):
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("set by the caller")
    assert await worker.run(variable.get) == "set by the caller"


async def test_close_finishes_what_was_handed_in_and_refuses_the_rest():
    worker = Worker("closing")
    ran = []
    for number in range(20):
        worker.submit(ran.append, number)
    await worker.close()
    assert ran == list(range(20))
    with pytest.raises(RuntimeError):
        await worker.run(ran.append, 20)
    await worker.close()


async def test_a_function_on_the_worker_can_hand_in_its_successor(worker):
    done = threading.Event()

    def turn(left):
        if left:
            worker.submit(turn, left - 1)
        else:
            done.set()

    worker.submit(turn, 10)
    assert await asyncio.to_thread(done.wait, 5)
