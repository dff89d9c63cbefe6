"""Everything that exists on the local Discord, and how a test furnishes it: servers, channels, people, rights."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .changes import Changes
from .clock import Clock, Snowflakes
from .entities import CATEGORY, DM, TEXT, Channel, Guild, Member, Role, User
from .errors import refusal
from .events import PRIVILEGED, Event, plain
from .message import Attachment, Message, Upload
from .permissions import NEW_SERVER_DEFAULTS, bits


class World:
    """The state of the local Discord. Its verbs also tell the gateway what happened."""

    def __init__(self, *, bot_name: str, token: str, privileged: Iterable[str]) -> None:
        self.clock = Clock()
        self.ids = Snowflakes(self.clock)
        self.changes = Changes()
        self.token = token
        self.privileged = frozenset(privileged)
        if unknown := self.privileged - set(PRIVILEGED):
            raise ValueError(f"not a privileged intent: {', '.join(sorted(unknown))}")
        self.users: dict[int, User] = {}
        self.guilds: dict[int, Guild] = {}
        self.channels: dict[int, Channel] = {}
        self.files: dict[int, Attachment] = {}
        self.nonces: dict[tuple[int, str], Message] = {}
        self.listeners: list[Callable[[Event], None]] = []
        self.address = ""
        self.bot = self.user(bot_name, bot=True)
        self.application_owner = self.user("application owner")

    def emit(self, event: Event) -> None:
        """Tell the gateway and everybody who waits."""
        for listener in self.listeners:
            listener(event)
        self.changes.ring()

    # --- making things -----------------------------------------------------------------------------------------------

    def user(self, name: str, *, bot: bool = False) -> User:
        """A new account."""
        user = User(self.ids.next(), name, bot=bot)
        self.users[user.id] = user
        return user

    def guild(self, name: str, *, with_bot: bool = True, bot_permissions: Iterable[str] = ()) -> Guild:
        """A new server with a channel "general", its owner, and (unless told otherwise) the bot.

        ``bot_permissions`` are those of the bot's own role, beyond what everybody may do in a new server.
        """
        guild = Guild(self.ids.next(), name, self.user(f"owner of {name}"), self.clock.now())
        guild.roles[guild.id] = Role(guild.id, "@everyone", bits(NEW_SERVER_DEFAULTS), position=0)
        guild.members[guild.owner.id] = Member(guild.owner, guild, self.clock.now())
        self.guilds[guild.id] = guild
        self.channel("general", guild)
        if with_bot:
            self.invite_bot(guild, bot_permissions)
        return guild

    def invite_bot(self, guild: Guild, permissions: Iterable[str] = ()) -> None:
        """Let the bot join a server with a role of its own that has these permissions."""
        role = self.role(self.bot.name, guild, permissions)
        role.bot_id = self.bot.id
        guild.members[self.bot.id] = Member(self.bot, guild, self.clock.now(), [role])
        everybody = self._everybody_in_create
        self.emit(
            Event(
                "GUILD_CREATE",
                lambda intents: guild.gateway_payload(self.bot, everybody=everybody(intents)),
                guild=guild,
            )
        )

    def remove_bot(self, guild: Guild) -> None:
        """Throw the bot out of a server."""
        del guild.members[self.bot.id]
        self.emit(plain("GUILD_DELETE", {"id": str(guild.id)}))

    def channel(
        self, name: str, guild: Guild, *, topic: str | None = None, nsfw: bool = False, category: Channel | None = None
    ) -> Channel:
        """A new text channel."""
        channel = Channel(
            self.ids.next(), TEXT, name, guild, topic=topic, nsfw=nsfw, parent=category, position=len(guild.channels)
        )
        return self._add(channel)

    def category(self, name: str, guild: Guild) -> Channel:
        """A new category."""
        return self._add(Channel(self.ids.next(), CATEGORY, name, guild, position=len(guild.channels)))

    def _add(self, channel: Channel) -> Channel:
        assert channel.guild is not None
        self.channels[channel.id] = channel.guild.channels[channel.id] = channel
        self.emit(plain("CHANNEL_CREATE", channel.payload(), channel))
        return channel

    def delete_channel(self, channel: Channel) -> None:
        """Remove a channel with its threads, or a thread."""
        assert channel.guild is not None
        for thread in [one for one in channel.guild.threads.values() if one.parent is channel]:
            self.delete_channel(thread)
        payload = channel.payload()
        event = plain("THREAD_DELETE" if channel.is_thread else "CHANNEL_DELETE", payload, channel)
        del (channel.guild.threads if channel.is_thread else channel.guild.channels)[channel.id]
        del self.channels[channel.id]
        self.emit(event)

    def role(self, name: str, guild: Guild, permissions: Iterable[str] = (), *, mentionable: bool = False) -> Role:
        """A new role."""
        role = Role(self.ids.next(), name, bits(permissions), mentionable, position=len(guild.roles))
        guild.roles[role.id] = role
        self.emit(plain("GUILD_ROLE_CREATE", {"guild_id": str(guild.id), "role": role.payload()}, guild=guild))
        return role

    def join(self, user: User, guild: Guild, permissions: Iterable[str] = ()) -> Member:
        """The user as a member of a server, joining it if need be; permissions come as a role of their own."""
        member = guild.members.get(user.id)
        if member is None:
            member = guild.members[user.id] = Member(user, guild, self.clock.now())
            self.emit(plain("GUILD_MEMBER_ADD", member.payload() | {"guild_id": str(guild.id)}, guild=guild))
        if permissions:
            self.give_role(member, self.role(f"{user.name}'s role", guild, permissions))
        return member

    def leave(self, user: User, guild: Guild) -> None:
        """Let a member leave a server."""
        del guild.members[user.id]
        self.emit(plain("GUILD_MEMBER_REMOVE", {"guild_id": str(guild.id), "user": user.payload()}, guild=guild))

    def give_role(self, member: Member, role: Role) -> None:
        """Add a role to a member."""
        member.roles.append(role)
        self._member_changed(member)

    def take_role(self, member: Member, role: Role) -> None:
        """Take a role from a member."""
        member.roles.remove(role)
        self._member_changed(member)

    def _member_changed(self, member: Member) -> None:
        data = member.payload() | {"guild_id": str(member.guild.id)}
        self.emit(Event("GUILD_MEMBER_UPDATE", lambda _: data, guild=member.guild, about=member.user))

    # --- rights ------------------------------------------------------------------------------------------------------

    def set_permissions(self, role: Role, guild: Guild, permissions: Iterable[str]) -> None:
        """Replace what a role allows in the whole server."""
        role.permissions = bits(permissions)
        self.emit(plain("GUILD_ROLE_UPDATE", {"guild_id": str(guild.id), "role": role.payload()}, guild=guild))

    def overwrite(
        self, channel: Channel, who: Role | User, *, allow: Iterable[str] = (), deny: Iterable[str] = ()
    ) -> None:
        """Replace what a role or a user is allowed and denied in one channel."""
        channel.overwrites[who.id] = (bits(allow), bits(deny))
        self.emit(plain("CHANNEL_UPDATE", channel.payload(), guild=channel.guild))

    def _everybody_in_create(self, intents: int) -> bool:
        both = PRIVILEGED["members"] | PRIVILEGED["presences"]
        return intents & both == both

    # --- finding things ----------------------------------------------------------------------------------------------

    def dm(self, user: User) -> Channel:
        """The direct conversation of a user with the bot, opened if need be."""
        for channel in self.channels.values():
            if channel.type == DM and user in channel.recipients:
                return channel
        channel = Channel(self.ids.next(), DM, recipients=[user, self.bot])
        self.channels[channel.id] = channel
        return channel

    def visible_channel(self, channel_id: int) -> Channel:
        """A channel that the bot may see; raises ``ApiError`` 10003 or 50001."""
        channel = self.channels.get(channel_id)
        if channel is None:
            raise refusal(10003)
        if not channel.may(self.bot, "view_channel"):
            raise refusal(50001)
        return channel

    def own_guild(self, guild_id: int) -> Guild:
        """A server that the bot is in; raises ``ApiError`` 10004 as Discord does for any other."""
        guild = self.guilds.get(guild_id)
        if guild is None or self.bot.id not in guild.members:
            raise refusal(10004)
        return guild

    def mutual(self, user: User) -> bool:
        """Whether the user shares a server with the bot."""
        return any(user.id in guild.members and self.bot.id in guild.members for guild in self.guilds.values())

    def message(self, channel: Channel, message_id: int) -> Message:
        """A message of a channel that a bot can address; raises ``ApiError`` 10008 (always for ephemeral ones)."""
        message = channel.messages.get(message_id)
        if message is None or message.ephemeral:
            raise refusal(10008)
        return message

    def store(self, channel: Channel) -> Callable[[Upload], Attachment]:
        """A place to keep files posted in a channel."""

        def keep(upload: Upload) -> Attachment:
            identity = self.ids.next()
            address = f"{self.address}/attachments/{channel.id}/{identity}/{upload.name}"
            self.files[identity] = Attachment(identity, upload, address, upload.description)
            return self.files[identity]

        return keep
