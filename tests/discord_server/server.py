"""The local Discord as one object: start it, furnish it, point a bot at it, give it trouble, read what happened."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from . import specification
from .commands import Commands
from .entities import Channel, Guild
from .faults import Fault, Faults, path_pattern
from .gateway import Gateway
from .interactions import Interactions
from .limits import Limits
from .person import Person
from .render import transcript
from .rest import PREFIX, Request, add_routes
from .rest.call import Route
from .specification import Violation
from .world import World

TOKEN = "MTAwMDAwMDAwMDAwMDAwMDAw.local.discord-server-for-tests"


class DiscordServer(World):
    """A Discord on loopback with one application, whose bot may connect to it.

    ``privileged`` are the privileged intents that the application was granted: of "message_content", "members" and
    "presences". ``specification_path`` is Discord's OpenAPI document. ``check_answers`` also holds the server's own
    answers against it, into ``own_faults``.
    """

    def __init__(
        self,
        *,
        bot_name: str = "Kindling",
        token: str = TOKEN,
        privileged: Iterable[str] = ("message_content", "members", "presences"),
        specification_path: Path | None = specification.DEFAULT_PATH,
        check_answers: bool = False,
    ) -> None:
        super().__init__(bot_name=bot_name, token=token, privileged=privileged)
        self.specification = specification.load(specification_path) if specification_path else None
        self.check_answers = check_answers
        self.limits = Limits(self.clock)
        self.faults = Faults()
        self.gateway = Gateway(self)
        self.commands = Commands(self)
        self.interactions = Interactions(self)
        self.violations: list[Violation] = []
        self.own_faults: list[str] = []
        self.requests: deque[Request] = deque(maxlen=20_000)
        self._people: dict[str, Person] = {}
        self._runner: web.AppRunner | None = None

    # --- running -----------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """Listen on loopback, on a free port unless one is named."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_get("/gateway/", self.gateway.accept)
        add_routes(app, self)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.address = f"http://{host}:{bound}"
        self.gateway.url = self.gateway_url

    async def close(self) -> None:
        """Close every connection and stop listening."""
        await self.gateway.drop(1001)
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> DiscordServer:
        await self.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    @property
    def api_base(self) -> str:
        """The address of the REST interface, for ``discord.http.Route.BASE``."""
        return self.address + PREFIX

    @property
    def gateway_url(self) -> str:
        """The address of the gateway, for ``discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY``."""
        return self.address.replace("http", "ws", 1) + "/gateway/"

    @contextmanager
    def addressed(self) -> Iterator[None]:
        """Let every discord.py client of this process talk to this server, and put the addresses back afterwards."""
        import yarl
        from discord.gateway import DiscordWebSocket
        from discord.http import Route as ClientRoute

        before = ClientRoute.BASE, DiscordWebSocket.DEFAULT_GATEWAY
        ClientRoute.BASE, DiscordWebSocket.DEFAULT_GATEWAY = self.api_base, yarl.URL(self.gateway_url)
        try:
            yield
        finally:
            ClientRoute.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before

    # --- people ------------------------------------------------------------------------------------------------------

    def member(self, name: str, *guilds: Guild, permissions: Iterable[str] = (), bot: bool = False) -> Person:
        """The person of that name, made at the first call, as a member of these servers.

        ``permissions`` come as a role of their own in each. With ``bot`` it is somebody else's bot.
        """
        if name not in self._people:
            self._people[name] = Person(self, self.user(name, bot=bot))
        person = self._people[name]
        for guild in guilds:
            self.join(person.user, guild, permissions)
        return person

    # --- trouble -----------------------------------------------------------------------------------------------------

    def fail_next(
        self,
        method: str,
        path: str,
        *,
        status: int | None = 500,
        times: int = 1,
        applied: bool = False,
        delay: float = 0.0,
        retry_after: float = 0.5,
    ) -> Fault:
        """Let the next requests fail: ``path`` without the prefix, ``...`` for any text, ``status`` None breaks the
        line.

        With ``applied`` the server does what was asked before it fails. A 429 asks to wait ``retry_after`` seconds.
        """
        return self.faults.add(
            method, path, status=status, times=times, applied=applied, delay=delay, retry_after=retry_after
        )

    def delay_next(self, method: str, path: str, seconds: float, *, times: int = 1) -> Fault:
        """Let the next requests wait before they are answered (real seconds)."""
        return self.faults.add(method, path, status=0, times=times, delay=seconds)

    # --- reading -----------------------------------------------------------------------------------------------------

    def transcript(self, channel: Channel) -> str:
        """Everything in a channel, ephemeral messages included, as lines of text."""
        return transcript(channel.messages.values())

    def requests_to(self, method: str, path: str) -> list[Request]:
        """The requests made so far with a method to a path (``...`` for any text)."""
        pattern = path_pattern(path)
        return [one for one in self.requests if one.method == method and pattern.fullmatch(one.path)]

    def check_answer(self, route: Route, status: int, body: Any) -> None:
        """Hold an answer of this server against the specification, if that was asked for."""
        if self.check_answers and self.specification is not None:
            faults = self.specification.faults_in_answer(route.method, route.template, status, body)
            self.own_faults += [
                f"{route.method} {route.template} {status}: {place}: {message}" for place, message in faults
            ]
