"""What the gateway tells a bot, and how its intents decide that.

The table is the one in Discord's reference, "Gateway", section "List of Intents". An event that is in no row goes to
every session. Events of channels that the bot may not view are not sent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import JSON

if TYPE_CHECKING:
    from .entities import Channel, Guild, User
    from .message import Message

GUILDS, GUILD_MEMBERS, GUILD_PRESENCES, MESSAGE_CONTENT = 1 << 0, 1 << 1, 1 << 8, 1 << 15
GUILD_MESSAGES, GUILD_REACTIONS, GUILD_TYPING = 1 << 9, 1 << 10, 1 << 11
DIRECT_MESSAGES, DIRECT_REACTIONS, DIRECT_TYPING = 1 << 12, 1 << 13, 1 << 14
KNOWN_INTENTS = (1 << 17) - 1 | 1 << 20 | 1 << 21 | 1 << 24 | 1 << 25

PRIVILEGED = {"members": GUILD_MEMBERS, "presences": GUILD_PRESENCES, "message_content": MESSAGE_CONTENT}
"""The intents that an application must be granted, by the names that discord.py gives them."""

APPLICATION_FLAGS = {"presences": 1 << 13, "members": 1 << 15, "message_content": 1 << 19}
"""How an application's flags say that it has them (the variants for bots in fewer than 100 servers)."""

_INTENTS = {
    "MESSAGE_CREATE": (GUILD_MESSAGES, DIRECT_MESSAGES),
    "MESSAGE_UPDATE": (GUILD_MESSAGES, DIRECT_MESSAGES),
    "MESSAGE_DELETE": (GUILD_MESSAGES, DIRECT_MESSAGES),
    "MESSAGE_DELETE_BULK": (GUILD_MESSAGES, 0),
    "MESSAGE_REACTION_ADD": (GUILD_REACTIONS, DIRECT_REACTIONS),
    "MESSAGE_REACTION_REMOVE": (GUILD_REACTIONS, DIRECT_REACTIONS),
    "MESSAGE_REACTION_REMOVE_ALL": (GUILD_REACTIONS, DIRECT_REACTIONS),
    "MESSAGE_REACTION_REMOVE_EMOJI": (GUILD_REACTIONS, DIRECT_REACTIONS),
    "TYPING_START": (GUILD_TYPING, DIRECT_TYPING),
    "CHANNEL_PINS_UPDATE": (GUILDS, DIRECT_MESSAGES),
    "GUILD_MEMBER_ADD": (GUILD_MEMBERS, 0),
    "GUILD_MEMBER_UPDATE": (GUILD_MEMBERS, 0),
    "GUILD_MEMBER_REMOVE": (GUILD_MEMBERS, 0),
} | dict.fromkeys(
    "GUILD_CREATE GUILD_UPDATE GUILD_DELETE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE "
    "CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE THREAD_CREATE THREAD_UPDATE THREAD_DELETE THREAD_LIST_SYNC "
    "THREAD_MEMBER_UPDATE".split(),
    (GUILDS, 0),
)


@dataclass(frozen=True)
class Event:
    """One thing that happened. ``data`` builds its payload for a session with the given intents."""

    name: str
    data: Callable[[int], JSON]
    channel: Channel | None = None
    guild: Guild | None = None
    about: User | None = None

    def goes_to(self, intents: int, bot: User) -> bool:
        """Whether a session with these intents hears of it."""
        if self.guild is not None and bot.id not in self.guild.members:
            return False
        if self.channel is not None and not self.channel.may(bot, "view_channel"):
            return False
        if self.about is bot and self.name == "GUILD_MEMBER_UPDATE":
            return True
        if self.name not in _INTENTS:
            return True
        direct = self.channel is not None and self.channel.guild is None
        return bool(intents & _INTENTS[self.name][direct])


def withholds(message: Message, bot: User, granted: bool) -> bool:
    """Whether a message's content is kept from the bot: not with the intent, in DMs, when mentioned, or for its own."""
    direct = message.channel.guild is None
    return not (granted or direct or message.author is bot or bot in message.pings.users)


def message_event(name: str, message: Message, bot: User) -> Event:
    """MESSAGE_CREATE or MESSAGE_UPDATE, its content blanked as the session's intents demand."""

    def data(intents: int) -> JSON:
        granted = bool(intents & MESSAGE_CONTENT)
        payload = message.payload(viewer=bot, withheld=lambda one: withholds(one, bot, granted))
        return payload | place_of(message.channel) | member_of(message.channel, message.author)

    return Event(name, data, message.channel)


def place_of(channel: Channel) -> JSON:
    return {"guild_id": str(channel.guild.id)} if channel.guild else {}


def member_of(channel: Channel, user: User, *, whole: bool = False) -> JSON:
    """The field ``member`` for events in a server; empty elsewhere."""
    member = channel.member(user)
    return {} if member is None else {"member": member.payload(user=whole)}


def plain(name: str, data: JSON, channel: Channel | None = None, *, guild: Guild | None = None) -> Event:
    """An event whose payload is the same for every session."""
    return Event(name, lambda _: data, channel, guild)
