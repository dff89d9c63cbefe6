"""One request to the REST interface, and how a function becomes the answer to a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.discord_server.entities import Channel
from tests.discord_server.errors import invalid, refusal
from tests.discord_server.message import Message, Upload

if TYPE_CHECKING:
    from tests.discord_server.server import DiscordServer


@dataclass(frozen=True)
class Call:
    """A request that passed authorisation, rate limits and specification."""

    server: DiscordServer
    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    files: dict[int, Upload]

    def id(self, name: str) -> int:
        """A path parameter that is an id; raises ``ApiError`` 50035 for anything else."""
        text = self.params[name]
        if not text.isdigit():
            raise invalid([name], "NUMBER_TYPE_COERCE", f'Value "{text}" is not snowflake.')
        return int(text)

    @property
    def channel(self) -> Channel:
        """The channel that the path names, if the bot may see it."""
        return self.server.visible_channel(self.id("channel_id"))

    def channel_allowing(self, *permissions: str) -> Channel:
        """The channel that the path names, if the bot has these permissions there; raises ``ApiError`` 50013."""
        channel = self.channel
        if not channel.may(self.server.bot, *permissions):
            raise refusal(50013)
        return channel

    def message_in(self, channel: Channel) -> Message:
        """The message that the path names."""
        return self.server.message(channel, self.id("message_id"))

    def number(self, name: str, default: int) -> int:
        """A whole number from the query."""
        return int(self.query.get(name, default))

    def flag(self, name: str) -> bool:
        """A yes or no from the query."""
        return self.query.get(name, "").lower() in ("1", "true")


Answer = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Route:
    """A method, the specification's template of a path, and what answers it. ``token`` asks for the bot's token."""

    method: str
    template: str
    answer: Answer
    token: bool
    status: int


def on(
    routes: list[Route], method: str, template: str, *, token: bool = True, status: int = 200
) -> Callable[[Answer], Answer]:
    """Make a function the answer to a route: it returns the JSON body, sent with ``status``, or ``None`` for 204."""

    def add(answer: Answer) -> Answer:
        routes.append(Route(method, template, answer, token, status))
        return answer

    return add
