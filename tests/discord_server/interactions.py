"""Interactions: what a person set off, and what the bot answered, within Discord's rules for answering.

Three seconds to acknowledge, one answer, a token that lives for fifteen minutes (Discord's reference, "Receiving and
Responding to Interactions").
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Any

from .changes import Changes
from .clock import Clock
from .entities import Channel, User
from .errors import JSON, refusal
from .events import plain
from .message import Message
from .world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL_SUBMIT = 2, 3, 4, 5
ANSWER_MESSAGE, ANSWER_DEFERRED, ANSWER_DEFERRED_UPDATE, ANSWER_UPDATE, ANSWER_CHOICES, ANSWER_MODAL = 4, 5, 6, 7, 8, 9
SECONDS_TO_ACKNOWLEDGE = 3.0
TOKEN_LIFE = 15 * 60.0

_FAILURES = {
    COMMAND: "The application did not respond",
    COMPONENT: "This interaction failed",
    AUTOCOMPLETE: "Loading options failed",
    MODAL_SUBMIT: "Something went wrong. Try again.",
}


@dataclass(frozen=True)
class Choice:
    """One line offered by autocomplete."""

    name: str
    value: Any


@dataclass(eq=False)
class Modal:
    """A form that opened before a person. It closes when the bot took it; after a failure it can be sent again."""

    title: str
    custom_id: str
    components: list[JSON]
    opened_by: Interaction
    closed: bool = False


@dataclass(eq=False)
class Interaction:
    """One interaction as the person who set it off sees it.

    ``messages`` are the answer and all follow-ups that still exist, ephemeral ones included; ``failure`` is the red
    line that Discord shows when nobody answered in time.
    """

    id: int
    token: str
    type: int
    user: User
    channel: Channel
    data: JSON
    created_at: float
    clock: Clock
    changes: Changes
    message: Message | None = None
    target: Message | None = None
    opened_by: Interaction | None = None
    answer: int | None = None
    answered_at: float | None = None
    original: Message | None = None
    posted: list[Message] = field(default_factory=list)
    modal: Modal | None = None
    choices: list[Choice] = field(default_factory=list)
    failure: str | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def acknowledged_after(self) -> float | None:
        """Seconds (of the server's clock) until the bot answered; ``None`` while it hasn't."""
        return None if self.answered_at is None else self.answered_at - self.created_at

    @property
    def deferred(self) -> bool:
        """Whether the first answer only said that the real one will follow."""
        return self.answer in (ANSWER_DEFERRED, ANSWER_DEFERRED_UPDATE)

    @property
    def messages(self) -> list[Message]:
        return [message for message in self.posted if not message.deleted]

    @property
    def response(self) -> Message:
        """The newest message that the bot posted in answer; ``AssertionError`` if there is none."""
        assert self.messages, f"no message came in answer to {self.describe()}"
        return self.messages[-1]

    @property
    def text(self) -> str:
        """What can be read in all messages of the answer."""
        return "\n".join(message.text for message in self.messages)

    @property
    def expired(self) -> bool:
        """Whether the token's fifteen minutes are over."""
        return self.clock.now() - self.created_at > TOKEN_LIFE

    async def finished(self, within: float = 5.0) -> Message:
        """Wait until a deferred answer has been filled, and give its newest message (``within`` in real seconds)."""

        def look() -> Message | None:
            return self.messages[-1] if self.messages and not any(one.loading for one in self.messages) else None

        return await self.changes.until(look, within, lambda: f"{self.describe()} was not finished: {self.text!r}")

    def describe(self) -> str:
        what = self.data.get("name") or self.data.get("custom_id")
        state = self.failure or (f"answered with type {self.answer}" if self.answer else "not answered")
        return f"interaction {what!r} of {self.user.name} ({state})"

    def fail(self) -> None:
        """Give up waiting for the bot."""
        self.failure = _FAILURES[self.type]
        self.done.set()

    def metadata(self) -> JSON:
        """How a message says which interaction it answers."""
        owner = self.channel.guild.id if self.channel.guild else 0
        data: JSON = {
            "id": str(self.id),
            "type": self.type,
            "user": self.user.payload(),
            "authorizing_integration_owners": {"0": str(owner)},
        }
        if self.original is not None and not self.original.deleted and self.original in self.posted:
            data["original_response_message_id"] = str(self.original.id)
        if self.target is not None:
            data["target_message_id"] = str(self.target.id)
        if self.type == COMPONENT and self.message is not None:
            data["interacted_message_id"] = str(self.message.id)
        if self.type == MODAL_SUBMIT and self.opened_by is not None:
            data["triggering_interaction_metadata"] = self.opened_by.metadata()
        return data


class Interactions:
    """All interactions that were ever set off, by id and by token."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_token: dict[str, Interaction] = {}

    def __iter__(self) -> Any:
        return iter(self._by_token.values())

    async def set_off(
        self,
        type: int,
        user: User,
        channel: Channel,
        data: JSON,
        *,
        message: Message | None = None,
        target: Message | None = None,
        opened_by: Interaction | None = None,
    ) -> Interaction:
        """Send an interaction to the bot and wait until it is acknowledged or three seconds have passed."""
        world = self._world
        token = secrets.token_urlsafe(48)
        interaction = Interaction(
            world.ids.next(), token, type, user, channel, data, world.clock.now(), world.clock, world.changes,
            message=message, target=target, opened_by=opened_by,
        )  # fmt: skip
        self._by_token[token] = interaction
        payload = self._payload(interaction)
        world.emit(plain("INTERACTION_CREATE", payload))
        waiting = asyncio.create_task(interaction.done.wait())
        deadline = asyncio.create_task(world.clock.sleep(SECONDS_TO_ACKNOWLEDGE))
        try:
            await asyncio.wait({waiting, deadline}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            deadline.cancel()
        if interaction.answer is None:
            interaction.fail()
        return interaction

    def unanswered(self, interaction_id: int, token: str) -> Interaction:
        """The interaction to answer; raises ``ApiError`` 10062 when unknown or too late, 40060 when answered."""
        interaction = self._by_token.get(token)
        if interaction is None or interaction.id != interaction_id:
            raise refusal(10062)
        if interaction.answer is not None:
            raise refusal(40060)
        late = self._world.clock.now() - interaction.created_at > SECONDS_TO_ACKNOWLEDGE
        if late or interaction.failure:
            raise refusal(10062)
        return interaction

    def by_token(self, token: str) -> Interaction:
        """The answered interaction behind a token; raises ``ApiError`` 10015, or 50027 after fifteen minutes."""
        interaction = self._by_token.get(token)
        if interaction is None:
            raise refusal(10015)
        if interaction.expired:
            raise refusal(50027)
        if interaction.answer is None:
            raise refusal(10015)
        return interaction

    def acknowledge(self, interaction: Interaction, answer: int) -> None:
        """Note the first and only answer."""
        interaction.answer = answer
        interaction.answered_at = self._world.clock.now()

    def _payload(self, interaction: Interaction) -> JSON:
        world, channel, user = self._world, interaction.channel, interaction.user
        data: JSON = {
            "id": str(interaction.id),
            "application_id": str(world.bot.id),
            "type": interaction.type,
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": channel.payload(viewer=world.bot) | {"permissions": str(channel.permissions(user))},
            "app_permissions": str(channel.permissions(world.bot)),
            "locale": user.locale,
            "entitlements": [],
            "attachment_size_limit": 10 * 1024 * 1024,
            "authorizing_integration_owners": {"0": str(channel.guild.id if channel.guild else 0)},
            "context": 0 if channel.guild else 1,
        }
        if interaction.message is not None:
            data["message"] = interaction.message.payload(viewer=world.bot)
        member = channel.member(user)
        if channel.guild is None or member is None:
            return data | {"user": user.payload()}
        guild = channel.guild
        return data | {
            "guild_id": str(guild.id),
            "guild": {"id": str(guild.id), "locale": guild.locale, "features": []},
            "guild_locale": guild.locale,
            "member": member.payload() | {"permissions": str(channel.permissions(user))},
        }
