"""The Discord client: opens the services, loads the cogs, syncs the commands, and stops in good order.

READY does not wait for the library and the models: they open behind it, and whoever needs them first awaits `studio()`.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import logging
import pkgutil
import signal
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import discord
import yarl
from discord import app_commands
from discord.ext import commands
from discord.gateway import DiscordWebSocket

import bot.cogs
from bot.cogs.atwork import AtWork, FrontDesk, Stoppable
from bot.cogs.refusal import refuse
from bot.ideation.studio import Studio
from bot.services import Services, open_services
from bot.settings import Settings
from bot.turns import Turns
from knowledge.errors import KindlingError

log = logging.getLogger(__name__)

PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    create_public_threads=True,
    attach_files=True,
    add_reactions=True,
    read_message_history=True,
)
FINISHING, STOPPING, CLOSING = 5.5, 2.0, 2.0  # seconds: what runs may end by itself, is stopped, and all is closed
SWITCH_SECONDS = 0.0005
"""How long the library's and the model's threads may hold the interpreter before the event loop gets it back.

Python's own 5 ms are paid with every system call that the loop makes while they work: with 200 people at once that was
the difference between all and not all being answered in Discord's three seconds.
"""
NO_CONTENT = (
    "The message-content intent is off, so chat answers mentions, replies that ping it and direct messages only. To "
    "switch it on: Developer Portal, your application, Bot, Message Content Intent; then start Kindling again."
)


class CannotStart(KindlingError):
    """The bot cannot connect; the message says what to click."""


class Commands(app_commands.CommandTree["Kindling"]):
    """The slash commands; who calls one lines up at the front desk."""

    async def interaction_check(self, interaction: discord.Interaction) -> bool:
        """Called by discord.py before a command: everybody may call, each in turn."""
        await self.client.desk.line_up()
        return True


class Kindling(commands.Bot):
    """The bot. `opened`, where given, stands in for the services that the settings describe; `say` tells the owner.

    `now` is the clock that digests go by, in UTC; without one, the machine's.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        opened: Services | None = None,
        say: Callable[[str], None] = log.info,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, guild_reactions=True)
        intents.message_content = settings.message_content
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            tree_cls=Commands,
            intents=intents,
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            member_cache_flags=discord.MemberCacheFlags.none(),
            chunk_guilds_at_startup=False,
            guild_ready_timeout=0.5,
        )
        self.settings = settings
        self.now = now or partial(datetime.now, UTC)
        self.turns = Turns(settings.at_once, settings.queue, settings.each_person, settings.each_server)
        self.at_work: AtWork[Stoppable] = AtWork()
        self.desk = FrontDesk()
        self._say = say
        self._introduced = False
        self._resources = AsyncExitStack()
        self._services: asyncio.Future[Services] = asyncio.get_running_loop().create_future()
        self._opening: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        if opened is not None:
            self._services.set_result(opened)

    # --- the studio --------------------------------------------------------------------------------------------------

    async def services(self) -> Services:
        """The services, as soon as they are open. Raises what opening them raised."""
        return await asyncio.shield(self._services)

    async def studio(self) -> Studio:
        """The studio, as soon as it is open."""
        return (await self.services()).studio

    @property
    def warm(self) -> bool:
        """Whether the library is open and the model, as far as it was asked to, has loaded."""
        opened = self._services.done() and not self._services.cancelled() and self._services.exception() is None
        return opened and (self._warming is None or self._warming.done())

    async def _open(self) -> None:
        try:
            services = await self._resources.enter_async_context(open_services(self.settings))
        except asyncio.CancelledError:
            self._services.cancel()
            raise
        except Exception as error:  # told to whoever asks for the services; the log has it now
            log.error("the library cannot be opened: %s", error, exc_info=not isinstance(error, KindlingError))
            self._services.set_exception(error)
            self._services.exception()  # whether or not anybody asks
            return
        self._warming = services.warm()
        self._services.set_result(services)

    # --- connecting --------------------------------------------------------------------------------------------------

    async def setup_hook(self) -> None:
        """Between login and connect: load the cogs and sync the commands if they changed."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self.tree.error(self._failed)
        for name in cog_modules():
            await self.load_extension(name)
        await self._sync()

    async def on_connect(self) -> None:
        """Connected for the first time: open the services behind it. Before, they would slow the connecting down."""
        if self._opening is None and not self._services.done():
            self._opening = asyncio.create_task(self._open(), name="open the services")

    async def on_ready(self) -> None:
        """Say once where to invite the bot and what it can't do; discord.py comes by again after a lost session."""
        if self._introduced:
            return
        self._introduced = True
        self._say(f"Connected as {self.user} in {len(self.guilds)} servers. Invite it: {self.invite}")
        if not self.intents.message_content:
            log.warning(NO_CONTENT)

    async def on_message(self, message: discord.Message) -> None:
        """There are no text commands: what is said is for the cogs that listen."""

    @property
    def invite(self) -> str:
        """The address that lets the bot into a server with the least permissions that it needs."""
        assert self.application_id is not None
        return discord.utils.oauth_url(self.application_id, permissions=PERMISSIONS)

    async def _sync(self) -> None:
        """Tell Discord of the commands if they are not those that it was told last. Raises `CannotStart`."""
        guild = discord.Object(self.settings.guild) if self.settings.guild else None
        if guild is not None:
            self.tree.copy_global_to(guild=guild)
        definitions: list[dict[str, Any]] = [one.to_dict(self.tree) for one in self.tree.get_commands(guild=guild)]
        digest = hashlib.sha256(json.dumps([self.application_id, definitions], sort_keys=True).encode()).hexdigest()
        mark = self.settings.data_dir / "commands.json"
        now, before = {"guild": self.settings.guild, "sha256": digest}, await asyncio.to_thread(_read, mark)
        if before == now:
            return
        try:
            await self.tree.sync(guild=guild)
            if before and before.get("guild") != self.settings.guild:  # else they would be there twice
                await self._withdraw(before.get("guild"))
        except (discord.Forbidden, discord.NotFound):
            raise CannotStart(
                f"Discord does not let Kindling put its commands into server {self.settings.guild}: invite it there by "
                f"{self.invite}, or correct KINDLING_GUILD."
            ) from None
        await asyncio.to_thread(_write, mark, now)
        log.info("told Discord of %d commands", len(definitions))

    async def _withdraw(self, guild: int | None) -> None:
        """Take back the commands that everybody, or one server, was told of."""
        assert self.application_id is not None
        if guild is None:
            await self.http.bulk_upsert_global_commands(self.application_id, payload=[])
            return
        with suppress(discord.Forbidden, discord.NotFound):  # it has put the bot out: nothing is there twice
            await self.http.bulk_upsert_guild_commands(self.application_id, guild, payload=[])

    async def _failed(self, interaction: discord.Interaction, error: app_commands.AppCommandError) -> None:
        """The edge for slash commands: what went wrong, in one line, to the person who asked."""
        with self.desk.answering():
            await refuse(interaction, getattr(error, "original", error))

    # --- stopping ----------------------------------------------------------------------------------------------------

    async def wind_down(self) -> None:
        """Take no new work and finish what runs; what takes too long is stopped and keeps what it has."""
        self.turns.close()
        await self.at_work.finish(FINISHING, STOPPING)

    async def close(self) -> None:
        """End what is at work, disconnect, then close what was opened."""
        self.turns.close()
        await self.at_work.finish(0, STOPPING)
        await super().close()
        for task in (self._opening, self._warming):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._resources.aclose()


async def run_bot(settings: Settings, say: Callable[[str], None] = print) -> None:
    """Connect and stay until SIGTERM or SIGINT, then finish what runs. Raises `CannotStart` with what to click."""
    point_at(settings)
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends the program as it does any other
            asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    try:
        await _stay(settings, say, stopped)
    except discord.PrivilegedIntentsRequired:
        await _stay(settings.model_copy(update={"message_content": False}), say, stopped)


async def _stay(settings: Settings, say: Callable[[str], None], stopped: asyncio.Event) -> None:
    """Be connected until `stopped`. Raises `CannotStart`, or `PrivilegedIntentsRequired` for the message content."""
    token = settings.discord_token
    if token is None:
        raise CannotStart("DISCORD_TOKEN is not set: see .env.example, or start `kindling chat` without Discord.")
    client = Kindling(settings, say=say)
    connected = asyncio.create_task(client.start(token.get_secret_value()), name="discord")
    stopping = asyncio.create_task(stopped.wait(), name="until stopped")
    try:
        await asyncio.wait({connected, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if connected.done():
            connected.result()
        else:
            say("Stopping: what runs is finished first.")
            await client.wind_down()
    except (
        discord.LoginFailure,
        discord.HTTPException,
        discord.ConnectionClosed,
        aiohttp.ClientError,
        OSError,
    ) as error:
        raise CannotStart(_why_not(error)) from error
    finally:
        stopping.cancel()
        try:
            async with asyncio.timeout(CLOSING):
                await client.close()
        except TimeoutError:
            log.warning("not everything could be closed in time")
        connected.cancel()
        await asyncio.gather(connected, return_exceptions=True)


def _why_not(error: Exception) -> str:
    """What keeps the bot from connecting, and what to do about it."""
    if isinstance(error, discord.LoginFailure) or getattr(error, "code", None) == 4004:
        return (
            "Discord refuses the token: in the Developer Portal, your application, Bot, click Reset Token and put the "
            "new one into .env as DISCORD_TOKEN."
        )
    if isinstance(error, discord.HTTPException):
        return f"Discord answers with error {error.status}: try again in a few minutes."
    if isinstance(error, discord.ConnectionClosed):
        return f"Discord closed the connection (code {error.code}): update Kindling, then start it again."
    return "Discord can't be reached: look at the network, then start Kindling again."


def cog_modules() -> list[str]:
    """The features: every module beside this one in `bot.cogs` that sets one up."""
    names = [module.name for module in pkgutil.iter_modules(bot.cogs.__path__, "bot.cogs.")]
    return [name for name in names if hasattr(importlib.import_module(name), "setup")]


class UncompressedWebSocket(DiscordWebSocket):
    """A gateway connection on which nothing is compressed."""

    @classmethod
    async def from_client(cls, client: discord.Client, **given: Any) -> UncompressedWebSocket:
        """As discord.py's, without asking for compression."""
        return await super().from_client(client, **given | {"compress": False})

    async def send_as_json(self, data: Any) -> None:
        """As discord.py's; IDENTIFY says that single messages shall not be compressed either."""
        if data.get("op") == self.IDENTIFY:
            data["d"]["compress"] = False
        await super().send_as_json(data)


def point_at(settings: Settings) -> None:
    """Use another Discord-compatible server, where the settings name one. Holds for the whole process.

    discord.py knows no setting for any of this: its API base and gateway are class attributes, and the client takes its
    connection's class from a module.
    """
    if settings.discord_api:
        discord.http.Route.BASE = settings.discord_api.rstrip("/")
    if settings.discord_gateway:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(settings.discord_gateway)
    if not settings.discord_compression:
        vars(discord.client)["DiscordWebSocket"] = UncompressedWebSocket


class OneLine(logging.Filter):
    """Makes one line of what discord.py logs about every lost connection: it comes back by itself."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take trace and alarm out of it."""
        if record.msg.startswith("Attempting a reconnect"):
            cause = record.exc_info[1] if record.exc_info else None
            record.msg = f"the connection to Discord was lost ({cause!r}). {record.msg}"
            record.exc_info, record.levelno, record.levelname = None, logging.WARNING, "WARNING"
        return True


logging.getLogger("discord.client").addFilter(OneLine())


def _read(path: Path) -> dict[str, Any]:
    """The object in a JSON file; an empty one when there is none to be had."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values))
