"""How soon the bot is there and how soon it answers: the real bot and its real model, against the local Discord.

    python bench/discord.py [--quick] [--json]

The bot runs as a process of its own. People ask it, all at the same moment, while the model already writes for others;
what is measured is when Discord had the bot's answer, and how late the bot's event loop was meanwhile. Every person
then presses Stop, which is an answer too. The first run makes the data folder (the model is converted, the starter
collection embedded), which takes a minute or two and is not measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # not this folder, in which this very file would be found in discord.py's stead

if TYPE_CHECKING:
    from tests.discord_server import DiscordServer, Interaction, Person

DATA = ROOT / ".cache" / "bench-discord"
PROBE_SECONDS = 0.01
AFTER_SECONDS = 5.0  # how long after everybody has asked the loop is still watched
BUSY_IDEAS = 20


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds from the start of the process: until Discord had it connected, and until a first board was finished."""

    connected: float
    warm: float


@dataclass(frozen=True, slots=True)
class Crowd:
    """What so many people at once met: seconds until each was answered, and how late the event loop was."""

    people: int
    answers: int
    answer_p50: float
    answer_p99: float
    too_late: int
    lag_p99: float
    lag_worst: float


# --- the bot's side ---------------------------------------------------------------------------------------------------


async def be_the_bot(lags: Path) -> None:
    """Run the bot as `kindling` does, and write down again and again how late its event loop is."""
    from bot.client import run_bot
    from bot.settings import read_settings

    probe = asyncio.create_task(_probe(lags))
    try:
        await run_bot(read_settings())
    finally:
        probe.cancel()


async def _probe(path: Path) -> None:
    with path.open("w", buffering=1) as file:
        while True:
            due = time.monotonic() + PROBE_SECONDS
            await asyncio.sleep(PROBE_SECONDS)
            now = time.monotonic()
            file.write(f"{now:.4f} {now - due:.4f}\n")


# --- Discord's side ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def bot_process(server: DiscordServer, lags: Path) -> AsyncIterator[None]:
    """The bot, started and connected; terminated at the end."""
    from tests.discord_server import TOKEN

    settings = {
        "DISCORD_TOKEN": TOKEN,
        "KINDLING_DATA_DIR": str(DATA),
        "KINDLING_DISCORD_API": server.api_base,
        "KINDLING_DISCORD_GATEWAY": server.gateway_url,
        "KINDLING_QUEUE": "500",
        "KINDLING_EACH_SERVER": "500",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, str(Path(__file__).resolve()), "--as-bot", str(lags)]
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ | settings, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await server.gateway.until_connected(within=120)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def measure(quick: bool) -> dict[str, Any]:
    """Everything that is to be measured, as plain values."""
    from tests.discord_server import DiscordServer

    lags = DATA / "lags"
    DATA.mkdir(parents=True, exist_ok=True)
    async with DiscordServer(specification_path=None) as server:
        home = server.guild("Studio")
        channel = next(iter(home.channels.values()))
        tell("making the data folder, if it is not there yet")
        async with bot_process(server, lags):
            await first_idea(server, channel)
        starts = []
        for number in range(1 if quick else 3):
            tell(f"start {number + 1}")
            begun = time.monotonic()
            async with bot_process(server, lags):
                connected = time.monotonic() - begun
                await first_idea(server, channel)
                starts.append(Starts(connected, time.monotonic() - begun))
        crowds = []
        async with bot_process(server, lags):
            await first_idea(server, channel)
            for people, times in ((1, 5 if quick else 25), (20, 1 if quick else 3), (200, 1)):
                tell(f"{people} people at once")
                crowds.append(await crowd(server, channel, lags, people, times))
    return {
        "starts": [asdict(one) for one in starts],
        "crowds": [asdict(one) for one in crowds],
        "load_average": os.getloadavg()[0],
        "processors": os.cpu_count(),
    }


async def first_idea(server: DiscordServer, channel: Any) -> None:
    """Wait until the model has written something."""
    person = newcomer(server, channel)
    answer = await person.slash(channel, "brainstorm", brief="a lamp for a bus stop", count=1)
    await until(lambda: "Machine-made" in answer.text or "fit to show" in answer.text, 400)


async def crowd(server: DiscordServer, channel: Any, lags: Path, people: int, times: int) -> Crowd:
    """So many people ask at once, so many times over, while the model writes for others."""
    answered: list[float] = []
    failed = 0
    spans = []
    for _ in range(times):
        busy = [await ask(newcomer(server, channel), channel, BUSY_IDEAS) for _ in range(2)]
        await until(lambda busy=busy: any("Writing" in one.text for one in busy), 120)
        begun = time.monotonic()
        crowd = [newcomer(server, channel) for _ in range(people)]
        asked = await asyncio.gather(*(ask(person, channel, 1) for person in crowd))
        await asyncio.sleep(AFTER_SECONDS if people > 1 else 1.0)
        stopped = await asyncio.gather(
            *(press_stop(person, answer) for person, answer in zip(crowd, asked, strict=True))
        )
        spans.append((begun, time.monotonic()))
        every = [*asked, *(one for one in stopped if one is not None)]
        failed += sum(one.failure is not None for one in every)
        answered += [one.acknowledged_after for one in every if one.acknowledged_after is not None]
        for one in busy:
            await press_stop(server.member(one.user.name), one)
        await until(lambda every=[*busy, *asked]: not any(stop_button(one) for one in every), 240)
    late = lateness(lags, spans)
    return Crowd(
        people,
        len(answered),
        statistics.median(answered),
        percentile(answered, 0.99),
        failed,
        percentile(late, 0.99),
        max(late),
    )


async def ask(person: Person, channel: Any, count: int) -> Interaction:
    """Ask for ideas; the brief is everybody's own."""
    return await person.slash(channel, "brainstorm", brief=f"a small gift for {person.name}", count=count)


async def press_stop(person: Person, answer: Interaction) -> Interaction | None:
    """Press Stop on a board that still has that button."""
    custom_id = stop_button(answer)
    if custom_id is None or answer.failure is not None:
        return None
    return await person.clicks(answer.messages[0], custom_id)


def stop_button(answer: Interaction) -> str | None:
    """The custom id of the Stop button on a board's first message, if it is there."""
    buttons = answer.messages[0].buttons if answer.messages else []
    return next((button.custom_id for button in buttons if button.label == "Stop"), None)


def newcomer(server: DiscordServer, channel: Any) -> Person:
    """Somebody who has not asked before."""
    return server.member(f"person-{len(server.users)}", channel.guild)


async def until(look: Any, within: float) -> None:
    """Wait until something is so."""
    end = time.monotonic() + within
    while not look():
        if time.monotonic() > end:
            raise SystemExit(f"the bot did not get there within {within:.0f} s")
        await asyncio.sleep(0.02)


def lateness(path: Path, spans: Sequence[tuple[float, float]]) -> list[float]:
    """How late the bot's event loop was, in seconds, whenever it was looked at within these spans of time."""
    rows = [line.split() for line in path.read_text().splitlines()]
    found = [(float(row[0]), float(row[1])) for row in rows if len(row) == 2]
    return [late for at, late in found if any(begun <= at <= ended for begun, ended in spans)]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def tell(what: str) -> None:
    """What is going on, on standard error."""
    print(f"  {what}", file=sys.stderr, flush=True)


def table(found: dict[str, Any]) -> str:
    """The measurements in Markdown."""
    connected, warm = (statistics.median(one[name] for one in found["starts"]) for name in ("connected", "warm"))
    lines = [
        f"Start: connected to Discord after {connected:.1f} s, the first board finished after {warm:.1f} s (median of "
        f"{len(found['starts'])}).",
        "",
        "| people at once | answers | answered p50 | p99 | later than 3 s | event-loop lag p99 | worst |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {one['people']} | {one['answers']} | {one['answer_p50'] * 1000:.0f} ms | {one['answer_p99'] * 1000:.0f} ms "
        f"| {one['too_late']} | {one['lag_p99'] * 1000:.0f} ms | {one['lag_worst'] * 1000:.0f} ms |"
        for one in found["crowds"]
    ]
    return "\n".join([*lines, "", f"{found['processors']} processors, load average {found['load_average']:.1f}."])


def main() -> None:
    """Parse the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    parser.add_argument("--as-bot", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_bot:
        asyncio.run(be_the_bot(options.as_bot))
        return
    found = asyncio.run(measure(options.quick))
    print(json.dumps(found) if options.json else table(found))


if __name__ == "__main__":
    main()
