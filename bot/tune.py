"""`kindling tune`: says what the embedded model would learn from and asks, then shows how the tuning goes on.

What may be learned from is `bot/ideation/tuning.py`'s to say, how it is learned `bot/language/tuning.py`'s.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import typer
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from bot.ideation.prompts import quoted
from bot.ideation.tuning import Lessons
from bot.language.conversion import Progress
from bot.language.tuning import Tuned, estimated_minutes, require_training, tune, undo
from bot.services import EMBEDDED, open_services, silent
from bot.settings import Settings
from bot.terminal import PERSON
from knowledge.errors import BadInput

RESTART = "A Kindling that is running takes it up when it is started anew, converting the model once (half a minute)."


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner asked for. `dry_run` shows each idea and changes nothing; `yes` is the answer to the question."""

    spaces: tuple[str, ...] = ()
    epochs: float = 2.0
    minutes: float | None = None
    dry_run: bool = False
    yes: bool = False


async def lessons_for(settings: Settings, wish: Wish) -> Lessons:
    """What may be learned from. The owner agrees by asking. Raises `BadInput` where it is too little."""
    require_training()
    async with open_services(settings, progress=silent) as services:
        lessons = await services.studio.tuning.lessons(wish.spaces, also=(PERSON,))
    lessons.require_enough()
    return lessons


def carry_out(settings: Settings, console: Console, wish: Wish, lessons: Lessons) -> None:
    """Say what would be learned from and how long it takes; if the owner wants it, do it and say what came of it."""
    records = lessons.records
    _say(console, [*_plan(lessons), _duration(estimated_minutes(records, wish.epochs), wish.minutes)])
    if settings.server or settings.model != EMBEDDED:
        _say(console, ["Your settings name another model: only the embedded one is tuned, and it is not in use."])
    if wish.dry_run:
        for entry in lessons.entries:
            console.print(Text(f"  {quoted(entry.idea.title)}").append(f"  {quoted(entry.brief.line)}", style="dim"))
        _say(console, ["Nothing was changed: without --dry-run it begins."])
        return
    if not wish.yes and not _asked("Tune the embedded model on them now?"):
        _say(console, ["Nothing was changed."])
        return
    with _shown(console) as tell:
        tuned = tune(
            settings.data_dir, records, epochs=wish.epochs, minutes=wish.minutes, device=settings.device, tell=tell
        )
    _say(console, _result(tuned))


def take_back(settings: Settings, console: Console) -> None:
    """Go back to the shipped adapter."""
    if undo(settings.data_dir):
        _say(console, ["The embedded model is the one that Kindling came with again.", RESTART])
    else:
        _say(console, ["The embedded model is the one that Kindling came with: there is nothing to undo."])


def _plan(lessons: Lessons) -> list[str]:
    places = ", ".join(f"{count} of {_named(space)}" for space, count in lessons.by_space.items())
    lines = [f"To learn from: {len(lessons.entries)} kept ideas for {lessons.briefs} briefs ({places})."]
    if lessons.left_out:
        lines.append("Left out: " + "; ".join(f"{count} {fault}" for fault, count in lessons.left_out.items()) + ".")
    return [
        *lines,
        "As many of the shipped examples are mixed in, so that nothing is forgotten; some briefs are held out to "
        "measure with. No name is learned and nothing leaves this machine. kindling tune --undo goes back.",
    ]


def _duration(estimate: float, most: float | None) -> str:
    """How long it takes, of which the learning itself may be bounded; both in minutes."""
    bounded = f", of which learning takes {most:g} at most" if most and most < estimate else ""
    return (
        f"Time on a quiet CPU: about {math.ceil(estimate)} min{bounded}; less on a GPU. "
        "While it learns it says how much is left."
    )


def _named(space: str) -> str:
    return "this terminal's" if space == "terminal" else quoted(space)


def _result(tuned: Tuned) -> list[str]:
    losses = f"Held-out loss {tuned.before:.3f} before, {tuned.after:.3f} after {tuned.minutes:.0f} minutes of learning"
    if not tuned.in_force:
        return [f"{losses}: it did not fall, so nothing was changed. More kept ideas may help, or other --epochs."]
    return [f"{losses}: the tuned model is in force. {RESTART}", "kindling tune --undo goes back."]


def _asked(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        if sys.stdin.isatty():
            raise KeyboardInterrupt from None
        raise BadInput("Nobody answered, so nothing was changed: --yes says yes beforehand.") from None


def _say(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(Text(line))


@contextmanager
def _shown(console: Console) -> Iterator[Progress]:
    """Shows how far it is: a bar on a terminal, else a line for what is new and for each tenth of the way."""
    if not console.is_terminal:
        yield _lines(console)
        return
    bars = Bars(TextColumn("[dim]{task.description}"), BarColumn(40), console=console, transient=True)
    bar = bars.add_task("starting", total=1.0)

    def draw(stage: str, fraction: float) -> None:
        if stage.startswith("held-out loss"):
            bars.print(Text(stage, style="dim"))
        else:
            bars.update(bar, description=quoted(stage).replace("[", "\\["), completed=fraction)

    with bars:
        yield draw


def _lines(console: Console) -> Callable[[str, float], None]:
    told: set[str] = set()

    def tell(stage: str, fraction: float) -> None:
        key = f"{fraction:.1f}" if stage.startswith("learning") else stage
        if key not in told:
            told.add(key)
            console.print(Text(stage))

    return tell
