"""Servers: channels, roles, members, active threads."""

from __future__ import annotations

from tests.discord_server.entities import CATEGORY, TEXT, Guild
from tests.discord_server.errors import JSON, refusal

from .call import Call, Route, on
from .channels import threads_payload

ROUTES: list[Route] = []
_GUILD = "/guilds/{guild_id}"


def _guild(call: Call) -> Guild:
    return call.server.own_guild(call.id("guild_id"))


@on(ROUTES, "GET", _GUILD)
async def fetch(call: Call) -> JSON:
    guild = _guild(call)
    counts = {"approximate_member_count": len(guild.members), "approximate_presence_count": len(guild.members)}
    return guild.payload() | (counts if call.flag("with_counts") else {})


@on(ROUTES, "GET", f"{_GUILD}/channels")
async def channels(call: Call) -> list[JSON]:
    return [channel.payload() for channel in _guild(call).channels.values()]


@on(ROUTES, "POST", f"{_GUILD}/channels", status=201)
async def create_channel(call: Call) -> JSON:
    guild, body = _guild(call), call.body
    if not guild.members[call.server.bot.id].may("manage_channels"):
        raise refusal(50013)
    if (body.get("type") or TEXT) == CATEGORY:
        return call.server.category(body["name"], guild).payload()
    parent = guild.channels.get(int(body.get("parent_id") or 0))
    made = call.server.channel(
        body["name"], guild, topic=body.get("topic"), nsfw=bool(body.get("nsfw")), category=parent
    )
    return made.payload()


@on(ROUTES, "GET", f"{_GUILD}/roles")
async def roles(call: Call) -> list[JSON]:
    return [role.payload() for role in _guild(call).roles.values()]


@on(ROUTES, "GET", f"{_GUILD}/members/{{user_id}}")
async def member(call: Call) -> JSON:
    found = _guild(call).members.get(call.id("user_id"))
    if found is None:
        raise refusal(10007)
    return found.payload()


@on(ROUTES, "GET", f"{_GUILD}/members")
async def members(call: Call) -> list[JSON]:
    """All members, which takes the privileged intent."""
    if "members" not in call.server.privileged:
        raise refusal(50001)
    after = call.number("after", 0)
    found = sorted((one for one in _guild(call).members.values() if one.user.id > after), key=lambda one: one.user.id)
    return [one.payload() for one in found[: call.number("limit", 1)]]


@on(ROUTES, "GET", f"{_GUILD}/members/search")
async def search_members(call: Call) -> list[JSON]:
    start = call.query.get("query", "").lower()
    found = [one for one in _guild(call).members.values() if (one.nick or one.user.name).lower().startswith(start)]
    return [one.payload() for one in found[: call.number("limit", 1)]]


@on(ROUTES, "GET", f"{_GUILD}/threads/active")
async def active_threads(call: Call) -> JSON:
    bot = call.server.bot
    threads = [one for one in _guild(call).threads.values() if not one.archived and one.may(bot, "view_channel")]
    return threads_payload(call, threads)
