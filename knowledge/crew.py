"""How many threads compute a step, and how they wait for one another.

A step is some two hundred small matrix products, and after each its threads wait until all are done. Asleep they lose a
fifth of the step to being woken. Awake they are ready at once; but where something else wants a core, the one that the
others wait for may be the one that was sent away, and waiting awake keeps it out: steps take twice as long.

So they wait awake, for a moment only, and look at how often this process was sent away during a step. Often means that
the machine is crowded: then one thread fewer computes for a while, which costs less than to be in each other's way.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

OPENMP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000"}
"""Wait asleep, but first look that often: about 0.1 ms, by libgomp's own estimate. Read once, when torch is loaded."""

CROWDED = 20
"""Times that a step is interrupted. Alone on two cores it is 0 to 11, beside a process that always works 100 to 400."""

FIRST, LAST = 4, 128
"""Steps until one thread more is tried, at least and at most: doubled when it was too many, halved while all do."""


def wait_briefly() -> None:
    """See to it that OpenMP's threads wait as said above, unless the surroundings say how already."""
    if not OPENMP.keys() & os.environ.keys():
        os.environ.update(OPENMP)


def threads() -> int:
    """Threads to compute with on a CPU: what OMP_NUM_THREADS says, else one for each core this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted):
        return int(wanted)
    # Only Linux tells which cores a process may use.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def interruptions() -> int:
    """How often the system sent a thread of this process away that would have gone on; 0 where it doesn't say."""
    with suppress(ImportError):  # there is no such module on Windows
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
    return 0


class Crew:
    """The threads of torch's that compute what is inside of a `with`."""

    def __init__(self, most: int, interruptions: Callable[[], int] = interruptions) -> None:
        """`most` is how many compute where nobody else wants a core; 1 leaves torch as it is."""
        self.size = most
        self._most = most
        self._interruptions = interruptions
        self._before = 0
        self._left = 0  # steps until one more is tried
        self._patience = FIRST

    def __enter__(self) -> None:
        if self.size < self._most:
            self._resize(self.size)  # torch counts them for each thread that asks, and this may be another one
        self._before = self._interruptions()

    def __exit__(self, *_: object) -> None:
        if self._interruptions() - self._before > CROWDED:
            if self.size > 1:
                self._resize(self.size - 1)
                self._left, self._patience = self._patience, min(2 * self._patience, LAST)
        elif self.size == self._most:
            self._patience = max(FIRST, self._patience // 2)
        else:
            self._left -= 1
            if self._left <= 0:
                self._resize(self.size + 1)
                self._left = FIRST

    def _resize(self, size: int) -> None:
        import torch

        self.size = size
        torch.set_num_threads(size)
