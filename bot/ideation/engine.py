"""The engine: over-generate, gate, select. One brief in, a stream of events out.

Each candidate has its own spark, its own technique and its own seed; all continue one shared prompt in one batch. A
candidate that passes every gate and differs from what is shown is shown at once, until a quarter of the places are
taken; the rest of the places go to the best diverse set of all that was written. Candidates are judged in their own
order, not in that in which they happen to finish, so that the same seed, model and library give the same ideas.
"""

from __future__ import annotations

import math
import random
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

import numpy as np

from bot.ideation import prompts
from bot.ideation.board import Board
from bot.ideation.candidates import Candidate, Recipe, Writer, judged, written
from bot.ideation.choices import Choices
from bot.ideation.errors import NoIdeas, NoSparks
from bot.ideation.events import Begun, Event, Finished, Found, Progress, Ready, Seconds
from bot.ideation.journal import new_id, now
from bot.ideation.judge import Background, Judge, read_background
from bot.ideation.library import Library, spaces_for
from bot.ideation.parsing import parse_idea
from bot.ideation.techniques import assign
from bot.ideation.types import Brief, Idea, Session, Technique, Words
from bot.language.base import Sampling
from knowledge.types import Distance, Filters, Hit

MOST_IDEAS = 20


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a brainstorm.

    With a `seed` the run is a replay: it looks away from the journal, so that the same seed gives the same ideas again.
    Without one, what the space has already had is never shown twice. `exclude` are snippet ids not to spark from;
    `draw_on` are further spaces whose collections may be drawn on. Ideas that say a `banned` motif are not shown.
    With `among`, only those snippets spark: a few, of a trend, so each may spark several ideas by other techniques.
    """

    space: str
    brief: Brief
    count: int = 5
    technique: Technique | None = None
    distance: Distance = Distance.MIXED
    seed: int | None = None
    session: Session | None = None
    exclude: frozenset[int] = frozenset()
    filters: Filters = field(default_factory=Filters)
    draw_on: tuple[str, ...] = ()
    banned: tuple[str, ...] = ()
    among: frozenset[int] | None = None


class Engine:
    """Makes ideas. The model may still be loading while sparks are found and shown.

    `ratio` candidates are written for each idea asked for; when too few pass, up to `rounds` rounds in all are run with
    fresh sparks. `choices` are what people chose before: they lean which of several good candidates is shown.
    """

    def __init__(
        self,
        library: Library,
        writer: Writer,
        *,
        ratio: float = 3.0,
        rounds: int = 2,
        temperature: float = 0.6,
    ) -> None:
        self._library = library
        self._writer = writer
        self._ratio = ratio
        self._rounds = rounds
        self._sampling = Sampling(temperature=temperature, top_p=0.95, top_k=50, max_tokens=110)
        self._background: Background | None = None
        self.choices = Choices(library)

    async def brainstorm(self, request: Request) -> AsyncGenerator[Event, None]:
        """Run one brainstorm. Raises `NoSparks`, `NoIdeas`, and what the library and the model raise."""
        started = time.perf_counter()
        seed = secrets.randbelow(2**31) if request.seed is None else request.seed
        count = max(1, min(MOST_IDEAS, request.count))
        sparks = await self._sparks(request, seed, math.ceil(count * self._ratio), request.exclude)
        if not sparks:
            raise NoSparks("The library has nothing to start from: ingest something, or widen the filters.")
        retrieved = time.perf_counter() - started
        session = request.session or self._session(request, seed)
        yield Begun(session)
        yield Found(tuple(dict.fromkeys(sparks)))

        writer = self._writer
        if request.session is None:
            await self._library.run(self._library.journal.open_session, session)
        judge = await self._judge(session, request.banned, replayed=request.seed is not None)
        board = Board(self._library, writer, session, self._sampling.temperature, started)
        await board.open()
        wrote = passed = 0
        spare: list[Candidate] = []
        used = request.exclude
        for turn in range(self._rounds):
            recipes = self._recipes(request, sparks, seed, turn)
            expected = wrote + len(recipes)
            async with aclosing(judged(self._library, writer, judge, recipes, self._sampling)) as candidates:
                async for candidate in candidates:
                    wrote += 1
                    if candidate is not None and candidate.verdict.showable:
                        passed += candidate.verdict.passes
                        if len(board.ideas) < math.ceil(count / 4) and board.welcomes(candidate):
                            yield Ready(await board.show(candidate))
                        else:
                            spare.append(candidate)
                    yield Progress(wrote, expected)
            missing = count - len(board.ideas)
            found = len(board.choice(spare, missing))
            # Another round takes nearly as long as the first: not for one idea in five, if one a little alike will do
            enough = missing - found <= count // 5 and len(board.best(spare, missing)) == missing
            if enough or turn + 1 == self._rounds:
                break
            used |= {hit.snippet.id for hit in sparks}
            sparks = await self._sparks(request, seed + turn + 1, math.ceil((missing - found) * self._ratio), used)
            if not sparks:
                break
        for candidate in board.best(spare, count - len(board.ideas)):
            yield Ready(await board.show(candidate))
        if not board.ideas:
            raise NoIdeas(
                "The model wrote nothing fit to show. Try again, say the brief in other words, or ask for sparks."
            )
        seconds = Seconds(retrieved, board.first_after, time.perf_counter() - started)
        yield Finished(session, tuple(board.ideas), wrote, passed, seconds)

    async def develop(self, session: Session, recipes: Sequence[Recipe], banned: tuple[str, ...] = ()) -> Idea:
        """The best of several candidates for one place: a twist or a remix. Raises `NoIdeas`."""
        started = time.perf_counter()
        writer = self._writer
        judge = await self._judge(session, banned, replayed=False)
        board = Board(self._library, writer, session, self._sampling.temperature, started)
        await board.open()
        async with aclosing(judged(self._library, writer, judge, recipes, self._sampling)) as candidates:
            found = [one async for one in candidates if one is not None and one.verdict.showable]
        if not found:
            raise NoIdeas("No draft of it was fit to show. Try again, or in other words.")
        return await board.show(max(found, key=lambda one: (-len(one.verdict.faults), one.verdict.quality)))

    async def replay(self, recipe: Recipe, temperature: float) -> Words:
        """Write one recipe again and parse it. Raises `Malformed` and `LanguageError`."""
        writer = self._writer
        sampling = replace(self._sampling, temperature=temperature)
        async with aclosing(written(writer, [recipe], sampling)) as texts:
            return parse_idea("".join([text async for _, text, _ in texts]))

    def _session(self, request: Request, seed: int) -> Session:
        return Session(new_id(), request.space, request.brief, seed, self._writer.model.name, now())

    async def _sparks(self, request: Request, seed: int, count: int, exclude: frozenset[int]) -> list[Hit]:
        sparks = await self._library.run(
            self._library.retriever.sparks,
            request.brief.text,
            spaces_for(request.space, request.draw_on),
            count,
            distance=request.distance,
            seed=seed,
            filters=request.filters,
            exclude=exclude if request.among is None else request.exclude,
            among=request.among,
        )
        if request.among is None or not sparks:
            return sparks
        return [*islice(cycle(sparks), count)]

    async def _judge(self, session: Session, banned: tuple[str, ...], *, replayed: bool) -> Judge:
        library = self._library
        taste = None if replayed else await self.choices.taste(session.space)

        def prepare() -> Judge:
            if self._background is None:
                self._background = read_background(library.store, library.embedder)
            had = library.journal.vectors(session.space, library.embedder.name)
            if replayed:
                had = np.zeros((0, 0), dtype=np.float32)
            return Judge(library.store, library.embedder, self._background, session.brief, had, banned, taste)

        return await library.run(prepare)

    def _recipes(self, request: Request, sparks: Sequence[Hit], seed: int, turn: int) -> list[Recipe]:
        techniques = assign(sparks, seed + turn, request.technique)
        draw = random.Random(f"{seed}/{turn}")
        return [
            Recipe(
                prompts.brainstorm(request.brief, [spark.snippet.text], technique, self._writer.style),
                (spark,),
                technique,
                draw.getrandbits(31),
            )
            for spark, technique in zip(sparks, techniques, strict=True)
        ]
