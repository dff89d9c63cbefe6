"""`kindling doctor`: looks at each part, tries it for real, and says what to do about what is wrong."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.language.base import Continuation, Message, Sampling
from bot.services import Services, open_services
from bot.settings import Settings
from knowledge.errors import KindlingError, sentence

LIBRARIES = ("torch", "transformers", "sentence-transformers", "faiss-cpu", "sqlite-utils", "discord.py")
SCARCE = 2 * 2**30  # bytes free in the data folder below which a large ingest may fail


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part, whether it is well, and what to do if not."""

    part: str
    well: bool
    found: str
    advice: str = ""


async def examine(settings: Settings, console: Console) -> bool:
    """Look at everything, print as it goes, and return whether all is well."""
    table = Table("part", "", "found", "what to do", box=None, header_style="dim", padding=(0, 2, 0, 0))
    well = True
    with console.status("looking at each part"):
        async for finding in _findings(settings):
            well &= finding.well
            mark = Text("ok", style="green") if finding.well else Text("no", style="red")
            table.add_row(finding.part, mark, Text(finding.found), Text(finding.advice))
    console.print(table)
    return well


async def _findings(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding("Python", True, platform.python_version())
    for library in LIBRARIES:
        try:
            yield Finding(library, True, version(library))
        except PackageNotFoundError:
            yield Finding(library, False, "missing", "make run installs it")
    yield _full_text()
    token = settings.discord_token is not None
    yield Finding(
        "Discord", True, "token set: run starts the bot" if token else "no token: run opens the terminal studio"
    )
    try:
        async with open_services(settings) as services:
            yield _data_folder(settings)
            yield await _timed("library", lambda: _library(services))
            yield await _timed("search", lambda: _search(services))
            yield await _model(services)
    except KindlingError as error:
        yield Finding("library", False, "could not be opened", sentence(error))


def _full_text() -> Finding:
    with sqlite3.connect(":memory:") as db:
        options = {row[0] for row in db.execute("PRAGMA compile_options")}
    well = "ENABLE_FTS5" in options
    db.close()
    return Finding(
        "SQLite", well, sqlite3.sqlite_version, "" if well else "this Python's SQLite lacks FTS5: use another build"
    )


def _data_folder(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data_dir).free
    found = f"{settings.data_dir}, {free / 2**30:.0f} GB free"
    return Finding(
        "data folder", free > SCARCE, found, "" if free > SCARCE else "free some space, or set KINDLING_DATA_DIR"
    )


async def _timed(part: str, look: Callable[[], AsyncIterator[str]]) -> Finding:
    try:
        return Finding(part, True, "; ".join([line async for line in look()]))
    except KindlingError as error:
        return Finding(part, False, "failed", sentence(error))


async def _library(services: Services) -> AsyncIterator[str]:
    library = services.library
    collections = await library.run(library.store.collections)
    counts = [await library.run(library.store.count, collection) for collection in collections]
    yield f"{sum(counts):,} snippets in {len(counts)} collections"
    yield f"embedder {library.embedder.name}"


async def _search(services: Services) -> AsyncIterator[str]:
    await services.studio.search("terminal", "a first question warms the index")
    times = []
    for query in (
        "harbour at night",
        "a toy for one hand",
        "letters that grow",
        "what the baker heard",
        "paper and rain",
    ):
        began = time.perf_counter()
        await services.studio.search("terminal", query)
        times.append(time.perf_counter() - began)
    yield f"{1000 * sorted(times)[len(times) // 2]:.0f} ms a query"


async def _model(services: Services) -> Finding:
    began = time.perf_counter()
    model = services.model
    try:
        await model.load()
        question = Continuation((Message("user", "Name five materials."),), Sampling(max_tokens=48, seed=1))
        first, pieces = 0.0, 0
        async with aclosing(model.stream((), [question])) as stream:
            async for _ in stream:
                first = first or time.perf_counter() - began
                pieces += 1
        rate = (pieces - 1) / max(1e-9, time.perf_counter() - began - first)
    except KindlingError as error:
        return Finding("language model", False, services.settings.model, sentence(error))
    return Finding(
        "language model", True, f"{model.name}; first words after {first:.1f} s, then {rate:.0f} pieces a second"
    )
