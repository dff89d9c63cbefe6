"""/about, /help and /privacy: what Kindling is, what it can do, what it keeps about a person, and forgetting it."""

from __future__ import annotations

import io
import json
import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.cogs.lasting import LastingButton
from bot.cogs.live import NOBODY
from bot.cogs.rights import NotAllowed
from bot.cogs.sight import seen
from bot.cogs.spaces import person_of, place_asked
from bot.ideation.export import Format, exported
from bot.ideation.persons import Record
from bot.ui.cards import note
from bot.ui.commands import help_lines
from bot.ui.layout import page
from bot.ui.marks import plain
from bot.ui.pages import split

if TYPE_CHECKING:
    from bot.client import Kindling

MOST_ON_A_PAGE = 3900
KEPT = """\
## What I keep
**Briefs and ideas** of this server, so that nobody gets the same idea twice; those of your private boards and direct \
messages stand in a space of your own that nobody else can reach.
**Votes, keeps and duels**, with your Discord id. This server's brainstorms lean towards what its people chose, unless \
/settings learning switches that off.
**What you bring to a library**: files, messages saved with "Save as inspiration", and messages in channels that a \
server shares its inspiration in (I say so there), with their author's name, the date and a link. If such a message is \
edited or deleted, so is its snippet; who can't see its channel is not shown it. /privacy inspiration keeps yours out.
**Not kept:** what is said in other channels, and what you say to me: I read it, answer, and forget it. Everything \
stays on the machine that runs me, unless its owner uses a language model elsewhere: /about says which.
-# /privacy export gives you all of yours as a file; /privacy forget removes it"""
AGREED = """
**Tuning:** you agreed that my model may learn from ideas that you keep. /privacy tuning takes it back."""
NOT_AGREED = """
**Tuning:** my model learns nothing from what you keep; it may if you agree with /privacy tuning."""
LEARNS = """\
## Thank you
When my owner tunes me (nothing does that by itself), my language model may learn from the ideas that you keep, in \
every server, those that you have kept already included, together with the briefs and sparks that they came from. Your \
name is not learned; what stands in your direct messages and private boards is not, and no idea that came from \
somebody's message. The tuned model stays on the machine that runs me and writes for everybody there.
`/privacy tuning agreed:False` takes it back."""
LEARNS_NO_MORE = """\
My model learns nothing from the ideas that you keep. If it was tuned while you agreed, it keeps what it learned until \
my owner tunes it again or goes back to the model that I came with: ask them to."""
QUESTION = """\
## Forget me?
This removes your votes, keeps and duels, the sessions and ideas of your own space with the files in its library, \
messages that you saved or wrote and somebody saved, your messages in inspiration channels, your name on files that \
you gave to a server, and your agreement to tuning. Ideas that you made in a server with others stay there; no idea \
carries your name. It can't be undone. From then on I keep none of your messages, for which I remember your id and \
nothing else; /privacy inspiration lets me again."""
CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)


class Forgetting(LastingButton, template=re.compile(r"privacy1:forget:(?P<person>\d{1,20})")):
    """Confirms forgetting, for the person it was made for alone."""

    def __init__(self, person: str) -> None:
        super().__init__(f"privacy1:forget:{person}", "Forget me", discord.ButtonStyle.danger)
        self._person = int(person)

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Forget."""
        if interaction.user.id != self._person:
            raise NotAllowed("That button is somebody else's: /privacy forget gives you your own.")
        await interaction.response.defer()
        bot: Any = interaction.client
        studio = await bot.studio()
        marked = await studio.channels.messages_of(person_of(interaction.user))
        gone = await studio.persons.forget(person_of(interaction.user))
        bot.dispatch("let_go", marked)
        told = f"Forgotten: {gone.ideas} ideas, {gone.marks} votes, keeps and duels, {gone.snippets} snippets."
        await interaction.edit_original_response(view=note(told), allowed_mentions=NOBODY)


class About(commands.Cog):
    """What Kindling says of itself."""

    privacy = app_commands.Group(
        name="privacy", description="What I keep about you, and forgetting it", allowed_contexts=CONTEXTS
    )

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot

    async def cog_load(self) -> None:
        """Make the button known, so that a press on any message arrives."""
        self.bot.add_dynamic_items(Forgetting)

    async def cog_unload(self) -> None:
        """Forget the button with the cog."""
        self.bot.remove_dynamic_items(Forgetting)

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def about(self, interaction: discord.Interaction) -> None:
        """Which model and library this is, and what to expect of it."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        services = await self.bot.services()
        where = await seen(services.studio, interaction, place_asked(interaction), alone=True)
        own, starter = await services.studio.shelf.sizes(where.space, where.filters)
        runs = "on a server that its owner chose" if self.bot.settings.server else "on the machine that runs me"
        text = (
            f"## Kindling {_version()}\n"
            "An ideation partner for writers and designers: I find sparks in a library and have a language model turn "
            "them into short ideas that say where they came from. You are the author.\n"
            f"**Model:** {plain(services.model.name, 150)}, {runs}\n"
            f"**Library:** {own:,} snippets of your own here, {starter:,} that I come with\n"
            "**Expect** surprise more than polish: the ideas are machine-made, can be wrong or odd, and want your "
            "judgement. Facts are in the sparks and their links, not in the ideas.\n"
            "-# /help lists what I can do, /privacy what I keep"
        )
        await interaction.edit_original_response(view=page(text), allowed_mentions=NOBODY)

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    async def help(self, interaction: discord.Interaction) -> None:
        """All commands, and how to talk with me."""
        head = "## What I can do\nMention me, reply to me or write to me directly to talk; /chat opens a thread for it."
        first, *others = split("\n".join([head, *help_lines(self.bot.tree)]), MOST_ON_A_PAGE)
        await interaction.response.send_message(view=page(first), ephemeral=True, allowed_mentions=NOBODY)
        for text in others:
            await interaction.followup.send(view=page(text), ephemeral=True, allowed_mentions=NOBODY)

    @privacy.command()
    async def show(self, interaction: discord.Interaction) -> None:
        """What I keep, where, and for how long."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        agreed = await (await self.bot.studio()).tuning.agreed(person_of(interaction.user))
        kept, _, commands_line = KEPT.rpartition("\n")
        told = f"{kept}{AGREED if agreed else NOT_AGREED}\n{commands_line}"
        await interaction.edit_original_response(view=page(told), allowed_mentions=NOBODY)

    @privacy.command()
    async def export(self, interaction: discord.Interaction) -> None:
        """All that I keep about you, as a JSON file."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction, private=True))
        record = await studio.persons.record_of(where.space, where.filters)
        file = discord.File(io.BytesIO(_as_json(record).encode()), "kindling-about-me.json")
        await interaction.edit_original_response(
            content="All that I keep about you.", attachments=[file], allowed_mentions=NOBODY
        )

    @privacy.command()
    async def forget(self, interaction: discord.Interaction) -> None:
        """Remove all that I keep about you; you are asked once more."""
        view = page(QUESTION, ui.ActionRow(Forgetting(str(interaction.user.id)).item))
        await interaction.response.send_message(view=view, ephemeral=True, allowed_mentions=NOBODY)

    @privacy.command()
    @app_commands.describe(kept="Whether I keep what you post in inspiration channels, in every server")
    async def inspiration(self, interaction: discord.Interaction, kept: bool) -> None:
        """Whether what you post in inspiration channels is kept; with False all that was kept of it goes."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        channels, person = (await self.bot.studio()).channels, person_of(interaction.user)
        if kept:
            await channels.opt_in(person, interaction.id)
            told = "From now on I keep what you post in inspiration channels. React with 🚫 to leave one message out."
        else:
            marked = await channels.messages_of(person)
            removed = await channels.opt_out(person)
            self.bot.dispatch("let_go", marked)
            told = f"Removed {removed} of your messages from libraries. I keep no further ones, in any server."
        await interaction.edit_original_response(view=note(told), allowed_mentions=NOBODY)

    @privacy.command()
    @app_commands.describe(
        agreed="Whether ideas that you keep may be learned from, in every server; not, until you agree"
    )
    async def tuning(self, interaction: discord.Interaction, agreed: bool) -> None:
        """Whether my language model may learn from ideas that you keep; it does not unless you agree."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        await (await self.bot.studio()).tuning.agree(person_of(interaction.user), agreed)
        told = LEARNS if agreed else LEARNS_NO_MORE
        await interaction.edit_original_response(view=page(told), allowed_mentions=NOBODY)


def _as_json(record: Record) -> str:
    marks = [
        {"idea": one.idea_id, "title": one.title, "did": {0: "kept", 1: "voted for"}.get(one.value, "voted against")}
        | {"at": one.at}
        for one in record.marks
    ]
    told = {
        "ideas": json.loads(exported(record.ideas, Format.JSON)),
        "votes_and_keeps": marks,
        "duels": record.duels,
        "brought_to_libraries": record.brought,
        "asked_not_to_be_kept": record.opted_out,
        "agreed_to_tuning": record.tuning,
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _version() -> str:
    try:
        return version("kindling")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "(not installed)"


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(About(bot))
