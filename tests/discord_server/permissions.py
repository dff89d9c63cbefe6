"""Discord's permissions: their bits, and what a member may do in a channel.

The order of computation is the one in Discord's reference, "Permissions", section "Permission Overwrites".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .entities import Channel, Member

_NAMES = (
    "create_instant_invite kick_members ban_members administrator manage_channels manage_guild add_reactions "
    "view_audit_log priority_speaker stream view_channel send_messages send_tts_messages manage_messages "
    "embed_links attach_files read_message_history mention_everyone use_external_emojis view_guild_insights connect "
    "speak mute_members deafen_members move_members use_vad change_nickname manage_nicknames manage_roles "
    "manage_webhooks manage_expressions use_application_commands request_to_speak manage_events manage_threads "
    "create_public_threads create_private_threads use_external_stickers send_messages_in_threads "
    "use_embedded_activities moderate_members"
).split()
BITS = {name: 1 << place for place, name in enumerate(_NAMES)} | {
    "send_voice_messages": 1 << 46,
    "send_polls": 1 << 49,
    "use_external_apps": 1 << 50,
    "pin_messages": 1 << 51,
}
ALL = sum(BITS.values())

NEW_SERVER_DEFAULTS = (
    "view_channel send_messages send_messages_in_threads create_public_threads embed_links attach_files add_reactions "
    "read_message_history mention_everyone use_external_emojis use_external_stickers use_application_commands "
    "change_nickname create_instant_invite connect speak stream use_vad"
).split()
"""What everybody may do in a freshly made server, as far as a bot meets it."""

DM_PERMISSIONS = (
    "view_channel send_messages embed_links attach_files add_reactions read_message_history use_external_emojis "
    "use_application_commands"
).split()


def bits(names: Iterable[str]) -> int:
    """The names' bits together; ``KeyError`` names one that Discord doesn't know."""
    return sum(BITS[name] for name in set(names))


def permissions_of(member: Member, channel: Channel | None = None) -> int:
    """What a member may do in a channel (a thread goes by its parent), or in the server where no channel is given."""
    guild = member.guild
    if member.user is guild.owner:
        return ALL
    allowed = guild.everyone.permissions
    for role in member.roles:
        allowed |= role.permissions
    if allowed & BITS["administrator"]:
        return ALL
    if channel is None:
        return allowed
    overwrites = (channel.parent or channel).overwrites
    everyone_allow, everyone_deny = overwrites.get(guild.everyone.id, (0, 0))
    allowed = allowed & ~everyone_deny | everyone_allow
    role_allow = role_deny = 0
    for role in member.roles:
        allow, deny = overwrites.get(role.id, (0, 0))
        role_allow |= allow
        role_deny |= deny
    allowed = allowed & ~role_deny | role_allow
    own_allow, own_deny = overwrites.get(member.user.id, (0, 0))
    allowed = allowed & ~own_deny | own_allow
    if not allowed & BITS["view_channel"]:
        return 0
    if not allowed & BITS["send_messages"] and not channel.is_thread:
        allowed &= ~(BITS["mention_everyone"] | BITS["attach_files"] | BITS["embed_links"])
    return allowed
