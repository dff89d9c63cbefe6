"""The embedded language model for tests: converted once into .cache/models, which is kept between runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.language.embedded import embedded_model as make_embedded_model
from bot.language.local import LocalModel
from bot.services import open_services
from bot.settings import Settings
from knowledge.crew import wait_briefly
from tests.bot.fakes import ScriptedModel

wait_briefly()  # as bot/__main__.py does: no test has loaded torch yet


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """Where converted models are kept between test runs."""
    return Path(__file__).parents[2] / ".cache" / "models"


@pytest.fixture(scope="session")
def real_library(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Path:
    """A data folder to be copied: the starter collection as the real embedder sees it, and the converted model."""
    folder = tmp_path_factory.mktemp("real")
    models_dir.mkdir(parents=True, exist_ok=True)
    (folder / "models").symlink_to(models_dir)

    async def prepare() -> None:
        async with open_services(Settings(_env_file=None, data_dir=folder), model=ScriptedModel()):  # type: ignore[call-arg]
            pass

    asyncio.run(prepare())
    return folder


@pytest.fixture(scope="session")
def embedded_model(models_dir: Path) -> Iterator[LocalModel]:
    """The packaged model, one for the whole session; it loads when it is first used."""
    model = make_embedded_model(models_dir)
    yield model
    asyncio.run(model.close())
