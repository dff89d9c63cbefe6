"""The lasting buttons, selects and forms of boards: what a press means, long after the board was made.

All that a press needs stands in its custom id and on its message, so it works after a restart. Buttons and selects
reach `Press` through discord.py's dynamic items; forms, of which discord.py forgets the open ones, through
`on_interaction`.
"""

from __future__ import annotations

import io
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import discord
from discord import ui
from discord.ext import commands

from bot.cogs.duels import next_duel
from bot.cogs.growth import GrowingBoard, Turn, Wish, sparks_first
from bot.cogs.live import NOBODY, InteractionMessage, LiveMessage
from bot.cogs.refusal import refuse, tell
from bot.cogs.sight import place_of_idea, place_of_session, seen
from bot.cogs.spaces import Where, person_of, place_asked, rules_here, space_of
from bot.ideation.events import Event, Ready
from bot.ideation.export import Format, exported
from bot.ideation.ideas import Ideas
from bot.ideation.journal import Entry
from bot.ideation.rules import ChannelRules
from bot.ideation.studio import Studio
from bot.ideation.types import Idea
from bot.ui.board import Board, pages, recounted
from bot.ui.cards import note, outline_page, why_page
from bot.ui.forms import MOST_CHOICES, idea_select, twist_form, twist_wanted
from bot.ui.ids import OUTDATED, PATTERN, Verb, parsed, targets
from knowledge.errors import BadInput
from knowledge.types import Distance

if TYPE_CHECKING:
    from bot.client import Kindling

CLOCKS_KEPT = 500  # messages whose last edit is remembered, so that presses in a row do not outrun its pace

Answer = Callable[[discord.Interaction, str], Awaitable[None]]


class Press(ui.DynamicItem[ui.Item[Any]], template=PATTERN):
    """A press of any lasting button or select; the cog knows what it means."""

    def __init__(self, item: ui.Item[Any]) -> None:
        super().__init__(item)

    @classmethod
    async def from_custom_id(cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str]) -> Press:
        """Called by discord.py when a custom id fits the pattern."""
        return cls(item)

    async def interaction_check(self, interaction: discord.Interaction) -> bool:
        """Called by discord.py first: everybody may press, each in turn."""
        bot: Any = interaction.client
        await bot.desk.line_up()
        return True

    async def callback(self, interaction: discord.Interaction) -> None:
        """Hand the press on. discord.py would swallow an error here, so it is answered here."""
        board: Any = interaction.client.get_cog(Boards.__cog_name__)  # type: ignore[attr-defined]
        await board.pressed(interaction, self.item.custom_id)  # type: ignore[attr-defined]


class OutdatedPress(ui.DynamicItem[ui.Item[Any]], template=OUTDATED):
    """A press on a message of another version of Kindling."""

    @classmethod
    async def from_custom_id(
        cls, interaction: discord.Interaction, item: ui.Item[Any], match: re.Match[str]
    ) -> OutdatedPress:
        """Called by discord.py when a custom id fits the pattern."""
        return cls(item)

    async def callback(self, interaction: discord.Interaction) -> None:
        """Say so."""
        await tell(interaction, "That button is from another version of Kindling: /ideas list shows your ideas.")


class Pressing:
    """A press that is being answered. It can't be ended early, but a shutdown waits for it a while."""

    def stop(self) -> None:
        """Nothing: what takes long in it is a board, which has a stop of its own."""


class Boards(commands.Cog):
    """What every button, select and form of a board does."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._pressed: dict[int, LiveMessage] = {}
        self._answers: dict[Verb, Answer] = {
            Verb.VOTE: self._vote,
            Verb.KEEP: self._keep,
            Verb.TWIST: self._ask_twist,
            Verb.TWISTED: self._twist,
            Verb.EXPAND: self._expand,
            Verb.WHY: self._why,
            Verb.PREFER: self._prefer,
            Verb.NEITHER: self._neither,
            Verb.MORE: self._more,
            Verb.WILDER: self._wilder,
            Verb.REMIX: self._ask_remix,
            Verb.REMIXED: self._remix,
            Verb.SWAP: self._ask_swap,
            Verb.SWAPPED: self._swap,
            Verb.EXPORT: self._export,
            Verb.STOP: self._stop,
        }

    async def cog_load(self) -> None:
        """Make the items known, so that a press on any message, however old, arrives."""
        self.bot.add_dynamic_items(Press, OutdatedPress)

    async def cog_unload(self) -> None:
        """Forget the items with the cog."""
        self.bot.remove_dynamic_items(Press, OutdatedPress)

    @commands.Cog.listener()
    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Forms: whoever submits one is answered by its custom id."""
        if interaction.type is discord.InteractionType.modal_submit and interaction.data is not None:
            await self.pressed(interaction, str(interaction.data.get("custom_id")))

    async def pressed(self, interaction: discord.Interaction, custom_id: str) -> None:
        """Answer a press or a submitted form. What is not ours is left alone."""
        what = parsed(custom_id)
        if what is None:
            return
        verb, target = what
        with self.bot.at_work.doing(Pressing()):
            try:
                await self._answers[verb](interaction, target)
            except Exception as error:  # discord.py would only log it; the person is told
                await refuse(interaction, error)

    # --- one idea ----------------------------------------------------------------------------------------------------

    async def _vote(self, interaction: discord.Interaction, idea_id: str) -> None:
        await self._toggle(interaction, idea_id, Ideas.toggle_vote)

    async def _keep(self, interaction: discord.Interaction, idea_id: str) -> None:
        await self._toggle(interaction, idea_id, Ideas.toggle_keep)

    async def _toggle(
        self,
        interaction: discord.Interaction,
        idea_id: str,
        toggle: Callable[[Ideas, str, str, str], Awaitable[Entry]],
    ) -> None:
        await interaction.response.defer()
        studio = await self.bot.studio()
        where, _ = await place_of_idea(studio, interaction, idea_id)
        await toggle(studio.ideas, where.space, idea_id, person_of(interaction.user))
        await self._recount(studio, interaction, where)

    async def _recount(self, studio: Studio, interaction: discord.Interaction, where: Where) -> None:
        """Show the counts of now on the message that was pressed: many presses at once make few edits."""
        message: discord.Message | None = interaction.message
        assert message is not None
        entries = await studio.ideas.entries(where.space, targets(message, Verb.VOTE), where.filters)
        for board in self.bot.at_work:
            if isinstance(board, GrowingBoard) and message.id in board.message_ids:
                board.recount(entries)
                return
        if targets(message, Verb.STOP):  # pressed while it grew, answered when it is finished: look at it anew
            message = await interaction.original_response()
        live = self._live_message(interaction, message)
        live.show(lambda: {"view": recounted(message, {entry.idea.id: entry for entry in entries})})
        await live.land()

    def _live_message(self, interaction: discord.Interaction, message: discord.Message) -> LiveMessage:
        """The pressed message with the clock that it had at the last press, reached by the newest token."""
        outlet = InteractionMessage(interaction, message.id)
        live = self._pressed.pop(message.id, None)
        if live is None or live.gone:
            live = LiveMessage(outlet)
        live.outlet = outlet
        self._pressed[message.id] = live  # the newest last
        if len(self._pressed) > CLOCKS_KEPT:
            del self._pressed[next(iter(self._pressed))]
        return live

    async def _ask_twist(self, interaction: discord.Interaction, idea_id: str) -> None:
        await interaction.response.send_modal(twist_form(idea_id))

    async def _twist(self, interaction: discord.Interaction, idea_id: str) -> None:
        how = twist_wanted(interaction.data or {})
        if not how:
            raise BadInput("Say how to twist it: pick one, or write a few words of your own.")
        await interaction.response.defer(thinking=True, ephemeral=_is_private(interaction))
        await self._develop(
            interaction,
            idea_id,
            f"Twist, {how}",
            lambda studio, where, rules: studio.twist(
                where.space, idea_id, how, banned=rules.banned, filters=where.filters
            ),
        )

    async def _expand(self, interaction: discord.Interaction, idea_id: str) -> None:
        await interaction.response.defer(thinking=True, ephemeral=_is_private(interaction))
        studio = await self.bot.studio()
        where, entry = await place_of_idea(studio, interaction, idea_id)
        group = space_of(interaction.guild_id, interaction.user)
        async with self.bot.turns.turn(person_of(interaction.user), group):
            steps = await studio.expand(where.space, idea_id)
        await interaction.edit_original_response(view=outline_page(entry, steps), allowed_mentions=NOBODY)

    async def _why(self, interaction: discord.Interaction, idea_id: str) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        _, entry = await place_of_idea(await self.bot.studio(), interaction, idea_id, alone=True)
        await interaction.edit_original_response(view=why_page(entry), allowed_mentions=NOBODY)

    async def _prefer(self, interaction: discord.Interaction, winner: str) -> None:
        await next_duel(self.bot, interaction, winner)

    async def _neither(self, interaction: discord.Interaction, _: str) -> None:
        await next_duel(self.bot, interaction, None)

    async def _develop(
        self,
        interaction: discord.Interaction,
        idea_id: str,
        verb: str,
        make: Callable[[Studio, Where, ChannelRules], Awaitable[Idea]],
    ) -> None:
        """One new idea from an earlier one, on a board of its own."""
        where, entry = await place_of_idea(await self.bot.studio(), interaction, idea_id)

        async def events(studio: Studio, turn: Turn) -> AsyncGenerator[Event, None]:
            await turn()
            yield Ready(await make(studio, where, await rules_here(studio, interaction)))

        heading = f"{verb}: {entry.idea.title}"
        wish = Wish(entry.brief, lambda brief: heading, where, events, verbs=False)
        await GrowingBoard(self.bot, interaction, wish).grow()

    # --- one session -------------------------------------------------------------------------------------------------

    async def _more(self, interaction: discord.Interaction, session_id: str) -> None:
        await self._continue(interaction, session_id, "More")

    async def _wilder(self, interaction: discord.Interaction, session_id: str) -> None:
        await self._continue(interaction, session_id, "Wilder", Distance.FAR)

    async def _continue(
        self, interaction: discord.Interaction, session_id: str, verb: str, distance: Distance | None = None
    ) -> None:
        await interaction.response.defer(thinking=True, ephemeral=_is_private(interaction))
        where, entries = await place_of_session(await self.bot.studio(), interaction, session_id)

        async def events(studio: Studio, turn: Turn) -> AsyncGenerator[Event, None]:
            rules, settings = await rules_here(studio, interaction), self.bot.settings
            more = studio.more(
                where.space,
                session_id,
                count=rules.count or settings.count,
                distance=distance or rules.distance or settings.distance,
                draw_on=where.draw_on,
                banned=rules.banned,
                filters=where.filters,
            )
            async with aclosing(sparks_first(more, turn)) as found:
                async for event in found:
                    yield event

        wish = Wish(entries[0].brief, lambda brief: f"{verb}: {brief.line}", where, events)
        await GrowingBoard(self.bot, interaction, wish).grow()

    async def _ask_remix(self, interaction: discord.Interaction, session_id: str) -> None:
        await self._ask_which(interaction, session_id, Verb.REMIXED, "Which two?", 2)

    async def _remix(self, interaction: discord.Interaction, session_id: str) -> None:
        first, second = _picked(interaction)
        await interaction.response.defer()
        await self._develop(
            interaction,
            first,
            "Remix",
            lambda studio, where, rules: studio.remix(
                where.space, first, second, banned=rules.banned, filters=where.filters
            ),
        )

    async def _ask_swap(self, interaction: discord.Interaction, session_id: str) -> None:
        await self._ask_which(interaction, session_id, Verb.SWAPPED, "Which idea shall have another spark?", 1)

    async def _swap(self, interaction: discord.Interaction, session_id: str) -> None:
        (idea_id,) = _picked(interaction)
        await interaction.response.defer()
        await self._develop(
            interaction,
            idea_id,
            "Another spark",
            lambda studio, where, rules: studio.swap(
                where.space, idea_id, draw_on=where.draw_on, banned=rules.banned, filters=where.filters
            ),
        )

    async def _ask_which(
        self, interaction: discord.Interaction, session_id: str, verb: Verb, question: str, count: int
    ) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        _, entries = await place_of_session(await self.bot.studio(), interaction, session_id)
        if len(entries) < count:
            raise BadInput("There is only one idea here: More gives you others to remix it with.")
        select = idea_select(entries[-MOST_CHOICES:], verb, session_id, question, count)
        await interaction.edit_original_response(view=select, allowed_mentions=NOBODY)

    async def _export(self, interaction: discord.Interaction, session_id: str) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        _, entries = await place_of_session(await self.bot.studio(), interaction, session_id, alone=True)
        text = exported(entries, Format.MARKDOWN)
        slug = "-".join(re.findall(r"[a-z0-9]+", entries[0].brief.text.lower())[:6]) or "ideas"
        file = discord.File(io.BytesIO(text.encode()), f"{slug}.md")
        await interaction.edit_original_response(
            content="One page, with who and what made each idea.", attachments=[file], allowed_mentions=NOBODY
        )

    # --- one run -----------------------------------------------------------------------------------------------------

    async def _stop(self, interaction: discord.Interaction, run_id: str) -> None:
        for board in self.bot.at_work:
            if isinstance(board, GrowingBoard) and board.run_id == run_id:
                if board.owner.id != interaction.user.id and not interaction.permissions.manage_messages:
                    raise BadInput(f"Only {board.owner.display_name} may stop this, or a moderator.")
                await interaction.response.defer()
                board.stop()
                return
        await interaction.response.defer()
        await self._finish_orphan(interaction)

    async def _finish_orphan(self, interaction: discord.Interaction) -> None:
        """A board whose run is no more, because Kindling was restarted: give it the end that it never got."""
        message = interaction.message
        assert message is not None
        studio = await self.bot.studio()
        entries: list[Entry] = []
        for asked in (place_asked(interaction), place_asked(interaction, private=True)):
            where = await seen(studio, interaction, asked)
            entries = entries or await studio.ideas.entries(where.space, targets(message, Verb.VOTE), where.filters)
        if not entries:
            view = note("Kindling was restarted before there was an idea here: ask again with /brainstorm.")
            await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)
            return
        status = "Kindling was restarted while this was being written; what is here stays."
        board = Board(entries[0].brief.line, status, entries[0].idea.session_id, tuple(entries))
        first, *others = pages(board)
        await interaction.edit_original_response(view=first, allowed_mentions=NOBODY)
        for page in others:
            await interaction.followup.send(view=page, ephemeral=_is_private(interaction), allowed_mentions=NOBODY)


def _is_private(interaction: discord.Interaction) -> bool:
    """Whether the message that was pressed is seen by one person alone; what comes of it then is too."""
    return interaction.message is not None and interaction.message.flags.ephemeral


def _picked(interaction: discord.Interaction) -> list[str]:
    """What was picked in a select."""
    data: Any = interaction.data or {}
    return list(data.get("values", ()))


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Boards(bot))
