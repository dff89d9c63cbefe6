"""What happens to messages and threads, whoever causes it: posted, edited, deleted, reacted to, started, archived.

These verbs change the state and tell the gateway. Whether somebody may do them is asked before, by the routes and by
the person.
"""

from __future__ import annotations

from .clock import stamp
from .drafts import Draft
from .entities import PUBLIC_THREAD, Channel, User
from .errors import JSON
from .events import member_of, message_event, place_of, plain
from .mentions import pings_of
from .message import DEFAULT, HAS_THREAD, LOADING, REPLY, THREAD_CREATED, THREAD_STARTER, Message, Pings, emoji_payload
from .world import World


def post(
    world: World,
    channel: Channel,
    author: User,
    draft: Draft,
    *,
    type: int = DEFAULT,
    reply_to: Message | None = None,
    visible_to: User | None = None,
    interaction: JSON | None = None,
    loading: bool = False,
) -> Message:
    """Put a message into a channel. An archived thread opens again; author and mentioned people join a thread."""
    message = Message(
        id=world.ids.next(),
        channel=channel,
        author=author,
        created_at=world.clock.now(),
        type=REPLY if reply_to and type == DEFAULT else type,
        content=draft.content,
        embeds=draft.embeds,
        components=draft.components,
        attachments=draft.attachments,
        flags=draft.flags | (LOADING if loading else 0),
        tts=draft.tts,
        nonce=draft.nonce,
        visible_to=visible_to,
        reply_to=reply_to,
        interaction=interaction,
        application_id=world.bot.id if interaction is not None else None,
    )
    if visible_to is None:
        message.pings = pings_of(
            message.mentioning_text, channel, author, draft.allowed_mentions, reply_to, world.users
        )
    _place(world, message)
    return message


def _place(world: World, message: Message) -> None:
    channel = message.channel
    message.remember(message.created_at)
    channel.messages[message.id] = message
    if channel.is_thread and not message.ephemeral:
        if channel.archived:
            set_archived(world, channel, archived=False)
        for user in (message.author, *message.pings.users):
            join_thread(world, channel, user)
    if message.ephemeral:
        world.changes.ring()
    else:
        world.emit(message_event("MESSAGE_CREATE", message, world.bot))


def edit(world: World, message: Message, draft: Draft) -> None:
    """Change a message. Nobody is notified by that, unless it fills one that only said "is thinking"."""
    now = world.clock.now()
    filled = message.loading
    if not filled:
        message.edited_at = now
    message.content, message.embeds, message.components = draft.content, draft.embeds, draft.components
    message.attachments = draft.attachments
    message.flags = draft.flags & ~LOADING
    message.remember(now)
    if filled and not message.ephemeral:
        message.pings = pings_of(
            message.text, message.channel, message.author, draft.allowed_mentions, None, world.users
        )
    if message.ephemeral:
        world.changes.ring()
    else:
        world.emit(message_event("MESSAGE_UPDATE", message, world.bot))


def delete(world: World, message: Message) -> None:
    """Remove a message."""
    message.deleted_at = world.clock.now()
    message.channel.messages.pop(message.id, None)
    if message.ephemeral:
        world.changes.ring()
    else:
        where = place_of(message.channel)
        data = {"id": str(message.id), "channel_id": str(message.channel.id), **where}
        world.emit(plain("MESSAGE_DELETE", data, message.channel))


def delete_many(world: World, channel: Channel, messages: list[Message]) -> None:
    """Remove several messages at once."""
    for message in messages:
        message.deleted_at = world.clock.now()
        del channel.messages[message.id]
    ids = [str(message.id) for message in messages]
    world.emit(plain("MESSAGE_DELETE_BULK", {"ids": ids, "channel_id": str(channel.id), **place_of(channel)}, channel))


def pin(world: World, message: Message, pinned: bool) -> None:
    """Pin a message or take its pin away."""
    message.pinned = pinned
    data = {"channel_id": str(message.channel.id), "last_pin_timestamp": stamp(world.clock.now())}
    world.emit(plain("CHANNEL_PINS_UPDATE", data | place_of(message.channel), message.channel))
    world.emit(message_event("MESSAGE_UPDATE", message, world.bot))


def react(world: World, message: Message, user: User, emoji: str) -> None:
    """Add a user's reaction; adding it twice changes nothing."""
    users = message.reactions.setdefault(emoji, [])
    if user not in users:
        users.append(user)
        extra = member_of(message.channel, user, whole=True) | {"message_author_id": str(message.author.id)}
        world.emit(plain("MESSAGE_REACTION_ADD", _reaction(message, user, emoji) | extra, message.channel))


def unreact(world: World, message: Message, user: User, emoji: str) -> None:
    """Take a user's reaction away, if it is there."""
    users = message.reactions.get(emoji, [])
    if user in users:
        users.remove(user)
        if not users:
            del message.reactions[emoji]
        world.emit(plain("MESSAGE_REACTION_REMOVE", _reaction(message, user, emoji), message.channel))


def clear_reactions(world: World, message: Message, emoji: str | None = None) -> None:
    """Take away all reactions, or all with one emoji."""
    where = {"channel_id": str(message.channel.id), "message_id": str(message.id), **place_of(message.channel)}
    if emoji is None:
        message.reactions.clear()
        world.emit(plain("MESSAGE_REACTION_REMOVE_ALL", where, message.channel))
    else:
        message.reactions.pop(emoji, None)
        data = where | {"emoji": emoji_payload(emoji)}
        world.emit(plain("MESSAGE_REACTION_REMOVE_EMOJI", data, message.channel))


def _reaction(message: Message, user: User, emoji: str) -> JSON:
    return {
        "user_id": str(user.id),
        "channel_id": str(message.channel.id),
        "message_id": str(message.id),
        "emoji": emoji_payload(emoji),
        "burst": False,
        "type": 0,
        **place_of(message.channel),
    }


def type_in(world: World, channel: Channel, user: User) -> None:
    """Show "… is typing"."""
    now = world.clock.now()
    channel.typing.append((now, user))
    data = {"channel_id": str(channel.id), "user_id": str(user.id), "timestamp": int(now)}
    world.emit(plain("TYPING_START", data | place_of(channel) | member_of(channel, user, whole=True), channel))


# --- threads --------------------------------------------------------------------------------------------------------


def start_thread(
    world: World,
    channel: Channel,
    owner: User,
    name: str,
    *,
    message: Message | None = None,
    type: int = PUBLIC_THREAD,
    auto_archive_minutes: int = 1440,
) -> Channel:
    """Start a thread, from a message (whose id it then shares) or without one."""
    assert channel.guild is not None
    identity = message.id if message else world.ids.next()
    thread = Channel(identity, type, name, channel.guild, parent=channel, nsfw=channel.nsfw, owner=owner)
    thread.created_at = world.clock.now()
    thread.auto_archive_minutes = auto_archive_minutes
    thread.thread_members[owner.id] = thread.created_at
    world.channels[identity] = channel.guild.threads[identity] = thread
    data = thread.payload(viewer=world.bot) | {"newly_created": True}
    world.emit(plain("THREAD_CREATE", data, thread))
    if message is not None:
        message.thread = thread
        message.flags |= HAS_THREAD
        world.emit(message_event("MESSAGE_UPDATE", message, world.bot))
        _place(world, _system(world, thread, message.author, THREAD_STARTER, reply_to=message))
    elif type == PUBLIC_THREAD:
        _place(world, _system(world, channel, owner, THREAD_CREATED, content=name))
    return thread


def _system(
    world: World, channel: Channel, author: User, type: int, *, content: str = "", reply_to: Message | None = None
) -> Message:
    now = world.clock.now()
    return Message(world.ids.next(), channel, author, now, type, content=content, reply_to=reply_to, pings=Pings())


def set_archived(world: World, thread: Channel, *, archived: bool, locked: bool | None = None) -> None:
    """Archive a thread or open it again; a locked one only moderators open."""
    thread.archived = archived
    thread.archived_at = world.clock.now()
    if locked is not None:
        thread.locked = locked
    world.emit(plain("THREAD_UPDATE", thread.payload(viewer=world.bot), thread))


def rename(world: World, channel: Channel) -> None:
    """Tell that a channel's or a thread's fields changed."""
    name = "THREAD_UPDATE" if channel.is_thread else "CHANNEL_UPDATE"
    world.emit(plain(name, channel.payload(viewer=world.bot), channel))


def join_thread(world: World, thread: Channel, user: User) -> None:
    """Make a user a member of a thread."""
    if user.id not in thread.thread_members:
        thread.thread_members[user.id] = world.clock.now()
        _members_changed(world, thread, added=[thread.thread_member(user.id)], removed=[])


def leave_thread(world: World, thread: Channel, user: User) -> None:
    """Take a user out of a thread."""
    if thread.thread_members.pop(user.id, None) is not None:
        _members_changed(world, thread, added=[], removed=[str(user.id)])


def _members_changed(world: World, thread: Channel, *, added: list[JSON], removed: list[str]) -> None:
    assert thread.guild is not None
    data = {
        "id": str(thread.id),
        "guild_id": str(thread.guild.id),
        "member_count": len(thread.thread_members),
        "added_members": added,
        "removed_member_ids": removed,
    }
    world.emit(plain("THREAD_MEMBERS_UPDATE", data, thread))
