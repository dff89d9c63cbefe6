"""The ideas of a space as they stand: reading them again, keeping them, voting on them. Knows the journal alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from bot.ideation.errors import UnknownIdea
from bot.ideation.journal import Entry, Titled
from bot.ideation.library import Library
from knowledge.store import NO_FILTERS
from knowledge.types import Filters


class Ideas:
    """What people do with ideas that are there. Raises UnknownIdea for one that is not in the space."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def keep(self, space: str, idea_id: str, person: str, *, keep: bool = True) -> Entry:
        """Keep an idea, or let it go again; the idea as it stands after."""
        await self._library.run(self._library.journal.keep, space, idea_id, person, keep)
        return await self._library.run(self._library.journal.idea, space, idea_id)

    async def vote(self, space: str, idea_id: str, person: str, value: int) -> Entry:
        """Vote for (1), against (-1) or take the vote back (0); the idea as it stands after."""
        await self._library.run(self._library.journal.vote, space, idea_id, person, value)
        return await self._library.run(self._library.journal.idea, space, idea_id)

    async def toggle_vote(self, space: str, idea_id: str, person: str) -> Entry:
        """Vote for an idea, or take that vote back; the idea as it stands after."""
        journal = self._library.journal

        def toggle() -> Entry:
            journal.vote(space, idea_id, person, 0 if journal.voted(idea_id, person) > 0 else 1)
            return journal.idea(space, idea_id)

        return await self._library.run(toggle)

    async def toggle_keep(self, space: str, idea_id: str, person: str) -> Entry:
        """Keep an idea, or let it go again; the idea as it stands after."""
        journal = self._library.journal

        def toggle() -> Entry:
            journal.keep(space, idea_id, person, person not in journal.idea(space, idea_id).kept_by)
            return journal.idea(space, idea_id)

        return await self._library.run(toggle)

    async def entries(self, space: str, idea_ids: Sequence[str], filters: Filters = NO_FILTERS) -> list[Entry]:
        """The ideas of those ids as they stand now, in that order; those that are not in this space are left out."""
        journal = self._library.journal

        def read() -> list[Entry]:
            found = []
            for idea_id in idea_ids:
                with suppress(UnknownIdea):
                    found.append(journal.idea(space, idea_id, filters.without_sources))
            return found

        return await self._library.run(read)

    async def titles(
        self, space: str, containing: str = "", limit: int = 25, filters: Filters = NO_FILTERS
    ) -> list[Titled]:
        """The space's ideas whose title contains a text, newest first."""
        without = filters.without_sources
        return await self._library.run(self._library.journal.titles, space, containing, limit, without)

    async def of(
        self,
        space: str,
        *,
        session_id: str | None = None,
        containing: str = "",
        kept: bool = False,
        limit: int = 1000,
        filters: Filters = NO_FILTERS,
    ) -> list[Entry]:
        """The space's ideas, newest session first."""
        return await self._library.run(
            self._library.journal.ideas,
            space,
            session_id=session_id,
            containing=containing,
            kept=kept,
            limit=limit,
            without=filters.without_sources,
        )
