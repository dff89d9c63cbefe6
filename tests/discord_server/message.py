"""A message with its history, and what a reader finds in it: text, buttons, selects and links."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .clock import stamp
from .components import BUTTON, LINK_STYLE, SELECTS, STRING_SELECT, TEXT_DISPLAY, walk
from .errors import JSON

if TYPE_CHECKING:
    from .entities import Channel, Role, User

SUPPRESS_EMBEDS, HAS_THREAD, EPHEMERAL, LOADING, COMPONENTS_V2 = 1 << 2, 1 << 5, 1 << 6, 1 << 7, 1 << 15
DEFAULT, THREAD_CREATED, REPLY, COMMAND_RESPONSE, THREAD_STARTER, MENU_RESPONSE = 0, 18, 19, 20, 21, 23
BARE_LINK = re.compile(r"(?<!<)https?://[^\s<>)\]]+")
ANY_LINK = re.compile(r"(?<=<)https?://[^\s<>]+|https?://[^\s<>)\]]+")  # between < and > brackets are part of it


@dataclass(frozen=True)
class Upload:
    """A file that somebody attaches. Its type follows from the ending of its name, as on Discord."""

    name: str
    data: bytes
    description: str | None = None

    @property
    def content_type(self) -> str:
        kind = mimetypes.guess_type(self.name)[0] or "application/octet-stream"
        return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


@dataclass(eq=False)
class Attachment:
    """A file that the server keeps and gives out again at ``url``."""

    id: int
    upload: Upload
    url: str
    description: str | None = None

    def payload(self) -> JSON:
        data = {
            "id": str(self.id),
            "filename": self.upload.name,
            "size": len(self.upload.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.upload.content_type,
        }
        return data | {"description": self.description} if self.description else data


@dataclass(frozen=True)
class Pings:
    """Whom a new message notified, after allowed_mentions and permissions. An edit notifies nobody."""

    everyone: bool = False
    users: tuple[User, ...] = ()
    roles: tuple[Role, ...] = ()

    def __bool__(self) -> bool:
        return self.everyone or bool(self.users or self.roles)


@dataclass(frozen=True)
class Revision:
    """How a message looked from ``at`` (seconds since 1970) on; ``text`` is what a reader saw."""

    at: float
    text: str
    content: str
    components: list[JSON]
    flags: int


@dataclass(frozen=True)
class Button:
    """A button as it stands in a message. Link buttons have a ``url``, the others a ``custom_id``."""

    label: str
    custom_id: str | None
    url: str | None
    style: int
    disabled: bool
    data: JSON

    def answers_to(self, name: str) -> bool:
        return name in (self.label, self.custom_id)


@dataclass(frozen=True)
class Select:
    """A select menu as it stands in a message; ``options`` are label and value of a string select."""

    custom_id: str
    placeholder: str
    options: list[tuple[str, str]]
    disabled: bool
    data: JSON

    def answers_to(self, name: str) -> bool:
        return name in (self.placeholder, self.custom_id)


@dataclass(eq=False)
class Message:
    """One message. ``visible_to`` is the one person who sees it if it is ephemeral."""

    id: int
    channel: Channel
    author: User
    created_at: float
    type: int = DEFAULT
    content: str = ""
    embeds: list[JSON] = field(default_factory=list)
    components: list[JSON] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    tts: bool = False
    pinned: bool = False
    nonce: Any = None
    edited_at: float | None = None
    deleted_at: float | None = None
    visible_to: User | None = None
    reply_to: Message | None = None
    thread: Channel | None = None
    pings: Pings = field(default_factory=Pings)
    reactions: dict[str, list[User]] = field(default_factory=dict)
    revisions: list[Revision] = field(default_factory=list)
    interaction: JSON | None = None
    application_id: int | None = None

    @property
    def is_system(self) -> bool:
        return self.type in (THREAD_CREATED, THREAD_STARTER)

    @property
    def ephemeral(self) -> bool:
        return self.visible_to is not None

    @property
    def loading(self) -> bool:
        """Whether the message still says that the bot is thinking."""
        return bool(self.flags & LOADING)

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    @property
    def v2(self) -> bool:
        return bool(self.flags & COMPONENTS_V2)

    @property
    def text(self) -> str:
        """Everything that can be read in the message, without the labels of its buttons."""
        return "\n".join(self._texts())

    @property
    def mentioning_text(self) -> str:
        """The text in which mentions count: not that of embeds."""
        return "\n".join([self.content, *self._displays()])

    def _displays(self) -> Iterator[str]:
        for _, component in walk(self.components):
            if component["type"] == TEXT_DISPLAY:
                yield component["content"]

    def _texts(self) -> Iterator[str]:
        if self.content:
            yield self.content
        for embed in self.embeds:
            yield from (embed[key] for key in ("title", "description") if embed.get(key))
            yield from (f"{one['name']}\n{one['value']}" for one in embed.get("fields", []))
            if embed.get("footer"):
                yield embed["footer"]["text"]
        yield from self._displays()

    @property
    def buttons(self) -> list[Button]:
        found = (component for _, component in walk(self.components) if component["type"] == BUTTON)
        return [
            Button(
                label=one.get("label") or (one.get("emoji") or {}).get("name") or "",
                custom_id=one.get("custom_id"),
                url=one.get("url"),
                style=one["style"],
                disabled=bool(one.get("disabled")),
                data=one,
            )
            for one in found
        ]

    @property
    def selects(self) -> list[Select]:
        found = (component for _, component in walk(self.components) if component["type"] in SELECTS)
        return [
            Select(
                custom_id=one["custom_id"],
                placeholder=one.get("placeholder") or "",
                options=[(option["label"], option["value"]) for option in one.get("options", [])]
                if one["type"] == STRING_SELECT
                else [],
                disabled=bool(one.get("disabled")),
                data=one,
            )
            for one in found
        ]

    @property
    def links(self) -> list[str]:
        """Every address in the message: in its text, behind words, and on link buttons."""
        buttons = [button.url for button in self.buttons if button.style == LINK_STYLE and button.url]
        return ANY_LINK.findall(self.text) + buttons

    @property
    def previews(self) -> list[str]:
        """The addresses that Discord would unfold below the message (Components V2 never unfold any)."""
        if self.v2 or self.flags & SUPPRESS_EMBEDS:
            return []
        return BARE_LINK.findall(self.content)

    def seen_by(self, user: User) -> bool:
        """Whether the user can read this message now."""
        if self.deleted or (self.visible_to is not None and self.visible_to is not user):
            return False
        return self.channel.may(user, "view_channel") and (
            self.ephemeral or self.channel.may(user, "read_message_history")
        )

    def remember(self, at: float) -> None:
        """Keep the present look as the newest revision."""
        self.revisions.append(Revision(at, self.text, self.content, self.components, self.flags))

    def payload(self, *, viewer: User | None = None, withheld: Callable[[Message], bool] = lambda _: False) -> JSON:
        """The message as Discord gives it to a bot.

        ``viewer`` is the account whose own reactions count as "me". ``withheld`` says of this message, and of the one
        it replies to, whether the content is kept back for want of the message-content intent.
        """
        data = self._fields(viewer, blank=withheld(self))
        if self.reply_to is not None:
            data["message_reference"] = self._reference(self.reply_to)
            original = None if self.reply_to.deleted else self.reply_to
            data["referenced_message"] = original and original._fields(viewer, blank=withheld(original))
        return data

    def _fields(self, viewer: User | None, *, blank: bool) -> JSON:
        data: JSON = {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": self.type,
            "author": self.author.payload(),
            "content": "" if blank else self.content,
            "embeds": [] if blank else [{"type": "rich", **embed} for embed in self.embeds],
            "components": [] if blank else self.components,
            "attachments": [] if blank else [one.payload() for one in self.attachments],
            "mentions": [user.payload() for user in self.pings.users],
            "mention_roles": [str(role.id) for role in self.pings.roles],
            "mention_everyone": self.pings.everyone,
            "timestamp": stamp(self.created_at),
            "edited_timestamp": None if self.edited_at is None else stamp(self.edited_at),
            "flags": self.flags,
            "pinned": self.pinned,
            "tts": self.tts,
        }
        if self.reactions:
            data["reactions"] = [self._reaction(emoji, users, viewer) for emoji, users in self.reactions.items()]
        if self.nonce is not None:
            data["nonce"] = self.nonce
        if self.interaction is not None:
            data["interaction_metadata"] = self.interaction
        if self.application_id is not None:
            data |= {"application_id": str(self.application_id), "webhook_id": str(self.application_id)}
        if self.thread is not None:
            data["thread"] = self.thread.payload()
        return data

    @staticmethod
    def _reference(other: Message) -> JSON:
        guild = other.channel.guild
        where = {"guild_id": str(guild.id)} if guild else {}
        return {"type": 0, "channel_id": str(other.channel.id), "message_id": str(other.id), **where}

    @staticmethod
    def _reaction(emoji: str, users: list[User], viewer: User | None) -> JSON:
        return {
            "emoji": emoji_payload(emoji),
            "count": len(users),
            "count_details": {"burst": 0, "normal": len(users)},
            "burst_colors": [],
            "me_burst": False,
            "me": viewer in users,
        }


def emoji_payload(emoji: str) -> JSON:
    """An emoji as reactions carry it: a Unicode one by its characters, a custom one (``name:id``) by both parts."""
    name, _, identity = emoji.partition(":")
    return {"id": identity or None, "name": name}
