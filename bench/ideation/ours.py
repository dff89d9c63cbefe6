"""Kindling itself on the bench, and Kindling with one stage taken out at a time.

The whole thing runs through the studio, as every face does. The ablations reuse its parts; those that differ only in
what happens after writing share one pool of candidates for each brief and seed.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from bench.ideation.anchors import Run
from bench.yardstick import Shown
from bot.ideation import prompts
from bot.ideation.candidates import Candidate, Recipe, Writer, judged
from bot.ideation.errors import NoIdeas
from bot.ideation.events import Finished, Found
from bot.ideation.judge import Judge, read_background
from bot.ideation.library import spaces_for
from bot.ideation.selection import diverse
from bot.ideation.techniques import assign
from bot.ideation.types import Brief, Technique
from bot.language.base import Sampling
from bot.services import Services, style_for
from knowledge.types import Distance, Hit

SPACE = "bench"


async def brainstormed(
    services: Services, brief: str, seed: int, count: int, technique: Technique | None = None
) -> Run:
    """The ideas that people would be shown. With `technique`, that one for all: ours without techniques is "direct"."""
    offered: list[str] = []
    began = time.perf_counter()
    try:
        events = services.studio.brainstorm(SPACE, brief, count=count, seed=seed, technique=technique)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Found):
                    offered += [hit.snippet.text for hit in event.sparks]
                if isinstance(event, Finished):
                    # A second round has sparks of its own, which no event tells of; each idea carries its spark
                    sparks = [idea.sparks[0].snippet.text if idea.sparks else None for idea in event.ideas]
                    return Run(
                        [Shown(idea.body, spark) for idea, spark in zip(event.ideas, sparks, strict=True)],
                        [*offered, *(spark for spark in sparks if spark)],
                        event.seconds.first_idea,
                        event.seconds.total,
                        [idea.title for idea in event.ideas],
                    )
    except NoIdeas:
        pass
    return Run([], offered, None, time.perf_counter() - began)


@dataclass(frozen=True, slots=True)
class Pool:
    """All candidates of one brief and seed that could be parsed, judged, in writing order."""

    candidates: list[Candidate]
    offered: list[str]
    seconds: float

    def first(self, count: int) -> Run:
        """Without gates and selection: what was written first."""
        return self._run(self.candidates[:count])

    def ungated(self, count: int) -> Run:
        """Without gates: the best diverse set of all."""
        return self._run(_diverse(self.candidates, count))

    def unselected(self, count: int) -> Run:
        """Without selection: the first that pass, then the first that may be shown at all."""
        passing = [one for one in self.candidates if one.verdict.passes]
        spare = [one for one in self.candidates if one.verdict.showable and not one.verdict.passes]
        return self._run([*passing, *spare][:count])

    def selected(self, count: int) -> Run:
        """With gates and selection."""
        passing = [one for one in self.candidates if one.verdict.passes]
        return self._run(_diverse(passing, count))

    def _run(self, chosen: Sequence[Candidate]) -> Run:
        ideas = [
            Shown(one.words.body, one.recipe.sparks[0].snippet.text if one.recipe.sparks else None) for one in chosen
        ]
        return Run(ideas, self.offered, self.seconds, self.seconds, [one.words.title for one in chosen])


async def pooled(services: Services, brief: str, seed: int, count: int, *, sparked: bool = True) -> Pool:
    """Write and judge as many candidates as one round of Kindling would; with `sparked` False, from the brief alone."""
    began = time.perf_counter()
    settings, library = services.settings, services.library
    wanted = math.ceil(count * settings.candidates)
    asked = Brief(brief)
    hits: list[Hit] = await library.run(
        library.retriever.sparks, brief, spaces_for(SPACE), wanted, distance=Distance.MIXED, seed=seed
    )
    draw = random.Random(f"{seed}/0")  # as the studio's first round: the two then share what the model wrote
    style = style_for(settings)
    recipes = []
    for hit, technique in zip(hits, assign(hits, seed), strict=True):
        sparks = (hit,) if sparked else ()
        question = prompts.brainstorm(asked, [spark.snippet.text for spark in sparks], technique, style)
        recipes.append(Recipe(question, sparks, technique, draw.getrandbits(31)))

    def prepare() -> Judge:
        background = read_background(library.store, library.embedder)
        had = np.zeros((0, 0), np.float32)
        return Judge(library.store, library.embedder, background, asked, had)

    judge = await library.run(prepare)
    writer = Writer(services.model, style)
    sampling = Sampling(temperature=settings.temperature, top_p=0.95, top_k=50, max_tokens=110)
    found: list[Candidate] = []
    async with aclosing(judged(library, writer, judge, recipes, sampling)) as candidates:
        found += [candidate async for candidate in candidates if candidate is not None]
    offered = [hit.snippet.text for hit in hits] if sparked else []
    return Pool(found, offered, time.perf_counter() - began)


def _diverse(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    verdicts = [one.verdict for one in candidates]
    places = diverse([one.vector for one in verdicts], [one.quality for one in verdicts], count)
    return [candidates[place] for place in places]
