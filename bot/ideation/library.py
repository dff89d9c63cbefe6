"""The library as ideation sees it: store, embedder, retriever and journal, all on the one thread that owns them.

SQLite connections belong to the thread that opened them and FAISS and torch block, so nothing here is touched from the
event loop: `await library.run(function)` runs it on the library's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from bot.ideation.intake import Intake
from bot.ideation.journal import Journal
from bot.worker import Worker
from knowledge.embedder import Embedder
from knowledge.index import Indexes
from knowledge.retriever import Retriever
from knowledge.starter import SPACE
from knowledge.store import Store

P = ParamSpec("P")
T = TypeVar("T")

STARTER = SPACE


@dataclass(frozen=True, slots=True)
class Library:
    """What one data folder holds, and the thread that it lives on."""

    worker: Worker
    store: Store
    embedder: Embedder
    indexes: Indexes
    retriever: Retriever
    journal: Journal
    intake: Intake = field(default_factory=Intake)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function on the library's thread and await what it returns or raises."""
        return await self.worker.run(function, *args, **kwargs)

    async def take_in(self, reading: Callable[[Store, Embedder], T]) -> T:
        """Run what reads things in, `reading(store, embedder)`, beside the library's thread: it may take minutes."""
        return await self.intake.run(reading, self.store.path, self.embedder, self.worker)

    async def close(self) -> None:
        """Finish what is being read in, save the indexes, close the store, then end the thread."""
        await self.intake.close()
        await self.worker.run(self.indexes.close)
        await self.worker.run(self.store.close)
        await self.worker.close()


def spaces_for(space: str, draw_on: Sequence[str] = ()) -> tuple[str, ...]:
    """The spaces whose collections a space may draw on: its own, the starter's, which is everybody's, and `draw_on`.

    `draw_on` are further spaces that whoever asks belongs to: their server's, for a private board in it.
    """
    return space, *draw_on, STARTER
