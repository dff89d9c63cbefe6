"""From Discord's messages to posts that a library can keep: what people say and show, nothing that machines say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord

from bot.cogs.conversation import mentions
from bot.cogs.spaces import person_of
from bot.ideation.posts import Post

MARK, OUT = "🔖", "🚫"  # the bot's reaction to what it kept, and an author's to what shall be left out
NEEDS_CONTENT = (
    "I can't read messages here yet: in the Developer Portal, your application, Bot, switch on Message Content Intent, "
    "then start Kindling again."
)
_SAID = {discord.MessageType.default, discord.MessageType.reply}


def shared(message: discord.Message, me: discord.ClientUser | None) -> bool:
    """Whether a person shares something by this message: no bot, no webhook, no notice, nothing said to the bot."""
    if message.author.bot or message.webhook_id is not None or message.type not in _SAID:
        return False
    return me is None or not mentions(message, me)


def post_of(message: discord.Message) -> Post:
    """A message with all that it shows; of what was forwarded in it, the words and files too."""
    whole: list[Any] = [message, *message.message_snapshots]
    texts = [message.clean_content, *(one.content for one in message.message_snapshots)]
    return Post(
        text="\n".join(text for text in texts if text),
        name=message.author.display_name,
        author=person_of(message.author),
        date=message.created_at.date().isoformat(),
        channel=message.channel.id,
        message=message.id,
        address=message.jump_url,
        parent=_parent(message.channel),
        shown=tuple(line for one in whole for line in _shown(one)),
    )


def _parent(channel: Any) -> int | None:
    """The channel that a public thread hangs on; who sees a private one can't be told by that."""
    return channel.parent_id if isinstance(channel, discord.Thread) and not channel.is_private() else None


def _shown(message: Any) -> Iterator[str]:
    for file in message.attachments:
        yield f"{file.description} ({file.filename})" if file.description else file.filename
    for embed in message.embeds:
        yield ": ".join(part for part in (embed.title, embed.description) if part)
        yield from (f"{field.name}: {field.value}" for field in embed.fields)
        yield embed.url or ""
