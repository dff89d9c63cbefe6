"""The contenders of bench/language.py, each in a process of its own: Kindling's engine, and transformers' generate.

A contender's process reads jobs and writes results, a line of JSON each. Its first line says that it is ready, or what
is missing; at the end of its input it tells its peak memory in bytes. A job is

    {"tokens": 64, "requests": [{"shared": [token ids], "own": [[token ids], ...]}, ...]}

and means: for each request, for each of `own`, an answer of so many tokens to the prompt shared + own. All requests
come at once. A result is {"first": seconds to the first token of any answer, "total": seconds to the last of all}.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from bot.language.base import Sampling
from bot.language.loading import Loaded, load
from knowledge.crew import OPENMP

Work = Callable[[dict[str, Any]], dict[str, float]]
SETTINGS = {"temperature": 0.9, "top_k": 50, "top_p": 0.95}


class Absent(Exception):
    """The contender cannot run here; the text says why."""


class Contender:
    """A contender's process."""

    def __init__(self, command: list[str], settings: Mapping[str, str]) -> None:
        """Start it and wait until it is ready. Raises Absent. Of how OpenMP waits it is told these `settings` only."""
        surroundings = {**{name: value for name, value in os.environ.items() if name not in OPENMP}, **settings}
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        self._process = subprocess.Popen(command, env=surroundings, text=True, **pipes)
        try:
            self.version = str(self._answer()["ready"])
        except (ValueError, KeyError):
            _, said = self._process.communicate()
            raise Absent((said.strip().splitlines() or ["it ended at once"])[-1]) from None

    def work(self, job: dict[str, Any]) -> dict[str, float]:
        """Have a job done."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> int:
        """Peak memory of the process, which ends."""
        assert self._process.stdin
        self._process.stdin.close()
        return int(self._answer()["peak"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


def kindling(folder: Path, device: str, *, graphs: bool = True) -> Work:
    """Kindling's engine, without what it remembers from job to job."""
    from bot.language.engine import Limits
    from bot.language.local import make_engine
    from bot.language.requests import Answer, Request
    from bot.language.text import TextStream

    loaded = endless(load(folder, device))

    def work(job: dict[str, Any]) -> dict[str, float]:
        engine, heard = make_engine(loaded, Limits(graphs=graphs)), []
        began, spent = time.perf_counter(), time.process_time()
        for request in job["requests"]:
            answers = [
                Answer(
                    index,
                    request["shared"] + own,
                    Sampling(seed=index, max_tokens=job["tokens"], **SETTINGS),
                    TextStream(loaded.template.text),
                )
                for index, own in enumerate(request["own"])
            ]
            deliver = lambda news: heard.append((time.perf_counter(), news))  # noqa: E731
            engine.add(Request(answers, len(request["shared"]), deliver, threading.Event()))
        while engine.busy:
            engine.step()
        if isinstance(heard[-1][1], Exception):
            raise heard[-1][1]
        return {"first": heard[0][0] - began, "total": time.perf_counter() - began, "cpu": time.process_time() - spent}

    return work


def generate(folder: Path, device: str) -> Work:
    """transformers' generate: a request's prompts as one padded batch, request after request."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig, StoppingCriteria, StoppingCriteriaList

    where = torch.device(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    model = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True)  # in the dtype of the file
    if where.type == "cpu":
        model = model.float()  # faster on a CPU without bf16, and no slower on others
    model = model.to(where).eval()
    model.generation_config.eos_token_id = None

    class Clock(StoppingCriteria):
        """Is asked at each step whether to stop: it never does, and notes the time."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def __call__(self, input_ids: torch.Tensor, _scores: Any, **_: Any) -> torch.Tensor:
            self.times.append(time.perf_counter())
            return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)

    def work(job: dict[str, Any]) -> dict[str, float]:
        clock, began, spent = Clock(), time.perf_counter(), time.process_time()
        settings = GenerationConfig(do_sample=True, max_new_tokens=job["tokens"], pad_token_id=0, **SETTINGS)
        for request in job["requests"]:
            rows = [request["shared"] + own for own in request["own"]]
            longest = max(map(len, rows))
            ids = [[0] * (longest - len(row)) + row for row in rows]
            mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
            with torch.inference_mode():
                model.generate(
                    torch.tensor(ids, device=where),
                    attention_mask=torch.tensor(mask, device=where),
                    generation_config=settings,
                    stopping_criteria=StoppingCriteriaList([clock]),
                )
        return {
            "first": clock.times[0] - began,
            "total": time.perf_counter() - began,
            "cpu": time.process_time() - spent,
        }

    return work


def endless(loaded: Loaded) -> Loaded:
    """The model, ending no answer by itself."""
    return replace(loaded, end_tokens=frozenset())


def serve(name: str, folder: Path, device: str) -> None:
    """A contender's process."""
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else is printed is no result
    contenders = {"kindling": kindling, "no graphs": partial(kindling, graphs=False), "generate": generate}
    work = contenders[name](folder, device)
    print(json.dumps({"ready": name}), file=answers, flush=True)
    for line in sys.stdin:
        print(json.dumps(work(json.loads(line))), file=answers, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps({"peak": peak}), file=answers, flush=True)
