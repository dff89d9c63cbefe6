"""From what a person types or picks to the data of an interaction, refusing what Discord's client refuses."""

from __future__ import annotations

from typing import Any, Protocol

from .components import CHANNEL_SELECT, MENTIONABLE_SELECT, ROLE_SELECT, STRING_SELECT, USER_SELECT
from .entities import Channel, Role, User
from .errors import JSON
from .message import Attachment, Upload
from .world import World

STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 3, 4, 5, 6, 7, 8, 9, 10, 11
_SUBCOMMANDS = (1, 2)


class Refused(AssertionError):
    """Discord's client would not have let the person do this."""


class HasUser(Protocol):
    """Somebody who stands for a user, as a ``Person`` does."""

    @property
    def user(self) -> User: ...


class Resolved:
    """The objects that an interaction's values refer to, gathered as Discord sends them along."""

    def __init__(self, world: World, channel: Channel) -> None:
        self._world = world
        self._channel = channel
        self.data: dict[str, JSON] = {}

    def _put(self, kind: str, identity: int, payload: JSON) -> str:
        self.data.setdefault(kind, {})[str(identity)] = payload
        return str(identity)

    def user(self, user: User) -> str:
        member = self._channel.member(user)
        if member is not None:
            permissions = str(self._channel.permissions(user))
            self._put("members", user.id, member.payload(user=False) | {"permissions": permissions})
        return self._put("users", user.id, user.payload())

    def role(self, role: Role) -> str:
        return self._put("roles", role.id, role.payload())

    def channel(self, channel: Channel, viewer: User) -> str:
        if not channel.may(viewer, "view_channel"):
            raise Refused(f"{viewer.name} does not see #{channel.name}")
        payload = channel.payload() | {"permissions": str(channel.permissions(viewer))}
        return self._put("channels", channel.id, payload)

    def attachment(self, upload: Upload) -> str:
        kept: Attachment = self._world.store(self._channel)(upload)
        return self._put("attachments", kept.id, kept.payload() | {"ephemeral": True})

    def value(self, kind: int, value: Any, viewer: User, what: str) -> str:
        """A user, channel, role or file by its id; raises ``Refused`` for a wrong kind."""
        value = getattr(value, "user", value)
        if isinstance(value, User) and kind in (USER, MENTIONABLE):
            return self.user(value)
        if isinstance(value, Role) and kind in (ROLE, MENTIONABLE):
            return self.role(value)
        if isinstance(value, Channel) and kind == CHANNEL:
            return self.channel(value, viewer)
        if isinstance(value, Upload) and kind == ATTACHMENT:
            return self.attachment(value)
        raise Refused(f"{what} cannot be {value!r}")


def command_data(
    command: JSON,
    words: list[str],
    values: dict[str, Any],
    resolved: Resolved,
    viewer: User,
    *,
    focused: str | None = None,
) -> JSON:
    """The data of a slash command (or, with ``focused``, of its autocomplete).

    ``words`` are the subcommands after the command's name. Raises ``Refused`` for an unknown subcommand or option, a
    missing required one, and a value that the definition does not allow.
    """
    definitions = command.get("options", [])
    path = []
    for word in words:
        found = next((one for one in definitions if one["name"] == word and one["type"] in _SUBCOMMANDS), None)
        if found is None:
            raise Refused(f"/{command['name']} has no subcommand {word!r}")
        path.append(found)
        definitions = found.get("options", [])
    if any(one["type"] in _SUBCOMMANDS for one in definitions):
        names = ", ".join(one["name"] for one in definitions)
        raise Refused(f"/{' '.join([command['name'], *words])} needs one of its subcommands: {names}")
    options = _options(definitions, values, resolved, viewer, focused)
    for step in reversed(path):
        options = [{"type": step["type"], "name": step["name"], "options": options}]
    data: JSON = {"id": command["id"], "name": command["name"], "type": command["type"]}
    if "guild_id" in command:
        data["guild_id"] = command["guild_id"]
    if options:
        data["options"] = options
    if resolved.data:
        data["resolved"] = resolved.data
    return data


def _options(
    definitions: list[JSON], values: dict[str, Any], resolved: Resolved, viewer: User, focused: str | None
) -> list[JSON]:
    by_name = {one["name"]: one for one in definitions}
    if unknown := set(values) - set(by_name):
        raise Refused(f"no option is named {', '.join(sorted(unknown))}; there are {', '.join(by_name) or 'none'}")
    options = []
    for name, definition in by_name.items():
        if name not in values:
            if definition.get("required") and focused is None:
                raise Refused(f"the option {name!r} is required")
            continue
        option: JSON = {"name": name, "type": definition["type"]}
        if name == focused:
            if not definition.get("autocomplete"):
                raise Refused(f"the option {name!r} has no autocomplete")
            option |= {"value": str(values[name]), "focused": True}
        else:
            option["value"] = _value(definition, values[name], resolved, viewer)
        options.append(option)
    return options


def _value(definition: JSON, value: Any, resolved: Resolved, viewer: User) -> Any:
    kind, what = definition["type"], f"the option {definition['name']!r}"
    if definition.get("choices"):
        for choice in definition["choices"]:
            if value in (choice["name"], choice["value"]):
                return choice["value"]
        raise Refused(f"{what} must be one of {', '.join(choice['name'] for choice in definition['choices'])}")
    if kind == STRING:
        if not isinstance(value, str):
            raise Refused(f"{what} must be text, not {value!r}")
        if not definition.get("min_length", 0) <= len(value) <= definition.get("max_length", 6000):
            raise Refused(f"{what} has {len(value)} characters, which is too few or too many")
        return value
    if kind in (INTEGER, NUMBER):
        wanted = int if kind == INTEGER else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise Refused(f"{what} must be a number, not {value!r}")
        if not definition.get("min_value", value) <= value <= definition.get("max_value", value):
            raise Refused(f"{what} is out of range: {value}")
        return value
    if kind == BOOLEAN:
        if not isinstance(value, bool):
            raise Refused(f"{what} must be True or False, not {value!r}")
        return value
    allowed = definition.get("channel_types")
    if kind == CHANNEL and allowed and isinstance(value, Channel) and value.type not in allowed:
        raise Refused(f"{what} takes another kind of channel than {value.name!r}")
    return resolved.value(kind, value, viewer, what)


_SELECT_KINDS = {USER_SELECT: USER, ROLE_SELECT: ROLE, MENTIONABLE_SELECT: MENTIONABLE, CHANNEL_SELECT: CHANNEL}


def select_values(select: JSON, values: list[Any], resolved: Resolved, viewer: User) -> list[str]:
    """The values picked in a select: by label or value for a string select, else the objects themselves."""
    what = f"the select {select.get('placeholder') or select['custom_id']!r}"
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    if not least <= len(values) <= most:
        raise Refused(f"{what} takes {least} to {most} values, not {len(values)}")
    if select["type"] != STRING_SELECT:
        return [resolved.value(_SELECT_KINDS[select["type"]], value, viewer, what) for value in values]
    picked = []
    for value in values:
        option = next((one for one in select["options"] if value in (one["label"], one["value"])), None)
        if option is None:
            offered = ", ".join(one["label"] for one in select["options"])
            raise Refused(f"{what} offers {offered}, not {value!r}")
        picked.append(option["value"])
    return picked
