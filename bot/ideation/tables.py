"""Tables of ideation's own in the library's file, beside the journal: their schema is applied when they are first used.

For what not every face has: the terminal knows no house rules, so its library never gets the table for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlite_utils import Migrations

from bot.ideation.library import Library
from knowledge.migrations import apply_migrations
from knowledge.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class Tables:
    """Sets of tables, of these `schemas`, in the library's file. Touched on the library's thread alone."""

    def __init__(self, library: Library, *schemas: Migrations) -> None:
        self._library = library
        self._schemas = schemas
        self._ready = False

    async def run(self, function: Callable[Concatenate[Store, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(store, ...)` on the library's thread, with the tables there. Raises what the store raises."""

        def call() -> T:
            store = self._library.store
            if not self._ready:
                for schema in self._schemas:
                    apply_migrations(store.db, schema)
                self._ready = True
            return function(store, *args, **kwargs)

        return await self._library.run(call)
