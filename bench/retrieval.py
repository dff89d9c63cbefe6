"""How fast and how well `knowledge` finds, from 1,000 to 1,000,000 vectors, and with the starter collection.

    python bench/retrieval.py [--sizes 1000,10000,...] [--queries 200] [--seed 0] [--no-starter] [--json FILE]

First table: `knowledge.index.Index` as the retriever uses it, one query at a time and one thread. Its vectors come from
memory instead of the SQLite file (building a store of a million snippets would measure SQLite), everything else is the
real thing: build, file, catching up, search. For each size:

- recall@10 against comparing all (`faiss.knn`), p50 and p95 of `Index.search` with a limit of 10;
- overhead: the p50 of `Index.search` over the p50 of the very FAISS structure within it, called with FAISS alone and
  as many compared exactly; the two take turns query by query, so that both meet the same machine;
- build: from nothing to searchable; file: its size; open: reading and checking that file;
- memory: growth of the process's resident set from before to after opening the index from its file.

The vectors are synthetic: drawn around 1,000 overlapping topics in a space of 64 dimensions, then turned into 384.
Those numbers were chosen so that a thousand of them are like the starter collection as the real embedder has it: an
intrinsic dimension (Levina and Bickel's estimate, ten neighbours) of 30 against 32, and cosines of a query to its
nearest, tenth and hundredth neighbour of 0.43, 0.32 and 0.18 against 0.43, 0.29 and 0.19. Neat clusters would flatter
an approximate index. Queries are drawn likewise and are not in the index.

Second table: `Retriever.search` and `Retriever.sparks` with the starter collection and the real embedder, in process,
the embedding of the query included, and alone; the embedder computes as it does beside a local language model.
"""

# ruff: noqa: E402 (what OpenMP reads is set before anything loads it)
from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from knowledge.crew import wait_briefly

wait_briefly()  # as bot/__main__.py does, before torch is loaded

import faiss
import numpy as np
import psutil
from numpy.typing import NDArray

from bot.language.bert import torch_encoder
from knowledge.embedded import EmbeddedEmbedder, open_embedder
from knowledge.index import Index, Indexes
from knowledge.nearest import LOOKED_AT, Approximate
from knowledge.retriever import Retriever
from knowledge.starter import load_starter
from knowledge.store import Store
from knowledge.types import Collection

SIZES = (1_000, 10_000, 100_000, 300_000, 1_000_000)
DIMENSION = 384
TOPICS = 1_000
LATENT = 64

BRIEFS = (
    "A poster for a night market by the harbour",
    "Name and story for a new herbal tea",
    "A short story about a lighthouse keeper who is afraid of the dark",
    "Packaging for a children's toothbrush",
    "An app that helps neighbours share tools",
    "Opening scene of a heist film set in a library",
    "A public bench that makes strangers talk",
    "Merch for a synth-pop band",
    "A museum exhibit on sleep",
    "Board game about gossip",
)

Vectors = NDArray[np.float32]
Ids = NDArray[np.int64]


class MemorySource:
    """What an index is derived from, held in memory: ids 1 to n."""

    def __init__(self, vectors: Vectors) -> None:
        self._vectors = vectors
        self._collection = Collection(1, "bench", "bench")

    def collections(self, space: str | None = None) -> list[Collection]:
        return [self._collection]

    def revision(self, collection: Collection) -> int:
        return 1

    def count(self, collection: Collection) -> int:
        return len(self._vectors)

    def key(self, collection: Collection) -> str:
        return "bench"

    def vector_ids(self, collection: Collection, embedder: str) -> Ids:
        return np.arange(1, len(self._vectors) + 1, dtype=np.int64)

    def vectors(self, collection: Collection, embedder: str, after: int = 0, limit: int = -1) -> tuple[Ids, Vectors]:
        end = len(self._vectors) if limit < 0 else min(len(self._vectors), after + limit)
        return np.arange(after + 1, end + 1, dtype=np.int64), self._vectors[after:end]

    def vectors_of(self, ids: Iterable[int], embedder: str) -> tuple[Ids, Vectors]:
        wanted = np.sort(np.fromiter(ids, np.int64))
        return wanted, self._vectors[wanted - 1]


def synthetic(count: int, seed: int, part: int) -> Vectors:
    """`count` vectors of length 1, (count, DIMENSION); another `part` draws others around the same topics."""
    shared = np.random.default_rng(seed)
    projection = shared.standard_normal((LATENT, DIMENSION), np.float32) / np.float32(np.sqrt(LATENT))
    topics = shared.standard_normal((TOPICS, LATENT), np.float32)
    rng = np.random.default_rng((seed, part))
    vectors = np.empty((count, DIMENSION), np.float32)
    for start in range(0, count, 50_000):
        rows = vectors[start : start + 50_000]
        latent = topics[rng.integers(0, TOPICS, len(rows))]
        latent += np.float32(1.5) * rng.standard_normal((len(rows), LATENT), np.float32)
        rows[:] = latent @ projection + np.float32(0.05) * rng.standard_normal(rows.shape, np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that `call` takes."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


def resident() -> float:
    """Resident set of this process, in MB."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def measure_index(size: int, queries: int, seed: int) -> dict[str, float | str]:
    """One row of the first table."""
    vectors = synthetic(size, seed, part=1)
    asked = synthetic(queries, seed, part=2)
    source = MemorySource(vectors)
    collection = source.collections()[0]
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    _, truth = faiss.knn(asked, vectors, 10, metric=faiss.METRIC_INNER_PRODUCT)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        built = Index(Path(folder), source, collection, "bench", DIMENSION)
        build_seconds = time.perf_counter() - start
        built.save()
        file_mb = next(Path(folder).iterdir()).stat().st_size / 1e6
        del built, vectors
        source._vectors = np.empty((0, DIMENSION), np.float32)  # from here on the file has to be enough
        before = resident()
        start = time.perf_counter()
        index = Index(Path(folder), source, collection, "bench", DIMENSION)
        open_seconds = time.perf_counter() - start
        memory_mb = resident() - before
    inner = index._nearest
    approximate = isinstance(inner, Approximate)
    parameters = faiss.IndexRefineSearchParameters(k_factor=LOOKED_AT) if approximate else None
    found = [index.search(query, 10)[0] for query in asked]
    ours, raw = [], []
    faiss.omp_set_num_threads(1)  # as Index does
    for number, query in enumerate(asked):
        turns = [
            (ours, lambda query=query: index.search(query, 10)),
            (raw, lambda query=query: inner.index.search(query[None], 10, params=parameters)),
        ]
        for times, call in turns if number % 2 else turns[::-1]:
            times.append(timed(call))
    recall = np.mean(
        [len(set(ids.tolist()) & set((row + 1).tolist())) / 10 for ids, row in zip(found, truth, strict=True)]
    )
    return {
        "vectors": size,
        "structure": "approximate" if approximate else "exact",
        "recall@10": float(recall),
        "p50 ms": float(np.percentile(ours, 50)),
        "p95 ms": float(np.percentile(ours, 95)),
        "raw p50 ms": float(np.percentile(raw, 50)),
        "overhead": float(np.percentile(ours, 50) / np.percentile(raw, 50)),
        "build s": build_seconds,
        "open s": open_seconds,
        "file MB": file_mb,
        "memory MB": memory_mb,
    }


def measure_starter(queries: int) -> list[dict[str, float | str]]:
    """The rows of the second table."""
    embedder = open_embedder(device="cpu")
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "kindling.db") as store:
        start = time.perf_counter()
        load_starter(store, embedder)
        print(f"Embedding the starter collection took {time.perf_counter() - start:.1f} s.\n")
        with Indexes(Path(folder) / "index", store, embedder.name, embedder.dimension) as indexes:
            retriever = Retriever(store, embedder, indexes)
            briefs = [f"{BRIEFS[i % len(BRIEFS)]}, number {i}" for i in range(queries)]
            parts: dict[str, Callable[[str], object]] = {
                "embedding the query": lambda brief: embedder.embed([brief]),
                "search, 10 hits": lambda brief: retriever.search(brief, ["starter"]),
                "sparks, 10 mixed": lambda brief: retriever.sparks(brief, ["starter"], 10),
            }
            if isinstance(embedder, EmbeddedEmbedder):
                embedder.use(torch_encoder)
            for call in parts.values():  # the first of everything is slower
                call(BRIEFS[0])
            wall: dict[str, list[float]] = {name: [] for name in parts}
            busy: dict[str, list[float]] = {name: [] for name in parts}
            for brief in briefs:
                for name, call in parts.items():
                    cpu = time.process_time()
                    wall[name].append(timed(lambda call=call, brief=brief: call(brief)))
                    busy[name].append((time.process_time() - cpu) * 1e3)
    return [
        {
            "part": name,
            "p50 ms": float(np.percentile(wall[name], 50)),
            "p95 ms": float(np.percentile(wall[name], 95)),
            "p50 ms of processor": float(np.percentile(busy[name], 50)),
            "p95 ms of processor": float(np.percentile(busy[name], 95)),
        }
        for name in parts
    ]


def table(rows: Sequence[dict[str, float | str]]) -> str:
    """Rows as a Markdown table."""

    def cell(value: float | str) -> str:
        if isinstance(value, str):
            return value
        return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

    header = list(rows[0])
    lines = [header, ["---"] * len(header), *[[cell(row[name]) for name in header] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure retrieval.")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of vectors, with commas between")
    parser.add_argument("--quick", action="store_true", help="only the two smallest sizes")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-starter", action="store_true", help="leave out the starter collection")
    parser.add_argument("--json", type=Path, help="write the numbers to this file too")
    arguments = parser.parse_args()
    cores, load = os.cpu_count(), os.getloadavg()[0]
    print(f"{platform.machine()}, {cores} cores, load {load:.1f} at the start, FAISS {faiss.__version__}\n")
    sizes = [int(size) for size in arguments.sizes.split(",") if size][: 2 if arguments.quick else None]
    results: dict[str, object] = {"cores": cores, "load": load, "queries": arguments.queries, "seed": arguments.seed}
    if sizes:
        rows = [measure_index(size, arguments.queries, arguments.seed) for size in sizes]
        print(table(rows), end="\n\n")
        results["index"] = rows
    if not arguments.no_starter:
        rows = measure_starter(arguments.queries)
        print(table(rows))
        results["starter"] = rows
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
