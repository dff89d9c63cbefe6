"""House rules: what a server asks of ideas and talk in its channels, and who may add to its library.

A rule stands for a whole server or for one channel. A thread has its parent's rules unless it has its own; a channel
has its server's. Servers, channels and roles are numbers here: nothing is known of Discord beyond that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from sqlite_utils import Database, Migrations

from bot.ideation.library import Library
from bot.ideation.prompts import quoted
from bot.ideation.tables import Tables
from bot.ideation.types import Technique
from knowledge.errors import BadInput
from knowledge.store import Store
from knowledge.types import Distance

SCHEMA = Migrations("rules")

SERVER = 0  # stands for the whole server where a channel's number could stand
LONGEST = {"audience": 80, "tone": 80, "brief": 300}
MOST_BANNED, LONGEST_BANNED = 40, 40


@SCHEMA(name="0001_rules")
def _rules(db: Database) -> None:
    db.execute(
        "CREATE TABLE rules (guild INTEGER NOT NULL, channel INTEGER NOT NULL, name TEXT NOT NULL, "
        "value TEXT NOT NULL, PRIMARY KEY (guild, channel, name)) WITHOUT ROWID"
    )


class Adders(StrEnum):
    """Who may add to the server's library, where no role is named."""

    MODERATORS = "moderators"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What holds in one channel. None, and an empty `banned`, mean that nobody asked for anything."""

    audience: str | None = None
    tone: str | None = None
    brief: str | None = None
    banned: tuple[str, ...] = ()
    distance: Distance | None = None
    technique: Technique | None = None
    count: int | None = None

    def aim(self, audience: str | None = None) -> str | None:
        """Whom and what ideas are for: the audience (the one given, else the channel's) and the project, in one phrase.

        >>> ChannelRules(audience="commuters", brief="a zine on rain").aim()
        'commuters; project: a zine on rain'
        """
        audience = audience or self.audience
        if not self.brief:
            return audience
        return f"{audience}; project: {self.brief}" if audience else f"the project: {self.brief}"


@dataclass(frozen=True, slots=True)
class ServerRules:
    """What holds for a whole server: who may add to its library (a role's number, or a word), where the bot chats.

    An empty `chat_channels` means everywhere.
    """

    adders: int | Adders = Adders.MODERATORS
    chat_channels: tuple[int, ...] = ()


CHANNEL_NAMES = tuple(field.name for field in fields(ChannelRules))
SERVER_NAMES = tuple(field.name for field in fields(ServerRules))


class Rules:
    """The house rules of all servers. Every method may raise what the store raises."""

    def __init__(self, library: Library) -> None:
        self._tables = Tables(library, SCHEMA)

    async def for_channel(self, guild_id: int | None, channel_id: int, parent_id: int | None = None) -> ChannelRules:
        """What holds in a channel, or in a thread of `parent_id`. In direct messages (no guild) nothing is asked."""
        if guild_id is None:
            return ChannelRules()
        places = (SERVER, parent_id, channel_id)
        return _channel_rules(await self._tables.run(_read, guild_id, [one for one in places if one is not None]))

    async def of_channel(self, guild_id: int, channel_id: int) -> ChannelRules:
        """What was set for this very channel, nothing inherited; for `SERVER` what was set for the server."""
        return _channel_rules(await self._tables.run(_read, guild_id, [channel_id]))

    async def channels(self, guild_id: int) -> tuple[int, ...]:
        """The channels that have rules of their own."""
        return await self._tables.run(_channels, guild_id)

    async def server(self, guild_id: int) -> ServerRules:
        """What holds for the whole server."""
        found = await self._tables.run(_read, guild_id, [SERVER])
        rules = ServerRules(chat_channels=tuple(found.get("chat_channels", ())))
        adders = found.get("adders")
        return rules if adders is None else replace(rules, adders=adders if isinstance(adders, int) else Adders(adders))

    async def set(self, guild_id: int, channel_id: int = SERVER, **rules: Any) -> None:
        """Set some rules of a channel, or of the server; None takes one away. Names are those of the two classes.

        Raises:
            BadInput: a text or the list of banned motifs is too long, or has no words.
        """
        if unknown := rules.keys() - {*CHANNEL_NAMES, *SERVER_NAMES}:
            raise ValueError(f"no such rule: {', '.join(sorted(unknown))}")
        await self._tables.run(_write, guild_id, channel_id, {name: _checked(name, rules[name]) for name in rules})

    async def forget(self, guild_id: int, channel_id: int | None = None) -> None:
        """Take away all rules of a channel, or of a server and all its channels."""
        await self._tables.run(_forget, guild_id, channel_id)


def read_banned(text: str) -> tuple[str, ...]:
    """Motifs from a list that a person typed, divided by commas, semicolons or new lines. Raises `BadInput`."""
    parts = [quoted(part) for part in text.replace(";", ",").replace("\n", ",").split(",")]
    banned = tuple(dict.fromkeys(part for part in parts if part))
    if len(banned) > MOST_BANNED or any(len(one) > LONGEST_BANNED for one in banned):
        raise BadInput(
            f"At most {MOST_BANNED} motifs of {LONGEST_BANNED} characters, divided by commas: lanterns, neon."
        )
    return banned


def _checked(name: str, value: Any) -> Any:
    """A value fit to be kept as JSON."""
    if name in LONGEST and value is not None:
        text = quoted(value)
        if not 0 < len(text) <= LONGEST[name]:
            raise BadInput(f"The {name} needs 1 to {LONGEST[name]} characters; this has {len(text)}.")
        return text
    return None if name in ("banned", "chat_channels") and not value else value


def _channel_rules(found: dict[str, Any]) -> ChannelRules:
    rules = ChannelRules(**{name: found[name] for name in ("audience", "tone", "brief", "count") if name in found})
    return replace(
        rules,
        banned=tuple(found.get("banned", ())),
        distance=Distance(found["distance"]) if "distance" in found else None,
        technique=Technique(found["technique"]) if "technique" in found else None,
    )


def _read(store: Store, guild_id: int, places: Sequence[int]) -> dict[str, Any]:
    """The rules of these places laid over each other: a later place wins, but banned motifs add up."""
    rows = store.db.query("SELECT channel, name, value FROM rules WHERE guild = ?", [guild_id])
    found: dict[str, Any] = {}
    for row in sorted((row for row in rows if row["channel"] in places), key=lambda row: places.index(row["channel"])):
        value = json.loads(row["value"])
        if row["name"] == "banned":
            value = [*dict.fromkeys([*found.get("banned", ()), *value])]
        found[row["name"]] = value
    return found


def _channels(store: Store, guild_id: int) -> tuple[int, ...]:
    rows = store.db.query(
        "SELECT DISTINCT channel FROM rules WHERE guild = ? AND channel != ? ORDER BY channel", [guild_id, SERVER]
    )
    return tuple(row["channel"] for row in rows)


def _write(store: Store, guild_id: int, channel_id: int, values: dict[str, Any]) -> None:
    with store.transaction():
        for name, value in values.items():
            place = (guild_id, channel_id, name)
            if value is None:
                store.db.execute("DELETE FROM rules WHERE guild = ? AND channel = ? AND name = ?", place)
            else:
                store.db.execute("INSERT OR REPLACE INTO rules VALUES (?, ?, ?, ?)", (*place, json.dumps(value)))


def _forget(store: Store, guild_id: int, channel_id: int | None) -> None:
    with store.transaction():
        store.db.execute("DELETE FROM rules WHERE guild = ? AND channel = ifnull(?, channel)", [guild_id, channel_id])
