"""Gateway sessions: what each has been told, so that a dropped one can be resumed."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import JSON
from .events import APPLICATION_FLAGS, GUILDS, PRIVILEGED, Event
from .world import World

if TYPE_CHECKING:
    from .gateway import Connection

DISPATCH = 0


@dataclass(eq=False)
class Session:
    """A bot's session: its intents and the numbered events sent in it."""

    intents: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    log: list[str] = field(default_factory=list)
    connection: Connection | None = None
    resumable: bool = True

    @property
    def sequence(self) -> int:
        return len(self.log)

    def dispatch(self, name: str, data: JSON) -> None:
        """Number an event, keep it for a RESUME, and send it if the session is connected."""
        text = json.dumps({"op": DISPATCH, "t": name, "s": self.sequence + 1, "d": data})
        self.log.append(text)
        if self.connection is not None:
            self.connection.send(text)

    def missed_since(self, sequence: int) -> list[str]:
        """The events after a sequence number, as they were sent."""
        return self.log[sequence:]


class Sessions:
    """All sessions of the bot; every event of the world goes to those whose intents cover it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._by_id: dict[str, Session] = {}
        world.listeners.append(self._tell)

    def get(self, session_id: str) -> Session | None:
        """The session with that id, if it can be resumed."""
        session = self._by_id.get(session_id)
        return session if session is not None and session.resumable else None

    def forget(self, session: Session) -> None:
        """End a session for good."""
        self._by_id.pop(session.id, None)

    @property
    def connected(self) -> list[Session]:
        return [session for session in self._by_id.values() if session.connection is not None]

    def begin(self, intents: int, connection: Connection, resume_url: str) -> Session:
        """A new session: READY, then each server of the bot."""
        world = self._world
        session = Session(intents, connection=connection)
        self._by_id[session.id] = session
        guilds = [guild for guild in world.guilds.values() if world.bot.id in guild.members]
        flags = sum(APPLICATION_FLAGS[name] for name in world.privileged)
        ready = {
            "v": 10,
            "user": world.bot.payload() | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": resume_url,
            "application": {"id": str(world.bot.id), "flags": flags},
            "shard": [0, 1],
            "private_channels": [],
        }
        session.dispatch("READY", ready)
        if intents & GUILDS:
            both = PRIVILEGED["members"] | PRIVILEGED["presences"]
            for guild in guilds:
                everybody = intents & both == both
                session.dispatch("GUILD_CREATE", guild.gateway_payload(world.bot, everybody=everybody))
        return session

    def _tell(self, event: Event) -> None:
        for session in self._by_id.values():
            if event.goes_to(session.intents, self._world.bot):
                session.dispatch(event.name, event.data(session.intents))
