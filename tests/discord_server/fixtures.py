"""Pytest fixtures and what runs a bot: ``discord_server`` is a started local Discord, ``running`` a connected client.

Use them by ``from tests.discord_server import discord_server_fixture, running`` in a conftest or a test module. When
the test ends, the fixture asserts that the server has seen no violation; a test that breaks rules on purpose empties
``discord_server.violations`` when it has looked at them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import pytest

from .server import DiscordServer

if TYPE_CHECKING:
    import discord

T = TypeVar("T")


@pytest.fixture(name="discord_server")
async def discord_server_fixture() -> AsyncIterator[DiscordServer]:
    """A started server to which the discord.py clients of this process are pointed; closed afterwards."""
    async with DiscordServer() as server:
        with server.addressed():
            yield server
    assert not server.violations, "\n".join(map(str, server.violations))


async def eventually(look: Callable[[], T], within: float = 5.0) -> T:
    """Wait until ``look`` gives something true, looking every few milliseconds; ``AssertionError`` after ``within``.

    For what happens inside the bot under test. What the server knows is waited for by ``Person.sees`` and its like.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not (found := look()):
        assert loop.time() < end, f"still {found!r} after {within} s"
        await asyncio.sleep(0.005)
    return found


@asynccontextmanager
async def running(server: DiscordServer, client: discord.Client, within: float = 10.0) -> AsyncIterator[None]:
    """A discord.py client that is connected and ready, and closed at the end.

    Make the client with ``guild_ready_timeout=0.05``, or discord.py waits two seconds for further servers before it is
    ready. What ends the client early (a refused token, say) is raised here; ``within`` is in real seconds.
    """
    tasks: list[asyncio.Task[None]] = []
    try:
        async with asyncio.timeout(within):
            await client.login(server.token)
            tasks = [asyncio.create_task(work()) for work in (client.connect, client.wait_until_ready)]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
        yield
    finally:
        await client.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
