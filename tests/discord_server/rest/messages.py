"""Messages, reactions and pins."""

from __future__ import annotations

from typing import Any

from tests.discord_server import posting
from tests.discord_server.drafts import draft_of
from tests.discord_server.emoji import is_emoji
from tests.discord_server.entities import Channel
from tests.discord_server.errors import JSON, invalid, refusal
from tests.discord_server.events import withholds
from tests.discord_server.message import Message

from .call import Call, Route, on

ROUTES: list[Route] = []
_CHANNEL = "/channels/{channel_id}"
_MESSAGES = f"{_CHANNEL}/messages"
_MESSAGE = f"{_MESSAGES}/{{message_id}}"
_REACTION = f"{_MESSAGE}/reactions/{{emoji_name}}"

SECONDS_UNTIL_OLD = 3600
_FORTNIGHT = 14 * 86400
_MAX_PINS = 50


def shown(call: Call, message: Message) -> JSON:
    """A message as the bot may read it over REST, where the application's flag decides about content."""
    granted = "message_content" in call.server.privileged
    return message.payload(viewer=call.server.bot, withheld=lambda one: withholds(one, call.server.bot, granted))


@on(ROUTES, "POST", _MESSAGES)
async def create(call: Call) -> JSON:
    server, channel = call.server, call.channel
    if not channel.may(server.bot, "send_messages"):
        raise refusal(50013)
    if channel.guild is None and not (channel.recipients[0].accepts_dms and server.mutual(channel.recipients[0])):
        raise refusal(50007)
    if channel.is_thread and channel.archived and channel.locked and not channel.may(server.bot, "manage_threads"):
        raise refusal(50083)
    for needed, wanted in (("attach_files", call.files), ("embed_links", call.body.get("embeds"))):
        if wanted and not channel.may(server.bot, needed):
            raise refusal(50013)
    nonce = call.body.get("nonce")
    if call.body.get("enforce_nonce") and (channel.id, str(nonce)) in server.nonces:
        return shown(call, server.nonces[channel.id, str(nonce)])
    draft = draft_of(call.body, call.files, server.store(channel))
    message = posting.post(server, channel, server.bot, draft, reply_to=_replied_to(call, channel))
    if nonce is not None:
        server.nonces[channel.id, str(nonce)] = message
    return shown(call, message)


def _replied_to(call: Call, channel: Channel) -> Message | None:
    reference = call.body.get("message_reference")
    if not reference:
        return None
    if not channel.may(call.server.bot, "read_message_history"):
        message = "Cannot reply without permission to read message history"
        raise invalid(["message_reference"], "REPLIES_CANNOT_REPLY_WITHOUT_READ_MESSAGE_HISTORY", message)
    found = channel.messages.get(int(reference["message_id"]))
    if found is None and reference.get("fail_if_not_exists", True):
        raise invalid(["message_reference"], "MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message")
    if found is not None and found.is_system:
        message = "Cannot reply to a system message"
        raise invalid(["message_reference"], "REPLIES_CANNOT_REPLY_TO_SYSTEM_MESSAGE", message)
    return found


@on(ROUTES, "GET", _MESSAGES)
async def history(call: Call) -> list[JSON]:
    channel = call.channel
    if not channel.may(call.server.bot, "read_message_history"):
        return []
    limit = call.number("limit", 50)
    messages = sorted((one for one in channel.messages.values() if not one.ephemeral), key=lambda one: one.id)
    if "after" in call.query:
        chosen = [one for one in messages if one.id > int(call.query["after"])][:limit]
    elif "around" in call.query:
        middle = int(call.query["around"])
        before = [one for one in messages if one.id < middle][-(limit // 2) :]
        chosen = before + [one for one in messages if one.id >= middle][: limit - len(before)]
    else:
        before_id = int(call.query.get("before", 1 << 63))
        chosen = [one for one in messages if one.id < before_id][-limit:]
    return [shown(call, one) for one in reversed(chosen)]


@on(ROUTES, "GET", _MESSAGE)
async def fetch(call: Call) -> JSON:
    channel = call.channel
    if not channel.may(call.server.bot, "read_message_history"):
        raise refusal(50001)
    return shown(call, call.message_in(channel))


@on(ROUTES, "PATCH", _MESSAGE)
async def edit(call: Call) -> JSON:
    server, channel = call.server, call.channel
    message = call.message_in(channel)
    if message.author is not server.bot:
        raise refusal(50005)
    _refuse_if_archived(channel)
    if server.clock.now() - message.created_at > SECONDS_UNTIL_OLD:
        server.limits.take_old_edit(channel.id)
    posting.edit(server, message, draft_of(call.body, call.files, server.store(channel), existing=message))
    return shown(call, message)


def _refuse_if_archived(channel: Channel) -> None:
    if channel.is_thread and channel.archived:
        raise refusal(50083)


@on(ROUTES, "DELETE", _MESSAGE)
async def delete(call: Call) -> None:
    channel = call.channel
    message = call.message_in(channel)
    if message.author is not call.server.bot and not channel.may(call.server.bot, "manage_messages"):
        raise refusal(50013)
    _refuse_if_archived(channel)
    posting.delete(call.server, message)


@on(ROUTES, "POST", f"{_MESSAGES}/bulk-delete")
async def bulk_delete(call: Call) -> None:
    channel = call.channel_allowing("manage_messages")
    found = [channel.messages[int(one)] for one in call.body["messages"] if int(one) in channel.messages]
    if any(call.server.clock.now() - one.created_at > _FORTNIGHT for one in found):
        raise refusal(50034)
    posting.delete_many(call.server, channel, found)


# --- reactions ------------------------------------------------------------------------------------------------------


@on(ROUTES, "PUT", f"{_REACTION}/@me")
async def add_reaction(call: Call) -> None:
    channel = call.channel
    message, emoji = call.message_in(channel), call.params["emoji_name"]
    if not is_emoji(emoji):
        raise refusal(10014)
    needed = ["read_message_history"] + (["add_reactions"] if emoji not in message.reactions else [])
    if not channel.may(call.server.bot, *needed):
        raise refusal(50013)
    _refuse_if_archived(channel)
    posting.react(call.server, message, call.server.bot, emoji)


@on(ROUTES, "DELETE", f"{_REACTION}/@me")
async def remove_own_reaction(call: Call) -> None:
    posting.unreact(call.server, call.message_in(call.channel), call.server.bot, call.params["emoji_name"])


@on(ROUTES, "DELETE", f"{_REACTION}/{{user_id}}")
async def remove_reaction(call: Call) -> None:
    channel = call.channel_allowing("manage_messages")
    user = call.server.users.get(call.id("user_id"))
    if user is None:
        raise refusal(10013)
    posting.unreact(call.server, call.message_in(channel), user, call.params["emoji_name"])


@on(ROUTES, "GET", _REACTION)
async def reaction_users(call: Call) -> list[JSON]:
    users = call.message_in(call.channel).reactions.get(call.params["emoji_name"], [])
    after = call.number("after", 0)
    return [user.payload() for user in users if user.id > after][: call.number("limit", 25)]


@on(ROUTES, "DELETE", _REACTION)
async def clear_emoji(call: Call) -> None:
    channel = call.channel_allowing("manage_messages")
    posting.clear_reactions(call.server, call.message_in(channel), call.params["emoji_name"])


@on(ROUTES, "DELETE", f"{_MESSAGE}/reactions")
async def clear_all(call: Call) -> None:
    posting.clear_reactions(call.server, call.message_in(call.channel_allowing("manage_messages")))


# --- pins -----------------------------------------------------------------------------------------------------------


@on(ROUTES, "GET", f"{_MESSAGES}/pins")
async def pins(call: Call) -> JSON:
    return {"items": [{"pinned_at": _pinned_at(one), "message": one} for one in _pinned(call)], "has_more": False}


@on(ROUTES, "GET", f"{_CHANNEL}/pins")
async def pins_of_old(call: Call) -> list[JSON]:
    return _pinned(call)


def _pinned(call: Call) -> list[JSON]:
    return [shown(call, one) for one in reversed(call.channel.messages.values()) if one.pinned]


def _pinned_at(message: JSON) -> Any:
    return message["edited_timestamp"] or message["timestamp"]


@on(ROUTES, "PUT", f"{_MESSAGES}/pins/{{message_id}}")
@on(ROUTES, "PUT", f"{_CHANNEL}/pins/{{message_id}}")
async def pin(call: Call) -> None:
    channel = call.channel_allowing("pin_messages")
    if sum(one.pinned for one in channel.messages.values()) >= _MAX_PINS:
        raise refusal(30003)
    posting.pin(call.server, call.message_in(channel), True)


@on(ROUTES, "DELETE", f"{_MESSAGES}/pins/{{message_id}}")
@on(ROUTES, "DELETE", f"{_CHANNEL}/pins/{{message_id}}")
async def unpin(call: Call) -> None:
    posting.pin(call.server, call.message_in(call.channel_allowing("pin_messages")), False)
