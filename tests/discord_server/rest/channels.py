"""Channels, threads and typing."""

from __future__ import annotations

from typing import Any

from tests.discord_server import posting
from tests.discord_server.entities import PRIVATE_THREAD, PUBLIC_THREAD, TEXT, Channel
from tests.discord_server.errors import JSON, refusal

from .call import Call, Route, on

ROUTES: list[Route] = []
_CHANNEL = "/channels/{channel_id}"
_MEMBER = f"{_CHANNEL}/thread-members"


@on(ROUTES, "GET", _CHANNEL)
async def fetch(call: Call) -> JSON:
    return call.channel.payload(viewer=call.server.bot)


@on(ROUTES, "PATCH", _CHANNEL)
async def change(call: Call) -> JSON:
    """Rename a channel or thread, set its topic, archive or lock it."""
    channel, body, bot = call.channel, call.body, call.server.bot
    if channel.is_thread:
        _may_change_thread(call, channel)
    elif not channel.may(bot, "manage_channels"):
        raise refusal(50013)
    channel.name = body.get("name") or channel.name
    channel.topic = body.get("topic", channel.topic)
    channel.nsfw = bool(body.get("nsfw", channel.nsfw))
    channel.auto_archive_minutes = body.get("auto_archive_duration") or channel.auto_archive_minutes
    if channel.is_thread and ("archived" in body or "locked" in body):
        archived = bool(body.get("archived", channel.archived))
        posting.set_archived(call.server, channel, archived=archived, locked=body.get("locked"))
    else:
        posting.rename(call.server, channel)
    return channel.payload(viewer=bot)


def _may_change_thread(call: Call, thread: Channel) -> None:
    bot = call.server.bot
    if thread.may(bot, "manage_threads"):
        return
    opens_only = set(call.body) <= {"archived"} and not call.body.get("archived") and not thread.locked
    if opens_only and thread.may(bot, "send_messages"):
        return
    if thread.archived and "archived" not in call.body:
        raise refusal(50083)
    if thread.owner is not bot or thread.locked or "locked" in call.body:
        raise refusal(50013)


@on(ROUTES, "DELETE", _CHANNEL)
async def remove(call: Call) -> JSON:
    channel = call.channel_allowing("manage_threads" if call.channel.is_thread else "manage_channels")
    payload = channel.payload()
    call.server.delete_channel(channel)
    return payload


@on(ROUTES, "POST", f"{_CHANNEL}/typing")
async def typing(call: Call) -> None:
    posting.type_in(call.server, call.channel_allowing("send_messages"), call.server.bot)


@on(ROUTES, "PUT", f"{_CHANNEL}/permissions/{{overwrite_id}}")
async def overwrite(call: Call) -> None:
    channel = call.channel_allowing("manage_roles")
    allow, deny = int(call.body.get("allow") or 0), int(call.body.get("deny") or 0)
    channel.overwrites[call.id("overwrite_id")] = (allow, deny)
    posting.rename(call.server, channel)


# --- threads --------------------------------------------------------------------------------------------------------


@on(ROUTES, "POST", f"{_CHANNEL}/messages/{{message_id}}/threads", status=201)
async def thread_from_message(call: Call) -> JSON:
    channel = call.channel_allowing("create_public_threads")
    message = call.message_in(channel)
    if message.thread is not None:
        raise refusal(160004)
    return _started(call, channel, message=message)


@on(ROUTES, "POST", f"{_CHANNEL}/threads", status=201)
async def thread(call: Call) -> JSON:
    kind = call.body.get("type") or PRIVATE_THREAD
    needed = "create_private_threads" if kind == PRIVATE_THREAD else "create_public_threads"
    return _started(call, call.channel_allowing(needed), type=kind)


def _started(call: Call, channel: Channel, **what: Any) -> JSON:
    if channel.type != TEXT:
        raise refusal(50024)
    minutes = call.body.get("auto_archive_duration") or 1440
    bot = call.server.bot
    name = call.body["name"]
    started = posting.start_thread(call.server, channel, bot, name, auto_archive_minutes=minutes, **what)
    return started.payload(viewer=bot)


def _thread(call: Call) -> Channel:
    channel = call.channel
    if not channel.is_thread:
        raise refusal(50024)
    return channel


@on(ROUTES, "PUT", f"{_MEMBER}/@me")
async def join(call: Call) -> None:
    posting.join_thread(call.server, _thread(call), call.server.bot)


@on(ROUTES, "DELETE", f"{_MEMBER}/@me")
async def leave(call: Call) -> None:
    posting.leave_thread(call.server, _thread(call), call.server.bot)


@on(ROUTES, "PUT", f"{_MEMBER}/{{user_id}}")
async def add_member(call: Call) -> None:
    thread = _thread(call)
    user = call.server.users.get(call.id("user_id"))
    if user is None or thread.member(user) is None:
        raise refusal(10007)
    if not thread.may(call.server.bot, "send_messages"):
        raise refusal(50013)
    posting.join_thread(call.server, thread, user)


@on(ROUTES, "DELETE", f"{_MEMBER}/{{user_id}}")
async def remove_member(call: Call) -> None:
    thread = _thread(call)
    user = call.server.users.get(call.id("user_id"))
    if user is None or user.id not in thread.thread_members:
        raise refusal(10007)
    if thread.owner is not call.server.bot and not thread.may(call.server.bot, "manage_threads"):
        raise refusal(50013)
    posting.leave_thread(call.server, thread, user)


@on(ROUTES, "GET", f"{_MEMBER}/{{user_id}}")
async def thread_member(call: Call) -> JSON:
    thread, user_id = _thread(call), call.id("user_id")
    if user_id not in thread.thread_members:
        raise refusal(10007)
    return thread.thread_member(user_id)


@on(ROUTES, "GET", _MEMBER)
async def thread_members(call: Call) -> list[JSON]:
    if "members" not in call.server.privileged:
        raise refusal(50001)
    thread = _thread(call)
    return [thread.thread_member(user_id) for user_id in thread.thread_members]


@on(ROUTES, "GET", f"{_CHANNEL}/threads/archived/public")
async def archived_public(call: Call) -> JSON:
    return _archived(call, PUBLIC_THREAD)


@on(ROUTES, "GET", f"{_CHANNEL}/threads/archived/private")
async def archived_private(call: Call) -> JSON:
    if not call.channel.may(call.server.bot, "manage_threads"):
        raise refusal(50001)
    return _archived(call, PRIVATE_THREAD)


def _archived(call: Call, kind: int) -> JSON:
    channel = call.channel_allowing("read_message_history")
    assert channel.guild is not None
    threads = [
        one for one in channel.guild.threads.values() if one.parent is channel and one.archived and one.type == kind
    ]
    return threads_payload(call, sorted(threads, key=lambda one: -one.archived_at))


def threads_payload(call: Call, threads: list[Channel]) -> JSON:
    """Threads and the bot's own memberships in them."""
    bot = call.server.bot
    mine = [thread.thread_member(bot.id) for thread in threads if bot.id in thread.thread_members]
    return {"threads": [thread.payload(viewer=bot) for thread in threads], "members": mine, "has_more": False}
