"""llama.cpp as a contender of bench/language.py: parallel sequences that share their prompt, sampled as Kindling's are.

    pip install llama-cpp-python numpy        built on this machine, for its CPU, with CMAKE_ARGS=-DGGML_NATIVE=ON
    python bench/language.py --llama-python PYTHON       PYTHON: that of the environment it was installed in

It is no part of Kindling, nor of its environment: this file is run by an interpreter of its own, imports nothing of
Kindling, and does jobs that come as lines of JSON (see contenders.py).

It is driven as its documentation does it for many sequences: the shared prompt is computed once and copied to the other
sequences (llama_memory_seq_cp), and each step decodes one batch with a token of each sequence.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
import time
from typing import Any

import llama_cpp as ll

BATCH = 2048


class Contender:
    """The model, and contexts of the sizes that jobs need."""

    def __init__(self, gguf: str) -> None:
        ll.llama_backend_init()
        self._silence = ll.llama_log_callback(lambda *_: None)
        ll.llama_log_set(self._silence, ctypes.c_void_p(0))
        self._model = ll.llama_model_load_from_file(gguf.encode(), ll.llama_model_default_params())
        self._vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(self._model))
        self._context: Any = None
        self._size: tuple[int, int, bool] | None = None
        self._batch = ll.llama_batch_init(BATCH, 0, 1)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._cores = int(os.environ.get("OMP_NUM_THREADS", cores))

    def work(self, job: dict[str, Any]) -> dict[str, float]:
        """Do one job; seconds to its first token and to its last."""
        requests, tokens = job["requests"], job["tokens"]
        sequences = sum(len(request["own"]) for request in requests)
        longest = max(len(r["shared"]) + len(own) + tokens for r in requests for own in r["own"])
        # One request: its sequences share the cells of their prompt. Several: each sequence has cells of its own, or
        # every token's attention would look at everybody's.
        together = len(requests) == 1
        kept = len(requests[0]["shared"]) + sequences * (longest - len(requests[0]["shared"]))
        self._fit(kept if together else sequences * (-(-longest // 256) * 256), sequences, together)
        memory = ll.llama_get_memory(self._context)
        ll.llama_memory_clear(memory, True)
        samplers = [self._sampler(seed) for seed in range(sequences)]

        began, spent = time.perf_counter(), time.process_time()
        first_of = 0
        for request in requests:
            self._read([(first_of, at, token) for at, token in enumerate(request["shared"])], last=set())
            for other in range(first_of + 1, first_of + len(request["own"])):
                ll.llama_memory_seq_cp(memory, first_of, other, -1 if not together else 0, -1)
            first_of += len(request["own"])
        heads = [len(request["shared"]) for request in requests for _ in request["own"]]
        owns = [own for request in requests for own in request["own"]]
        rest = [(s, heads[s] + at, token) for s, own in enumerate(owns) for at, token in enumerate(own)]
        ends = {(s, heads[s] + len(own) - 1) for s, own in enumerate(owns)}
        drawn = self._read(rest, ends, samplers)
        first = time.perf_counter() - began
        for made in range(1, tokens):
            step = [(s, heads[s] + len(own) + made - 1, drawn[s]) for s, own in enumerate(owns)]
            drawn = self._read(step, {(s, at) for s, at, _ in step}, samplers)
        total, cpu = time.perf_counter() - began, time.process_time() - spent
        for sampler in samplers:
            ll.llama_sampler_free(sampler)
        return {"first": first, "total": total, "cpu": cpu}

    def _fit(self, cells: int, sequences: int, together: bool) -> None:
        """Have a context of the size wanted. Making it is no part of the job."""
        if self._size == (cells, sequences, together):
            return
        if self._context is not None:
            ll.llama_free(self._context)
        settings = ll.llama_context_default_params()
        settings.n_ctx, settings.n_seq_max, settings.kv_unified = cells, sequences, together
        settings.n_batch, settings.n_ubatch = BATCH, 512
        settings.n_threads = settings.n_threads_batch = self._cores
        self._context = ll.llama_init_from_model(self._model, settings)
        if not self._context:
            raise MemoryError(f"no context of {cells} cells")
        self._size = (cells, sequences, together)

    def _read(
        self, tokens: list[tuple[int, int, int]], last: set[tuple[int, int]], samplers: Any = None
    ) -> dict[int, int]:
        """Compute tokens, each (sequence, position, token); draw one after those in `last`, by sequence."""
        drawn = {}
        for start in range(0, len(tokens), BATCH):
            part = tokens[start : start + BATCH]
            for i, (sequence, position, token) in enumerate(part):
                self._batch.token[i], self._batch.pos[i] = token, position
                self._batch.n_seq_id[i], self._batch.seq_id[i][0] = 1, sequence
                self._batch.logits[i] = (sequence, position) in last
            self._batch.n_tokens = len(part)
            if status := ll.llama_decode(self._context, self._batch):
                raise RuntimeError(f"llama_decode: {status}")
            for i, (sequence, position, _) in enumerate(part):
                if (sequence, position) in last:
                    drawn[sequence] = ll.llama_sampler_sample(samplers[sequence], self._context, i)
        return drawn

    def _sampler(self, seed: int) -> Any:
        chain = ll.llama_sampler_chain_init(ll.llama_sampler_chain_default_params())
        for part in (
            ll.llama_sampler_init_top_k(50),
            ll.llama_sampler_init_temp(0.9),
            ll.llama_sampler_init_top_p(0.95, 1),
            ll.llama_sampler_init_dist(seed),
        ):
            ll.llama_sampler_chain_add(chain, part)
        return chain


def main() -> None:
    """Do jobs until there are no more."""
    contender = Contender(sys.argv[1])
    print(json.dumps({"ready": f"llama-cpp-python {ll.__version__}"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(contender.work(json.loads(line))), flush=True)
    print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
