"""The embedded language model for tests: converted once into .cache/models, which is kept between runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.language.embedded import embedded_model as make_embedded_model
from bot.language.local import LocalModel

# torch's threads wait asleep, not spinning, which beside other busy processes is several times faster. OpenMP reads it
# once, when torch is loaded; no test has done that yet.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where converted models are kept between test runs."""
    return Path(__file__).parents[2] / ".cache" / "models"


@pytest.fixture(scope="session")
def embedded_model(models_dir: Path) -> Iterator[LocalModel]:
    """The packaged model, one for the whole session; it loads when it is first used."""
    model = make_embedded_model(models_dir)
    yield model
    asyncio.run(model.close())
