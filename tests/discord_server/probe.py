"""For the local Discord's own tests: a bot whose single command does what a test gives it, right or wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.http import Route

from .fixtures import running
from .server import DiscordServer

Interaction = discord.Interaction[Any]


class ProbeBot(discord.Client):
    """A client whose single command ``/go`` does what a test gives it, and which keeps what went wrong."""

    def __init__(self, intents: discord.Intents | None = None, **options: Any) -> None:
        super().__init__(intents=intents or discord.Intents.all(), guild_ready_timeout=0.05, **options)
        self.tree = app_commands.CommandTree(self)
        self.tree.on_error = self.keep  # type: ignore[method-assign]
        self.go: Callable[[Interaction], Awaitable[Any]] | None = None
        self.complete: Callable[[Interaction], Awaitable[Any]] | None = None
        self.heard: list[discord.Message] = []
        self.errors: list[Exception] = []

        @self.tree.command(description="Do it")
        async def go(interaction: Interaction, what: str = "") -> None:
            assert self.go is not None
            await self.go(interaction)

        @go.autocomplete("what")
        async def complete(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
            return [app_commands.Choice(name=str(number), value=str(number)) for number in range(26)]

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def keep(self, interaction: Interaction, error: app_commands.AppCommandError) -> None:
        self.errors.append(getattr(error, "original", error))

    async def on_message(self, message: discord.Message) -> None:
        if message.author != self.user:
            self.heard.append(message)

    def code(self) -> int:
        """Discord's number for the only thing that went wrong."""
        (error,) = self.errors
        assert isinstance(error, discord.HTTPException), repr(error)
        return error.code


@pytest.fixture(name="scene")
async def scene_fixture(discord_server: DiscordServer) -> AsyncIterator[SimpleNamespace]:
    studio = discord_server.guild("Studio")
    channel, alice = discord_server.channel("ideas", studio), discord_server.member("alice", studio)
    bot = ProbeBot()
    async with running(discord_server, bot):
        yield SimpleNamespace(server=discord_server, studio=studio, bot=bot, channel=channel, alice=alice)


async def send(scene: SimpleNamespace, **body: Any) -> Any:
    """Post a message with exactly this body, past the checks that discord.py makes itself."""
    return await scene.bot.http.request(
        Route("POST", "/channels/{channel_id}/messages", channel_id=scene.channel.id), json=body
    )


async def refused(awaitable: Awaitable[Any], code: int) -> discord.HTTPException:
    with pytest.raises(discord.HTTPException) as error:
        await awaitable
    assert error.value.code == code, error.value
    return error.value
