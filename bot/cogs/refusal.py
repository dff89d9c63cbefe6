"""The edge of every interaction: what went wrong becomes one line that only the person who asked sees."""

from __future__ import annotations

import logging

import discord
from discord import app_commands
from discord.ext import commands

from bot.language.errors import LanguageError
from knowledge.errors import KindlingError

log = logging.getLogger(__name__)


async def refuse(interaction: discord.Interaction, error: BaseException) -> None:
    """Answer an interaction that failed with one line that only the person sees."""
    if isinstance(error, LanguageError):
        line = f"{error} /inspire still works: sparks need no model."
    elif isinstance(error, KindlingError):
        line = str(error)
    elif isinstance(error, app_commands.CheckFailure | commands.CheckFailure):
        line = "You lack the right for that here: ask someone who may manage the server."
    else:
        log.error("an interaction failed", exc_info=error)
        line = "That went wrong on our side; it is in the log. Nothing you wrote was lost: try again."
    try:
        if interaction.response.is_done():
            await interaction.followup.send(line, ephemeral=True)
        else:
            await interaction.response.send_message(line, ephemeral=True)
    except discord.HTTPException as failure:
        log.warning("could not tell %s: %s", interaction.user.id, failure)
