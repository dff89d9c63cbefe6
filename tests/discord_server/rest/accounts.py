"""Accounts, the application and where the gateway is."""

from __future__ import annotations

from tests.discord_server.entities import User
from tests.discord_server.errors import JSON, refusal
from tests.discord_server.events import APPLICATION_FLAGS

from .call import Call, Route, on

ROUTES: list[Route] = []


@on(ROUTES, "GET", "/users/@me")
async def me(call: Call) -> JSON:
    return call.server.bot.payload() | {"mfa_enabled": False, "locale": "en-US", "verified": True, "email": None}


@on(ROUTES, "GET", "/users/@me/guilds")
async def my_guilds(call: Call) -> list[JSON]:
    bot = call.server.bot
    joined = [guild for guild in call.server.guilds.values() if bot.id in guild.members]
    return [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": guild.owner is bot,
            "permissions": "0",
            "features": [],
        }
        for guild in joined
    ]


@on(ROUTES, "DELETE", "/users/@me/guilds/{guild_id}")
async def leave_guild(call: Call) -> None:
    call.server.remove_bot(call.server.own_guild(call.id("guild_id")))


@on(ROUTES, "POST", "/users/@me/channels")
async def open_dm(call: Call) -> JSON:
    user = _user(call, int(call.body["recipient_id"]))
    if user is call.server.bot:
        raise refusal(50007)
    return call.server.dm(user).payload(viewer=call.server.bot)


@on(ROUTES, "GET", "/users/{user_id}")
async def user(call: Call) -> JSON:
    return _user(call, call.id("user_id")).payload()


def _user(call: Call, user_id: int) -> User:
    found = call.server.users.get(user_id)
    if found is None:
        raise refusal(10013)
    return found


@on(ROUTES, "GET", "/applications/@me")
@on(ROUTES, "GET", "/oauth2/applications/@me")
async def application(call: Call) -> JSON:
    server = call.server
    flags = sum(APPLICATION_FLAGS[name] for name in server.privileged)
    nothing = ("icon", "type", "interactions_endpoint_url", "role_connections_verification_url", "team")
    return {
        "id": str(server.bot.id),
        "name": server.bot.name,
        "description": "",
        "bot": server.bot.payload(),
        "bot_public": True,
        "bot_require_code_grant": False,
        "verify_key": "0" * 64,
        "flags": flags,
        "flags_new": str(flags),
        "redirect_uris": [],
        "owner": server.application_owner.payload(),
        "approximate_guild_count": len(server.guilds),
        "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0,
        "explicit_content_filter": 0,
        "eligible_oauth2_scopes": [],
        **dict.fromkeys(nothing),
    }


@on(ROUTES, "GET", "/gateway")
async def gateway(call: Call) -> JSON:
    return {"url": call.server.gateway_url}


@on(ROUTES, "GET", "/gateway/bot")
async def gateway_bot(call: Call) -> JSON:
    limit = {"total": 1000, "remaining": 1000, "reset_after": 86_400_000, "max_concurrency": 1}
    return {"url": call.server.gateway_url, "shards": 1, "session_start_limit": limit}
