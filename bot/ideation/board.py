"""The ideas of one run as they are shown: numbered, written into the journal, and compared with what comes next."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.ideation import prompts
from bot.ideation.candidates import Candidate, Writer
from bot.ideation.gates import Gate, Vector
from bot.ideation.journal import new_id, now
from bot.ideation.library import Library
from bot.ideation.selection import distinct, diverse
from bot.ideation.types import Idea, Provenance, Session


class Board:
    """Shows candidates as ideas of one session. `started` is the `time.perf_counter()` of the request."""

    def __init__(self, library: Library, writer: Writer, session: Session, temperature: float, started: float) -> None:
        self._library = library
        self._writer = writer
        self._session = session
        self._temperature = temperature
        self._started = started
        self._places = 0
        self.ideas: list[Idea] = []
        self.vectors: list[Vector] = []
        self.first_after: float | None = None

    async def open(self) -> None:
        """Read how many ideas the session already has: places go on from there."""
        library, session = self._library, self._session
        had = await library.run(library.journal.ideas, session.space, session_id=session.id)
        self._places = len(had)

    def welcomes(self, candidate: Candidate) -> bool:
        """Whether a candidate is good enough, and different enough, to be shown before all are written."""
        return candidate.verdict.passes and distinct(candidate.verdict.vector, self.vectors)

    async def show(self, candidate: Candidate) -> Idea:
        """Make an idea of a candidate and write it into the journal."""
        recipe, made = candidate.recipe, candidate.words
        seconds = time.perf_counter() - self._started
        self._places += 1
        idea = Idea(
            id=new_id(),
            session_id=self._session.id,
            place=self._places,
            title=made.title,
            body=made.body,
            first_step=made.first_step,
            technique=recipe.technique,
            sparks=recipe.sparks,
            provenance=Provenance(
                model=self._writer.model.name,
                prompt_hash=prompts.fingerprint([*self._writer.shared(), recipe.question]),
                seed=recipe.seed,
                temperature=self._temperature,
                created_at=now(),
                seconds=round(seconds, 3),
                grounded=candidate.verdict.grounded,
            ),
            move=recipe.move,
            parents=recipe.parents,
            how=recipe.how,
        )
        library = self._library
        await library.run(library.journal.add, idea, candidate.verdict.vector, library.embedder.name)
        self.ideas.append(idea)
        self.vectors.append(candidate.verdict.vector)
        if self.first_after is None:
            self.first_after = seconds
        return idea

    def best(self, spare: Sequence[Candidate], count: int) -> list[Candidate]:
        """The best diverse set for `count` places: first what passed all gates, then what lacks only spark or aim."""
        chosen: list[Candidate] = []
        tiers = (
            [one for one in spare if one.verdict.passes],
            [one for one in spare if set(one.verdict.faults) == {Gate.GROUNDING}],
            [one for one in spare if Gate.RELEVANCE in one.verdict.faults],
        )
        for tier in tiers:
            taken = [*self.vectors, *(one.verdict.vector for one in chosen)]
            apart = [one for one in tier if distinct(one.verdict.vector, taken)]
            vectors = [one.verdict.vector for one in apart]
            values = [one.verdict.quality for one in apart]
            chosen += [apart[index] for index in diverse(vectors, values, count - len(chosen), taken)]
        return chosen
