"""Several training processes as one: each works on batches of its own, gradients are averaged between them.

Start them with torchrun (`torchrun --nproc-per-node 2 -m training.tune`). On a shared CPU, two processes of one thread
each are far faster than one of two, whose threads would wait for each other at every operation. Without torchrun, all
of this does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes, if torchrun started this one, and leave them at the end."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    import torch

    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    if not torch.cuda.is_available():
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // size()))
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def say(text: str) -> None:
    """Print a line, once for all processes."""
    if rank() == 0:
        print(text, flush=True)


def size() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this is, from 0."""
    return int(os.environ.get("RANK", "0"))


def total(*values: float) -> list[float]:
    """Each value summed over all processes."""
    if size() == 1:
        return list(values)
    import torch

    vector = torch.tensor(values, dtype=torch.float64)
    torch.distributed.all_reduce(vector)
    return [float(value) for value in vector]


def average_gradients(parameters: Sequence[Any]) -> None:
    """Replace each parameter's gradient by its mean over all processes."""
    if size() == 1:
        return
    import torch

    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    torch.distributed.all_reduce(flat)
    flat /= size()
    first = 0
    for parameter in parameters:
        parameter.grad.copy_(flat[first : first + parameter.numel()].view_as(parameter))
        first += parameter.numel()
