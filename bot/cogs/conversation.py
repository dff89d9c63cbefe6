"""From Discord's messages to a conversation that the studio understands: who is spoken to, and what was said before.

A reply continues the chain that it replies to. In direct messages, and in threads that the bot opened, what was said
just before belongs to it too. Nothing else is read, so that conversations never mix.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import discord

from bot.language.base import Message, Role
from bot.ui.replies import said

log = logging.getLogger(__name__)

MOST_TURNS = 8  # messages that a conversation is read back
LONGEST_TURN = 1000  # characters of one message that are taken
LONGEST_OPENING = 400  # characters of a board that somebody replies to
STILL_TALKING = timedelta(hours=6)  # after so long a silence, a direct message begins something new

_SPOKEN = {discord.MessageType.default, discord.MessageType.reply}


def speaks_to(message: discord.Message, me: discord.ClientUser) -> bool:
    """Whether a message is for the bot: a direct message, a mention, a reply to it, or said in a thread it opened.

    Never what bots, webhooks and Discord itself say; in its threads, not what people say to each other.
    """
    if message.author.bot or message.webhook_id is not None or message.type not in _SPOKEN:
        return False
    if message.guild is None or mentions(message, me):
        return True
    original = replied_to(message)
    if original is not None:
        return original.author.id == me.id
    return opened_by(message.channel, me) and not message.mentions


def mentions(message: discord.Message, me: discord.ClientUser) -> bool:
    """Whether the bot, or the role that Discord gave it when it joined, is mentioned or pinged by a reply."""
    role = message.guild.self_role if message.guild else None
    return me.id in message.raw_mentions or me in message.mentions or (role in message.role_mentions if role else False)


def opened_by(channel: Any, me: discord.ClientUser) -> bool:
    """Whether the channel is a thread that the bot opened."""
    return isinstance(channel, discord.Thread) and channel.owner_id == me.id


def replied_to(message: discord.Message) -> discord.Message | None:
    """The message that this one replies to, where Discord sent it along."""
    reference = message.reference
    if reference is None or reference.type is not discord.MessageReferenceType.reply:
        return None
    return reference.resolved if isinstance(reference.resolved, discord.Message) else None


async def conversation(message: discord.Message, me: discord.ClientUser) -> list[Message]:
    """The turns up to this message, oldest first; the last one is the person's, and empty if nothing can be read."""
    if message.reference is not None:
        earlier = await _chain(message)
    elif message.guild is None or opened_by(message.channel, me):
        earlier = await _just_before(message, me)
    else:
        earlier = []
    return turns([*reversed(earlier), message], me)


def turns(messages: Sequence[discord.Message], me: discord.ClientUser) -> list[Message]:
    """Messages as turns that alternate, a person's first and last; messages without words are left out.

    A conversation that begins with the bot's own words, a board for instance, takes them as what it is about.
    """
    found: list[Message] = []
    for message in messages:
        text = words_of(message, me)
        ours = message.author.id == me.id
        if not text and message is not messages[-1]:
            continue
        if ours and not found:
            ours, text = False, text[:LONGEST_OPENING]
        role: Role = "assistant" if ours else "user"
        if found and found[-1].role == role and text:
            text = f"{found.pop().text}\n{text}"
        found.append(Message(role, text[-LONGEST_TURN:]))
    return found


def words_of(message: discord.Message, me: discord.ClientUser) -> str:
    """What a message says, without the bot's name in it; of the bot's own, without escapes and lists of sparks."""
    if message.author.id == me.id:
        return said(message.content or "\n".join(_texts(message.components)))[:LONGEST_TURN]
    text = re.sub(rf"<@!?{me.id}>", " ", message.content)
    if message.guild is not None and message.guild.self_role is not None:
        text = text.replace(message.guild.self_role.mention, " ")
    for user in message.mentions:
        text = re.sub(rf"<@!?{user.id}>", user.display_name, text)
    return text.strip()


async def _chain(message: discord.Message) -> list[discord.Message]:
    """What a message replies to, what that replies to, and so on: newest first. It ends where one was deleted."""
    found: list[discord.Message] = []
    try:
        while len(found) < MOST_TURNS - 1:
            if message.reference is None and message.type is discord.MessageType.reply:
                message = await message.channel.fetch_message(message.id)  # it came along without what it replies to
            reference, original = message.reference, replied_to(message)
            if original is None:
                gone = reference is None or isinstance(reference.resolved, discord.DeletedReferencedMessage)
                if gone or reference is None or reference.message_id is None:
                    break
                original = await message.channel.fetch_message(reference.message_id)
            found.append(original)
            message = original
    except discord.HTTPException:
        log.info("a conversation could be read back by %d messages only", len(found))
    return found


async def _just_before(message: discord.Message, me: discord.ClientUser) -> list[discord.Message]:
    """What was said here just before, newest first; nothing where the bot may not read it."""
    found: list[discord.Message] = []
    newer = message
    try:
        async for earlier in message.channel.history(limit=MOST_TURNS - 1, before=message):
            if newer.created_at - earlier.created_at > STILL_TALKING:
                break
            if earlier.type in _SPOKEN and (not earlier.author.bot or earlier.author.id == me.id):
                found.append(earlier)
            newer = earlier
    except discord.HTTPException:
        return []
    return found


def _texts(components: Iterable[Any]) -> Iterator[str]:
    """The texts of a message of components."""
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
        yield from _texts(getattr(component, "children", ()))
