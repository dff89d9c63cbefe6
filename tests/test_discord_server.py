"""The local Discord with a bot that does everything right: commands, components, modals and menus."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands

from tests.discord_server import Refused, Upload, eventually
from tests.discord_server.example import Interaction, scene_fixture, there  # noqa: F401
from tests.discord_server.render import modal_lines


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
    sketch = Upload("sketch.txt", b"a drawn cup")
    answer = await scene.alice.slash(scene.channel, "twist", idea="idea-1", who=scene.alice, sketch=sketch)
    assert answer.text == "idea-1, alice, a drawn cup"
    (export,) = answer.response.attachments
    assert (export.upload.name, export.upload.data, export.description) == ("export.txt", b"ideas", "an export")


async def test_every_kind_of_select_and_field_reaches_the_bot(scene: SimpleNamespace) -> None:
    chosen: list[Any] = []

    class Form(discord.ui.Modal, title="Form"):
        choice: discord.ui.Label[Any] = discord.ui.Label(
            text="One",
            component=discord.ui.RadioGroup(options=[discord.RadioGroupOption(label=x.upper(), value=x) for x in "ab"]),
        )
        several: discord.ui.Label[Any] = discord.ui.Label(
            text="Several",
            component=discord.ui.CheckboxGroup(options=[discord.CheckboxGroupOption(label=x, value=x) for x in "xyz"]),
        )
        yes: discord.ui.Label[Any] = discord.ui.Label(text="Yes", component=discord.ui.Checkbox())
        file: discord.ui.Label[Any] = discord.ui.Label(text="File", component=discord.ui.FileUpload())
        person: discord.ui.Label[Any] = discord.ui.Label(text="Person", component=discord.ui.UserSelect())

        async def on_submit(self, interaction: Interaction) -> None:
            fields: list[Any] = [self.choice, self.several, self.yes, self.file, self.person]
            one, several, yes, file, person = (field.component for field in fields)
            chosen.extend([one.value, several.values, yes.value, file.values[0].filename, person.values[0].name])
            await interaction.response.send_message("thanks")

    class Picker(discord.ui.View):
        @discord.ui.select(cls=discord.ui.UserSelect, placeholder="Who", max_values=2)
        async def who(self, interaction: Interaction, select: discord.ui.UserSelect[Any]) -> None:
            chosen.append([one.name for one in select.values])
            await interaction.response.defer()

        @discord.ui.select(cls=discord.ui.ChannelSelect, placeholder="Where")
        async def where(self, interaction: Interaction, select: discord.ui.ChannelSelect[Any]) -> None:
            chosen.append(select.values[0].name)
            await interaction.response.send_modal(Form())

    posted = await (await there(scene)).send("pick", view=Picker(timeout=None))
    message = scene.channel.messages[posted.id]
    bob = scene.server.member("bob", scene.studio)
    assert (await scene.alice.picks(message, "Who", [bob, scene.alice])).deferred
    opened = await scene.alice.picks(message, "Where", scene.channel)
    fields = {"One": "A", "Several": ["x", "z"], "Yes": True, "File": [Upload("a.txt", b"x")], "Person": bob}
    assert (await scene.alice.submits(opened, fields)).text == "thanks"
    assert chosen == [["bob", "alice"], "ideas", "a", ["x", "z"], True, "a.txt", "bob"]


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


async def test_a_hundred_people_at_once(scene: SimpleNamespace) -> None:
    people = [scene.server.member(f"p{number}", scene.studio) for number in range(100)]
    answers = await asyncio.gather(*(person.slash(scene.channel, "ideas list") for person in people))
    assert all(answer.failure is None and answer.text == "none yet" for answer in answers)
    assert len({answer.token for answer in answers}) == 100
