"""Who and where: users, members, roles, servers, channels and threads, each with the JSON that Discord gives for it.

They hold state and know no routes, no gateway and no rules about messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .clock import stamp
from .errors import JSON
from .permissions import DM_PERMISSIONS, bits, permissions_of

if TYPE_CHECKING:
    from .message import Message

TEXT, DM, CATEGORY, PUBLIC_THREAD, PRIVATE_THREAD = 0, 1, 4, 11, 12
THREADS = (PUBLIC_THREAD, PRIVATE_THREAD)

# Fields of a server that mean nothing here, given as Discord gives them for a plain new server.
_NOTHING = (
    "icon description banner splash discovery_splash afk_channel_id system_channel_id widget_channel_id "
    "rules_channel_id public_updates_channel_id safety_alerts_channel_id home_header application_id vanity_url_code "
    "incidents_data latest_onboarding_question_id"
).split()
_ZERO = (
    "premium_tier mfa_level verification_level default_message_notifications explicit_content_filter nsfw_level "
    "system_channel_flags premium_subscription_count max_stage_video_channel_users max_video_channel_users"
).split()


@dataclass(eq=False)
class User:
    """An account, of a person or a bot."""

    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"
    accepts_dms: bool = True

    @property
    def mention(self) -> str:
        return f"<@{self.id}>"

    def payload(self) -> JSON:
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": None if self.bot else self.name.capitalize(),
            "discriminator": "0001" if self.bot else "0",
            "avatar": None,
            "public_flags": 0,
            "flags": 0,
            "bot": self.bot,
            "primary_guild": None,
        }


@dataclass(eq=False)
class Role:
    """A named set of permissions in one server. The role of everybody has the server's id."""

    id: int
    name: str
    permissions: int = 0
    mentionable: bool = False
    bot_id: int | None = None
    position: int = 1

    @property
    def mention(self) -> str:
        return f"<@&{self.id}>"

    def payload(self) -> JSON:
        data: JSON = {
            "id": str(self.id),
            "name": self.name,
            "description": None,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "icon": None,
            "unicode_emoji": None,
            "position": self.position,
            "permissions": str(self.permissions),
            "managed": self.bot_id is not None,
            "mentionable": self.mentionable,
            "flags": 0,
        }
        if self.bot_id is not None:
            data["tags"] = {"bot_id": str(self.bot_id)}
        return data


@dataclass(eq=False)
class Member:
    """A user in a server."""

    user: User
    guild: Guild
    joined_at: float
    roles: list[Role] = field(default_factory=list)
    nick: str | None = None

    def may(self, *names: str, channel: Channel | None = None) -> bool:
        """Whether the member has all these permissions, in the channel or (without one) in the server."""
        wanted = bits(names)
        return permissions_of(self, channel) & wanted == wanted

    def payload(self, *, user: bool = True) -> JSON:
        data: JSON = {
            "roles": [str(role.id) for role in self.roles],
            "nick": self.nick,
            "avatar": None,
            "banner": None,
            "joined_at": stamp(self.joined_at),
            "premium_since": None,
            "communication_disabled_until": None,
            "deaf": False,
            "mute": False,
            "pending": False,
            "flags": 0,
        }
        return data | {"user": self.user.payload()} if user else data


@dataclass(eq=False)
class Channel:
    """A text channel, a category, a thread or a direct conversation, with its messages."""

    id: int
    type: int
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    topic: str | None = None
    nsfw: bool = False
    position: int = 0
    overwrites: dict[int, tuple[int, int]] = field(default_factory=dict)
    recipients: list[User] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict)
    typing: list[tuple[float, User]] = field(default_factory=list)
    # threads only
    owner: User | None = None
    created_at: float = 0.0
    archived: bool = False
    locked: bool = False
    archived_at: float = 0.0
    auto_archive_minutes: int = 1440
    thread_members: dict[int, float] = field(default_factory=dict)

    @property
    def is_thread(self) -> bool:
        return self.type in THREADS

    @property
    def mention(self) -> str:
        return f"<#{self.id}>"

    def member(self, user: User) -> Member | None:
        """The user as a member of this channel's server, if it has one and they are in it."""
        return self.guild.members.get(user.id) if self.guild else None

    def permissions(self, user: User) -> int:
        """What the user may do here; nothing if they aren't here at all."""
        if self.guild is None:
            return bits(DM_PERMISSIONS) if user in self.recipients else 0
        member = self.guild.members.get(user.id)
        if member is None:
            return 0
        allowed = permissions_of(member, self)
        if (
            self.type == PRIVATE_THREAD
            and user.id not in self.thread_members
            and not allowed & bits(["manage_threads"])
        ):
            return 0
        return allowed

    def may(self, user: User, *names: str) -> bool:
        """Whether the user has all these permissions here. Sending in a thread is a permission of its own."""
        if self.is_thread:
            names = tuple("send_messages_in_threads" if name == "send_messages" else name for name in names)
        wanted = bits(names)
        return self.permissions(user) & wanted == wanted

    @property
    def last_message(self) -> Message | None:
        return next(reversed(self.messages.values()), None)

    def payload(self, *, viewer: User | None = None) -> JSON:
        data: JSON = {
            "id": str(self.id),
            "type": self.type,
            "flags": 0,
            "last_message_id": str(max(self.messages)) if self.messages else None,
        }
        if self.guild is None:
            others = [user for user in self.recipients if user is not viewer]
            return data | {"recipients": [user.payload() for user in others]}
        data |= {
            "guild_id": str(self.guild.id),
            "name": self.name,
            "parent_id": str(self.parent.id) if self.parent else None,
            "rate_limit_per_user": 0,
        }
        return data | (self._thread_fields(viewer) if self.is_thread else self._channel_fields())

    def _channel_fields(self) -> JSON:
        assert self.guild is not None
        roles = {role.id for role in self.guild.roles.values()}
        return {
            "topic": self.topic,
            "nsfw": self.nsfw,
            "position": self.position,
            "permission_overwrites": [
                {"id": str(who), "type": 0 if who in roles else 1, "allow": str(allow), "deny": str(deny)}
                for who, (allow, deny) in self.overwrites.items()
            ],
        }

    def _thread_fields(self, viewer: User | None) -> JSON:
        assert self.owner is not None
        counted = sum(not message.is_system for message in self.messages.values())
        data: JSON = {
            "owner_id": str(self.owner.id),
            "message_count": counted,
            "total_message_sent": counted,
            "member_count": len(self.thread_members),
            "thread_metadata": {
                "archived": self.archived,
                "locked": self.locked,
                "auto_archive_duration": self.auto_archive_minutes,
                "archive_timestamp": stamp(self.archived_at or self.created_at),
                "create_timestamp": stamp(self.created_at),
            },
        }
        if viewer is not None and viewer.id in self.thread_members:
            data["member"] = self.thread_member(viewer.id)
        return data

    def thread_member(self, user_id: int) -> JSON:
        """The membership of a user in this thread, as Discord gives it."""
        joined = stamp(self.thread_members[user_id])
        return {"id": str(self.id), "user_id": str(user_id), "join_timestamp": joined, "flags": 0}


@dataclass(eq=False)
class Guild:
    """A server: its owner, members, roles, channels and threads."""

    id: int
    name: str
    owner: User
    created_at: float
    roles: dict[int, Role] = field(default_factory=dict)
    members: dict[int, Member] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    threads: dict[int, Channel] = field(default_factory=dict)
    locale: str = "en-US"

    @property
    def everyone(self) -> Role:
        return self.roles[self.id]

    def payload(self) -> JSON:
        """The server as ``GET /guilds/{id}`` gives it."""
        return {
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.owner.id),
            "region": "local",
            "preferred_locale": self.locale,
            "afk_timeout": 300,
            "features": [],
            "emojis": [],
            "stickers": [],
            "roles": [role.payload() for role in self.roles.values()],
            "max_presences": 0,
            "max_members": 500_000,
            "nsfw": False,
            "widget_enabled": False,
            "premium_progress_bar_enabled": False,
            **dict.fromkeys(_NOTHING),
            **dict.fromkeys(_ZERO, 0),
        }

    def gateway_payload(self, viewer: User, *, everybody: bool) -> JSON:
        """The server as GUILD_CREATE carries it: with channels, threads and the viewer itself, or everybody."""
        viewing = self.members[viewer.id]
        shown = self.members.values() if everybody else [viewing]
        threads = [
            thread for thread in self.threads.values() if not thread.archived and thread.may(viewer, "view_channel")
        ]
        return self.payload() | {
            "joined_at": stamp(viewing.joined_at),
            "large": False,
            "unavailable": False,
            "member_count": len(self.members),
            "members": [member.payload() for member in shown],
            "channels": [channel.payload() for channel in self.channels.values()],
            "threads": [thread.payload(viewer=viewer) for thread in threads],
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }
