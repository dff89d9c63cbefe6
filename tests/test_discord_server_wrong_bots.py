"""Deliberately wrong bots: each breaks one of Discord's rules, and the local Discord lets it fail as Discord would."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from discord import app_commands
from discord.http import Route

from tests.discord_server import DiscordServer, Limit, discord_server_fixture, eventually, running  # noqa: F401

Interaction = discord.Interaction[Any]
V2 = 1 << 15


class Bot(discord.Client):
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


@pytest.fixture
async def scene(discord_server: DiscordServer) -> AsyncIterator[SimpleNamespace]:
    studio = discord_server.guild("Studio")
    channel, alice = discord_server.channel("ideas", studio), discord_server.member("alice", studio)
    bot = Bot()
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


def button(custom_id: str, label: str = "x") -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": label, "custom_id": custom_id}


def row(*components: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(components)}


def text(content: str) -> dict[str, Any]:
    return {"type": 10, "content": content}


# --- interactions ----------------------------------------------------------------------------------------------------


async def test_an_answer_after_three_seconds_is_refused_and_the_person_sees_a_failure(scene: SimpleNamespace) -> None:
    async def late(interaction: Interaction) -> None:
        scene.server.clock.advance(seconds=3.1)
        await interaction.response.send_message("sorry")

    scene.bot.go = late
    answer = await scene.alice.slash(scene.channel, "go")
    assert answer.failure == "The application did not respond" and answer.acknowledged_after is None
    await eventually(lambda: scene.bot.errors)
    assert scene.bot.code() == 10062
    assert "sorry" not in scene.server.transcript(scene.channel)


async def test_silence_fails_after_three_real_seconds(scene: SimpleNamespace) -> None:
    async def nothing(interaction: Interaction) -> None:
        return None

    scene.bot.go = nothing
    loop = asyncio.get_running_loop()
    before = loop.time()
    answer = await scene.alice.slash(scene.channel, "go")
    assert answer.failure and loop.time() - before > 2.9


async def test_a_second_answer_is_refused(scene: SimpleNamespace) -> None:
    async def twice(interaction: Interaction) -> None:
        await interaction.response.send_message("one")
        interaction.response._response_type = None  # discord.py would stop it by itself
        await interaction.response.send_message("two")

    scene.bot.go = twice
    answer = await scene.alice.slash(scene.channel, "go")
    await eventually(lambda: scene.bot.errors)
    assert scene.bot.code() == 40060 and answer.text == "one"


async def test_a_follow_up_before_the_answer_is_refused(scene: SimpleNamespace) -> None:
    async def hasty(interaction: Interaction) -> None:
        await interaction.followup.send("first")

    scene.bot.go = hasty
    waiting = asyncio.create_task(scene.alice.slash(scene.channel, "go"))
    await eventually(lambda: scene.bot.errors)
    scene.server.clock.advance(seconds=4)
    assert scene.bot.code() == 10015 and (await waiting).failure


async def test_a_token_is_worth_nothing_after_fifteen_minutes(scene: SimpleNamespace) -> None:
    async def slow(interaction: Interaction) -> None:
        await interaction.response.defer()
        scene.server.clock.advance(minutes=14)
        await interaction.edit_original_response(content="still in time")
        scene.server.clock.advance(minutes=2)
        await interaction.edit_original_response(content="too late")

    scene.bot.go = slow
    answer = await scene.alice.slash(scene.channel, "go")
    await eventually(lambda: scene.bot.errors)
    assert scene.bot.code() == 50027 and answer.expired and answer.text == "still in time"
    channel = scene.bot.get_channel(scene.channel.id)
    await (await channel.fetch_message(answer.response.id)).edit(content="by an ordinary edit")
    assert answer.text == "by an ordinary edit"


async def test_twenty_six_choices_are_refused(scene: SimpleNamespace) -> None:
    offered = await asyncio.wait_for(
        _moving(scene, scene.alice.autocomplete(scene.channel, "go", "what", "2")), timeout=5
    )
    assert offered.failure == "Loading options failed" and offered.choices == []
    (request,) = scene.server.requests_to("POST", "/interactions/.../callback")
    assert request.status == 400 and len(request.body["data"]["choices"]) == 26
    scene.server.violations.clear()


async def _moving(scene: SimpleNamespace, act: Awaitable[Any]) -> Any:
    """Let three seconds pass as soon as the bot has tried to answer."""
    task = asyncio.ensure_future(act)
    await eventually(lambda: scene.server.requests_to("POST", "/interactions/.../callback"))
    scene.server.clock.advance(seconds=3)
    return await task


async def test_an_ephemeral_answer_cannot_be_reached_through_the_channel(scene: SimpleNamespace) -> None:
    async def secret(interaction: Interaction) -> None:
        await interaction.response.send_message("for you", ephemeral=True)

    scene.bot.go = secret
    answer = await scene.alice.slash(scene.channel, "go")
    channel = scene.bot.get_channel(scene.channel.id)
    await refused(channel.fetch_message(answer.response.id), 10008)
    assert [message async for message in channel.history()] == []
    assert scene.bot.heard == []


# --- messages --------------------------------------------------------------------------------------------------------


async def test_limits_of_a_message(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    error = await refused(channel.send("x" * 2001), 50035)
    assert "2000 or fewer in length" in error.text
    await channel.send("x" * 2000)
    await refused(send(scene, content="  "), 50006)
    await refused(send(scene, content="", embeds=[{"description": "x" * 4097}]), 50035)
    scene.server.violations.clear()


async def test_a_file_that_is_too_large_is_refused(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    await refused(channel.send(file=discord.File(io.BytesIO(bytes(10 * 1024 * 1024 + 1)), "big.bin")), 40005)


async def test_limits_of_components(scene: SimpleNamespace) -> None:
    scene.server.limits.enabled = False
    wide = [row(*(button(f"{line}.{place}") for place in range(5))) for line in range(6)]  # 36 components
    await send(scene, components=[*wide, text("a"), text("b"), text("c"), text("d")], flags=V2)
    for components, word in (
        ([*wide, *(text(letter) for letter in "abcde")], "41"),
        ([text("x" * 2001), text("x" * 2000)], "displayable text size"),
        ([row(button("same"), button("same"))], "cannot be duplicated"),
        ([row(*(button(str(place)) for place in range(6)))], "maximum width"),
        ([row(button("x" * 101))], "Must be between 1 and 100"),
        ([row({"type": 2, "style": 5, "label": "a"})], "required"),
        ([row(button("a") | {"emoji": {"name": "→"}})], "Invalid emoji"),
        ([row(_select(26))], "25"),
        ([{"type": 13, "file": {"url": "attachment://none.txt"}}], "No attachment is named"),
        ([button("loose")], "must be one of"),
    ):
        scene.server.specification, kept = None, scene.server.specification
        error = await refused(send(scene, components=components, flags=V2), 50035)
        assert word in error.text, error.text
        scene.server.specification = kept
    await refused(send(scene, content="x", components=[text("no flag")]), 50035)


def _select(options: int) -> dict[str, Any]:
    return {"type": 3, "custom_id": "s", "options": [{"label": str(one), "value": str(one)} for one in range(options)]}


async def test_content_beside_components_v2_is_refused_and_the_flag_stays(scene: SimpleNamespace) -> None:
    error = await refused(send(scene, content="and text", components=[text("board")], flags=V2), 50035)
    assert "MessageFlags.IS_COMPONENTS_V2" in error.text
    made = await send(scene, components=[text("board")], flags=V2)
    channel = scene.bot.get_channel(scene.channel.id)
    await refused(channel.get_partial_message(made["id"]).edit(content="plain again"), 50035)


async def test_who_is_notified_is_recorded(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    editors = scene.server.role("editors", scene.studio, mentionable=True)
    words = f"@everyone, {editors.mention} and {scene.alice.mention}"
    loud = scene.channel.messages[(await channel.send(words)).id]
    assert loud.pings.everyone and loud.pings.users == (scene.alice.user,) and loud.pings.roles == (editors,)
    quiet = scene.channel.messages[(await channel.send(words, allowed_mentions=discord.AllowedMentions.none())).id]
    assert not quiet.pings
    one = discord.AllowedMentions(everyone=False, roles=False, users=[discord.Object(scene.alice.user.id)])
    assert scene.channel.messages[(await channel.send(words, allowed_mentions=one)).id].pings.users == (
        scene.alice.user,
    )
    scene.server.overwrite(scene.channel, scene.studio.everyone, deny=["mention_everyone"])
    assert not scene.channel.messages[(await channel.send("@everyone")).id].pings.everyone


async def test_old_messages_can_be_edited_only_so_often(scene: SimpleNamespace) -> None:
    scene.server.limits.old_edits = Limit(2, 0.4)
    channel = scene.bot.get_channel(scene.channel.id)
    message = await channel.send("0")
    scene.server.clock.advance(hours=1, minutes=1)
    for number in range(3):
        await message.edit(content=str(number))  # discord.py waits and tries again
    statuses = [request.status for request in scene.server.requests_to("PATCH", "/channels/.../messages/...")]
    assert statuses == [200, 200, 429, 200]


# --- rights ----------------------------------------------------------------------------------------------------------


async def test_missing_rights_are_refused(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    post = await scene.alice.says(scene.channel, "mine")
    theirs = await channel.fetch_message(post.id)
    await refused(theirs.edit(content="yours"), 50005)
    await refused(theirs.delete(), 50013)
    await refused(theirs.pin(), 50013)
    acts: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
        ("add_reactions", lambda: theirs.add_reaction("👍")),
        ("create_public_threads", lambda: theirs.create_thread(name="t")),
        ("embed_links", lambda: channel.send(embed=discord.Embed(title="t"))),
        ("read_message_history", lambda: theirs.reply("hi")),
        ("send_messages", lambda: channel.send("hi")),
    ]
    for right, act in acts:
        scene.server.overwrite(scene.channel, scene.studio.everyone, deny=[right])
        with pytest.raises(discord.HTTPException) as error:
            await act()
        assert error.value.code == (50035 if right == "read_message_history" else 50013), right
    scene.server.overwrite(scene.channel, scene.studio.everyone, deny=["view_channel"])
    await refused(channel.send("hi"), 50001)
    heard = len(scene.bot.heard)
    scene.server.overwrite(scene.channel, scene.alice.user, allow=["view_channel"])
    await scene.alice.says(scene.channel, "hidden from the bot")
    await asyncio.sleep(0.05)
    assert len(scene.bot.heard) == heard


async def test_without_the_intent_content_is_blank_except_where_the_bot_is_addressed() -> None:
    async with DiscordServer(privileged=()) as server:
        studio = server.guild("Studio")
        channel, alice = server.channel("ideas", studio), server.member("alice", studio)
        with server.addressed():
            bot: Any = Bot(discord.Intents.default())
            async with running(server, bot):
                await alice.says(channel, "secret")
                mentioned = await alice.says(channel, f"{server.bot.mention} hello")
                await eventually(lambda: len(bot.heard) == 2)
                await bot.get_channel(channel.id).send("my own")
                own = await alice.sees(channel, "my own")
                await alice.says(channel, "an answer", reply_to=own)
                await alice.says(channel, "an aside", reply_to=own, ping=False)
                await alice.says(channel, "quoting", reply_to=mentioned)
                await alice.says(alice.dm, "in private")
                await eventually(lambda: len(bot.heard) == 6)
                contents = [message.content for message in bot.heard]
                assert contents == ["", f"{server.bot.mention} hello", "an answer", "", "", "in private"]
                assert bot.heard[3].reference.resolved.content == "my own"
                assert bot.heard[4].reference.resolved.content == f"{server.bot.mention} hello"
                history = [message.content async for message in bot.get_channel(channel.id).history()]
                assert history.count("") == 3
            demanding = Bot(discord.Intents.all())
            with pytest.raises(discord.PrivilegedIntentsRequired):
                async with running(server, demanding):
                    pass


async def test_a_wrong_token_is_refused(discord_server: DiscordServer) -> None:
    right, discord_server.token = discord_server.token, "another one"
    client = Bot()
    try:
        with pytest.raises(discord.LoginFailure):
            await client.login(right)
    finally:
        await client.close()


# --- the specification and the limits --------------------------------------------------------------------------------


async def test_a_request_against_the_specification_is_refused_and_noted(scene: SimpleNamespace) -> None:
    if scene.server.specification is None:
        pytest.skip("Discord's OpenAPI specification is not beside this checkout")
    error = await refused(send(scene, content=["no", "list"]), 50035)
    assert "is not of type" in error.text
    (violation,) = scene.server.violations
    assert violation.place == "content" and "POST /channels/" in str(violation)
    scene.server.violations.clear()


async def test_a_route_that_is_not_served_is_noted(scene: SimpleNamespace) -> None:
    await refused(scene.bot.fetch_premium_sticker_packs(), 0)
    assert [str(one) for one in scene.server.violations] == ["GET /sticker-packs: the local Discord has no such route"]
    scene.server.violations.clear()


async def test_without_the_specification_the_server_works_and_keeps_the_rules() -> None:
    async with DiscordServer(specification_path=None) as server:
        server.guild("Studio")
        with server.addressed():
            bot = Bot()
            async with running(server, bot):
                channel = bot.guilds[0].text_channels[0]
                await channel.send("fine")
                await refused(channel.send("x" * 2001), 50035)
        assert not server.violations


async def test_a_bot_that_waits_passes_the_rate_limit_and_one_that_does_not_is_noted(scene: SimpleNamespace) -> None:
    scene.server.limits.rules["POST", "/channels/{channel_id}/messages"] = Limit(2, 0.4)
    channel = scene.bot.get_channel(scene.channel.id)
    await asyncio.gather(*(channel.send(str(number)) for number in range(5)))
    assert len(scene.channel.messages) == 5 and not scene.server.violations
    times = [message.created_at for message in scene.channel.messages.values()]
    assert times[-1] - times[0] > 0.7

    headers = {"Authorization": f"Bot {scene.server.token}"}
    path = f"{scene.server.api_base}/channels/{scene.channel.id}/messages"
    async with aiohttp.ClientSession(headers=headers) as session:
        answers = []
        for _ in range(6):
            async with session.post(path, json={"content": "again"}) as answer:
                answers.append((answer.status, answer.headers, await answer.json()))
            await asyncio.sleep(0.03)
    _, told, body = next(one for one in answers if one[0] == 429)
    assert 0 < body["retry_after"] <= 0.5 and body["global"] is False and told["Retry-After"] == "1"
    assert told["X-RateLimit-Remaining"] == "0" and told["X-RateLimit-Scope"] == "user" and told["X-RateLimit-Bucket"]
    assert any("429" in str(violation) for violation in scene.server.violations)
    scene.server.violations.clear()


async def test_the_global_limit_holds_all_requests(scene: SimpleNamespace) -> None:
    scene.server.limits.overall = Limit(3, 0.3)
    channel = scene.bot.get_channel(scene.channel.id)
    await asyncio.gather(
        *(channel.typing().__aenter__() for _ in range(2)), *(scene.bot.fetch_channel(channel.id) for _ in range(4))
    )
    assert 429 in [request.status for request in scene.server.requests] and not scene.server.violations


async def test_ordered_faults_happen_once_and_discord_py_survives_them(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    message = await channel.send("0")
    path = f"/channels/{channel.id}/messages/..."
    fault = scene.server.fail_next("PATCH", path, status=429, retry_after=0.05, times=2)
    await message.edit(content="1")
    assert fault.met == 2 and scene.channel.messages[message.id].content == "1"
    scene.server.fail_next("PATCH", path, status=403)
    with pytest.raises(discord.Forbidden):
        await message.edit(content="2")
    scene.server.fail_next("PATCH", path, status=403, applied=True)
    with pytest.raises(discord.Forbidden):
        await message.edit(content="3")
    assert scene.channel.messages[message.id].content == "3"
    scene.server.fail_next("PATCH", path, status=None)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await message.edit(content="4")
    scene.server.delay_next("PATCH", path, 0.1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await message.edit(content="5")
    assert loop.time() - before >= 0.1 and scene.channel.messages[message.id].content == "5"


async def test_a_500_is_tried_again(scene: SimpleNamespace) -> None:
    scene.server.fail_next("POST", "/channels/.../messages")
    message = await scene.bot.get_channel(scene.channel.id).send("in the end")
    assert [request.status for request in scene.server.requests_to("POST", "/channels/.../messages")] == [500, 200]
    assert message.content == "in the end"


def option(name: str, **more: Any) -> dict[str, Any]:
    return {"type": 3, "name": name, "description": "x", **more}


WORDY = [{"name": f"{number} {'x' * 90}", "value": f"{number} {'y' * 90}"} for number in range(5)]
WRONG_COMMANDS = {
    "an upper-case name": [{"name": "Upper", "description": "x"}],
    "a name twice": [{"name": "same", "description": "x"}] * 2,
    "no description": [{"name": "bare", "description": ""}],
    "required after optional": [
        {"name": "a", "description": "x", "options": [option("b"), option("c", required=True)]}
    ],
    "more than 8,000 characters": [
        {"name": "long", "description": "x", "options": [option(f"o{n}", choices=WORDY) for n in range(10)]}
    ],
}


@pytest.mark.parametrize("commands", WRONG_COMMANDS.values(), ids=WRONG_COMMANDS.keys())
async def test_wrong_commands_are_refused(scene: SimpleNamespace, commands: Any) -> None:
    route = Route("PUT", "/applications/{application_id}/commands", application_id=scene.bot.application_id)
    await refused(scene.bot.http.request(route, json=commands), 50035)
