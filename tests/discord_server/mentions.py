"""Whom a new message notifies: the mentions in its text, held against allowed_mentions and permissions.

After Discord's reference, "Allowed Mentions Object": without the field every mention counts; with it only what it
names, and the author of the message replied to only if ``replied_user`` says so.
"""

from __future__ import annotations

import re

from .entities import Channel, User
from .errors import JSON, invalid
from .message import Message, Pings

_USER = re.compile(r"<@!?(\d+)>")
_ROLE = re.compile(r"<@&(\d+)>")
_EVERYONE = re.compile(r"@(?:everyone|here)\b")


def pings_of(
    text: str, channel: Channel, author: User, allowed: JSON | None, reply_to: Message | None, known: dict[int, User]
) -> Pings:
    """Whom a message with this text notifies when ``author`` posts it in ``channel``.

    ``known`` are all users by id. Raises ``ApiError`` 50035 where ``allowed`` both allows all and lists some.
    """
    parse = {"users", "roles", "everyone"} if allowed is None else set(allowed.get("parse") or [])
    named = {
        kind: None if kind in parse else {int(one) for one in (allowed or {}).get(kind) or []}
        for kind in ("users", "roles")
    }
    for kind in ("users", "roles"):
        if kind in parse and (allowed or {}).get(kind):
            message = f"parse:['{kind}'] and {kind}: [ids...] are mutually exclusive."
            raise invalid(["allowed_mentions"], "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", message)
    users = [known[int(one)] for one in _USER.findall(text) if int(one) in known]
    users = [user for user in users if named["users"] is None or user.id in named["users"]]
    if reply_to is not None and (allowed is None or allowed.get("replied_user")):
        users.append(reply_to.author)
    present = [user for user in dict.fromkeys(users) if channel.may(user, "view_channel") and user is not author]
    if channel.guild is None:
        return Pings(users=tuple(present))
    loud = channel.may(author, "mention_everyone")
    roles = [channel.guild.roles[int(one)] for one in _ROLE.findall(text) if int(one) in channel.guild.roles]
    roles = [role for role in roles if named["roles"] is None or role.id in named["roles"]]
    return Pings(
        everyone="everyone" in parse and loud and bool(_EVERYONE.search(text)),
        users=tuple(present),
        roles=tuple(role for role in dict.fromkeys(roles) if role.mentionable or loud),
    )
