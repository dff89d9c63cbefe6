"""Deliberately wrong bots: each breaks one of Discord's rules, and the local Discord lets it fail as Discord would."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from tests.discord_server import DiscordServer, Limit, discord_server_fixture, eventually, running  # noqa: F401
from tests.discord_server.probe import Interaction, ProbeBot, refused, scene_fixture, send  # noqa: F401

V2 = 1 << 15


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
            bot: Any = ProbeBot(discord.Intents.default())
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
            demanding = ProbeBot(discord.Intents.all())
            with pytest.raises(discord.PrivilegedIntentsRequired):
                async with running(server, demanding):
                    pass


async def test_a_wrong_token_is_refused(discord_server: DiscordServer) -> None:
    right, discord_server.token = discord_server.token, "another one"
    client = ProbeBot()
    try:
        with pytest.raises(discord.LoginFailure):
            await client.login(right)
    finally:
        await client.close()
