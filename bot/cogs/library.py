"""The library of a server or a person: /library, and the message menu "Save as inspiration"."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands, ui
from discord.ext import commands

from bot.cogs.lasting import LastingButton
from bot.cogs.live import NOBODY
from bot.cogs.picking import PATIENCE
from bot.cogs.places import Channel
from bot.cogs.posts import post_of
from bot.cogs.rights import require_adding, require_managing
from bot.cogs.sight import seen
from bot.cogs.spaces import person_of, place_asked, space_of
from bot.cogs.switching import begin_backfill
from bot.ideation.prompts import quoted
from bot.ui.cards import note, sparks_page
from bot.ui.layout import page
from bot.ui.lists import fetches_text, library_page, report_text
from bot.ui.marks import cut, plain
from knowledge.errors import BadInput, KindlingError
from knowledge.readers import FORMATS, SUFFIXES

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

MOST_BYTES = 8 * 2**20  # of one file: embedding more would take longer than anyone waits
CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
_UNSAFE = re.compile(r"[^\w.()+ -]")


class Removal(LastingButton, template=re.compile(r"library1:remove:(?P<source>\d{1,18})")):
    """Confirms a removal; it asks for the right again."""

    def __init__(self, source: str) -> None:
        super().__init__(f"library1:remove:{source}", "Remove it", discord.ButtonStyle.danger)
        self._source_id = int(source)

    async def pressed(self, interaction: discord.Interaction) -> None:
        """Remove the source."""
        await interaction.response.defer()
        bot: Any = interaction.client
        studio = await bot.studio()
        await require_adding(studio, interaction)
        where = await seen(studio, interaction, place_asked(interaction), alone=True)
        removed = await studio.shelf.remove(where.space, self._source_id, where.filters)
        await studio.channels.begin_anew(self._source_id, interaction.id)
        told = f"Removed {removed.source.title} with {removed.snippets} snippets. No idea shows them any more."
        await interaction.edit_original_response(view=note(told), allowed_mentions=NOBODY)


class LibraryCog(commands.Cog, name="Library"):
    """What a space's people bring."""

    library = app_commands.Group(
        name="library", description="The snippets that sparks come from", allowed_contexts=CONTEXTS
    )

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._one_file = asyncio.Lock()  # the same name may be added twice at once
        self._menu = app_commands.ContextMenu(name="Save as inspiration", callback=self.save_message)
        self._menu.allowed_contexts = CONTEXTS
        bot.tree.add_command(self._menu)

    async def cog_load(self) -> None:
        """Make the button known, so that a press on any message arrives."""
        self.bot.add_dynamic_items(Removal)

    async def cog_unload(self) -> None:
        """Take menu and button away with the cog."""
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)
        self.bot.remove_dynamic_items(Removal)

    @library.command()
    @app_commands.describe(
        file="Text, Markdown, CSV, JSON, PDF, EPUB, HTML or OPML, up to 8 MB",
        address="A page, a PDF, a feed to follow, or a list of feeds",
    )
    async def add(
        self,
        interaction: discord.Interaction,
        file: discord.Attachment | None = None,
        address: app_commands.Range[str, 1, 500] | None = None,
    ) -> None:
        """Add a file or a page to the library here, or follow a feed; the same again updates what it brought."""
        if (file is None) == (address is None):
            raise BadInput(f"Attach a file ({FORMATS}) or give the address of a page or a feed: one of the two.")
        await interaction.response.defer(thinking=True)
        studio = await self.bot.studio()
        await require_adding(studio, interaction)
        if file is None:
            space, person = space_of(interaction.guild_id, interaction.user), person_of(interaction.user)
            text = fetches_text(await studio.sources.add(space, person, address or ""))
            await interaction.edit_original_response(view=page(text), allowed_mentions=NOBODY)
            return
        if file.size > MOST_BYTES:
            raise BadInput(f"{cut(file.filename, 80)} has {file.size / 2**20:.0f} MB: 8 MB is the most. Divide it.")
        space = space_of(interaction.guild_id, interaction.user)
        name = _file_name(file.filename)
        if Path(name).suffix.lower() not in SUFFIXES:
            raise BadInput(f"I don't read {cut(name, 80)}: bring {FORMATS}.")
        async with self._one_file:
            folder = self.bot.settings.data_dir / "incoming" / re.sub(r"\W", "-", space)
            try:
                await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
                await _save(file, folder / name)
                report = await studio.shelf.add(space, person_of(interaction.user), [folder / name])
                followed = await studio.sources.follow(space, person_of(interaction.user), report.listed)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        text = "\n".join([report_text(report), *([fetches_text(followed)] if report.listed else [])])
        await interaction.edit_original_response(view=page(text), allowed_mentions=NOBODY)

    @library.command()
    @app_commands.describe(words="What you are looking for")
    async def search(self, interaction: discord.Interaction, words: app_commands.Range[str, 1, 300]) -> None:
        """The snippets nearest to some words."""
        await interaction.response.defer(thinking=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction))
        hits = await studio.search(where.space, words, count=8, filters=where.filters)
        await interaction.edit_original_response(view=sparks_page(words, hits), allowed_mentions=NOBODY)

    @library.command(name="list")
    async def list_sources(self, interaction: discord.Interaction) -> None:
        """What was added here, newest first, and how the feeds are doing."""
        await interaction.response.defer(thinking=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction))
        own, starter = await studio.shelf.sizes(where.space, where.filters)
        shelved = await studio.shelf.sources(where.space, where.filters)
        view = library_page(shelved, own, starter, await studio.sources.health(where.space))
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)

    @library.command()
    @app_commands.describe(source="What to remove, with all its snippets")
    async def remove(self, interaction: discord.Interaction, source: app_commands.Range[str, 1, 100]) -> None:
        """Remove a file, a page, a feed, a saved message or what was kept of a channel from the library here."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        studio = await self.bot.studio()
        await require_adding(studio, interaction)
        where = await seen(studio, interaction, place_asked(interaction), alone=True)
        shelved = await studio.shelf.sources(where.space, where.filters)
        fitting = [one for one in shelved if source in (str(one.source.id), one.source.title)]
        if len(fitting) != 1:
            raise BadInput("Pick what to remove from the list that opens as you type.")
        (one,) = fitting
        question = f"Remove **{plain(one.source.title, 100)}** with its {one.snippets} snippets? It can't be undone."
        await interaction.edit_original_response(
            view=page(question, ui.ActionRow(Removal(str(one.source.id)).item)), allowed_mentions=NOBODY
        )

    @remove.autocomplete("source")
    async def _sources(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        try:
            async with asyncio.timeout(PATIENCE):
                studio = await self.bot.studio()
                where = await seen(studio, interaction, place_asked(interaction), alone=True)
                shelved = await studio.shelf.sources(where.space, where.filters)
        except (TimeoutError, KindlingError):
            return []
        fitting = [one for one in shelved if typed.casefold() in one.source.title.casefold()]
        return [
            app_commands.Choice(
                name=cut(f"{one.source.title} · {one.snippets} snippets", 100), value=str(one.source.id)
            )
            for one in fitting[:25]
        ]

    @library.command()
    @app_commands.guild_only()
    @app_commands.describe(channel="Which inspiration channel")
    async def backfill(self, interaction: discord.Interaction, channel: Channel) -> None:
        """Read an inspiration channel's older messages, once; for who may manage the server."""
        require_managing(interaction)
        await interaction.response.defer(thinking=True)
        await begin_backfill(self.bot, interaction, channel.id)

    # --- messages ----------------------------------------------------------------------------------------------------

    async def save_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """The message menu: what somebody wrote becomes a snippet, with their name, the date and a link to it."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        if message.author.bot or message.webhook_id is not None:
            raise BadInput("That was written by a bot: the library is for what people say and find.")
        studio = await self.bot.studio()
        await require_adding(studio, interaction)
        if not quoted(message.clean_content):
            raise BadInput("That message has no words. If it has a file, add the file with /library add.")
        if await studio.channels.opted_out(person_of(message.author)):
            raise BadInput("Whoever wrote that asked me to keep nothing of theirs.")
        space = space_of(interaction.guild_id, interaction.user)
        title = await studio.shelf.save(space, person_of(interaction.user), post_of(message))
        if title is None:
            view = note("Those words are in the library already.")
        else:
            view = note(f"Saved: {title} If the message is deleted, so is the snippet.")
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)


async def _save(file: discord.Attachment, path: Path) -> None:
    """Fetch an attachment from Discord. Raises `BadInput` when it is no longer there."""
    try:
        await file.save(path)
    except (discord.NotFound, discord.Forbidden):
        raise BadInput("Discord no longer has that file: attach it again.") from None


def _file_name(given: str) -> str:
    """A file's name as somebody's computer gave it, fit for ours: one part, not hidden, not endless."""
    stem, dot, suffix = _UNSAFE.sub("_", quoted(given)).rpartition(".")
    if not dot:
        stem, suffix = suffix, ""
    return (stem.lstrip(". ")[:80] or "file") + (f".{suffix[:10]}" if suffix else "")


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(LibraryCog(bot))
