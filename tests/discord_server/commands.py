"""The application's commands as the bot registered them, globally and for single servers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .entities import Channel, Member, User
from .errors import JSON, ApiError, FormErrors, refusal
from .permissions import BITS
from .world import World

CHAT_INPUT, USER_MENU, MESSAGE_MENU = 1, 2, 3
SUBCOMMAND, GROUP = 1, 2
MAX_CHAT_INPUT, MAX_MENUS, MAX_CHARACTERS = 100, 15, 8000
_NAME = re.compile(r"[-_'\w]{1,32}")


class Commands:
    """Registered commands. The scope ``None`` is global, any other the id of a server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._scopes: dict[int | None, dict[int, JSON]] = {None: {}}
        self.syncs: list[tuple[float, int | None]] = []
        """When (by the clock) all commands of a scope were overwritten, and which scope's."""

    def listed(self, scope: int | None) -> list[JSON]:
        """All commands of a scope."""
        return list(self._scopes.get(scope, {}).values())

    def get(self, scope: int | None, command_id: int) -> JSON:
        """One command; raises ``ApiError`` 10063."""
        try:
            return self._scopes[scope][command_id]
        except KeyError:
            raise refusal(10063) from None

    def overwrite(self, scope: int | None, commands: list[JSON]) -> list[JSON]:
        """Replace all commands of a scope, as a bot's sync does; a command that stays keeps its id."""
        errors = FormErrors()
        keys = [(command.get("type") or CHAT_INPUT, command["name"]) for command in commands]
        for number, command in enumerate(commands):
            if keys.index(keys[number]) != number:
                message = "Application command names must be unique"
                errors.add([number, "name"], "APPLICATION_COMMANDS_DUPLICATE_NAME", message)
            _check(command, [number], errors)
        for kind, most in ((CHAT_INPUT, MAX_CHAT_INPUT), (USER_MENU, MAX_MENUS), (MESSAGE_MENU, MAX_MENUS)):
            if sum(key[0] == kind for key in keys) > most:
                raise ApiError(400, 30032, f"Maximum number of application commands reached ({most}).")
        errors.check()
        before = {(one["type"], one["name"]): one["id"] for one in self.listed(scope)}
        kept = [self._complete(scope, command, before.get(key)) for key, command in zip(keys, commands, strict=True)]
        self._scopes[scope] = {int(one["id"]): one for one in kept}
        self.syncs.append((self._world.clock.now(), scope))
        self._world.changes.ring()
        return kept

    def put(self, scope: int | None, command: JSON, command_id: int | None = None) -> JSON:
        """Add one command, replacing one of the same name and kind, or change the one with that id."""
        base = self.get(scope, command_id) if command_id else {}
        others = [one for one in self.listed(scope) if one is not base]
        new = {**base, **command}
        key = (new.get("type") or CHAT_INPUT, new["name"])
        same = next((one for one in others if (one["type"], one["name"]) == key), base)
        errors = FormErrors()
        _check(new, [], errors)
        errors.check()
        done = self._complete(scope, new, same.get("id"))
        self._scopes.setdefault(scope, {})[int(done["id"])] = done
        return done

    def remove(self, scope: int | None, command_id: int) -> None:
        """Delete one command; raises ``ApiError`` 10063."""
        self.get(scope, command_id)
        del self._scopes[scope][command_id]

    def _complete(self, scope: int | None, command: JSON, identity: str | None) -> JSON:
        version = str(self._world.ids.next())
        rights = command.get("default_member_permissions")
        done: JSON = {
            "id": identity or version,
            "application_id": str(self._world.bot.id),
            "version": version,
            "type": command.get("type") or CHAT_INPUT,
            "name": command["name"],
            "description": command.get("description") or "",
            "default_member_permissions": None if rights is None else str(rights),
            "nsfw": bool(command.get("nsfw")),
            "contexts": command.get("contexts"),
            "integration_types": command.get("integration_types") or [0],
            "dm_permission": command.get("dm_permission") is not False,
        }
        for key in ("name_localizations", "description_localizations"):
            done[key] = command.get(key)
        if scope is not None:
            done["guild_id"] = str(scope)
        if command.get("options"):
            done["options"] = [_without_empty(option) for option in command["options"]]
        return done

    def offered(self, user: User, channel: Channel, kind: int = CHAT_INPUT) -> Iterator[JSON]:
        """The commands that Discord's client offers this person in this channel."""
        guild = channel.guild
        member = channel.member(user)
        if guild is not None and (self._world.bot.id not in guild.members or member is None):
            return
        own = self.listed(guild.id) if guild else []
        names = {(one["type"], one["name"]) for one in own}
        for command in own + [one for one in self.listed(None) if (one["type"], one["name"]) not in names]:
            if command["type"] == kind and self._usable(command, member, user, channel):
                yield command

    @staticmethod
    def _usable(command: JSON, member: Member | None, user: User, channel: Channel) -> bool:
        if command["nsfw"] and not channel.nsfw:
            return False
        contexts = command["contexts"]
        if channel.guild is None:
            return bool(command["dm_permission"]) and (contexts is None or 1 in contexts)
        if contexts is not None and 0 not in contexts:
            return False
        rights = command["default_member_permissions"]
        allowed = channel.permissions(user)
        if member is None or not allowed & BITS["use_application_commands"]:
            return False
        needed = BITS["administrator"] if rights == "0" else int(rights or 0)
        return bool(allowed & BITS["administrator"]) or allowed & needed == needed


def _without_empty(option: JSON) -> JSON:
    done = {key: value for key, value in option.items() if value is not None and value != []}
    if "options" in done:
        done["options"] = [_without_empty(child) for child in done["options"]]
    return done


def _check(command: JSON, place: list[Any], errors: FormErrors) -> None:
    """Note what Discord's specification cannot say: names, order of options, and the total length."""
    chat = (command.get("type") or CHAT_INPUT) == CHAT_INPUT
    if chat and not _good_name(command["name"]):
        errors.add([*place, "name"], "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if chat and not 1 <= len(command.get("description") or "") <= 100:
        errors.add([*place, "description"], "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    _check_options(command.get("options") or [], [*place, "options"], errors)
    if _characters(command) > MAX_CHARACTERS:
        message = f"Command exceeds maximum size ({MAX_CHARACTERS})"
        errors.add(place, "APPLICATION_COMMAND_TOO_LARGE", message)


def _good_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name == name.lower()


def _check_options(options: list[JSON], place: list[Any], errors: FormErrors) -> None:
    seen: set[str] = set()
    optional = False
    for number, option in enumerate(options):
        here = [*place, number]
        if not _good_name(option["name"]):
            errors.add([*here, "name"], "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        if option["name"] in seen:
            errors.add(here, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID", "Option name already exists in options")
        if option.get("required") and optional:
            message = "Required options must be placed before non-required options"
            errors.add([*here, "required"], "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", message)
        if option.get("autocomplete") and option.get("choices"):
            errors.add(
                here, "APPLICATION_COMMAND_OPTION_AUTOCOMPLETE_CHOICES", "Autocomplete and choices exclude each other"
            )
        optional = optional or not option.get("required")
        seen.add(option["name"])
        if option["type"] in (SUBCOMMAND, GROUP):
            _check_options(option.get("options") or [], [*here, "options"], errors)


def _characters(node: JSON) -> int:
    """The combined length of names, descriptions and values, of which Discord allows 8,000 a command."""
    own = len(node["name"]) + len(node.get("description") or "")
    choices = sum(len(one["name"]) + len(str(one["value"])) for one in node.get("choices") or [])
    return own + choices + sum(_characters(option) for option in node.get("options") or [])
