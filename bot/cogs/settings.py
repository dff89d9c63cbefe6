"""/settings: what a server asks of ideas and of talk, in general and channel by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.brainstorm import DISTANCES, MOST_IDEAS, TECHNIQUES
from bot.cogs.live import NOBODY
from bot.cogs.rights import require_managing
from bot.ideation.rules import LONGEST, SERVER, Adders, ChannelRules, ServerRules, read_banned
from bot.ideation.techniques import MIX
from bot.ideation.types import Technique
from bot.settings import Settings
from bot.ui.house import house_page
from knowledge.errors import BadInput
from knowledge.types import Distance

if TYPE_CHECKING:
    from bot.client import Kindling


class Place(app_commands.Transformer):
    """A channel or a thread in which people write, whether or not the bot has it in memory."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        """Discord's picker of channels."""
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        """What the picker offers."""
        kinds = discord.ChannelType
        return [kinds.text, kinds.news, kinds.voice, kinds.forum, kinds.public_thread, kinds.private_thread]

    async def transform(self, interaction: discord.Interaction, value: Any, /) -> discord.abc.Snowflake:
        """What was picked; its id is all that is needed."""
        picked: discord.abc.Snowflake = value
        return picked


Channel = app_commands.Transform[discord.abc.Snowflake, Place]
Short = app_commands.Range[str, 1, LONGEST["tone"]]
Sentence = app_commands.Range[str, 1, LONGEST["brief"]]
EVERYTHING = "everything"
RESETTABLE = {
    "distance": "distance",
    "technique": "technique",
    "count": "number of ideas",
    "adders": "who may add to the library",
    "chat_channels": "where I chat",
    "audience": "a channel's audience",
    "tone": "a channel's tone",
    "brief": "a channel's project brief",
    "banned": "a channel's banned motifs",
    EVERYTHING: "everything",
}
_OF_SERVER = {"distance", "technique", "count", "adders", "chat_channels"}


class SettingsCog(commands.Cog, name="Settings"):
    """What a server asks for."""

    settings = app_commands.Group(
        name="settings",
        description="What this server asks of me",
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot

    @settings.command()
    async def show(self, interaction: discord.Interaction) -> None:
        """All that is set here."""
        await self._change(interaction)

    @settings.command()
    @app_commands.describe(
        distance="How far sparks may lie, where nobody says",
        technique="One technique, where nobody says",
        count="How many ideas, where nobody says",
    )
    @app_commands.choices(distance=DISTANCES, technique=[one for one in TECHNIQUES if one.value in MIX])
    async def defaults(
        self,
        interaction: discord.Interaction,
        distance: str | None = None,
        technique: str | None = None,
        count: app_commands.Range[int, 1, MOST_IDEAS] | None = None,
    ) -> None:
        """What a brainstorm here takes where nobody says otherwise."""
        given = {"distance": distance, "technique": technique, "count": count}
        await self._change(interaction, **_given(given))

    @settings.command()
    @app_commands.describe(
        channel="Which channel (without: this one); its threads follow it",
        audience="Whom ideas are for: tired commuters",
        tone="How they sound: dry, warm, for children",
        brief="What the channel works on: a zine about rain in Leith",
        banned="Motifs never to be shown, divided by commas: lanterns, neon",
    )
    async def channel(
        self,
        interaction: discord.Interaction,
        channel: Channel | None = None,
        audience: Short | None = None,
        tone: Short | None = None,
        brief: Sentence | None = None,
        banned: app_commands.Range[str, 1, 1000] | None = None,
    ) -> None:
        """Audience, tone, project brief and banned motifs of a channel."""
        given = {"audience": audience, "tone": tone, "brief": brief, "banned": read_banned(banned) if banned else None}
        if not _given(given):
            raise BadInput("Say what to set: audience, tone, brief or banned. /settings show tells what is set.")
        await self._change(interaction, channel.id if channel else interaction.channel_id or SERVER, **_given(given))

    @settings.command(name="library")
    @app_commands.describe(role="Who may add to the library and take from it (without: those who may manage messages)")
    async def library_adders(self, interaction: discord.Interaction, role: discord.Role | None = None) -> None:
        """Who may add to this server's library; moderators always may."""
        adders: int | Adders = Adders.MODERATORS
        if role is not None:
            adders = Adders.EVERYONE if role.id == interaction.guild_id else role.id
        await self._change(interaction, adders=adders)

    @settings.command()
    @app_commands.describe(channel="Which channel", chats="Whether I chat there (with none named, I chat everywhere)")
    async def chat(self, interaction: discord.Interaction, channel: Channel, chats: bool = True) -> None:
        """Which channels I chat in; threads follow theirs."""
        guild_id = require_managing(interaction)
        await interaction.response.defer(thinking=True, ephemeral=True)
        rules = (await self.bot.studio()).rules
        before = (await rules.server(guild_id)).chat_channels
        if not chats and channel.id not in before:
            raise BadInput("I chat everywhere, or not there, as it is: name the channels that I shall chat in instead.")
        after = tuple(one for one in before if one != channel.id) + ((channel.id,) if chats else ())
        await self._change(interaction, chat_channels=after)

    @settings.command()
    @app_commands.describe(
        what="What shall be as it was", channel="Of which channel (without: the server, or this one)"
    )
    @app_commands.choices(what=[app_commands.Choice(name=name, value=value) for value, name in RESETTABLE.items()])
    async def reset(self, interaction: discord.Interaction, what: str, channel: Channel | None = None) -> None:
        """Take back what was set, one thing or everything."""
        guild_id = require_managing(interaction)
        if what != EVERYTHING:
            place = SERVER if what in _OF_SERVER else channel.id if channel else interaction.channel_id or SERVER
            await self._change(interaction, place, **{what: None})
            return
        await interaction.response.defer(thinking=True, ephemeral=True)
        await (await self.bot.studio()).rules.forget(guild_id, channel.id if channel else None)
        await self._change(interaction)

    async def _change(self, interaction: discord.Interaction, place: int = SERVER, **rules: Any) -> None:
        """Set what is given, if the person may, and show all that is set."""
        guild_id = require_managing(interaction)
        if not interaction.response.is_done():
            await interaction.response.defer(thinking=True, ephemeral=True)
        kept = (await self.bot.studio()).rules
        if rules:
            await kept.set(guild_id, place, **rules)
        server, defaults = await kept.server(guild_id), await kept.of_channel(guild_id, SERVER)
        channels = {channel: await kept.of_channel(guild_id, channel) for channel in await kept.channels(guild_id)}
        view = house_page(self._told(server, defaults), channels)
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)

    def _told(self, server: ServerRules, defaults: ChannelRules) -> list[tuple[str, str]]:
        """What holds for the whole server, in words, with what the bot's owner chose where nothing is set."""
        own: Settings = self.bot.settings
        adders = {Adders.MODERATORS: "those who may manage messages", Adders.EVERYONE: "everyone"}
        who = f"<@&{server.adders}>" if isinstance(server.adders, int) else adders[server.adders]
        return [
            ("Distance", str(defaults.distance or f"{own.distance} (as I come)")),
            ("Technique", str(defaults.technique or "a mix (as I come)")),
            ("Ideas", str(defaults.count or f"{own.count} (as I come)")),
            ("Library", who),
            ("I chat in", " ".join(f"<#{one}>" for one in server.chat_channels[:30]) or "every channel (as I come)"),
        ]


def _given(values: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in values.items() if value is not None}
    if "distance" in found:
        found["distance"] = Distance(found["distance"])
    if "technique" in found:
        found["technique"] = Technique(found["technique"])
    return found


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(SettingsCog(bot))
