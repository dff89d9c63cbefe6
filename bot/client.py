"""The Discord client: opens the services, loads the cogs, syncs the commands, and stops in good order.

READY does not wait for the models: the services open in the background, and whoever needs them first awaits `studio()`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import discord
import yarl
from discord import app_commands
from discord.ext import commands

from bot.cogs.refusal import refuse
from bot.ideation.studio import Studio
from bot.services import Services, open_services
from bot.settings import Settings
from bot.turns import Turns
from knowledge.errors import KindlingError

log = logging.getLogger(__name__)

COGS = ("bot.cogs.brainstorm",)
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    attach_files=True,
    add_reactions=True,
    read_message_history=True,
)
GOODBYE_SECONDS = 10.0


class CannotStart(KindlingError):
    """The bot cannot connect; the message says what to click."""


class Kindling(commands.Bot):
    """The bot. `opened`, where given, stands in for the services that the settings describe (tests pass their own)."""

    def __init__(self, settings: Settings, *, opened: Services | None = None) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, guild_reactions=True)
        intents.message_content = settings.message_content
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            enable_debug_events=False,
        )
        self.settings = settings
        self.turns = Turns(settings.at_once, settings.queue, settings.each_person, settings.each_server)
        self._resources = AsyncExitStack()
        self._services: asyncio.Future[Services] = asyncio.get_event_loop().create_future()
        self._opening: asyncio.Task[None] | None = None
        if opened is not None:
            self._services.set_result(opened)

    async def setup_hook(self) -> None:
        """Between login and connect: begin to open the services, load the cogs, sync what changed."""
        if not self._services.done():
            self._opening = asyncio.create_task(self._open(), name="open the services")
        for cog in COGS:
            await self.load_extension(cog)
        self.tree.error(self._failed)
        await self._sync()

    async def services(self) -> Services:
        """The services, as soon as they are open. Raises what opening them raised."""
        return await asyncio.shield(self._services)

    async def studio(self) -> Studio:
        """The studio, as soon as it is open."""
        return (await self.services()).studio

    @property
    def warm(self) -> bool:
        """Whether the services are open."""
        return self._services.done() and not self._services.exception()

    async def on_ready(self) -> None:
        """Say where to invite the bot, and what it can't do."""
        assert self.application_id is not None
        invite = discord.utils.oauth_url(self.application_id, permissions=PERMISSIONS)
        log.info("ready as %s in %d servers; invite: %s", self.user, len(self.guilds), invite)
        if not self.intents.message_content:
            log.info("no message-content intent: chat answers mentions, replies that ping it, and direct messages only")

    async def close(self) -> None:
        """Disconnect, then close what was opened."""
        await super().close()
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._resources.aclose()

    async def _open(self) -> None:
        try:
            services = await self._resources.enter_async_context(open_services(self.settings))
        except asyncio.CancelledError:
            self._services.cancel()
            raise
        except Exception as error:  # told to whoever asks for the services; the log has it now
            log.error("the library cannot be opened: %s", error)
            self._services.set_exception(error)
            return
        services.warm()
        self._services.set_result(services)

    async def _sync(self) -> None:
        """Tell Discord of the commands if they are not those it was told last."""
        guild = discord.Object(self.settings.guild) if self.settings.guild else None
        if guild is not None:
            self.tree.copy_global_to(guild=guild)
        commands_now: list[dict[str, Any]] = [
            command.to_dict(self.tree) for command in self.tree.get_commands(guild=guild)
        ]
        told = {"application": self.application_id, "guild": self.settings.guild, "commands": commands_now}
        digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        mark = self.settings.data_dir / "commands.sha256"
        if await asyncio.to_thread(_read, mark) == digest:
            return
        await self.tree.sync(guild=guild)
        await asyncio.to_thread(_write, mark, digest)
        log.info("told Discord of %d commands", len(commands_now))

    async def _failed(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        """The edge for slash commands: what went wrong, in one line, to the person who asked."""
        await refuse(interaction, getattr(error, "original", error))


async def run_bot(settings: Settings) -> None:
    """Connect and stay until SIGTERM or SIGINT. Raises `CannotStart` with what to click."""
    point_at(settings)
    assert settings.discord_token is not None
    bot = Kindling(settings)
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, running.cancel)
    try:
        await bot.start(settings.discord_token.get_secret_value())
    except discord.LoginFailure:
        raise CannotStart(
            "Discord refuses the token: in the Developer Portal, your application, Bot, click Reset Token "
            "and put the new one into .env as DISCORD_TOKEN."
        ) from None
    except discord.PrivilegedIntentsRequired:
        raise CannotStart(
            "The message-content intent is not switched on: in the Developer Portal, your application, Bot, switch on "
            "Message Content Intent, or set KINDLING_MESSAGE_CONTENT=false."
        ) from None
    except asyncio.CancelledError:
        log.info("stopping")
    finally:
        await bot.close()


def point_at(settings: Settings) -> None:
    """Use another Discord-compatible server, where the settings name one. Holds for the whole process."""
    if settings.discord_api:
        discord.http.Route.BASE = settings.discord_api.rstrip("/")
    if settings.discord_gateway:
        discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway)


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
