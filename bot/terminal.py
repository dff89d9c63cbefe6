"""The terminal studio: a conversation with Kindling for people without Discord. Parses lines, calls the studio, prints.

A line that is not a command is a brief. When standard input is no terminal, each line is a brief (or a command) and is
answered in order.
"""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from bot import printed
from bot.ideation.events import Event, Finished, Found, Ready
from bot.ideation.events import Progress as Written
from bot.ideation.journal import Entry
from bot.ideation.prompts import quoted
from bot.ideation.types import Idea
from bot.language.base import Message
from bot.services import Progress as Watch
from bot.services import Services
from knowledge.errors import BadInput, KindlingError, sentence
from knowledge.ingest import BatchStored, FileStarted, Report
from knowledge.ingest import Event as IngestEvent
from knowledge.types import Hit

T = TypeVar("T")

SPACE = "terminal"
PERSON = "you"
TWISTS = ("wilder", "simpler", "cheaper", "darker", "funnier")

HELP = """\
Type a brief, such as: a poster for a night market. Then:
  more [N]            more ideas for the same brief, from sparks not used yet
  wilder 3            idea 3, wilder; also simpler, cheaper, darker, funnier
  twist 3 no screens  idea 3, in any way you say
  remix 2 5           one new idea that blends two
  why 4               its sparks, and how it was made
  again 4             make idea 4 again from its record, and compare
  critique 4          its strength, its risk, and a question to you
  expand 4            five steps, scenes or sections
  save 4 / drop 4     keep an idea, or let it go again
  saved               the ideas that you kept
  duel                two ideas: first or second says which you would rather have
  taste               what your choices say; taste off, on, forget
  inspire [TOPIC]     sparks only, no model
  search WORDS        the snippets nearest to some words
  ingest PATH         add a file or folder to your library; or an address: a page, or a feed to follow
  talk TEXT           talk it over
  help, quit"""


@contextmanager
def watched() -> Iterator[Watch]:
    """A callback that shows progress of long set-up work on standard error: a bar on a terminal, else lines."""
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        told: set[str] = set()

        def tell(stage: str, fraction: float) -> None:
            if stage not in told and fraction < 1:
                told.add(stage)
                console.print(Text(f"{stage} …", style="dim"))

        yield tell
        return
    bars = Progress(TextColumn("[dim]{task.description}"), BarColumn(40), console=console, transient=True)
    tasks: dict[str, TaskID] = {}

    def draw(stage: str, fraction: float) -> None:
        if stage not in tasks:
            tasks[stage] = bars.add_task(stage, total=1.0)
        bars.update(tasks[stage], completed=fraction, visible=fraction < 1)

    with bars:
        yield draw


class TerminalStudio:
    """One conversation. Remembers the session and the ideas on screen, so that "why 4" means something."""

    def __init__(self, services: Services, console: Console) -> None:
        self._services = services
        self._studio = services.studio
        self._console = console
        self._session_id: str | None = None
        self._ideas: list[Idea] = []
        self._pair: tuple[Idea, Idea] | None = None
        self._talk: list[Message] = []

    async def converse(self, lines: AsyncIterator[str]) -> int:
        """Answer every line until there are no more, or "quit". Returns how many lines failed."""
        failed = 0
        async for line in lines:
            if line.strip().lower() in ("quit", "exit", "q"):
                break
            if line.strip():
                failed += not await self._interruptible(self.answer(line.strip()))
        return failed

    async def answer(self, line: str) -> bool:
        """Answer one line. An error is one printed line, and false."""
        try:
            await self._dispatch(line)
        except KindlingError as error:
            self._console.print(Text(sentence(error), style="red"))
            return False
        return True

    async def _interruptible(self, work: Coroutine[Any, Any, bool]) -> bool:
        """Run work that Ctrl-C stops: what was shown until then stays."""
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the program as it does any other
            loop.add_signal_handler(signal.SIGINT, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            self._console.print(Text("Stopped; what is here stays.", style="dim"))
            return True
        finally:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(signal.SIGINT)

    async def _dispatch(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        word, rest = word.lower(), rest.strip()
        numbers = [int(number) for number in rest.split()] if re.fullmatch(r"\d{1,4}(\s+\d{1,4})*", rest) else []
        match word, numbers:
            case "help", _ if not rest:
                self._console.print(HELP, highlight=False, markup=False)
            case "more", [] if not rest:
                await self._more(self._services.settings.count)
            case "more", [count]:
                await self._more(count)
            case ("why" | "again" | "critique" | "expand" | "save" | "drop") as verb, [number]:
                await self._about(verb, self._idea(number))
            case how, [number] if how in TWISTS:
                await self._twist(number, how)
            case "twist", _ if found := re.fullmatch(r"(\d{1,4})\s+(.+)", rest):
                await self._twist(int(found[1]), found[2])
            case "remix", [first, second]:
                one = await self._waiting(
                    "remixing", self._studio.remix(SPACE, self._idea(first).id, self._idea(second).id)
                )
                self._show(one)
            case "duel", _ if not rest:
                await self._duel()
            case (("first" | "second"), _) if self._pair and not rest:
                await self._prefer(word == "first")
            case "taste", _ if rest in ("", "on", "off", "forget"):
                await self._taste(rest)
            case "saved", _ if not rest:
                self._saved(await self._studio.ideas.of(SPACE, kept=True))
            case "inspire", _:
                hits = await self._studio.inspire(SPACE, rest, distance=self._services.settings.distance)
                self._console.print(printed.sparks(hits))
            case "search", _ if rest:
                self._console.print(printed.sparks(await self._studio.search(SPACE, rest), "Found"))
            case "ingest", _ if rest:
                await bring(self._services, self._console, [rest])
            case "talk", _ if rest:
                await self._chat(rest)
            case _:
                await self._brainstorm(line)

    def _idea(self, number: int) -> Idea:
        if not self._ideas:
            raise BadInput("There are no ideas on screen yet: type a brief first.")
        if not 1 <= number <= len(self._ideas):
            raise BadInput(f"There is no idea {number} on screen: 1 to {len(self._ideas)}.")
        return self._ideas[number - 1]

    async def _brainstorm(self, text: str) -> None:
        settings = self._services.settings
        events = self._studio.brainstorm(SPACE, text, count=settings.count, distance=settings.distance)
        self._ideas = []
        await self._follow(events, settings.count)

    async def _more(self, count: int) -> None:
        if self._session_id is None:
            raise BadInput("More of what? Type a brief first.")
        events = self._studio.more(SPACE, self._session_id, count=count, distance=self._services.settings.distance)
        await self._follow(events, count)

    async def _follow(self, events: AsyncGenerator[Event, None], wanted: int) -> None:
        """Print sparks and ideas as they come."""
        with self._console.status("looking for sparks") as status:
            async with aclosing(events) as stream:
                async for event in stream:
                    match event:
                        case Found(sparks):
                            self._console.print(printed.spark_titles(sparks))
                            status.update("the model is getting ready")
                        case Written(written, of):
                            status.update(f"writing ideas: {written} of {of} candidates read")
                        case Ready(idea):
                            self._session_id = idea.session_id
                            self._show(idea)
                        case Finished():
                            self._console.print(printed.finished(event, wanted))
                        case _:
                            status.update("sparks found")

    async def _twist(self, number: int, how: str) -> None:
        self._show(await self._waiting(f"making it {how}", self._studio.twist(SPACE, self._idea(number).id, how)))

    async def _about(self, verb: str, idea: Idea) -> None:
        match verb:
            case "why":
                self._console.print(printed.why(await self._studio.why(SPACE, idea.id)))
            case "critique":
                self._console.print(
                    printed.critique(await self._waiting("thinking", self._studio.critique(SPACE, idea.id)))
                )
            case "expand":
                self._console.print(
                    printed.outline(await self._waiting("outlining", self._studio.expand(SPACE, idea.id)))
                )
            case "again":
                replay = await self._waiting("making it again", self._studio.provenance(SPACE, idea.id))
                self._console.print(printed.replay(replay))
            case "save":
                await self._studio.ideas.keep(SPACE, idea.id, PERSON)
                self._console.print(Text(f"Kept: {quoted(idea.title)}", style="green"))
            case _:
                await self._studio.ideas.keep(SPACE, idea.id, PERSON, keep=False)
                self._console.print(Text(f"Let go: {quoted(idea.title)}", style="dim"))

    async def _duel(self) -> None:
        first, second = await self._studio.choices.duel(SPACE, PERSON)
        self._pair = first.idea, second.idea
        self._console.print(Text(quoted(first.brief.line), style="dim"))
        for number, idea in enumerate(self._pair, start=1):
            self._console.print(printed.idea(number, idea))
        self._console.print(Text("first or second?", style="dim"))

    async def _prefer(self, first: bool) -> None:
        assert self._pair is not None
        winner, loser = self._pair if first else self._pair[::-1]
        self._pair = None
        await self._studio.choices.pick(SPACE, PERSON, winner.id, loser.id)
        self._console.print(Text(f"Noted: {quoted(winner.title)}. duel gives you another two.", style="green"))

    async def _taste(self, what: str) -> None:
        choices = self._studio.choices
        if what == "forget":
            await choices.forget(SPACE)
        elif what:
            await choices.switch(SPACE, what == "on")
        self._console.print(printed.learned(await choices.learned(SPACE)))

    def _saved(self, entries: list[Entry]) -> None:
        if not entries:
            self._console.print(Text("Nothing kept yet: save 4 keeps idea 4.", style="dim"))
        self._ideas = [entry.idea for entry in entries] or self._ideas
        for number, entry in enumerate(entries, start=1):
            self._console.print(Text(quoted(entry.brief.line), style="dim"))
            self._console.print(printed.idea(number, entry.idea))

    async def _chat(self, text: str) -> None:
        self._talk.append(Message("user", text))
        reply = ""
        hits: tuple[Hit, ...] = ()
        with self._console.status("thinking"):
            async with aclosing(self._studio.chat(SPACE, self._talk)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        reply += piece
                    else:
                        hits = piece
        self._talk.append(Message("assistant", reply))
        self._console.print(Text(quoted(reply)))
        for number, hit in enumerate(hits, start=1):
            self._console.print(Text(f"[{number}] ", style="dim").append_text(printed.spark_line(hit)))

    async def _waiting(self, what: str, work: Coroutine[Any, Any, T]) -> T:
        with self._console.status(what):
            return await work

    def _show(self, idea: Idea) -> None:
        self._ideas.append(idea)
        self._console.print(printed.idea(len(self._ideas), idea))


async def bring(services: Services, console: Console, given: Sequence[str]) -> bool:
    """Take files, folders and addresses into the terminal's library, and print what became of each.

    Returns whether anything could be read. What lists feeds has each of them followed, and fetched now.
    """
    sources = services.studio.sources
    addresses = [one for one in given if "://" in one]
    paths = [Path(one).expanduser() for one in given if "://" not in one]
    read = False
    if paths:
        report = await _ingested(services, console, paths)
        console.print(printed.ingest_report(report))
        if report.listed:
            await sources.follow(SPACE, None, report.listed)
        read = bool(report.read or report.listed)
    for address in addresses:
        try:
            with console.status(f"fetching {quoted(address)}"):
                fetches = await sources.add(SPACE, None, address)
        except BadInput as error:
            console.print(Text(f"{error}.", style="red"))  # it begins with the address, as it stands
            continue
        read = True
        for fetch in fetches:
            if not fetch.waiting:
                console.print(printed.fetch(fetch))
    await refreshed(services, console)
    return read


async def refreshed(services: Services, console: Console, *, everything: bool = False) -> int:
    """Fetch the terminal's feeds that are due, or all, and print what became of each. Returns how many there were."""
    with console.status("fetching feeds"):
        fetches = await services.studio.sources.refresh(
            SPACE, everything=everything, progress=lambda one: console.print(printed.fetch(one))
        )
    return len(fetches)


async def _ingested(services: Services, console: Console, paths: Sequence[Path]) -> Report:
    """Ingest files and folders into the terminal's library, telling what is being read and how far it is."""
    with console.status("reading") as status:

        def tell(event: IngestEvent) -> None:
            match event:
                case FileStarted(name):
                    status.update(f"reading {quoted(name)}")
                case BatchStored(name, added, unchanged):
                    status.update(f"reading {quoted(name)}: {added} added, {unchanged} unchanged so far")

        return await services.studio.ingest(SPACE, paths, tell)


async def typed_lines(history: Path) -> AsyncIterator[str]:
    """Lines that a person types, with editing and history kept in a file. Ctrl-C clears the line, Ctrl-D ends."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory

    session: PromptSession[str] = PromptSession(history=FileHistory(str(history)))
    while True:
        try:
            yield await session.prompt_async("\nkindling › ")
        except KeyboardInterrupt:
            continue
        except EOFError:
            return


async def piped_lines() -> AsyncIterator[str]:
    """The lines of a standard input that is no terminal; bytes that are no UTF-8 are replaced.

    Raises `BadInput` where there are none: whoever meant to type should know that nothing could be typed.
    """
    came = False
    while sys.stdin is not None and (line := await asyncio.to_thread(sys.stdin.buffer.readline)):
        came = True
        yield line.decode("utf-8", errors="replace").rstrip("\r\n")
    if not came:
        raise BadInput("No brief came in: pipe one in (echo 'a poster' | kindling), or start kindling in a terminal")
