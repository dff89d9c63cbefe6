"""Two ideas, and which of them somebody would rather have: one message, in which pair follows pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import discord

from bot.cogs.live import NOBODY
from bot.cogs.sight import place_of_idea, seen
from bot.cogs.spaces import person_of, place_asked
from bot.ui.cards import duel_page, note
from bot.ui.ids import Verb, targets
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from bot.client import Kindling


async def first_duel(bot: Kindling, interaction: discord.Interaction, mine: bool) -> None:
    """Answer with two ideas of this server, or with two of the asker's own; for the asker alone."""
    await interaction.response.defer(thinking=True, ephemeral=True)
    studio = await bot.studio()
    where = await seen(studio, interaction, place_asked(interaction, mine), alone=True)
    pair = await studio.choices.duel(where.space, person_of(interaction.user), filters=where.filters)
    await interaction.edit_original_response(view=duel_page(*pair, 0), allowed_mentions=NOBODY)


async def next_duel(bot: Kindling, interaction: discord.Interaction, winner: str | None) -> None:
    """Write down which of the two was preferred, if one was, and show the next two in their place."""
    assert interaction.message is not None
    await interaction.response.defer()
    studio, person = await bot.studio(), person_of(interaction.user)
    pair = targets(interaction.message, Verb.PREFER)
    where, _ = await place_of_idea(studio, interaction, pair[0], alone=True)
    if winner is not None:
        (loser,) = (one for one in pair if one != winner)
        await studio.choices.pick(where.space, person, winner, loser)
    try:
        following = await studio.choices.duel(where.space, person, frozenset(pair), where.filters)
        view = duel_page(*following, len(await studio.choices.of_person(person)))
    except BadInput as none_left:
        view = note(str(none_left))
    await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)
