"""Working on with ideas by name (/twist, /remix, /critique, /expand, /why), and /ideas: list, search, show, export."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.duels import first_duel
from bot.cogs.growth import GrowingBoard, Turn, Wish
from bot.cogs.live import NOBODY
from bot.cogs.picking import Pick, picked, titles
from bot.cogs.sight import seen
from bot.cogs.spaces import Where, person_of, place_asked, rules_here, space_of
from bot.ideation.events import Event, Ready
from bot.ideation.export import Format, exported
from bot.ideation.journal import Entry
from bot.ideation.rules import ChannelRules
from bot.ideation.studio import Studio
from bot.ideation.types import Idea
from bot.ui.board import Board, pages
from bot.ui.cards import outline_page, why_page
from bot.ui.lists import IDEAS_A_PAGE, critique_page, ideas_page
from bot.ui.marks import cut
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from bot.client import Kindling

MOST_EXPORTED = 5000
CONTEXTS = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=False)
FORMATS = [
    app_commands.Choice(name="Markdown, to read", value=str(Format.MARKDOWN)),
    app_commands.Choice(name="CSV, for a table", value=str(Format.CSV)),
    app_commands.Choice(name="JSON, for a program", value=str(Format.JSON)),
]
Words = app_commands.Range[str, 1, 100]


class Ideas(commands.Cog):
    """Ideas by name."""

    ideas = app_commands.Group(
        name="ideas", description="The ideas of this server, or your own", allowed_contexts=CONTEXTS
    )

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._menu = app_commands.ContextMenu(name="Critique this", callback=self.critique_message)
        self._menu.allowed_contexts = CONTEXTS
        bot.tree.add_command(self._menu)

    async def cog_unload(self) -> None:
        """Take the menu away with the cog."""
        self.bot.tree.remove_command(self._menu.name, type=self._menu.type)

    # --- working on --------------------------------------------------------------------------------------------------

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(idea="Which idea", how="Make it: wilder, simpler, for children, without screens")
    @app_commands.autocomplete(idea=titles)
    async def twist(self, interaction: discord.Interaction, idea: Words, how: app_commands.Range[str, 1, 60]) -> None:
        """One idea, changed in the way you say."""
        await self._develop(
            interaction,
            [idea],
            f"Twist, {how}",
            lambda studio, where, entries, rules: studio.twist(
                where.space, entries[0].idea.id, how, banned=rules.banned, filters=where.filters
            ),
        )

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(a="One idea", b="Another idea")
    @app_commands.autocomplete(a=titles, b=titles)
    async def remix(self, interaction: discord.Interaction, a: Words, b: Words) -> None:
        """Two ideas blended into a new one."""
        await self._develop(
            interaction,
            [a, b],
            "Remix",
            lambda studio, where, entries, rules: studio.remix(
                where.space, entries[0].idea.id, entries[1].idea.id, banned=rules.banned, filters=where.filters
            ),
        )

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(idea="Which idea")
    @app_commands.autocomplete(idea=titles)
    async def critique(self, interaction: discord.Interaction, idea: Words) -> None:
        """What holds an idea up, what could sink it, and a question back to you."""
        studio, where, entry = await self._asked(interaction, idea)
        async with self.bot.turns.turn(*_asker(interaction)):
            found = await studio.critique(where.space, entry.idea.id)
        await _answer(interaction, critique_page(entry.idea.title, found))

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(idea="Which idea")
    @app_commands.autocomplete(idea=titles)
    async def expand(self, interaction: discord.Interaction, idea: Words) -> None:
        """An idea in five steps, scenes or sections."""
        studio, where, entry = await self._asked(interaction, idea)
        async with self.bot.turns.turn(*_asker(interaction)):
            steps = await studio.expand(where.space, entry.idea.id)
        await _answer(interaction, outline_page(entry, steps))

    @app_commands.command()
    @app_commands.allowed_contexts(guilds=True, dms=True, private_channels=False)
    @app_commands.describe(idea="Which idea")
    @app_commands.autocomplete(idea=titles)
    async def why(self, interaction: discord.Interaction, idea: Words) -> None:
        """Where an idea comes from: its brief, its sparks, its technique and how it was made."""
        _, _, entry = await self._asked(interaction, idea)
        await _answer(interaction, why_page(entry))

    async def critique_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """The message menu: a critique of what somebody wrote, for the one who asks."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        text = message.clean_content
        if not text.strip():
            raise BadInput("That message has no words that I can read.")
        studio = await self.bot.studio()
        rules = await rules_here(studio, interaction)
        async with self.bot.turns.turn(*_asker(interaction)):
            found = await studio.critique_text(text, rules.aim())
        await _answer(interaction, critique_page(cut(text, 60), found))

    # --- the ideas there are -----------------------------------------------------------------------------------------

    @ideas.command(name="list")
    @app_commands.describe(
        kept="Only those that somebody kept", page="Which page, from 1", mine="Those of your private boards"
    )
    async def list_ideas(
        self,
        interaction: discord.Interaction,
        kept: bool = False,
        page: app_commands.Range[int, 1, 1000] = 1,
        mine: bool = False,
    ) -> None:
        """The ideas made here, newest first."""
        await self._list(interaction, "Kept ideas" if kept else "Ideas", page, mine, kept=kept)

    @ideas.command()
    @app_commands.describe(
        words="What their title, text or brief says", page="Which page, from 1", mine="Those of your private boards"
    )
    async def search(
        self,
        interaction: discord.Interaction,
        words: Words,
        page: app_commands.Range[int, 1, 1000] = 1,
        mine: bool = False,
    ) -> None:
        """The ideas that say something, newest first."""
        await self._list(interaction, f"Ideas with “{words}”", page, mine, containing=words)

    @ideas.command()
    @app_commands.describe(idea="Which idea")
    @app_commands.autocomplete(idea=titles)
    async def show(self, interaction: discord.Interaction, idea: Words) -> None:
        """One idea with its buttons, to work on with it."""
        _, _, entry = await self._asked(interaction, idea)
        made = entry.idea.provenance
        status = f"made {made.created_at[:10]} by {made.model}; the ideas are yours to change"
        view = pages(Board(entry.brief.line, status, entry.idea.session_id, (entry,)))[0]
        await _answer(interaction, view)

    @ideas.command()
    @app_commands.describe(mine="Ideas of your private boards")
    async def duel(self, interaction: discord.Interaction, mine: bool = False) -> None:
        """Two ideas: say which you would rather have, and I learn what is liked here."""
        await first_duel(self.bot, interaction, mine)

    @ideas.command()
    @app_commands.rename(form="format")
    @app_commands.describe(form="How it is written", kept="Only those that somebody kept", mine="Your private boards'")
    @app_commands.choices(form=FORMATS)
    async def export(
        self, interaction: discord.Interaction, form: str = "md", kept: bool = False, mine: bool = False
    ) -> None:
        """All ideas as one file, with who and what made each of them."""
        await interaction.response.defer(thinking=True, ephemeral=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction, mine), alone=True)
        entries = await studio.ideas.of(where.space, kept=kept, limit=MOST_EXPORTED, filters=where.filters)
        if not entries:
            raise BadInput("There is nothing to export yet: /brainstorm makes ideas, Keep keeps them.")
        text = exported(entries, Format(form))
        file = discord.File(io.BytesIO(text.encode()), f"ideas.{form}")
        await interaction.edit_original_response(
            content=f"{len(entries)} ideas, newest first.", attachments=[file], allowed_mentions=NOBODY
        )

    # --- within ------------------------------------------------------------------------------------------------------

    async def _asked(self, interaction: discord.Interaction, typed: str) -> tuple[Studio, Where, Entry]:
        """Acknowledge, and find the idea that was meant."""
        pick = Pick.of(interaction, typed)
        await interaction.response.defer(thinking=True, ephemeral=pick.private)
        studio = await self.bot.studio()
        return studio, *await picked(studio, interaction, pick)

    async def _develop(
        self,
        interaction: discord.Interaction,
        typed: Sequence[str],
        verb: str,
        make: Callable[[Studio, Where, list[Entry], ChannelRules], Awaitable[Idea]],
    ) -> None:
        """One new idea from earlier ones, on a board of its own."""
        picks = [Pick.of(interaction, one) for one in typed]
        await interaction.response.defer(thinking=True, ephemeral=picks[0].private)
        studio = await self.bot.studio()
        found = [await picked(studio, interaction, pick) for pick in picks]
        where, entries = found[0][0], [entry for _, entry in found]
        if len({place.space for place, _ in found}) > 1:
            raise BadInput("One of the two is private: a remix needs two ideas of the server, or two of your own.")

        async def events(studio: Studio, turn: Turn) -> AsyncGenerator[Event, None]:
            await turn()
            yield Ready(await make(studio, where, entries, await rules_here(studio, interaction)))

        heading = f"{verb}: {' and '.join(entry.idea.title for entry in entries)}"
        await GrowingBoard(
            self.bot, interaction, Wish(entries[0].brief, lambda brief: heading, where, events, verbs=False)
        ).grow()

    async def _list(
        self,
        interaction: discord.Interaction,
        heading: str,
        number: int,
        mine: bool,
        *,
        containing: str = "",
        kept: bool = False,
    ) -> None:
        await interaction.response.defer(thinking=True, ephemeral=mine)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction, mine))
        limit = number * IDEAS_A_PAGE + 1
        entries = await studio.ideas.of(
            where.space, containing=containing, kept=kept, limit=limit, filters=where.filters
        )
        await _answer(interaction, ideas_page(heading, entries, number))


def _asker(interaction: discord.Interaction) -> tuple[str, str]:
    """Who waits for a turn, and in which group."""
    return person_of(interaction.user), space_of(interaction.guild_id, interaction.user)


async def _answer(interaction: discord.Interaction, view: discord.ui.LayoutView) -> None:
    await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Ideas(bot))
