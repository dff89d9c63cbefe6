"""The local Discord's gateway: sessions that are dropped, resumed and invalidated, and clients that do it wrong."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from tests.discord_server import DiscordServer, discord_server_fixture, eventually, running  # noqa: F401

EVERYTHING = discord.Intents.all().value
IDENTIFY, RESUME, REQUEST_MEMBERS = 2, 6, 8


class Listener(discord.Client):
    """A client that keeps what it hears and how its connection fared."""

    def __init__(self) -> None:
        super().__init__(intents=discord.Intents.all(), guild_ready_timeout=0.05)
        self.heard: list[str] = []
        self.fared: list[str] = []

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """discord.py waits five seconds here before it identifies anew."""

    async def on_message(self, message: discord.Message) -> None:
        self.heard.append(message.content)

    async def on_ready(self) -> None:
        self.fared.append("ready")

    async def on_resumed(self) -> None:
        self.fared.append("resumed")

    async def on_disconnect(self) -> None:
        self.fared.append("disconnected")


@pytest.fixture
async def scene(discord_server: DiscordServer) -> AsyncIterator[SimpleNamespace]:
    studio = discord_server.guild("Studio")
    channel, alice = discord_server.channel("ideas", studio), discord_server.member("alice", studio)
    bot = Listener()
    async with running(discord_server, bot):
        yield SimpleNamespace(
            server=discord_server, gateway=discord_server.gateway, bot=bot, channel=channel, alice=alice
        )


async def test_a_dropped_connection_resumes_and_hears_what_it_missed(scene: SimpleNamespace) -> None:
    await scene.alice.says(scene.channel, "before")
    await eventually(lambda: scene.bot.heard)
    await scene.gateway.drop()
    for number in range(3):
        await scene.alice.says(scene.channel, f"while away {number}")
    await eventually(lambda: "resumed" in scene.bot.fared)
    await eventually(lambda: len(scene.bot.heard) == 4)
    assert scene.bot.heard == ["before", "while away 0", "while away 1", "while away 2"]
    assert (scene.gateway.identifies, scene.gateway.resumes) == (1, 1)


@pytest.mark.parametrize("ask", ["reconnect", "close 4000", "invalidate, resumable"])
async def test_whatever_leaves_the_session_valid_leads_to_a_resume(scene: SimpleNamespace, ask: Any) -> None:
    if ask == "reconnect":
        scene.gateway.reconnect()
    elif ask == "close 4000":
        await scene.gateway.drop(4000)
    else:
        scene.gateway.invalidate(resumable=True)
    await eventually(lambda: scene.bot.fared == ["ready", "disconnected", "resumed"])
    await scene.alice.says(scene.channel, "hello again")
    await eventually(lambda: scene.bot.heard == ["hello again"])
    assert scene.gateway.identifies == 1


async def test_a_refused_resume_leads_to_a_new_session_without_what_was_missed(scene: SimpleNamespace) -> None:
    scene.gateway.refuse_resume()
    await scene.gateway.drop()
    await scene.alice.says(scene.channel, "lost")
    await eventually(lambda: scene.bot.fared.count("ready") == 2)
    await scene.alice.says(scene.channel, "heard")
    await eventually(lambda: scene.bot.heard == ["heard"])
    assert (scene.gateway.identifies, scene.gateway.resumes, scene.gateway.refused_resumes) == (2, 0, 0)


async def test_an_invalid_session_is_identified_anew(scene: SimpleNamespace) -> None:
    scene.gateway.invalidate()
    await eventually(lambda: scene.bot.fared == ["ready", "disconnected", "ready"])
    assert scene.gateway.identifies == 2 and len(scene.gateway.sessions.connected) == 1


async def test_an_interaction_set_off_while_the_bot_was_away_arrives_by_resume(scene: SimpleNamespace) -> None:
    tree = discord.app_commands.CommandTree(scene.bot)

    @tree.command(description="x")
    async def go(interaction: discord.Interaction[Any]) -> None:
        await interaction.response.send_message("here")

    await tree.sync()
    await scene.gateway.drop()
    assert (await scene.alice.slash(scene.channel, "go")).text == "here"


async def test_heartbeats_are_acknowledged_and_can_be_asked_for(scene: SimpleNamespace) -> None:
    assert scene.bot.latency < 1
    scene.gateway.request_heartbeat()
    before = scene.bot.ws._keep_alive._last_ack
    await eventually(lambda: scene.bot.ws._keep_alive._last_ack > before)


# --- raw clients -----------------------------------------------------------------------------------------------------


class Raw:
    """A client of the gateway that says exactly what a test tells it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, *, compressed: bool) -> None:
        self.socket = socket
        self._inflate = zlib.decompressobj() if compressed else None

    async def tell(self, op: int, data: Any = None) -> None:
        await self.socket.send_str(json.dumps({"op": op, "d": data}))

    async def identify(self, server: DiscordServer, intents: int = EVERYTHING, **changes: Any) -> None:
        properties = {"os": "x", "browser": "x", "device": "x"}
        await self.tell(IDENTIFY, {"token": server.token, "intents": intents, "properties": properties} | changes)

    async def hear(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.socket.receive(), 5)
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), (
            message.type,
            self.socket.close_code,
        )
        data = message.data if self._inflate is None else self._inflate.decompress(message.data).decode()
        heard: dict[str, Any] = json.loads(data)
        return heard

    async def hear_until(self, name: str) -> list[dict[str, Any]]:
        heard = [await self.hear()]
        while heard[-1].get("t") != name:
            heard.append(await self.hear())
        return heard

    async def closed_with(self) -> int | None:
        while (await asyncio.wait_for(self.socket.receive(), 5)).type not in (
            aiohttp.WSMsgType.CLOSE,
            aiohttp.WSMsgType.CLOSING,
            aiohttp.WSMsgType.CLOSED,
        ):
            pass
        return self.socket.close_code


@asynccontextmanager
async def raw(server: DiscordServer, query: str = "?v=10&encoding=json") -> AsyncIterator[Raw]:
    async with aiohttp.ClientSession() as session, session.ws_connect(server.gateway_url + query) as socket:
        client = Raw(socket, compressed="zlib" in query)
        if "v=10" in query:
            assert (await client.hear())["op"] == 10
        yield client


async def test_a_client_that_does_not_beat_is_cut_off_and_its_session_ends(discord_server: DiscordServer) -> None:
    discord_server.gateway.heartbeat_interval = 0.1
    async with raw(discord_server) as client:
        await client.identify(discord_server)
        await client.hear_until("READY")
        assert await client.closed_with() == 4009
    assert discord_server.gateway.closes == [4009] and not discord_server.gateway.connected
    async with raw(discord_server) as lively:
        for _ in range(5):
            await lively.tell(1, None)
            assert (await lively.hear())["op"] == 11
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("query", ["?v=10&encoding=json", "?v=10&encoding=json&compress=zlib-stream"])
async def test_events_are_numbered_compressed_as_asked_and_replayed(discord_server: DiscordServer, query: Any) -> None:
    studio = discord_server.guild("Studio")
    channel, alice = discord_server.channel("ideas", studio), discord_server.member("alice", studio)
    async with raw(discord_server, query) as client:
        await client.identify(discord_server)
        ready = (await client.hear_until("GUILD_CREATE"))[0]
        await alice.says(channel, "one ✨")
        await alice.says(channel, "two")
        events = await client.hear_until("MESSAGE_CREATE") + await client.hear_until("MESSAGE_CREATE")
        assert [event["s"] for event in events] == [3, 4] and events[0]["d"]["content"] == "one ✨"
        await client.socket.close(code=4000)
    async with raw(discord_server, query) as again:
        session = {"token": discord_server.token, "session_id": ready["d"]["session_id"], "seq": 3}
        await again.tell(RESUME, session)
        replayed = await again.hear_until("RESUMED")
        assert [event["s"] for event in replayed] == [4, 5] and replayed[0]["d"]["content"] == "two"
        await again.socket.close(code=1000)  # a farewell ends the session
    await eventually(lambda: not discord_server.gateway.connected)
    async with raw(discord_server, query) as late:
        await late.tell(RESUME, session)
        assert await late.hear() == {"op": 9, "d": False}


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ([(IDENTIFY, {"token": "wrong"})], 4004),
        ([(IDENTIFY, {"intents": 1 << 40})], 4013),
        ([(IDENTIFY, {"intents": 1 << 15})], 4014),
        ([(IDENTIFY, {}), (IDENTIFY, {})], 4005),
        ([(REQUEST_MEMBERS, {})], 4003),
        ([(IDENTIFY, {}), (77, {})], 4001),
        ([(RESUME, {"token": "wrong"})], 4004),
    ],
)
async def test_what_a_client_may_not_say_closes_the_connection_with_its_code(says: Any, code: Any) -> None:
    async with DiscordServer(privileged=["members"]) as server, raw(server) as client:
        for op, changes in says:
            if op == IDENTIFY:
                await client.identify(server, **({"intents": 1} | changes))
            else:
                await client.tell(op, changes)
        assert await client.closed_with() == code


async def test_garbage_floods_and_other_versions_close_the_connection(discord_server: DiscordServer) -> None:
    async with raw(discord_server) as client:
        await client.socket.send_str("{")
        assert await client.closed_with() == 4002
    async with raw(discord_server, "?v=9&encoding=json") as client:
        assert await client.closed_with() == 4012
    async with raw(discord_server) as client:
        for _ in range(121):
            await client.tell(1, None)
        assert await client.closed_with() == 4008
    async with raw(discord_server) as client:
        await client.identify(discord_server)
        ready = (await client.hear_until("READY"))[0]
        await client.socket.close(code=4000)
    async with raw(discord_server) as client:
        await client.tell(
            RESUME, {"token": discord_server.token, "session_id": ready["d"]["session_id"], "seq": 10_000}
        )
        assert await client.closed_with() == 4007


async def test_a_session_hears_only_what_its_intents_cover(discord_server: DiscordServer) -> None:
    studio = discord_server.guild("Studio")
    channel, alice = discord_server.channel("ideas", studio), discord_server.member("alice", studio)
    guilds_and_direct = discord.Intents(guilds=True, dm_messages=True).value
    async with raw(discord_server) as client:
        await client.identify(discord_server, guilds_and_direct)
        await client.hear_until("GUILD_CREATE")
        message = await alice.says(channel, "unheard")
        await alice.reacts(message, "💡")
        await alice.types(channel)
        discord_server.member("bob", studio)
        await alice.says(alice.dm, "heard")
        (event,) = await client.hear_until("MESSAGE_CREATE")
        assert event["d"]["content"] == "heard" and "guild_id" not in event["d"]
