"""What is kept about a person, wherever that is: to show it to them, and to forget it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.ideation.channels import Channels
from bot.ideation.choices import Choices
from bot.ideation.ideas import Ideas
from bot.ideation.journal import Entry, Mark
from bot.ideation.library import Library
from bot.ideation.shelf import Shelf
from bot.ideation.tuning import Tuning
from knowledge.store import NO_FILTERS
from knowledge.types import Filters


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept about a person: ideas of their own space, their keeps, votes and duels, and what they brought.

    `opted_out` says whether they asked that nothing they post in a channel be kept, `tuning` when they agreed that the
    model may learn from what they keep.
    """

    ideas: list[Entry]
    marks: list[Mark]
    duels: list[dict[str, str]]
    brought: list[dict[str, Any]]
    opted_out: bool = False
    tuning: str | None = None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many ideas, keeps, votes and duels (`marks`), and snippets were removed."""

    ideas: int
    marks: int
    snippets: int


class Persons:
    """The two things that people may ask for about themselves."""

    def __init__(
        self, library: Library, ideas: Ideas, shelf: Shelf, channels: Channels, choices: Choices, tuning: Tuning
    ) -> None:
        self._library = library
        self._ideas = ideas
        self._shelf = shelf
        self._channels = channels
        self._choices = choices
        self._tuning = tuning

    async def record_of(self, person: str, filters: Filters = NO_FILTERS) -> Record:
        """All that is kept about a person: what stands in their own space, and what they did elsewhere."""
        ideas = await self._ideas.of(person, filters=filters)
        marks = await self._library.run(self._library.journal.marks, person)
        brought = [*await self._shelf.brought_by(person), *await self._channels.posted_by(person)]
        return Record(
            ideas,
            marks,
            await self._choices.of_person(person),
            brought,
            await self._channels.opted_out(person),
            await self._tuning.agreed(person),
        )

    async def forget(self, person: str) -> Forgotten:
        """Remove all that is kept about a person, and say how much it was. Ideas made in a server stay with it.

        From then on nothing that they post in a channel is kept, until they ask for it (`channels.opt_in`). What a
        tuned model has learned from ideas that they kept stays until it is tuned anew.
        """
        journal = self._library.journal
        marks = await self._library.run(journal.forget_person, person) + await self._choices.forget_person(person)
        ideas = await self._library.run(journal.forget_space, person)
        await self._tuning.agree(person, False)
        return Forgotten(ideas, marks, await self._shelf.forget(person) + await self._channels.opt_out(person))
