"""Who may see what: the walls between a server's channels, asked of Discord's permissions whenever something is shown.

An answer that one person sees may hold what that person sees. An answer in a channel may hold what comes from another
channel only if everybody who sees the one sees the other: nobody is told by the bot what Discord keeps from them. What
comes from an age-restricted channel is shown in that channel alone. Where it can't be told, nothing is shown.

The rule for channels is exact as far as roles go: whoever could see the first with any roles of the server sees the
second too. Rights given to single people are read strictly, for their roles are not known here.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import discord

from bot.cogs.spaces import NO_FILTERS, SERVERS, Where, person_of, place_asked
from bot.ideation.errors import UnknownIdea
from bot.ideation.journal import Entry
from bot.ideation.studio import Studio
from bot.ideation.walls import Wall
from knowledge.types import Filters

log = logging.getLogger(__name__)

_NOT_HERE = "That is on somebody else's private board, or was deleted. /brainstorm makes your own."


@dataclass(frozen=True, slots=True)
class Eyes:
    """Who will read an answer: `person` alone, or with None everybody in the channel `place` (a thread's `parent`)."""

    guild: discord.Guild | None
    place: int | None
    parent: int | None
    person: discord.Member | discord.User | None


async def seen(studio: Studio, interaction: discord.Interaction, where: Where, *, alone: bool = False) -> Where:
    """The place with filters that leave out what its readers may not see.

    They are the asker alone where the place is private or the answer goes to them `alone`, else the whole channel.
    """
    person = interaction.user if alone or where.private or interaction.guild_id is None else None
    parent = getattr(interaction.channel, "parent_id", None)
    eyes = Eyes(interaction.guild, interaction.channel_id, parent, person)
    return replace(where, filters=await filters_for(studio, interaction.client, eyes, (where.space, *where.draw_on)))


async def filters_for(studio: Studio, client: discord.Client, eyes: Eyes, spaces: tuple[str, ...]) -> Filters:
    """Filters that leave out the sources in these spaces which these eyes may not see."""
    channels: dict[tuple[str, int, int | None], list[Wall]] = defaultdict(list)
    own = [space for space in spaces if not space.startswith(SERVERS)]  # a person's ideas may come from any server
    for wall in await studio.walls.around(spaces, own):
        channels[wall.space, wall.channel, wall.parent].append(wall)
    if not channels:
        return NO_FILTERS
    hidden: set[int] = set()
    members: dict[int, discord.Member | None] = {}
    for (space, channel_id, parent_id), walls in channels.items():
        if not await _may_see(client, eyes, space, channel_id, parent_id, members):
            hidden |= {wall.source for wall in walls}
    return Filters(without_sources=frozenset(hidden))


async def place_of_idea(
    studio: Studio, interaction: discord.Interaction, idea_id: str, *, alone: bool = False
) -> tuple[Where, Entry]:
    """Where an idea lives that somebody acts on here: in this server, else in their own space.

    Raises `UnknownIdea` for everything else: another's private board, another server's, one that was deleted, one that
    comes from a channel which whoever reads the answer may not see.
    """
    for asked in (place_asked(interaction), place_asked(interaction, private=True)):
        where = await seen(studio, interaction, asked, alone=alone)
        for entry in await studio.ideas.entries(where.space, [idea_id], where.filters):
            return where, entry
    raise UnknownIdea(_NOT_HERE)


async def place_of_session(
    studio: Studio, interaction: discord.Interaction, session_id: str, *, alone: bool = False
) -> tuple[Where, list[Entry]]:
    """Where a session lives that somebody acts on here, and its ideas, at least one. Raises as `place_of_idea`."""
    for asked in (place_asked(interaction), place_asked(interaction, private=True)):
        where = await seen(studio, interaction, asked, alone=alone)
        if entries := await studio.ideas.of(where.space, session_id=session_id, filters=where.filters):
            return where, entries
    raise UnknownIdea(_NOT_HERE)


async def _may_see(
    client: discord.Client,
    eyes: Eyes,
    space: str,
    channel_id: int,
    parent_id: int | None,
    members: dict[int, discord.Member | None],
) -> bool:
    if not space.startswith(SERVERS):  # a person's own space is read by that person alone
        return eyes.person is not None and space == person_of(eyes.person)
    guild = client.get_guild(int(space.removeprefix(SERVERS)))
    if guild is None:
        return False
    channel = guild.get_channel_or_thread(channel_id)
    if channel is None and parent_id is not None:
        channel = guild.get_channel(parent_id)  # an archived thread, which no client has in memory
    if isinstance(channel, discord.Thread):
        if channel.is_private() and channel.id != eyes.place:
            return False
        channel = channel.parent
    if eyes.person is None:
        return eyes.guild is not None and eyes.guild.id == guild.id and _shown_in(guild, eyes, channel)
    if guild.id not in members:
        members[guild.id] = await _member(guild, eyes)
    member = members[guild.id]
    if member is None:
        return False
    if channel is None:  # deleted: who may see every channel saw this one
        return member.guild_permissions.administrator or guild.owner_id == member.id
    if _age_restricted(channel) and channel.id not in (eyes.place, eyes.parent):
        return False
    return channel.permissions_for(member).view_channel


def _shown_in(guild: discord.Guild, eyes: Eyes, source: Any) -> bool:
    """Whether what comes from `source` may be shown to everybody in the place of these eyes."""
    place = guild.get_channel(eyes.parent or eyes.place or 0)
    if place is None or source is None:
        return False
    if place.id == source.id:
        return True
    return not _age_restricted(source) and sees_all_of(place, source, besides=guild.me.id)


async def _member(guild: discord.Guild, eyes: Eyes) -> discord.Member | None:
    """The person as a member of that server, with the roles of now; None for somebody who isn't one."""
    person = eyes.person
    if isinstance(person, discord.Member) and person.guild.id == guild.id:
        return person
    assert person is not None
    try:
        return await guild.fetch_member(person.id)
    except discord.NotFound:
        return None
    except (discord.HTTPException, OSError) as error:
        log.warning("whether %s may see channels of %s can't be told: %s", person.id, guild.id, error)
        return None


def _age_restricted(channel: Any) -> bool:
    return bool(getattr(channel, "nsfw", False))


def sees_all_of(place: discord.abc.GuildChannel, source: discord.abc.GuildChannel, *, besides: int = 0) -> bool:
    """Whether everybody who sees `place` sees `source`, two channels of one server; the account `besides` aside.

    Whoever sees one channel and not the other owes the first to one role at most and the second to one role at most.
    So no set of more than two roles need be tried, and roles that mean the same in both are tried once.
    """
    kinds = {
        _Role.of(role, place, source)
        for role in place.guild.roles
        if not role.is_default() and not role.permissions.administrator
    }
    everyone = _Role.of(place.guild.default_role, place, source)
    sets = [(), *((one,) for one in kinds), *combinations_with_replacement(kinds, 2)]
    if any(_views(everyone, roles, 0) and not _views(everyone, roles, 1) for roles in sets):
        return False
    open_to_all = all(_views(everyone, roles, 1) for roles in sets)
    here, there = _single_people(place, besides), _single_people(source, besides)
    for person in here.keys() | there.keys():
        if here.get(person) is False:
            continue
        sees = there.get(person)
        if sees is False or (sees is None and here.get(person) and not open_to_all):
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Role:
    """What a role means for seeing two channels: in the server, and what it is allowed (True) or denied in each."""

    server: bool
    views: tuple[bool | None, bool | None]

    @classmethod
    def of(cls, role: discord.Role, place: discord.abc.GuildChannel, source: discord.abc.GuildChannel) -> _Role:
        views = (place.overwrites_for(role).view_channel, source.overwrites_for(role).view_channel)
        return cls(role.permissions.view_channel or role.permissions.administrator, views)


def _views(everyone: _Role, roles: tuple[_Role, ...], which: int) -> bool:
    """Whether somebody with these roles sees a channel, as Discord's reference computes it."""
    said = [role.views[which] for role in roles]
    if True in said:
        return True
    if False in said:
        return False
    base = everyone.views[which]
    return base if base is not None else everyone.server or any(role.server for role in roles)


def _single_people(channel: discord.abc.GuildChannel, besides: int) -> dict[int, bool]:
    """Who is allowed or denied to see the channel by name."""
    roles = {role.id for role in channel.guild.roles}
    return {
        who.id: overwrite.view_channel
        for who, overwrite in channel.overwrites.items()
        if who.id not in roles and who.id != besides and overwrite.view_channel is not None
    }
