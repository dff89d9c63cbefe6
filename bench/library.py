"""Whether a library can grow: reading in, searching meanwhile, and many spaces on one machine.

    python bench/library.py [--quick] [--texts 2000] [--snippets 100000] [--spaces 1000] [--json FILE]

Three tables, all with the real embedder:

- Reading in: a JSON Lines file of `--texts` snippets through `knowledge.ingest.ingest` into a fresh library, everything
  included (reading, checking, embedding, storing, committing), against `SentenceTransformer.encode` alone, as it comes,
  on the same texts with the same model. The two take turns, in one run; the ratio is of the medians.
- Searching: `Studio.search`, as every face calls it, in a space of `--snippets` snippets: alone, then while a file of
  `--texts` snippets is read into the same space. The query's embedding is included, and given apart. Between searches
  there are 50 ms. Their vectors are synthetic (see bench/retrieval.py), their texts sentences of the starter
  collection shuffled, each with a word of its own, so that words are as frequent as they are in real texts.
- Spaces: `--spaces` of them, 100 snippets each, searched in turn, twice, without the query's embedding; the peak of the
  resident set, and what the open indexes take, with the bound on them at a tenth of what all would take, then as it is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

sys.path.remove(str(Path(__file__).resolve().parent))  # bench/discord.py would be found in discord.py's stead
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.retrieval import BRIEFS, DIMENSION, resident, synthetic, table
from bot.client import SWITCH_SECONDS
from bot.language.bert import torch_encoder
from bot.services import open_services
from bot.settings import Settings
from knowledge import starter
from knowledge.embedded import EmbeddedEmbedder, packaged_folder
from knowledge.embedder import SentenceTransformerEmbedder
from knowledge.embedding import passage
from knowledge.index import Indexes
from knowledge.ingest import ingest
from knowledge.retriever import Retriever
from knowledge.store import Store
from knowledge.types import Draft
from tests.bot.fakes import ScriptedModel

SPACE = "guild:1"
EACH = 100  # snippets in each of many spaces
PAUSE = 0.05
TURNS = 3


def drafts(count: int, seed: int) -> list[Draft]:
    """`count` different snippets of three sentences each, from the starter collection's."""
    every = starter.read_drafts((Path(starter.__file__).parent / "snippets.jsonl").read_text("utf-8"))
    sentences = [sentence.strip(" .") for draft in every for sentence in draft.text.split(". ")]
    rng = random.Random(seed)
    return [
        Draft(rng.choice(every).title, f"{'. '.join(rng.sample(sentences, 3))}. Item{seed}x{number}.")
        for number in range(count)
    ]


def written(path: Path, some: Sequence[Draft]) -> Path:
    """The snippets as a JSON Lines file."""
    path.write_text("".join(json.dumps({"title": one.title, "text": one.text}) + "\n" for one in some), "utf-8")
    return path


def measure_reading(texts: int, embedder: SentenceTransformerEmbedder) -> list[dict[str, float | str]]:
    """Reading in, against bare encoding."""
    some = drafts(texts, seed=1)
    passages = [passage(draft) for draft in some]
    ours, bare = [], []

    def read_in(folder: Path) -> None:
        path = written(folder / "some.jsonl", some)
        with Store(folder / "kindling.db") as store:
            start = time.perf_counter()
            report = ingest(store, embedder, store.collection(SPACE, "own"), [path])
            ours.append(texts / (time.perf_counter() - start))
        assert report.added == texts, report

    def encode() -> None:
        start = time.perf_counter()
        embedder._model.encode(passages, normalize_embeddings=True, show_progress_bar=False)
        bare.append(texts / (time.perf_counter() - start))

    embedder.embed(passages[:64])  # the first of everything is slower
    for turn in range(TURNS):
        with tempfile.TemporaryDirectory() as folder:
            calls: list[Callable[[], None]] = [lambda folder=folder: read_in(Path(folder)), encode]
            for call in calls if turn % 2 else calls[::-1]:
                call()
    return [
        {"what": "encode alone, texts a second", "median": float(np.median(bare)), "turns": spread(bare)},
        {"what": "reading in, texts a second", "median": float(np.median(ours)), "turns": spread(ours)},
        {"what": "ratio", "median": float(np.median(ours) / np.median(bare)), "turns": ""},
    ]


def spread(values: Sequence[float]) -> str:
    """The single values, in a few digits."""
    return " ".join(f"{value:.1f}" for value in values)


async def measure_searching(snippets: int, texts: int) -> list[dict[str, float | str]]:
    """Searches in a large space, alone and while it grows."""
    sys.setswitchinterval(SWITCH_SECONDS)  # as the bot does
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(_env_file=None, data_dir=folder / "data")
        async with open_services(settings, model=ScriptedModel()) as services:
            library, studio = services.library, services.studio
            if isinstance(library.embedder, EmbeddedEmbedder):  # as it is beside a local language model
                await library.run(library.embedder.use, torch_encoder)
            await library.run(fill, library.store, library.embedder.name, snippets)
            start = time.perf_counter()
            await studio.search(SPACE, BRIEFS[0])
            print(f"The first search, which builds the index, took {time.perf_counter() - start:.1f} s.", flush=True)
            for number in range(20):
                await studio.search(SPACE, BRIEFS[number % len(BRIEFS)])

            async def searched(done: Callable[[int], bool], heading: str) -> None:
                whole, embedding = [], []
                number = 0
                while not done(number):
                    brief = f"{BRIEFS[number % len(BRIEFS)]}, number {number}"
                    start = time.perf_counter()
                    await studio.search(SPACE, brief)
                    whole.append((time.perf_counter() - start) * 1e3)
                    start = time.perf_counter()
                    await library.run(library.embedder.embed, [brief])
                    embedding.append((time.perf_counter() - start) * 1e3)
                    await asyncio.sleep(PAUSE)
                    number += 1
                rows.append(
                    {
                        "searches": f"{heading} ({len(whole)})",
                        "p50 ms": float(np.percentile(whole, 50)),
                        "p95 ms": float(np.percentile(whole, 95)),
                        "max ms": max(whole),
                        "embedding p50 ms": float(np.percentile(embedding, 50)),
                        "embedding p95 ms": float(np.percentile(embedding, 95)),
                    }
                )

            await searched(lambda number: number >= 100, "alone")
            path = written(folder / "more.jsonl", drafts(texts, seed=2))
            warm = written(folder / "few.jsonl", drafts(20, seed=3))
            await studio.ingest(SPACE, [warm])  # loads the intake's embedder
            start = time.perf_counter()
            reading = asyncio.create_task(studio.ingest(SPACE, [path]))
            await searched(lambda _: reading.done(), "while it is read into")
            report = await reading
            print(f"{report.added} snippets were read in meanwhile, in {time.perf_counter() - start:.0f} s.\n")
    return rows


def fill(store: Store, embedder: str, count: int) -> None:
    """Put so many snippets with synthetic vectors into the space."""
    source = store.source(store.collection(SPACE, "own"), "file", "bench", "Bench")
    vectors, some = synthetic(count, 0, part=1), drafts(count, seed=4)
    for start in range(0, count, 5_000):
        store.add(source, some[start : start + 5_000], vectors[start : start + 5_000], embedder)


def measure_spaces(spaces: int, embedder: SentenceTransformerEmbedder) -> list[dict[str, float | str]]:
    """Many spaces, one after the other."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as name, Store(Path(name) / "kindling.db") as store:
        vectors, some = synthetic(spaces * EACH, 0, part=3), drafts(spaces * EACH, seed=5)
        with store.transaction():
            for number in range(spaces):
                part = slice(number * EACH, (number + 1) * EACH)
                source = store.source(store.collection(f"guild:{number}", "own"), "file", "bench", "Bench")
                store.add(source, some[part], vectors[part], embedder.name)
        del some, vectors
        least = spaces * EACH * DIMENSION * 4 // 10
        for heading, settings in ((f"{least / 1e6:.0f} MB", {"most_bytes": least}), ("as it is", {})):
            before = resident()
            with Indexes(Path(name) / heading, store, embedder.name, DIMENSION, **settings) as indexes:
                retriever = Retriever(store, Remembered(embedder), indexes)
                times, peak = [], Peak()
                with peak:
                    for number in [*range(spaces), *range(spaces)]:
                        start = time.perf_counter()
                        hits = retriever.search(BRIEFS[number % len(BRIEFS)], [f"guild:{number}"])
                        times.append((time.perf_counter() - start) * 1e3)
                        assert hits
                rows.append(
                    {
                        "bound": heading,
                        "spaces opened, twice": spaces,
                        "p50 ms": float(np.percentile(times, 50)),
                        "p95 ms": float(np.percentile(times, 95)),
                        "indexes open MB": indexes.bytes_open / 1e6,
                        "resident before MB": before,
                        "peak MB": peak.megabytes,
                    }
                )
    return rows


class Remembered:
    """An embedder that computes each text once: here it is the opening that is measured."""

    def __init__(self, embedder: SentenceTransformerEmbedder) -> None:
        self.name, self.dimension = embedder.name, embedder.dimension
        self._of = cache(lambda text: embedder.embed([text])[0])

    def embed(self, texts: Sequence[str], progress: object = None) -> NDArray[np.float32]:
        return np.stack([self._of(text) for text in texts])


class Peak:
    """The highest resident set while it lasts, looked at every 20 ms."""

    megabytes = 0.0

    def __enter__(self) -> Peak:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._over.wait(0.02):
            self.megabytes = max(self.megabytes, process.memory_info().rss / 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure whether a library can grow.")
    parser.add_argument("--texts", type=int, default=2_000, help="snippets that are read in")
    parser.add_argument("--snippets", type=int, default=100_000, help="snippets in the space that is searched")
    parser.add_argument("--spaces", type=int, default=1_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", choices=("reading", "searching", "spaces"), help="one of the three tables")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    arguments = parser.parse_args()
    share = 10 if arguments.quick else 1
    cores, load = os.cpu_count(), os.getloadavg()[0]
    print(f"{platform.machine()}, {cores} cores, load {load:.1f} at the start\n", flush=True)
    texts, snippets, spaces = (n // share for n in (arguments.texts, arguments.snippets, arguments.spaces))
    results: dict[str, object] = {"cores": cores, "load": load}

    def show(name: str, measured: Callable[[], list[dict[str, float | str]]]) -> None:
        if arguments.only in (None, name):
            results[name] = rows = measured()
            print(table(rows), end="\n\n", flush=True)

    show("searching", lambda: asyncio.run(measure_searching(snippets, texts)))
    embedder = SentenceTransformerEmbedder(packaged_folder(), device="cpu")
    show("reading", lambda: measure_reading(texts, embedder))
    show("spaces", lambda: measure_spaces(spaces, embedder))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
