"""The gateway, version 10: one WebSocket connection after another, and what a test may do to them.

After Discord's reference, "Gateway": HELLO, heartbeats with acknowledgement, IDENTIFY, RESUME with what was missed,
invalid sessions, RECONNECT, close codes, 120 messages a minute, and transport compression where the address asks for
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import sys
import zlib
from collections import deque
from typing import Any

from aiohttp import WSMsgType, web

from .errors import JSON
from .events import KNOWN_INTENTS, PRIVILEGED
from .sessions import Session, Sessions
from .world import World

HEARTBEAT, IDENTIFY, PRESENCE, VOICE_STATE, RESUME, RECONNECT = 1, 2, 3, 4, 6, 7
REQUEST_MEMBERS, INVALID_SESSION, HELLO, HEARTBEAT_ACK = 8, 9, 10, 11
_SENDS_PER_MINUTE = 120


class Closed(Exception):
    """The connection must be closed with a code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Gateway:
    """Accepts connections, and lets a test drop, refuse and invalidate them.

    ``heartbeat_interval`` is in real seconds; ``identifies``, ``resumes`` and ``closes`` (codes given by the server)
    count what happened.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.sessions = Sessions(world)
        self.heartbeat_interval = 41.25
        self.identifies = 0
        self.resumes = 0
        self.closes: list[int] = []
        self.refused_resumes = 0
        self.url = ""
        self._connections: set[Connection] = set()

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        socket = web.WebSocketResponse(max_msg_size=0, compress=False)
        await socket.prepare(request)
        connection = Connection(self, socket, request)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self.world.changes.ring()
        return socket

    @property
    def connected(self) -> bool:
        """Whether a bot has a session on a living connection."""
        return bool(self.sessions.connected)

    async def until_connected(self, within: float = 10.0) -> Session:
        """Wait until a bot is identified (``within`` in real seconds)."""

        def look() -> Session | None:
            return next(iter(self.sessions.connected), None)

        return await self.world.changes.until(look, within, lambda: "no bot connected to the gateway")

    async def drop(self, code: int | None = None) -> None:
        """Break every connection: without a word, or closed with a code."""
        for connection in list(self._connections):
            await connection.drop(code)

    def reconnect(self) -> None:
        """Ask every client to connect again, as Discord does when it moves them."""
        self._tell_all({"op": RECONNECT, "d": None})

    def invalidate(self, *, resumable: bool = False) -> None:
        """Tell every client that its session is invalid."""
        for connection in self._connections:
            if connection.session is not None and not resumable:
                self.sessions.forget(connection.session)
        self._tell_all({"op": INVALID_SESSION, "d": resumable})

    def refuse_resume(self, times: int = 1) -> None:
        """Let the next attempts to resume fail, so that the client must identify anew."""
        self.refused_resumes += times

    def request_heartbeat(self) -> None:
        """Ask every client for a heartbeat at once."""
        self._tell_all({"op": HEARTBEAT, "d": None})

    def _tell_all(self, message: JSON) -> None:
        for connection in self._connections:
            connection.send(json.dumps(message))


class Connection:
    """One WebSocket connection and the session that it carries, once it has one."""

    def __init__(self, gateway: Gateway, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.gateway = gateway
        self.session: Session | None = None
        self._socket = socket
        self._request = request
        self._compress = _compressor(request.query.get("compress"))
        self._outgoing: asyncio.Queue[str | Closed] = asyncio.Queue()
        self._beaten = asyncio.Event()
        self._received: deque[float] = deque(maxlen=_SENDS_PER_MINUTE)

    def send(self, text: str) -> None:
        """Queue a message; messages leave in the order in which they were queued."""
        self._outgoing.put_nowait(text)

    async def drop(self, code: int | None) -> None:
        """Break the connection, without a closing frame where no code is given."""
        if code is None and self._request.transport is not None:
            self._request.transport.abort()
        else:
            await self._close(Closed(code or 1000, "dropped by the test"))
        await asyncio.sleep(0)

    async def run(self) -> None:
        """Talk until either side ends it."""
        tasks = [asyncio.create_task(work()) for work in (self._write, self._watch_heartbeats)]
        self.send(json.dumps({"op": HELLO, "d": {"heartbeat_interval": int(self.gateway.heartbeat_interval * 1000)}}))
        try:
            if self._request.query.get("v", "10") != "10" or self._request.query.get("encoding", "json") != "json":
                raise Closed(4012, "only version 10 in JSON is spoken here")
            async for message in self._socket:
                if message.type is WSMsgType.TEXT:
                    self._count(asyncio.get_running_loop().time())
                    self._receive(_decoded(message.data))
        except Closed as end:
            await self._close(end)
        finally:
            for task in tasks:
                task.cancel()
            self._leave()

    def _leave(self) -> None:
        session = self.session
        if session is not None and session.connection is self:
            session.connection = None
            if self._socket.close_code in (1000, 1001) and not self._closed_by_us:
                self.gateway.sessions.forget(session)

    _closed_by_us = False

    async def _close(self, end: Closed) -> None:
        self._closed_by_us = True
        self.gateway.closes.append(end.code)
        with contextlib.suppress(ConnectionError):
            await self._socket.close(code=end.code, message=end.reason.encode())

    async def _write(self) -> None:
        while True:
            text = await self._outgoing.get()
            with contextlib.suppress(ConnectionError):
                if isinstance(text, Closed):
                    await self._close(text)
                elif self._compress is None:
                    await self._socket.send_str(text)
                else:
                    await self._socket.send_bytes(self._compress(text.encode()))

    async def _watch_heartbeats(self) -> None:
        patience = self.gateway.heartbeat_interval * 1.5
        while True:
            try:
                await asyncio.wait_for(self._beaten.wait(), patience)
            except TimeoutError:
                if self.session is not None:
                    self.gateway.sessions.forget(self.session)
                await self._close(Closed(4009, "Session timed out."))
                return
            self._beaten.clear()

    def _count(self, now: float) -> None:
        if len(self._received) == _SENDS_PER_MINUTE and now - self._received[0] < 60:
            raise Closed(4008, "You are being rate limited.")
        self._received.append(now)

    def _receive(self, message: JSON) -> None:
        op, data = message.get("op"), message.get("d")
        if op == HEARTBEAT:
            self._beaten.set()
            self.send(json.dumps({"op": HEARTBEAT_ACK}))
        elif op == IDENTIFY:
            self._identify(data or {})
        elif op == RESUME:
            self._resume(data or {})
        elif self.session is None:
            raise Closed(4003, "Not authenticated.")
        elif op == REQUEST_MEMBERS:
            self._members(data or {})
        elif op not in (PRESENCE, VOICE_STATE):
            raise Closed(4001, "Unknown opcode.")

    def _identify(self, data: JSON) -> None:
        if self.session is not None:
            raise Closed(4005, "Already authenticated.")
        if data.get("token") != self.gateway.world.token:
            raise Closed(4004, "Authentication failed.")
        intents = data.get("intents")
        if not isinstance(intents, int) or intents & ~KNOWN_INTENTS:
            raise Closed(4013, "Invalid intent(s).")
        granted = self.gateway.world.privileged
        if any(intents & bit for name, bit in PRIVILEGED.items() if name not in granted):
            raise Closed(4014, "Disallowed intent(s).")
        self.gateway.identifies += 1
        self.session = self.gateway.sessions.begin(intents, self, self.gateway.url)
        self.gateway.world.changes.ring()

    def _resume(self, data: JSON) -> None:
        if data.get("token") != self.gateway.world.token:
            raise Closed(4004, "Authentication failed.")
        session = self.gateway.sessions.get(str(data.get("session_id")))
        refused = self.gateway.refused_resumes > 0
        if session is None or refused:
            self.gateway.refused_resumes -= refused
            if session is not None:
                self.gateway.sessions.forget(session)
            self.send(json.dumps({"op": INVALID_SESSION, "d": False}))
            return
        sequence = data.get("seq")
        if not isinstance(sequence, int) or sequence > session.sequence:
            raise Closed(4007, "Invalid seq.")
        self.gateway.resumes += 1
        for text in session.missed_since(sequence):
            self.send(text)
        self.session, session.connection = session, self
        session.dispatch("RESUMED", {})
        self.gateway.world.changes.ring()

    def _members(self, data: JSON) -> None:
        assert self.session is not None
        guild = self.gateway.world.own_guild(int(data["guild_id"]))
        query, limit = data.get("query"), data.get("limit") or 0
        if query == "" and limit == 0 and not self.session.intents & PRIVILEGED["members"]:
            raise Closed(4014, "Disallowed intent(s).")
        ids = data.get("user_ids")
        wanted = {int(one) for one in (ids if isinstance(ids, list) else [ids])} if ids else None
        found = [one for one in guild.members.values() if wanted is None or one.user.id in wanted]
        if query:
            found = [one for one in found if one.user.name.lower().startswith(query.lower())]
        chunk: JSON = {
            "guild_id": str(guild.id),
            "members": [one.payload() for one in found[: limit or None]],
            "chunk_index": 0,
            "chunk_count": 1,
        }
        if data.get("nonce"):
            chunk["nonce"] = data["nonce"]
        self.session.dispatch("GUILD_MEMBERS_CHUNK", chunk)


def _decoded(text: str) -> JSON:
    try:
        message = json.loads(text)
    except ValueError:
        raise Closed(4002, "Error while decoding payload.") from None
    if not isinstance(message, dict):
        raise Closed(4002, "Error while decoding payload.")
    return message


def _compressor(kind: str | None) -> Any:
    """What turns a message into its compressed frame, for one whole connection; ``None`` for none."""
    if kind == "zlib-stream":
        stream = zlib.compressobj()
        return lambda data: stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
    if kind == "zstd-stream":
        # A client asks for it only where Python has it: from 3.14 on, or by the package zstandard.
        if sys.version_info >= (3, 14):
            own = importlib.import_module("compression.zstd").ZstdCompressor()
            return lambda data: own.compress(data, mode=own.FLUSH_BLOCK)
        foreign = importlib.import_module("zstandard")
        frames = foreign.ZstdCompressor().compressobj()
        return lambda data: frames.compress(data) + frames.flush(foreign.COMPRESSOBJ_FLUSH_BLOCK)
    return None
