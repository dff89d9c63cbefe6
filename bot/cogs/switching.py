"""Switching an inspiration channel on and off, and asking for its older messages: what must hold, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import discord
from discord import ui

from bot.cogs.live import NOBODY
from bot.cogs.posts import MARK, NEEDS_CONTENT, OUT
from bot.cogs.rights import NotAllowed
from bot.cogs.spaces import space_of
from bot.cogs.upkeep import ChannelButton
from bot.ideation.channels import Channels
from bot.ideation.followed import Reading
from bot.ui.channels import kept_note, off_note, progress_page
from bot.ui.layout import Page, page
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from bot.client import Kindling

Place = discord.TextChannel | discord.VoiceChannel | discord.Thread
_NEEDED = ("view_channel", "read_message_history", "send_messages")


async def switched_on(
    bot: Kindling, interaction: discord.Interaction, channels: Channels, channel_id: int, marks: bool
) -> Page:
    """Keep what is shared in a channel from now on, and say so there; what to answer. Raises `BadInput`."""
    if not bot.intents.message_content:
        raise BadInput(NEEDS_CONTENT)
    place = _readable(interaction, channel_id)
    before = await channels.of(channel_id)
    if before is None or not before.on:  # the note first: nothing is kept of which nobody was told
        note = kept_note(interaction.user.display_name, MARK if marks else None, OUT)
        await place.send(view=note, allowed_mentions=NOBODY)
    await channels.switch_on(
        space_of(interaction.guild_id, interaction.user),
        channel_id,
        parent=place.parent_id if isinstance(place, discord.Thread) else None,
        title=f"#{place.name}"[:100],
        address=place.jump_url,
        since=before.since if before is not None and before.on else interaction.id,
        marks=marks,
    )
    restricted = " It is age-restricted: what comes from it is shown in it alone." if place.is_nsfw() else ""
    return page(
        f"I keep what is shared in <#{channel_id}> from now on, and have said so there. Only people who can see it are "
        f"shown what comes from it.{restricted}\n-# /library backfill reads its older messages too"
    )


async def switched_off(bot: Kindling, interaction: discord.Interaction, channels: Channels, channel_id: int) -> Page:
    """Keep no further messages of a channel, and say so there; what to answer. Raises `BadInput`."""
    before = await channels.of(channel_id)
    if before is None or before.space != space_of(interaction.guild_id, interaction.user):
        raise BadInput("Nothing is kept of that channel: there is nothing to switch off.")
    after = await channels.switch_off(channel_id)
    bot.dispatch("reading_changed", channel_id)
    if before.on:
        with suppress(discord.HTTPException):  # it is off all the same
            await bot.get_partial_messageable(channel_id).send(view=off_note(), allowed_mentions=NOBODY)
    count = after.kept if after is not None else 0
    text = f"No new messages of <#{channel_id}> are kept. "
    if not count:
        return page(text + "Nothing of it is in the library.")
    text += f"{count:,} that were kept stay in the library, and go when they are deleted there."
    return page(text, ui.ActionRow(ChannelButton("remove", str(channel_id)).item))


async def begin_backfill(bot: Kindling, interaction: discord.Interaction, channel_id: int) -> None:
    """Answer with the progress of reading a channel's older messages, and begin. Raises `BadInput`."""
    if not bot.intents.message_content:
        raise BadInput(NEEDS_CONTENT)
    channels = (await bot.studio()).channels
    followed = await channels.of(channel_id)
    if followed is None or not followed.on:
        raise BadInput("Switch it on first, so that people there know: /settings inspiration, then ask again.")
    if followed.reading is Reading.GOING:
        raise BadInput(f"That is going on: {followed.read:,} read so far, {followed.found:,} of them kept.")
    if followed.reading is Reading.DONE:
        raise BadInput(f"Its older messages were read already: {followed.found:,} of {followed.read:,} were kept.")
    _readable(interaction, channel_id)
    capture: Any = bot.get_cog("Capture")
    stop = ui.ActionRow(ChannelButton("stop", str(channel_id)).item)
    view = progress_page(replace(followed, reading=Reading.GOING), stop)
    message = await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)
    await channels.set_reading(channel_id, Reading.GOING, (message.channel.id, message.id))
    capture.upkeep.read_back(channel_id)


def require_posting(interaction: discord.Interaction, channel_id: int) -> None:
    """Pass if the bot may post in that channel, and the person sees it. Raises `BadInput` and `NotAllowed`."""
    _open(interaction, channel_id, ("view_channel", "send_messages"))


def _readable(interaction: discord.Interaction, channel_id: int) -> Place:
    """The channel, if messages of it can be kept. Raises `BadInput` and `NotAllowed`, saying what to do."""
    place = _open(interaction, channel_id, _NEEDED)
    if isinstance(place, discord.Thread) and place.is_private():
        raise BadInput("A private thread has a circle of its own that I can't tell: pick a channel.")
    return place


def _open(interaction: discord.Interaction, channel_id: int, needed: Sequence[str]) -> Place:
    """The channel, if the bot has these rights there and the person sees it. Raises as `_readable`."""
    guild = interaction.guild
    place = guild.get_channel_or_thread(channel_id) if guild is not None else None
    if guild is None or not isinstance(place, Place):
        raise BadInput("Pick a text channel, a voice channel's chat or an open thread that I can see.")
    may = place.permissions_for(guild.me)
    lacking = [name.replace("_", " ") for name in needed if not getattr(may, name)]
    if isinstance(place, discord.Thread) and may.send_messages_in_threads and "send messages" in lacking:
        lacking.remove("send messages")
    if lacking:
        raise NotAllowed(f"In that channel I lack: {', '.join(lacking)}. Let me, then ask again.")
    if not interaction.permissions.administrator and not place.permissions_for(_member(interaction)).view_channel:
        raise NotAllowed("You can't see that channel yourself: ask somebody who can.")
    return place


def _member(interaction: discord.Interaction) -> discord.Member:
    assert isinstance(interaction.user, discord.Member)
    return interaction.user
