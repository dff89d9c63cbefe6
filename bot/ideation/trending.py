"""What rises and fades in a space's library, for every face: found once, then kept until the library changes.

Finding it takes a second or more of arithmetic, so it is done on a thread beside the library's, with a connection of
its own to the store, one at a time. What is kept is known by the revisions of the collections it was found in: after
any change to one of them, a deletion above all, it is found anew.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from bot.ideation.brief import read_brief
from bot.ideation.library import STARTER, Library, spaces_for
from bot.ideation.types import Technique
from knowledge.dates import Window, read_window
from knowledge.errors import BadInput
from knowledge.store import NO_FILTERS, Store
from knowledge.trends import Direction, Outlook, Topic, Trend, outlook
from knowledge.types import Filters

KEPT = 64  # outlooks, some kilobytes each
RISES = (Direction.RISING, Direction.NEW)


class Scope(StrEnum):
    """Whose snippets are looked at: the space's own, the starter collection's, or both."""

    ALL = "all"
    OWN = "own"
    STARTER = "starter"


class Trending:
    """Trends of spaces. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._one_at_a_time = asyncio.Lock()
        self._found: OrderedDict[Any, asyncio.Task[Outlook]] = OrderedDict()

    async def outlook(
        self,
        space: str,
        *,
        topic: str = "",
        window: str = "",
        scope: Scope = Scope.ALL,
        draw_on: tuple[str, ...] = (),
        filters: Filters = NO_FILTERS,
        today: date | None = None,
    ) -> Outlook:
        """What rises and fades in what `space` may draw on: its own library, `draw_on` and the starter collection.

        `window` is how long lately is ("90 days"); without it, as long as it takes to see enough.

        Raises:
            BadInput: the topic has no words, or the window is none.
        """
        brief = read_brief(topic).text if topic.strip() else ""
        length = read_window(window) if window.strip() else None
        spaces = _spaces(space, draw_on, scope)
        day = today or datetime.now(UTC).date()
        key = spaces, brief, length, filters, day, await self._library.run(self._revisions, spaces)
        task = self._found.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            finding = self._find(spaces, brief, length, filters, day)
            task = self._found[key] = asyncio.create_task(finding, name="trends")
            task.add_done_callback(_heard)
        self._found.move_to_end(key)
        while len(self._found) > KEPT:
            self._found.popitem(last=False)
        # Whoever has stopped waiting leaves it running: somebody will ask again, and it is kept.
        return await asyncio.shield(task)

    async def names(self, space: str, containing: str = "", **where: Any) -> list[Trend]:
        """The trends now whose name contains a text, surest first. `where` as for `outlook`."""
        wanted = containing.casefold().strip()
        return [one for one in (await self.outlook(space, **where)).trends if wanted in one.name.casefold()]

    async def sparks(
        self, space: str, name: str = "", technique: Technique | None = None, **where: Any
    ) -> frozenset[int] | None:
        """The snippets that may spark ideas: those of the trend of that name. `where` as for `outlook`.

        Without a name they are all that rises where the technique is counter-trend, and None (any) where it is not.

        Raises:
            BadInput: no trend is called that, several are, or nothing rises that could be countered.
        """
        if not name.strip():
            if technique is not Technique.COUNTER_TREND:
                return None
            rising = (await self.outlook(space, **where)).going(*RISES)
            if not rising:
                raise BadInput("Nothing rises in the library here, so there is no trend to go against; try reverse.")
            return frozenset[int]().union(*(trend.members for trend in rising))
        found = await self.names(space, name, **where)
        exact = [trend for trend in found if trend.name.casefold() == name.casefold().strip()]
        if len(exact or found) == 1:
            return (exact or found)[0].members
        if found:
            raise BadInput(f"Several trends are called something like that: {'; '.join(one.name for one in found)}.")
        every = (await self.outlook(space, **where)).trends
        now = f"There are: {'; '.join(trend.name for trend in every)}." if every else "There is none just now."
        raise BadInput(f"No trend here is called that. {now}")

    def rising(self, space: str, filters: Filters) -> list[str]:
        """The names of what rises or is new among what the space brought itself, surest first.

        For digests: it blocks for a second, on the library's thread.
        """
        library = self._library
        found = outlook(library.store, library.embedder.name, (space,), filters=filters)
        return [trend.name for trend in found.going(*RISES)]

    async def _find(
        self, spaces: Sequence[str], topic: str, window: Window | None, filters: Filters, day: date
    ) -> Outlook:
        library = self._library
        about = None
        if topic:
            vectors = await library.run(library.embedder.embed, [topic])
            about = Topic(topic, vectors[0])

        def find() -> Outlook:
            with Store(library.store.path) as store:
                embedder = library.embedder.name
                return outlook(store, embedder, spaces, topic=about, window=window, filters=filters, today=day)

        async with self._one_at_a_time:
            return await asyncio.to_thread(find)

    def _revisions(self, spaces: Sequence[str]) -> tuple[tuple[int, int], ...]:
        store = self._library.store
        collections = [collection for space in spaces for collection in store.collections(space)]
        return tuple((collection.id, store.revision(collection)) for collection in collections)


def _spaces(space: str, draw_on: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
    match scope:
        case Scope.OWN:
            return space, *draw_on
        case Scope.STARTER:
            return (STARTER,)
        case _:
            return spaces_for(space, draw_on)


def _heard(task: asyncio.Task[Outlook]) -> None:
    """Whoever waits for it gets its error; when nobody does any more, it is not to be complained of."""
    if not task.cancelled():
        task.exception()
