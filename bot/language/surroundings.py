"""What transformers and huggingface_hub may do while Kindling uses them: nothing on screen, no network unless asked.

Both libraries keep these switches in module globals, so they are set for the length of a call and put back after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

Tick = Callable[[float], None]


@contextmanager
def quiet(tick: Tick | None = None) -> Iterator[None]:
    """No bars and no warnings from transformers; `tick` hears the fraction in [0, 1] that each bar would show."""
    from transformers import modeling_gguf_pytorch_utils as gguf
    from transformers.utils import logging

    def bar(*args: Any, **options: Any) -> _SilentBar:
        return _SilentBar(*args, tick=tick, **options)

    verbosity, gguf_bar = logging.get_verbosity(), gguf.tqdm
    hook = logging.set_tqdm_hook(lambda _factory, args, options: bar(*args, **options))
    gguf.tqdm = bar  # this one module goes past the hook
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        logging.set_tqdm_hook(hook)
        gguf.tqdm = gguf_bar


@contextmanager
def offline() -> Iterator[None]:
    """Every request to the hub fails at once, as with HF_HUB_OFFLINE=1.

    The variable itself is read once, when somebody imports huggingface_hub; the constant that holds it is looked at
    with every request.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


class _SilentBar:
    """Stands in for a tqdm bar: counts, tells, shows nothing."""

    def __init__(
        self, iterable: Iterable[Any] | None = None, *_: Any, total: float | None = None, tick: Tick | None, **__: Any
    ) -> None:
        self._items = iterable
        self._total = total if total is not None else _length(iterable)
        self._tick = tick
        self.n = 0.0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items or ():
            yield item
            self.update()

    def update(self, n: float | None = 1) -> None:
        self.n += n or 0
        if self._tick and self._total:
            self._tick(min(self.n / self._total, 1.0))

    def __enter__(self) -> _SilentBar:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        """set_description, close, refresh and the rest of tqdm's methods: nothing to do."""
        return lambda *_, **__: None


def _length(iterable: Iterable[Any] | None) -> int | None:
    return len(iterable) if isinstance(iterable, Sized) else None
