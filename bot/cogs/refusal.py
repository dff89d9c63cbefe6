"""The edge of every interaction: what went wrong becomes one line that only the person who asked sees."""

from __future__ import annotations

import logging
from contextlib import suppress

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.live import NOBODY, TOKEN_GONE
from bot.language.errors import LanguageError
from knowledge.errors import KindlingError

log = logging.getLogger(__name__)


def line_for(error: BaseException) -> str:
    """What to tell the person. What nobody foresaw goes into the log with its trace, and only there."""
    if isinstance(error, LanguageError):
        return f"{error} /inspire still works: sparks need no model."
    if isinstance(error, KindlingError):
        return str(error)
    if isinstance(error, app_commands.CheckFailure | commands.CheckFailure):
        return "You lack the right for that here: ask someone who may manage the server."
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return "Your Discord still shows an old command: reload it (Ctrl-R), then try again."
    if isinstance(error, discord.Forbidden):
        return "I may not do that here: ask someone who may manage the server to look at my permissions."
    log.error("an interaction failed", exc_info=error)
    return "That went wrong on our side; it is in the log. Nothing was lost: try again."


async def refuse(interaction: discord.Interaction, error: BaseException) -> None:
    """Answer an interaction that failed with one line that only the person sees."""
    if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
        # The next message would fill "is thinking" for all to see; without it, the line is for this person alone.
        with suppress(discord.HTTPException):
            await interaction.delete_original_response()
    await tell(interaction, line_for(error))


async def tell(interaction: discord.Interaction, line: str) -> None:
    """One line that only the person sees, whether or not the interaction has been answered.

    When its 15 minutes are over, the line comes as a direct message.
    """
    try:
        if interaction.is_expired() or not await _answered(interaction, line):
            await interaction.user.send(line, allowed_mentions=NOBODY)
    except (discord.HTTPException, OSError, RuntimeError) as failure:  # RuntimeError: the bot has been closed meanwhile
        log.warning("could not tell %s: %s", interaction.user.id, failure)


async def _answered(interaction: discord.Interaction, line: str) -> bool:
    """Answer by the interaction's token; False when Discord knows the token no more."""
    try:
        if interaction.response.is_done():
            await interaction.followup.send(line, ephemeral=True, allowed_mentions=NOBODY)
        else:
            await interaction.response.send_message(line, ephemeral=True, allowed_mentions=NOBODY)
    except discord.HTTPException as error:
        if error.code not in TOKEN_GONE:
            raise
        return False
    return True
