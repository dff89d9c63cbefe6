"""The ideas of one run as they are shown: numbered, written into the journal, and compared with what comes next."""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.ideation import prompts
from bot.ideation.candidates import Candidate, Writer
from bot.ideation.gates import SAME_IDEA, Gate, Vector
from bot.ideation.journal import new_id, now
from bot.ideation.library import Library
from bot.ideation.selection import SAME_CLASS, distinct, diverse
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
        return candidate.verdict.fresh and distinct(candidate.verdict.vector, self.vectors)

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

    def choice(self, spare: Sequence[Candidate], count: int) -> list[Candidate]:
        """The most valuable of those that pass every gate and differ from what is shown, `count` at the most.

        Those that also differ from what the space had before come first.
        """
        passing = [one for one in spare if one.verdict.passes]
        fresh = self._picked([one for one in passing if one.verdict.fresh], count, SAME_CLASS, ())
        again = [one for one in passing if not one.verdict.fresh]
        return fresh + self._picked(again, count - len(fresh), SAME_CLASS, fresh)

    def best(self, spare: Sequence[Candidate], count: int) -> list[Candidate]:
        """As `choice`, but places that stay free go to what lacks only its spark, then its aim, then some distance."""
        chosen = self.choice(spare, count)
        for limit in (SAME_CLASS, SAME_IDEA):
            for lacking in (set[Gate](), {Gate.GROUNDING}, {Gate.RELEVANCE}, {Gate.RELEVANCE, Gate.GROUNDING}):
                tier = [one for one in spare if set(one.verdict.faults) == lacking and one not in chosen]
                chosen += self._picked(tier, count - len(chosen), limit, chosen)
        return chosen

    def _picked(
        self, tier: Sequence[Candidate], count: int, limit: float, chosen: Sequence[Candidate]
    ) -> list[Candidate]:
        """Picks of one tier, one after the other, each no nearer than `limit` to all that is shown or chosen."""
        picked: list[Candidate] = []
        while len(picked) < count:
            taken = [*self.vectors, *(one.verdict.vector for one in (*chosen, *picked))]
            apart = [one for one in tier if one not in picked and distinct(one.verdict.vector, taken, limit)]
            vectors, values = [one.verdict.vector for one in apart], [one.verdict.quality for one in apart]
            found = diverse(vectors, values, 1, taken)
            if not found:
                break
            picked.append(apart[found[0]])
        return picked
