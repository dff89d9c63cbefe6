"""The real bot on a local Discord: `stage` has it connected, with a server, a channel and people.

The model is scripted and the embedder hashes words, so everything but those two is real: discord.py, the gateway, the
cogs, the studio, the library with the starter collection. Feature files add cogs; nothing here names one.

    async def test_a_board(stage):
        answer = await stage.alice.slash(stage.general, "brainstorm", brief="a tea shop")
        board = await stage.alice.sees(stage.general, "Machine-made")

`stage.restart()` stops the bot and starts it anew on the same data folder; tests that need another setting call
`await stage.restart(at_once=1)`. A module with a fixture `model` of its own has the bot with that model.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.client import Kindling
from bot.cogs import live
from bot.services import Services, open_services
from bot.settings import Settings
from knowledge.embedder import Embedder
from tests.bot.discord.models import grounded_idea
from tests.bot.fakes import ScriptedModel
from tests.discord_server import DiscordServer, discord_server_fixture, running
from tests.knowledge.fakes import HashEmbedder

FAST = 0.05  # seconds between two edits of one message, so that tests do not wait for the real pace


class Stage:
    """One local Discord with the bot on it: the server `home`, its channel `general`, and the people alice and bob."""

    def __init__(self, server: DiscordServer, data_dir: Path, model: Any) -> None:
        self.server = server
        self.data_dir = data_dir
        self.model = model
        self.embedder: Callable[[], Embedder] = HashEmbedder
        self.home = server.guild("Home")
        self.general = next(iter(self.home.channels.values()))
        self.alice = server.member("alice", self.home)
        self.bob = server.member("bob", self.home)
        self.told: list[str] = []
        self.bot: Kindling
        self.services: Services
        self._resources = AsyncExitStack()

    def now(self) -> datetime:
        """The bot's clock is that of the local Discord, which tests move."""
        return datetime.fromtimestamp(self.server.clock.now(), UTC)

    async def start(self, **settings: Any) -> None:
        """Open the services and connect the bot."""
        chosen = Settings(_env_file=None, data_dir=self.data_dir, **settings)  # type: ignore[call-arg]
        self.services = await self._resources.enter_async_context(
            open_services(chosen, embedder=self.embedder, model=self.model)
        )
        self.bot = Kindling(chosen, opened=self.services, say=self.told.append, now=self.now)
        await self._resources.enter_async_context(running(self.server, self.bot))

    async def stop(self) -> None:
        """Disconnect the bot and close the services."""
        await self._resources.aclose()

    async def restart(self, **settings: Any) -> None:
        """The bot anew, on the same data folder."""
        await self.stop()
        await self.start(**settings)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the starter collection in it, to be copied."""
    folder = tmp_path_factory.mktemp("prepared")

    async def prepare() -> None:
        settings = Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]
        async with open_services(settings, embedder=HashEmbedder, model=ScriptedModel()):
            pass

    asyncio.run(prepare())
    return folder


@pytest.fixture
def data_dir(prepared: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own, the starter collection in it."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def fast_edits(monkeypatch: pytest.MonkeyPatch, discord_server: DiscordServer) -> None:
    """Edits follow each other quickly, and Discord's rate limits are off since they would slow them down again."""
    monkeypatch.setattr(live, "PACE", FAST)
    monkeypatch.setattr(live, "LEISURE", FAST)
    discord_server.limits.enabled = False


@pytest.fixture
async def model() -> Any:
    """The language model; a test module may have its own."""
    return ScriptedModel(grounded_idea)


@pytest.fixture
async def stage(
    discord_server: DiscordServer, data_dir: Path, model: Any, fast_edits: None, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Stage]:
    """The bot, connected. When the test ends, nothing may have been logged as an error (`caplog.clear()` forgives)."""
    stage = Stage(discord_server, data_dir, model)
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()
    faults = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert not faults, "\n".join(faults)


__all__ = ["Stage", "discord_server_fixture"]
