"""The client itself: what it asks for, when it tells Discord of its commands, how it starts cold, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import discord
import pytest

from bot import client as client_module
from bot.client import PERMISSIONS, CannotStart, Kindling, UncompressedWebSocket, point_at, run_bot
from bot.services import Services, open_services
from bot.settings import Settings
from tests.bot.discord.conftest import Stage
from tests.bot.discord.models import HeldModel, grounded_idea
from tests.bot.fakes import ScriptedModel
from tests.discord_server import TOKEN, DiscordServer, eventually, running
from tests.knowledge.fakes import HashEmbedder

BRIEF = "a tea shop by the harbour"


def chosen(data_dir: Path, **settings: Any) -> Settings:
    """Settings of the test's own, whatever this machine's environment says."""
    return Settings(_env_file=None, data_dir=data_dir, **settings)  # type: ignore[call-arg]


async def test_it_asks_for_the_least_and_says_where_to_invite_it(stage: Stage) -> None:
    (line,) = stage.told
    assert f"client_id={stage.server.bot.id}" in line and f"permissions={PERMISSIONS.value}" in line
    assert "bot" in line and "applications.commands" in line
    needless = (
        "administrator",
        "manage_messages",
        "manage_guild",
        "mention_everyone",
        "manage_channels",
        "manage_roles",
    )
    assert not any(getattr(PERMISSIONS, name) for name in needless)
    session = await stage.server.gateway.until_connected()
    wanted = discord.Intents(
        guilds=True, guild_messages=True, dm_messages=True, guild_reactions=True, message_content=True
    )
    assert session.intents == wanted.value


def scopes(stage: Stage) -> list[int | None]:
    """Where Discord was told of commands, one after the other: everywhere (None) or in one server."""
    return [scope for _, scope in stage.server.commands.syncs]


async def test_commands_are_told_only_when_they_changed(stage: Stage) -> None:
    await stage.restart()
    assert scopes(stage) == [None]
    (stage.data_dir / "commands.json").write_text("torn")
    await stage.restart()
    assert scopes(stage) == [None, None]


async def test_commands_can_be_tried_out_in_one_server(stage: Stage) -> None:
    """Wherever they are told next, they are taken back where they were: nobody sees a command twice."""
    other = stage.server.guild("Other")

    def told() -> list[int | None]:
        names = {place: stage.server.commands.listed(place) for place in (None, stage.home.id, other.id)}
        return [place for place, listed in names.items() if "inspire" in [one["name"] for one in listed]]

    assert told() == [None]
    for guild in (stage.home.id, other.id, None):
        await stage.restart(guild=guild)
        assert told() == [guild]


async def test_every_command_and_option_is_described_and_works_in_direct_messages(stage: Stage) -> None:
    for command in stage.bot.tree.walk_commands():
        assert command.description and command.description != "…", command.qualified_name
        if isinstance(command, discord.app_commands.Command):
            for parameter in command.parameters:
                assert str(parameter.description) not in ("", "…"), (command.qualified_name, parameter.name)
    assert {"brainstorm", "inspire"} <= {name.lstrip("/") for name in stage.alice.commands(stage.alice.dm)}


async def test_people_are_answered_while_the_library_still_opens(
    discord_server: DiscordServer, data_dir: Path, fast_edits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = asyncio.Event()

    @asynccontextmanager
    async def slowly(settings: Settings) -> AsyncIterator[Services]:
        await opening.wait()
        async with open_services(settings, embedder=HashEmbedder, model=ScriptedModel(grounded_idea)) as services:
            yield services

    monkeypatch.setattr(client_module, "open_services", slowly)
    home = discord_server.guild("Home")
    channel = next(iter(home.channels.values()))
    alice = discord_server.member("alice", home)
    bot = Kindling(chosen(data_dir))
    async with running(discord_server, bot):
        assert not bot.warm
        answer = await alice.slash(channel, "brainstorm", brief=BRIEF, count=2)
        assert answer.failure is None and "Warming up" in answer.text
        inspired = await alice.slash(channel, "inspire")
        assert inspired.failure is None and inspired.deferred
        opening.set()
        assert (await inspired.finished()).links
        await alice.sees(channel, "Machine-made")
        assert bot.warm


async def test_a_library_that_cannot_be_opened_is_one_line_to_who_asks(
    discord_server: DiscordServer, tmp_path: Path, fast_edits: None
) -> None:
    from knowledge.errors import StoreBusy

    @asynccontextmanager
    async def never(settings: Settings) -> AsyncIterator[Services]:
        raise StoreBusy("Another Kindling uses this data folder: stop it first.")
        yield

    home = discord_server.guild("Home")
    channel = next(iter(home.channels.values()))
    alice = discord_server.member("alice", home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_module, "open_services", never)
        async with running(discord_server, Kindling(chosen(tmp_path))):
            answer = await alice.slash(channel, "brainstorm", brief=BRIEF)
            await eventually(lambda: "stop it first" in answer.text)


async def test_without_the_message_content_intent_it_connects_all_the_same(
    data_dir: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "open_services", fake_services())
    async with DiscordServer(privileged=()) as server:
        with server.addressed():
            said: list[str] = []
            bot = asyncio.create_task(run_bot(chosen(data_dir, discord_token=TOKEN), say=said.append))
            await eventually(lambda: said, within=20)
            assert server.gateway.closes == [4014]
            assert sum("message-content intent is off" in one.getMessage() for one in caplog.records) == 1
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(bot, 15)


def fake_services(model: Any = None):  # type: ignore[no-untyped-def]
    """`open_services` with a scripted model and an embedder of no weights."""
    return lambda settings: open_services(settings, embedder=HashEmbedder, model=model or ScriptedModel(grounded_idea))


async def test_a_wrong_token_says_what_to_click(discord_server: DiscordServer, tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="click Reset Token"):
        await run_bot(chosen(tmp_path, discord_token="wrong.token.entirely"))
    with pytest.raises(CannotStart, match="DISCORD_TOKEN is not set"):
        await run_bot(chosen(tmp_path, discord_token=None))


async def test_a_server_that_it_was_not_invited_to_says_where_to_invite_it(
    discord_server: DiscordServer, tmp_path: Path
) -> None:
    strangers = discord_server.guild("Strangers", with_bot=False)
    with pytest.raises(CannotStart, match=r"invite it there by https://\S+client_id="):
        await run_bot(chosen(tmp_path, discord_token=TOKEN, guild=strangers.id))


async def test_an_unreachable_discord_is_one_line(tmp_path: Path, discord_server: DiscordServer) -> None:
    settings = chosen(tmp_path, discord_token=TOKEN, discord_api="http://127.0.0.1:9/api")
    with pytest.raises(CannotStart, match="can't be reached"):
        await run_bot(settings)


async def test_a_server_without_compression_is_spoken_to_without(
    discord_server: DiscordServer, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discord.client, "DiscordWebSocket", discord.client.DiscordWebSocket)
    settings = chosen(
        data_dir,
        discord_api=discord_server.api_base,
        discord_gateway=discord_server.gateway_url,
        discord_compression=False,
    )
    point_at(settings)
    async with open_services(settings, embedder=HashEmbedder, model=ScriptedModel()) as services:
        bot = Kindling(settings, opened=services)
        async with running(discord_server, bot):
            assert isinstance(bot.ws, UncompressedWebSocket)
            (connection,) = discord_server.gateway._connections
            assert connection._compress is None


STARTED = """
import asyncio, sys
from bot import client
from bot.services import open_services
from bot.settings import Settings
from tests.bot.discord.models import HeldModel, grounded_idea
from tests.knowledge.fakes import HashEmbedder

model = HeldModel(drafts=int(sys.argv[1]))
client.open_services = lambda settings: open_services(settings, embedder=HashEmbedder, model=model)
asyncio.run(client.run_bot(Settings(_env_file=None), say=lambda line: print(line, flush=True)))
print("left in good order", flush=True)
"""


@asynccontextmanager
async def process(server: DiscordServer, data_dir: Path, drafts: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot as a process of its own, connected, with a model that waits after so many drafts."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "DISCORD_TOKEN": TOKEN,
        "KINDLING_DATA_DIR": str(data_dir),
        "KINDLING_DISCORD_API": server.api_base,
        "KINDLING_DISCORD_GATEWAY": server.gateway_url,
    }
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STARTED, str(drafts)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await server.gateway.until_connected(within=60)
        yield bot
    finally:
        if bot.returncode is None:
            bot.kill()
        await bot.communicate()


async def test_sigterm_lets_a_board_end_and_leaves_with_0(discord_server: DiscordServer, data_dir: Path) -> None:
    home = discord_server.guild("Home")
    channel = next(iter(home.channels.values()))
    alice, bob = discord_server.member("alice", home), discord_server.member("bob", home)
    async with process(discord_server, data_dir, drafts=4) as bot:
        answer = await alice.slash(channel, "brainstorm", brief=BRIEF, count=8)
        await eventually(lambda: "### 2." in answer.text, within=30)
        assert bot.stdout is not None
        bot.terminate()
        while b"Stopping" not in await asyncio.wait_for(bot.stdout.readline(), 15):
            pass
        refused = await bob.slash(channel, "brainstorm", brief="something new")
        assert "being restarted" in refused.text and refused.response.ephemeral
        out, err = await asyncio.wait_for(bot.communicate(), 15)
        assert bot.returncode == 0, err.decode()
        assert "left in good order" in out.decode() and "Traceback" not in err.decode()
    assert "Stopped. 2 ideas are kept." in answer.text
    assert "Stop" not in [button.label for button in answer.response.buttons]


async def test_those_who_wait_are_sent_away_when_it_stops(stage: Stage) -> None:
    model = stage.model = HeldModel()
    await stage.restart(at_once=1)
    first = await stage.alice.slash(stage.general, "brainstorm", brief=BRIEF, count=2)
    second = await stage.bob.slash(stage.general, "brainstorm", brief="a lamp", count=2)
    await eventually(lambda: "place 1" in second.text)
    ending = asyncio.create_task(stage.bot.wind_down())
    await eventually(lambda: "being restarted: ask again in a minute" in second.text)
    model.release()
    await ending
    assert "2 ideas" in first.text, "what was at work has ended by itself"
