"""A small bot with a command of every kind, right in everything: an example, and for the server's own tests."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands
from discord.ext import commands

from .fixtures import running
from .server import DiscordServer

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


@pytest.fixture(name="scene")
async def scene_fixture() -> AsyncIterator[SimpleNamespace]:
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
