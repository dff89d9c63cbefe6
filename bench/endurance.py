"""Does anything stay behind? Thousands of requests of random shapes, many broken off, and the memory they leave.

    python bench/endurance.py                     10,000 requests: some minutes
    python bench/endurance.py --quick             a look

The model is a tiny one with random weights, so that what is measured is the engine and not the arithmetic. People come
in crowds; some leave after a while, some give up at once, some ask for what does not fit, some have too little time,
and now and then a forward pass fails. Prints the resident memory after every twentieth part of the run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import tempfile
from collections import Counter
from contextlib import aclosing
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # for tensors this small a second thread is in the way

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script, Python would look for `bot` in this folder

from bot.language.base import Continuation, Message, Sampling
from bot.language.decoder import Decoder
from bot.language.engine import Limits
from bot.language.errors import LanguageError
from bot.language.local import LocalModel

WORDS = "harbour lantern ferry salt gull rope tide fog bell anchor mast quay".split()
CROWD = 24
LIMITS = Limits(places=16, chunk=128, memory=1 << 21, prefixes=1 << 20)
"""Tight, as for a model this small: people wait for places and for room, and the prefix cache is full before long."""


async def person(model: LocalModel, draw: random.Random, outcomes: Counter[str]) -> None:
    """One request of a random shape, and how it ended."""

    def text(least: int, most: int) -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(least, most)))

    shared = [Message("system", text(1, 30 if draw.random() < 0.97 else 400))]
    continuations = [
        Continuation(
            (Message("user", text(1, 10)),), Sampling(seed=draw.getrandbits(32), max_tokens=draw.randint(1, 24))
        )
        for _ in range(draw.randint(1, 6))
    ]
    patience = draw.choice([None, None, None, 0, 1, 5, 20])  # pieces, until one leaves
    haste = draw.random() < 0.03  # gives up before anything can have come
    try:
        async with asyncio.timeout(0 if haste else None), aclosing(model.stream(shared, continuations)) as pieces:
            heard = 0
            async for _ in pieces:
                if patience is not None and heard >= patience:
                    outcomes["left"] += 1
                    return
                heard += 1
        outcomes["answered"] += 1
    except TimeoutError:
        outcomes["gave up"] += 1
    except LanguageError as error:
        outcomes[type(error).__name__] += 1


async def live_through(model: LocalModel, requests: int, seed: int = 0, every: int = 0) -> Counter[str]:
    """Send so many requests, CROWD at a time; prints resident memory after each `every` of them. How they ended."""
    draw, outcomes = random.Random(seed), Counter[str]()
    for number in range(0, requests, CROWD):
        await asyncio.gather(
            *(person(model, random.Random(draw.random()), outcomes) for _ in range(min(CROWD, requests - number)))
        )
        if every and number // every != (number + CROWD) // every:
            print(f"{number + CROWD:6} requests: {resident() / 1e6:.1f} MB", flush=True)
    return outcomes


def failing(rate: float, seed: int = 0) -> None:
    """Let the forward pass fail now and then, in this process from now on."""
    draw, forward = random.Random(seed), Decoder.forward

    def sometimes(self: Decoder, *args: object) -> object:
        if draw.random() < rate:
            raise RuntimeError("a fault, made for this benchmark")
        return forward(self, *args)  # type: ignore[arg-type]

    Decoder.forward = sometimes  # type: ignore[assignment,method-assign]


def resident() -> int:
    """Resident memory of this process in bytes."""
    import psutil

    return int(psutil.Process().memory_info().rss)


async def run(requests: int) -> None:
    """The whole run, on a model made for it."""
    from tests.bot.language import tiny

    with tempfile.TemporaryDirectory() as place:
        folder = tiny.save(Path(place) / "model")
        model = LocalModel("tiny", lambda _progress: folder, device="cpu", limits=LIMITS)
        failing(0.002)
        warm = await live_through(model, requests // 10, seed=1)
        before = resident()
        print(f"after {requests // 10} requests to warm up: {before / 1e6:.1f} MB", flush=True)
        outcomes = await live_through(model, requests, every=max(requests // 20, CROWD))
        after = resident()
        await model.close()
    print(f"How they ended: {dict((outcomes + warm).most_common())}.")
    print(f"Resident memory: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after, {after / before - 1:+.1%}.")


def main() -> None:
    """Parse the options, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="500 requests")
    options = parser.parse_args()
    asyncio.run(run(500 if options.quick else options.requests))


if __name__ == "__main__":
    main()
