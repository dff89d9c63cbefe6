"""What training's tests share."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny models are compared to more digits than bf16 has, which CPUs with bf16 would multiply in."""
    monkeypatch.setattr("training.loop.compute_dtype", lambda _device: torch.float32)
