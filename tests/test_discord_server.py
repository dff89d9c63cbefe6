"""The local Discord with a bot that does everything right: what it sends arrives, and what people do reaches it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from tests.discord_server import DiscordServer, Refused, Upload, eventually, running
from tests.discord_server.render import lines, modal_lines

Interaction = discord.Interaction[Any]


class Board(discord.ui.LayoutView):
    """A message with text, a divider, two buttons and a select."""

    def __init__(self, *, picked: str = "nothing yet") -> None:
        super().__init__(timeout=None)
        vote: discord.ui.Button[Any] = discord.ui.Button(label="vote", custom_id="v1:vote", emoji="👍")
        vote.callback = self.vote  # type: ignore[method-assign]
        twist: discord.ui.Button[Any] = discord.ui.Button(label="twist…", custom_id="v1:twist")
        twist.callback = self.twist  # type: ignore[method-assign]
        options = [discord.SelectOption(label=name.title(), value=name) for name in ("near", "far")]
        self.distance: discord.ui.Select[Any] = discord.ui.Select(
            custom_id="v1:distance", placeholder="Distance", options=options
        )
        self.distance.callback = self.pick  # type: ignore[method-assign]
        source: discord.ui.Button[Any] = discord.ui.Button(label="source", url="https://example.org/spark")
        self.add_item(
            discord.ui.Container(
                discord.ui.TextDisplay("## A tea shop\nSee [the spark](https://example.org/spark)"),
                discord.ui.Separator(),
                discord.ui.TextDisplay(f"Picked: {picked}"),
                discord.ui.ActionRow(vote, twist, source),
                discord.ui.ActionRow(self.distance),
            )
        )

    async def vote(self, interaction: Interaction) -> None:
        await interaction.response.send_message("1 vote", ephemeral=True)

    async def twist(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(Twist())

    async def pick(self, interaction: Interaction) -> None:
        await interaction.response.edit_message(view=Board(picked=self.distance.values[0]))


class Twist(discord.ui.Modal, title="Twist the idea"):
    how: discord.ui.Label[Any] = discord.ui.Label(
        text="How", component=discord.ui.TextInput(custom_id="how", max_length=40)
    )
    mood: discord.ui.Label[Any] = discord.ui.Label(
        text="Mood",
        component=discord.ui.Select(
            custom_id="mood",
            required=False,
            options=[discord.SelectOption(label="Calm"), discord.SelectOption(label="Loud")],
        ),
    )

    async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
        how, mood = self.how.component, self.mood.component
        assert isinstance(how, discord.ui.TextInput) and isinstance(mood, discord.ui.Select)
        await interaction.response.send_message(f"twisted: {how.value}, {', '.join(mood.values) or 'any mood'}")


class GoodBot(commands.Bot):
    """A small bot with a command of every kind, which also answers what people write."""

    def __init__(self) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            intents=discord.Intents.all(),
            guild_ready_timeout=0.05,
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.heard: list[discord.Message] = []
        self.edits: list[discord.RawMessageUpdateEvent] = []
        self.deletions: list[int] = []
        self.reactions: list[tuple[str, int]] = []
        self.tree.add_command(brainstorm)
        self.tree.add_command(twist)
        self.tree.add_command(ideas)
        self.tree.add_command(rename)
        self.tree.add_command(app_commands.ContextMenu(name="Critique this", callback=critique))
        self.tree.add_command(app_commands.ContextMenu(name="Who is this", callback=who))

    async def setup_hook(self) -> None:
        await self.tree.sync()

    async def on_message(self, message: discord.Message, /) -> None:
        if message.author != self.user:
            self.heard.append(message)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        self.edits.append(event)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        self.deletions.append(event.message_id)

    async def on_raw_reaction_add(self, event: discord.RawReactionActionEvent) -> None:
        self.reactions.append((event.emoji.name, event.user_id))


@app_commands.command(description="Find ideas")
@app_commands.choices(distance=[app_commands.Choice(name="Near", value=1), app_commands.Choice(name="Far", value=2)])
async def brainstorm(
    interaction: Interaction, brief: str, count: app_commands.Range[int, 1, 10] = 3, distance: int = 1
) -> None:
    await interaction.response.defer(thinking=True)
    for step in range(2):
        await interaction.edit_original_response(content=f"{brief}: step {step} of {count} at {distance}")
    await interaction.edit_original_response(content=None, view=Board())
    await interaction.followup.send("only for you", ephemeral=True)


@app_commands.command(description="Twist an idea")
async def twist(
    interaction: Interaction, idea: str, who: discord.Member | None = None, sketch: discord.Attachment | None = None
) -> None:
    seen = (await sketch.read()).decode() if sketch else "no sketch"
    file = discord.File(io.BytesIO(b"ideas"), "export.txt", description="an export")
    await interaction.response.send_message(f"{idea}, {who}, {seen}", file=file)


@twist.autocomplete("idea")
async def ideas_like(interaction: Interaction, current: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=f"{current} in rain", value="idea-1")]


ideas = app_commands.Group(name="ideas", description="Ideas kept")


@ideas.command(name="list", description="All of them")
async def list_ideas(interaction: Interaction) -> None:
    await interaction.response.send_message("none yet")


@app_commands.command(description="Rename the channel")
@app_commands.default_permissions(manage_guild=True)
@app_commands.guild_only()
async def rename(interaction: Interaction, channel: discord.TextChannel) -> None:
    await interaction.response.send_message(f"renaming {channel.name}")


async def critique(interaction: Interaction, message: discord.Message) -> None:
    await interaction.response.send_message(f"about: {message.content}")


async def who(interaction: Interaction, user: discord.Member) -> None:
    await interaction.response.send_message(f"this is {user.name}")


@pytest.fixture
async def scene() -> AsyncIterator[SimpleNamespace]:
    """A server with a channel, a person and the good bot; its own answers are held against the specification too."""
    async with DiscordServer(check_answers=True) as server:
        studio = server.guild("Studio", bot_permissions=["manage_threads", "manage_messages", "pin_messages"])
        channel = server.channel("ideas", studio)
        bot = GoodBot()
        with server.addressed():
            async with running(server, bot):
                yield SimpleNamespace(
                    server=server, studio=studio, channel=channel, bot=bot, alice=server.member("alice", studio)
                )
    assert not server.violations, "\n".join(map(str, server.violations))
    assert not server.own_faults, "\n".join(server.own_faults)


async def there(scene: SimpleNamespace) -> Any:
    """The bot's own view of the channel."""
    return scene.bot.get_channel(scene.channel.id)


async def test_a_deferred_command_fills_its_message_and_follows_up_for_one_person_alone(
    scene: SimpleNamespace,
) -> None:
    bob = scene.server.member("bob", scene.studio)
    answer = await scene.alice.slash(scene.channel, "brainstorm", brief="tea", count=4, distance="Far")
    assert answer.deferred and answer.acknowledged_after < 3
    await scene.alice.sees(scene.channel, "only for you")
    board, aside = answer.messages
    assert [revision.text for revision in board.revisions][:3] == ["", "tea: step 0 of 4 at 2", "tea: step 1 of 4 at 2"]
    assert board.v2 and not board.loading and "A tea shop" in board.text
    assert aside.ephemeral and aside.seen_by(scene.alice.user) and not aside.seen_by(bob.user)
    assert aside not in bob.reads(scene.channel)


async def test_components_are_clicked_picked_and_submitted(scene: SimpleNamespace) -> None:
    await scene.alice.slash(scene.channel, "brainstorm", brief="tea")
    board = await scene.alice.sees(scene.channel, "A tea shop")
    assert (await scene.alice.clicks(board, "vote")).text == "1 vote"
    assert (await scene.alice.clicks(board, "v1:vote")).response.ephemeral
    picked = await scene.alice.picks(board, "Distance", "Far")
    assert picked.failure is None and "Picked: far" in board.text and board.edited_at is not None
    opened = await scene.alice.clicks(board, "twist…")
    assert opened.modal is not None and opened.modal.title == "Twist the idea"
    assert modal_lines(opened.modal)[1] == "│ How: […]"
    submitted = await scene.alice.submits(opened, {"How": "make it rain", "mood": "Loud"})
    assert submitted.text == "twisted: make it rain, Loud"
    with pytest.raises(Refused):
        await scene.alice.submits(opened, {"how": "again"})
    again = await scene.alice.clicks(board, "twist…")
    assert (await scene.alice.submits(again, {"how": "x"})).text == "twisted: x, any mood"


async def test_autocomplete_attachments_and_members_reach_the_bot(scene: SimpleNamespace) -> None:
    offered = await scene.alice.autocomplete(scene.channel, "twist", "idea", "umbrella")
    assert [(choice.name, choice.value) for choice in offered.choices] == [("umbrella in rain", "idea-1")]
    sketch = Upload("sketch.txt", b"a drawn cup", "text/plain")
    answer = await scene.alice.slash(scene.channel, "twist", idea="idea-1", who=scene.alice, sketch=sketch)
    assert answer.text == "idea-1, alice, a drawn cup"
    (export,) = answer.response.attachments
    assert (export.upload.name, export.upload.data, export.description) == ("export.txt", b"ideas", "an export")


async def test_groups_menus_and_direct_conversations(scene: SimpleNamespace) -> None:
    assert (await scene.alice.slash(scene.channel, "ideas list")).text == "none yet"
    post = await scene.alice.says(scene.channel, "a lighthouse café")
    assert (await scene.alice.uses_menu("Critique this", post)).text == "about: a lighthouse café"
    assert (await scene.alice.uses_user_menu("Who is this", scene.channel, scene.alice)).text == "this is alice"
    assert (await scene.alice.slash(scene.alice.dm, "ideas list")).text == "none yet"
    await scene.alice.says(scene.alice.dm, "hello")
    await eventually(lambda: scene.bot.heard[-1].guild is None)
    assert scene.bot.heard[-1].content == "hello"
    user = await scene.bot.fetch_user(scene.alice.user.id)
    await user.send("unasked")
    await scene.alice.sees(scene.alice.dm, "unasked")
    scene.alice.user.accepts_dms = False
    with pytest.raises(discord.Forbidden) as refused:
        await user.send("again")
    assert refused.value.code == 50007


async def test_what_discords_client_refuses_is_refused(scene: SimpleNamespace) -> None:
    alice, channel = scene.alice, scene.channel
    for where, command, options in (
        (channel, "nothing", {}),
        (channel, "brainstorm", {}),
        (channel, "brainstorm", {"brief": "x", "count": 11}),
        (channel, "brainstorm", {"brief": "x", "distance": "Middle"}),
        (channel, "brainstorm", {"brief": "x", "other": 1}),
        (channel, "ideas", {}),
        (channel, "ideas search", {}),
        (channel, "rename", {"channel": channel}),
        (alice.dm, "rename", {"channel": channel}),
    ):
        with pytest.raises(Refused):
            await alice.slash(where, command, **options)
    with pytest.raises(Refused):
        await alice.autocomplete(channel, "brainstorm", "brief", "x")
    with pytest.raises(Refused):
        await alice.uses_menu("Save this", await alice.says(channel, "x"))
    assert "rename" not in alice.commands(channel)
    moderator = scene.server.member("mo", scene.studio, permissions=["manage_guild"])
    assert (await moderator.slash(channel, "rename", channel=channel)).text == "renaming ideas"
    await alice.slash(channel, "brainstorm", brief="tea")
    board = await alice.sees(channel, "A tea shop")
    for button in ("keep", "source"):
        with pytest.raises(Refused):
            await alice.clicks(board, button)
    for values in ("middling", ["near", "far"]):
        with pytest.raises(Refused):
            await alice.picks(board, "Distance", values)
    opened = await alice.clicks(board, "twist…")
    for entered in ({}, {"How": "x" * 41}, {"How": "x", "Why": "y"}, {"How": "x", "Mood": "Sad"}):
        with pytest.raises(Refused):
            await alice.submits(opened, entered)
    with pytest.raises(Refused):
        await moderator.submits(opened, {"How": "x"})


async def test_messages_are_replied_to_edited_deleted_pinned_and_read_back(scene: SimpleNamespace) -> None:
    seen = await there(scene)
    asked = await scene.alice.says(
        scene.channel, "what about tea?", attachments=[Upload("cup.png", b"PNG", "image/png")]
    )
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


async def test_commands_of_a_single_server_replace_global_ones_of_the_same_name(scene: SimpleNamespace) -> None:
    other = scene.server.guild("Other", with_bot=True)
    elsewhere = next(iter(other.channels.values()))
    bob = scene.server.member("bob", scene.studio, other)

    @app_commands.command(name="twist", description="Only here")
    async def local(interaction: Interaction) -> None:
        await interaction.response.send_message("a local twist")

    scene.bot.tree.add_command(local, guild=discord.Object(other.id))
    (synced,) = await scene.bot.tree.sync(guild=discord.Object(other.id))
    assert (await bob.slash(elsewhere, "twist")).text == "a local twist"
    assert (await bob.slash(scene.channel, "twist", idea="x")).text == "x, None, no sketch"
    assert [scope for _, scope in scene.server.commands.syncs] == [None, other.id]
    await synced.edit(description="changed")
    await synced.delete()
    assert scene.server.commands.listed(other.id) == []
    with pytest.raises(Refused):
        await scene.alice.slash(elsewhere, "twist", idea="not a member")


async def test_other_bots_post_too(scene: SimpleNamespace) -> None:
    bystander = scene.server.member("newsbot", scene.studio, bot=True)
    await bystander.says(scene.channel, "news!", embeds=[{"title": "Today", "description": "Nothing"}])
    await eventually(lambda: scene.bot.heard)
    assert scene.bot.heard[0].author.bot and scene.bot.heard[0].embeds[0].title == "Today"


async def test_a_hundred_people_at_once(scene: SimpleNamespace) -> None:
    people = [scene.server.member(f"p{number}", scene.studio) for number in range(100)]
    answers = await asyncio.gather(*(person.slash(scene.channel, "ideas list") for person in people))
    assert all(answer.failure is None and answer.text == "none yet" for answer in answers)
    assert len({answer.token for answer in answers}) == 100
