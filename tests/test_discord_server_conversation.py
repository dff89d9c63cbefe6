"""The local Discord with a bot that does everything right: messages, reactions, threads, servers, and what is read."""

from __future__ import annotations

import asyncio
import io
from types import SimpleNamespace

import discord
import pytest

from tests.discord_server import Refused, Upload, eventually
from tests.discord_server.example import scene_fixture, there  # noqa: F401
from tests.discord_server.render import lines


async def test_messages_are_replied_to_edited_deleted_pinned_and_read_back(scene: SimpleNamespace) -> None:
    seen = await there(scene)
    asked = await scene.alice.says(scene.channel, "what about tea?", attachments=[Upload("cup.png", b"PNG")])
    await eventually(lambda: scene.bot.heard)
    heard = scene.bot.heard[-1]
    assert heard.content == "what about tea?" and heard.attachments[0].content_type == "image/png"
    assert await heard.attachments[0].read() == b"PNG"
    reply = await heard.reply("tea it is", mention_author=True)
    assert (await scene.alice.sees(scene.channel, "tea it is")).pings.users == (scene.alice.user,)
    await reply.edit(content="coffee it is", attachments=[discord.File(io.BytesIO(b"1"), "list.txt")])
    shown = await scene.alice.sees(scene.channel, "coffee it is")
    assert shown.reply_to is asked and [one.upload.name for one in shown.attachments] == ["list.txt"]
    await scene.alice.says(scene.channel, "no", reply_to=shown, ping=False)
    await eventually(lambda: scene.bot.heard[-1].content == "no")
    assert scene.bot.heard[-1].reference.resolved.content == "coffee it is"
    assert not scene.bot.heard[-1].mentions
    await reply.pin()
    assert [one.id async for one in seen.pins()] == [reply.id]
    assert [one.content async for one in seen.history(limit=3)] == ["no", "coffee it is", "what about tea?"]
    later = [one.content async for one in seen.history(limit=5, after=heard, oldest_first=True)]
    assert later == ["coffee it is", "no"]
    assert (await seen.fetch_message(asked.id)).author.name == "alice"
    await scene.alice.edits(asked, "what about cocoa?")
    await reply.delete()
    await scene.alice.deletes(asked)
    await eventually(lambda: scene.bot.deletions == [reply.id, asked.id])
    assert scene.bot.edits[-1].message_id == asked.id and scene.bot.edits[-1].message.content == "what about cocoa?"
    assert shown.deleted
    with pytest.raises(discord.NotFound):
        await reply.edit(content="gone")


async def test_reactions_and_typing_go_both_ways(scene: SimpleNamespace) -> None:
    seen = await there(scene)
    post = await scene.alice.says(scene.channel, "a spark")
    message = await seen.fetch_message(post.id)
    await message.add_reaction("💡")
    await scene.alice.reacts(post, "💡")
    await eventually(lambda: ("💡", scene.alice.user.id) in scene.bot.reactions)
    assert [user.name for user in post.reactions["💡"]] == ["Kindling", "alice"]
    reaction = (await seen.fetch_message(post.id)).reactions[0]
    assert reaction.count == 2 and reaction.me and {one.name async for one in reaction.users()} == {"Kindling", "alice"}
    await message.remove_reaction("💡", scene.bot.user)
    assert [user.name for user in post.reactions["💡"]] == ["alice"]
    with pytest.raises(discord.HTTPException) as refused:
        await message.add_reaction("x")
    assert refused.value.code == 10014
    with pytest.raises(Refused):
        await scene.alice.reacts(post, "nope")
    async with seen.typing():
        pass
    assert [user.name for _, user in scene.channel.typing] == ["Kindling"]


async def test_threads_are_started_joined_archived_and_locked(scene: SimpleNamespace) -> None:
    post = await scene.alice.says(scene.channel, "let us talk")
    await eventually(lambda: scene.bot.heard)
    thread = await scene.bot.heard[-1].create_thread(name="Talk")
    assert post.thread is not None and post.thread.id == thread.id == post.id
    await thread.add_user(discord.Object(scene.alice.user.id))
    await thread.send("here we are")
    await scene.alice.sees(post.thread, "here we are")
    await scene.alice.says(post.thread, "go on")
    await eventually(lambda: scene.bot.heard[-1].content == "go on")
    assert scene.bot.heard[-1].channel.id == thread.id and scene.bot.heard[-1].channel.parent_id == scene.channel.id
    said = await thread.send("and on")
    await thread.edit(archived=True)
    with pytest.raises(discord.HTTPException) as archived:
        await said.edit(content="too late")
    assert archived.value.code == 50083
    await thread.send("opens it again")
    assert not post.thread.archived
    moderator = scene.server.member("mo", scene.studio, permissions=["manage_threads"])
    await moderator.archives(post.thread, locked=True)
    with pytest.raises(Refused):
        await scene.alice.says(post.thread, "hello?")
    parent = await there(scene)
    free = await parent.create_thread(name="Free", type=discord.ChannelType.public_thread)
    assert [one.name for one in await parent.guild.active_threads()] == ["Free"]
    assert [one.name async for one in parent.archived_threads()] == ["Talk"]
    await free.delete()
    assert free.id not in scene.studio.threads


async def test_the_bot_reads_where_it_is_and_who_is_there(scene: SimpleNamespace) -> None:
    assert [guild.name for guild in scene.bot.guilds] == ["Studio"]
    guild = await scene.bot.fetch_guild(scene.studio.id)
    assert (await guild.fetch_member(scene.alice.user.id)).name == "alice"
    assert {one.name for one in await guild.fetch_channels()} == {"general", "ideas"}
    assert {one.name async for one in guild.fetch_members()} == {"owner of Studio", "Kindling", "alice"}
    assert (await scene.bot.application_info()).flags.gateway_message_content_limited
    assert len(await scene.bot.tree.fetch_commands()) == 6
    here = scene.bot.get_guild(scene.studio.id)
    assert here.get_member(scene.alice.user.id) is not None
    assert [one.name for one in await here.query_members("ali")] == ["alice"]
    elsewhere = scene.server.guild("Elsewhere", with_bot=False)
    with pytest.raises(discord.NotFound):
        await scene.bot.fetch_guild(elsewhere.id)
    scene.server.invite_bot(elsewhere)
    await eventually(lambda: {one.name for one in scene.bot.guilds} == {"Studio", "Elsewhere"})
    scene.server.remove_bot(elsewhere)
    await eventually(lambda: {one.name for one in scene.bot.guilds} == {"Studio"})


async def test_a_message_is_rendered_as_lines_of_text(scene: SimpleNamespace) -> None:
    await scene.alice.slash(scene.channel, "brainstorm", brief="tea")
    board = await scene.alice.sees(scene.channel, "A tea shop")
    assert lines(board) == [
        "│ ## A tea shop",
        "│ See [the spark](https://example.org/spark)",
        "│ ────────",
        "│ Picked: nothing yet",
        "│ [👍 vote] [twist…] [source → https://example.org/spark]",
        "│ [Distance ▾ Near | Far]",
    ]
    assert board.links == ["https://example.org/spark"] * 2 and board.previews == []
    plain = await scene.alice.says(scene.channel, "https://a.example and <https://b.example>")
    assert plain.previews == ["https://a.example"] and len(plain.links) == 2
    with pytest.raises(AssertionError, match=r"alice did not see 'nonsense' in #ideas(.|\n)*A tea shop"):
        await scene.alice.sees(scene.channel, "nonsense", 0.05)


async def test_the_clock_moves_and_real_time_flows_on(scene: SimpleNamespace) -> None:
    clock = scene.server.clock
    before = clock.now()
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0.01)
    assert not sleeper.done()
    clock.advance(hours=1)
    await asyncio.wait_for(sleeper, 1)
    assert 3600 < clock.now() - before < 3700
    later = await scene.alice.says(scene.channel, "an hour later")
    assert discord.utils.snowflake_time(later.id).timestamp() == pytest.approx(clock.now(), abs=60)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(seconds=-1)


async def test_other_bots_post_too(scene: SimpleNamespace) -> None:
    bystander = scene.server.member("newsbot", scene.studio, bot=True)
    await bystander.says(scene.channel, "news!", embeds=[{"title": "Today", "description": "Nothing"}])
    await eventually(lambda: scene.bot.heard)
    assert scene.bot.heard[0].author.bot and scene.bot.heard[0].embeds[0].title == "Today"
