"""Wiring: what is opened early is closed again, whatever goes wrong in between."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest

from bot.services import open_services
from bot.settings import Settings
from bot.uncollected import UNCOLLECTED
from knowledge.errors import EmbedderError
from tests.bot.fakes import ScriptedModel
from tests.knowledge.fakes import HashEmbedder


class SlowModel(ScriptedModel):
    """Notes when it is loaded and when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    async def load(self) -> None:
        self.said.append("loading")
        await asyncio.sleep(0.05)
        self.said.append("loaded")

    async def close(self) -> None:
        self.said.append("closed")


def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


async def test_a_warm_model_is_loaded_once_and_beside_the_library(tmp_path: Path) -> None:
    model = SlowModel()
    async with open_services(settings(tmp_path), embedder=HashEmbedder, model=model, warm=True):
        assert model.said[0] == "loading"
        await asyncio.sleep(0.1)
    assert model.said == ["loading", "loaded", "closed"]


async def test_leaving_while_the_model_still_loads_closes_it(tmp_path: Path) -> None:
    model = SlowModel()
    async with open_services(settings(tmp_path), embedder=HashEmbedder, model=model, warm=True):
        pass
    assert model.said[-1] == "closed"


async def test_a_library_that_cannot_be_opened_leaves_no_model_behind(tmp_path: Path) -> None:
    def broken() -> HashEmbedder:
        raise EmbedderError("the embedder's weights are damaged")

    model = SlowModel()
    with pytest.raises(EmbedderError, match="damaged"):
        async with open_services(settings(tmp_path), embedder=broken, model=model, warm=True):
            pass
    assert model.said[-1] == "closed"
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def test_garbage_is_collected_again_once_the_last_loader_is_done() -> None:
    assert gc.isenabled()
    with UNCOLLECTED:
        with pytest.raises(ValueError, match="in vain"), UNCOLLECTED:
            raise ValueError("in vain")
        assert not gc.isenabled()
    assert gc.isenabled()
