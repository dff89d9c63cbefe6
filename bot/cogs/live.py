"""A message that grows: paced edits, each message with its own clock, whatever Discord does meanwhile.

A message of an interaction is edited through the interaction's token, which needs no permission, for the 15 minutes
that it lives; after that by ordinary edits. Knows nothing of ideas.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import aiohttp
import discord

log = logging.getLogger(__name__)

PACE = 1.2  # seconds between two edits of one message
LEISURE = 10.0  # seconds between two edits that only tell a place in the queue: many messages wait at the same time
TRIES = 3  # of the last state, beyond discord.py's own five

NOBODY = discord.AllowedMentions.none()
TOKEN_GONE = {50027, 10015}  # Discord's codes for an interaction's token that it knows no more
_ARCHIVED = 50083
_FINAL = {400, 401, 403, 404}
Fields = dict[str, Any]  # what a message is sent or edited with: a view, or a content


class Gone(Exception):
    """The message can't be reached any more: deleted, or the bot may not see or write there."""


class Outlet(Protocol):
    """One message, sent with the first `put`, edited by the next ones. Raises `Gone`, and what the network raises."""

    async def put(self, fields: Fields) -> None:
        """Let the message show these fields."""
        ...


class LiveMessage:
    """Shows states on an outlet at most once in `pace` seconds; states in between are skipped, the last one lands.

    `sent` are the fields that the message was just sent with, where it was sent already.
    """

    def __init__(self, outlet: Outlet, *, sent: Fields | None = None, pace: float | None = None) -> None:
        self.outlet = outlet
        self._pace = PACE if pace is None else pace
        self._shown = _key(sent) if sent else None
        self._build: Callable[[], Fields] | None = None
        self._urgent = False
        self._last = asyncio.get_running_loop().time() if sent else float("-inf")
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.gone = False

    def show(self, build: Callable[[], Fields], *, urgent: bool = True) -> None:
        """Let the message show the `view` or `content` that `build` gives, as soon as its pace allows.

        `build` is called when the time has come, so it should give the state of that moment; what is not `urgent`
        waits longer.
        """
        if self.gone:
            return
        if self._build is None or (urgent and not self._urgent):  # else it waits already, and for long enough
            self._changed.set()
        self._build = build
        self._urgent = self._urgent or urgent
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._follow(), name="live message")

    async def land(self) -> None:
        """Wait until the last state is shown, or can't be."""
        self._urgent = True
        self._changed.set()
        if self._task is not None:
            await asyncio.shield(self._task)

    async def _follow(self) -> None:
        failures = 0
        while self._build is not None and not self.gone:
            await self._wait()
            build, self._build, self._urgent = self._build, None, False
            fields = build()
            key = _key(fields)
            if key == self._shown:
                continue
            try:
                await self.outlet.put(fields)
                self._shown, failures = key, 0
            except Gone as error:
                log.warning("a message can't be reached any more: %s", error)
                self.gone = True
            except (discord.HTTPException, aiohttp.ClientError, OSError, TimeoutError) as error:
                failures += 1
                self._build, self._urgent = self._build or build, True
                log.warning("a message could not be edited (attempt %d): %s", failures, error)
                if failures >= TRIES:
                    self.gone = True
            # Counted from when it was answered: however long an edit is on its way, Discord never sees two too soon.
            self._last = asyncio.get_running_loop().time()

    async def _wait(self) -> None:
        """Sleep until the pace allows the next edit; wake when something urgent comes."""
        loop = asyncio.get_running_loop()
        while True:
            due = self._last + (self._pace if self._urgent else LEISURE)
            self._changed.clear()
            if (left := due - loop.time()) <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                return


class InteractionMessage:
    """The answer to an interaction, or a further message of it: an outlet.

    Without a `message_id` the first `put` sends the message, for the asker alone if it is `private`.
    """

    def __init__(self, interaction: discord.Interaction, message_id: int | None, *, private: bool = False) -> None:
        self._interaction = interaction
        self._private = private
        self._token = not interaction.is_expired()
        self._direct: discord.Message | None = None
        self.message_id = message_id

    async def put(self, fields: Fields) -> None:
        """Send or edit, by the token while it lives."""
        try:
            if self._token and not self._interaction.is_expired():
                try:
                    await self._by_token(fields)
                    return
                except discord.HTTPException as error:
                    if error.code not in TOKEN_GONE:
                        raise
            self._token = False
            try:
                await self._by_itself(fields)
            except discord.HTTPException as error:
                channel = self._interaction.channel
                if error.code != _ARCHIVED or not isinstance(channel, discord.Thread):
                    raise
                await channel.edit(archived=False)
                await self._by_itself(fields)
        except discord.HTTPException as error:
            if error.status in _FINAL:
                raise Gone(str(error)) from error
            raise

    async def _by_token(self, fields: Fields) -> None:
        webhook = self._interaction.followup
        if self.message_id is None:
            sent = await webhook.send(ephemeral=self._private, wait=True, allowed_mentions=NOBODY, **fields)
            self.message_id = sent.id
        else:
            await webhook.edit_message(self.message_id, allowed_mentions=NOBODY, **fields)

    async def _by_itself(self, fields: Fields) -> None:
        """By an ordinary message. What only one person saw goes on in their direct messages: no edit reaches it now."""
        if self._direct is not None:
            await self._direct.edit(allowed_mentions=NOBODY, **fields)
        elif self._private and self._interaction.guild_id:
            self._direct = await self._interaction.user.send(allowed_mentions=NOBODY, **fields)
            self.message_id = self._direct.id
        else:
            channel = self._interaction.channel
            if not isinstance(channel, discord.TextChannel | discord.Thread | discord.VoiceChannel | discord.DMChannel):
                raise Gone("there is no channel to write in")
            if self.message_id is None:
                self.message_id = (await channel.send(allowed_mentions=NOBODY, **fields)).id
            else:
                await channel.get_partial_message(self.message_id).edit(allowed_mentions=NOBODY, **fields)


def _key(fields: Fields) -> Any:
    """What tells two states apart: the components of a view, or the text."""
    view = fields.get("view")
    return view.to_components() if view is not None else fields.get("content")
