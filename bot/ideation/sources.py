"""Sources on the web: adding what is at an address, keeping feeds fresh, and how each is doing.

Fetching and reading block for as long as the other side likes, so they happen on threads of their own. Those embed and
look for doubles through the library's thread, a few texts at a time, so that nobody else waits long for it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from bot.ideation.intake import Borrowed
from bot.ideation.library import Library
from bot.ideation.prompts import quoted
from bot.ideation.shelf import CHANNEL, MESSAGE, OWN, Shelf
from knowledge.errors import BadInput, FetchError, ReadError, StoreError
from knowledge.fetching import Fetcher
from knowledge.readers import Listed
from knowledge.sources import ledger
from knowledge.sources.harvest import FEED, LIST, Harvest, harvest
from knowledge.sources.keeping import NOTHING, Kept, keep
from knowledge.sources.ledger import Due, Health
from knowledge.store import Store
from knowledge.types import Collection, Source

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 4  # feeds fetched at a time
FEEDS_A_SPACE = 500


@dataclass(frozen=True, slots=True)
class Fetch:
    """What became of one address.

    error: one line, when it failed; what was stored before that stands. follows: the feed that a page says it has.
    refused: what could not be read of it. waiting: it is a feed that is followed from now on and was not fetched yet.
    """

    address: str
    source: Source
    kept: Kept = NOTHING
    error: str | None = None
    follows: str | None = None
    refused: tuple[str, ...] = ()
    changed: bool = True
    waiting: bool = False


Progress = Callable[[Fetch], None]


class Sources:
    """What a space's own collection has from the web. Every method may raise what the store raises."""

    def __init__(self, library: Library, shelf: Shelf, fetcher: Fetcher, every: timedelta = ledger.EVERY) -> None:
        self._library = library
        self._shelf = shelf
        self._fetcher = fetcher
        self._every = every
        self._keeping = threading.Lock()  # doubles are found only if one source at a time is kept
        self._embedder = Borrowed(library.embedder, library.worker)
        self._followed = asyncio.Event()
        self._at_work: set[asyncio.Task[Any]] = set()

    async def add(self, space: str, person: str | None, address: str) -> list[Fetch]:
        """Take in what is at `address`: a page, a PDF or another document; or a feed, which is followed from now on.

        What lists feeds has each of them followed; they wait for the next `refresh`.

        Raises `BadInput` with the address when it cannot be had or read.
        """
        try:
            found = await self._thread(harvest, self._fetcher, address)
        except (FetchError, ReadError) as error:
            raise BadInput(f"{quoted(address)[:200]} {error}") from error
        if found.kind == LIST:
            return await self.follow(space, person, found.listed)
        fetch = await self._thread(self._taken, space, found)
        await self._shelf.sign(fetch.source, person)
        return [fetch]

    async def follow(self, space: str, person: str | None, listed: Sequence[Listed]) -> list[Fetch]:
        """Follow feeds from now on: the next `refresh` fetches them. Those that are followed already are left out.

        Raises `BadInput` when the space would follow too many.
        """

        def note(store: Store) -> list[Source]:
            collection = store.collection(space, OWN)
            followed = _feeds(store, collection)
            fresh = [one for one in listed if one.address not in followed]
            _check_room(len(followed) + len(fresh))
            now = _now()
            return [ledger.follow(store, collection, one.address, one.title, now) for one in fresh]

        sources = await self._library.run(note, self._library.store)
        for source in sources:
            await self._shelf.sign(source, person)
        self._followed.set()
        return [Fetch(source.address, source, waiting=True) for source in sources]

    async def refresh(
        self, space: str | None = None, *, everything: bool = False, progress: Progress | None = None
    ) -> list[Fetch]:
        """Fetch the feeds of a space, or of all, that are due, or each and every one. `progress` hears of each.

        One that fails does not raise: why is in its fetch and in `health`, and it is tried again later.
        """
        self._followed.clear()

        def look(store: Store) -> list[Due]:
            collection = store.collection(space, OWN) if space else None
            return ledger.due(store, None if everything else _now(), collection)

        gate = asyncio.Semaphore(AT_ONCE)

        async def one(which: Due) -> Fetch:
            async with gate:
                fetch = await self._thread(self._refresh_one, which)
            if progress is not None:
                progress(fetch)
            return fetch

        return list(await asyncio.gather(*map(one, await self._library.run(look, self._library.store))))

    async def wait(self, seconds: float) -> None:
        """Wait so long, or until a feed is followed that has never been fetched."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._followed.wait()

    async def health(self, space: str) -> list[Health]:
        """How the space's sources on the web are doing, newest first."""

        def look(store: Store) -> list[Health]:
            return ledger.health(store, store.collection(space, OWN))

        return await self._library.run(look, self._library.store)

    async def close(self) -> None:
        """Break off what is being fetched, and wait until nothing is at work. Nothing can be fetched afterwards."""
        self._fetcher.close()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    async def _thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on a thread. When whoever waits gives up, it goes on to its end, which `close` awaits."""
        task = asyncio.create_task(asyncio.to_thread(function, *args, **kwargs))
        self._at_work.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._at_work.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; where nobody waits any more, nobody is to be told

    # --- on a thread of its own --------------------------------------------------------------------------------------

    def _refresh_one(self, which: Due) -> Fetch:
        """Fetch one feed and note how that went."""
        source = which.source
        try:
            found = harvest(
                self._fetcher, source.address, kind=FEED, etag=which.etag, last_modified=which.last_modified
            )
            return self._kept(source, found)
        except (FetchError, ReadError) as error:
            if not self._fetcher.closed:
                with Store(self._library.store.path) as store:
                    ledger.note_failed(store, source, _now(), error, self._every)
            return Fetch(source.address, source, error=str(error))
        except StoreError as error:
            with Store(self._library.store.path) as store:
                if ledger.is_there(store, source):
                    raise
            return Fetch(source.address, source, error=str(error))  # it was removed meanwhile

    def _taken(self, space: str, found: Harvest) -> Fetch:
        """Keep what was found at an address under a source that is made for it."""
        with Store(self._library.store.path) as store:
            collection = store.collection(space, OWN)
            title = found.title or found.address
            if found.kind == FEED:
                followed = _feeds(store, collection)
                _check_room(len(followed) + (found.address not in followed))
                source = ledger.follow(store, collection, found.address, title, _now())
            else:
                source = store.source(collection, found.kind, found.address, title)
        return self._kept(source, found)

    def _kept(self, source: Source, found: Harvest) -> Fetch:
        """Keep what was found, and note that it could be had.

        Raises StoreError when the source was removed meanwhile, FetchError when Kindling is being stopped.
        """
        kept = Kept()
        with self._keeping, Store(self._library.store.path) as store:
            # A page that somebody asked for is taken in whole; only what comes by itself may be a double.
            near = _Neighbours(self._library, _collection_of(store, source)) if source.kind == FEED else None
            steps = keep(store, self._embedder, near, source, found.entries)
            for step in steps:
                self._fetcher.check()
                kept += step
            for step in keep(store, self._embedder, near, source, found.entries):  # those that lost their first
                kept += replace(step, unchanged=0)
            marks = found.etag, found.last_modified
            added = kept.added if found.changed else None
            ledger.note_fetched(store, source, _now(), marks, added, self._every, found.title)
        return Fetch(source.address, source, kept, follows=found.follows, refused=found.refused, changed=found.changed)


class _Neighbours:
    """A collection's index for another thread: it is asked on the library's thread, in turn with everything else."""

    def __init__(self, library: Library, collection: Collection) -> None:
        self._library = library
        self._collection = collection

    def nearest(self, vectors: NDArray[np.float32], limit: int) -> list[list[tuple[int, float]]]:
        """For each vector, the nearest snippets of the collection, (id, cosine), nearest first."""

        def look() -> list[list[tuple[int, float]]]:
            index, store = self._library.indexes.of(self._collection), self._library.store
            # A double of what a channel holds is no double for those who can't see the channel.
            walled = [one.id for one in store.sources(self._collection) if one.kind in (CHANNEL, MESSAGE)]
            allowed = np.setdiff1d(index.ids, store.ids_of_sources(walled)) if walled else None
            found = (index.search(vector, limit, allowed) for vector in vectors)
            return [list(zip(ids.tolist(), cosines.tolist(), strict=True)) for ids, cosines in found]

        return self._library.worker.submit(look).result()


def _feeds(store: Store, collection: Collection) -> set[str]:
    """The addresses of the feeds that a collection follows."""
    return {source.address for source in store.sources(collection) if source.kind == FEED}


def _check_room(feeds: int) -> None:
    if feeds > FEEDS_A_SPACE:
        raise BadInput(f"{FEEDS_A_SPACE} feeds are the most that can be followed here: remove some first.")


def _collection_of(store: Store, source: Source) -> Collection:
    """The collection that a source is in. Raises StoreError when it is gone."""
    for collection in store.collections():
        if collection.id == source.collection_id:
            return collection
    raise StoreError(f"{source.title} is no longer in the library; add it again")


def _now() -> datetime:
    return datetime.now(UTC)
