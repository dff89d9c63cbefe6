"""Registering application commands."""

from __future__ import annotations

from tests.discord_server.errors import JSON, refusal

from .call import Call, Route, on

ROUTES: list[Route] = []
_GLOBAL = "/applications/{application_id}/commands"
_GUILD = "/applications/{application_id}/guilds/{guild_id}/commands"


def _scope(call: Call) -> int | None:
    """The server whose commands are meant, or ``None`` for the global ones; only the bot's own application."""
    if call.id("application_id") != call.server.bot.id:
        raise refusal(50001)
    return call.server.own_guild(call.id("guild_id")).id if "guild_id" in call.params else None


@on(ROUTES, "GET", _GLOBAL)
@on(ROUTES, "GET", _GUILD)
async def listed(call: Call) -> list[JSON]:
    return call.server.commands.listed(_scope(call))


@on(ROUTES, "PUT", _GLOBAL)
@on(ROUTES, "PUT", _GUILD)
async def overwrite(call: Call) -> list[JSON]:
    return call.server.commands.overwrite(_scope(call), call.body or [])


@on(ROUTES, "POST", _GLOBAL)
@on(ROUTES, "POST", _GUILD)
async def create(call: Call) -> JSON:
    return call.server.commands.put(_scope(call), call.body)


@on(ROUTES, "GET", f"{_GLOBAL}/{{command_id}}")
@on(ROUTES, "GET", f"{_GUILD}/{{command_id}}")
async def fetch(call: Call) -> JSON:
    return call.server.commands.get(_scope(call), call.id("command_id"))


@on(ROUTES, "PATCH", f"{_GLOBAL}/{{command_id}}")
@on(ROUTES, "PATCH", f"{_GUILD}/{{command_id}}")
async def change(call: Call) -> JSON:
    return call.server.commands.put(_scope(call), call.body, call.id("command_id"))


@on(ROUTES, "DELETE", f"{_GLOBAL}/{{command_id}}")
@on(ROUTES, "DELETE", f"{_GUILD}/{{command_id}}")
async def remove(call: Call) -> None:
    call.server.commands.remove(_scope(call), call.id("command_id"))
