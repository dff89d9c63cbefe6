"""/settings: what a server asks of ideas and of talk, in general and channel by channel."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.brainstorm import DISTANCES, MOST_IDEAS, TECHNIQUES
from bot.cogs.live import NOBODY
from bot.cogs.places import Channel
from bot.cogs.rights import require_managing
from bot.cogs.sight import seen
from bot.cogs.spaces import place_asked, space_of
from bot.cogs.switching import require_posting, switched_off, switched_on
from bot.ideation.rules import LONGEST, SERVER, Adders, ChannelRules, ServerRules, read_banned
from bot.ideation.schedule import WEEKDAYS, Every, Schedule, read_zone, zones
from bot.ideation.techniques import MIX
from bot.ideation.types import Technique
from bot.settings import Settings
from bot.ui.cards import learned_page, note
from bot.ui.channels import channel_lines
from bot.ui.digest import digest_lines
from bot.ui.house import house_page
from bot.ui.layout import page
from knowledge.errors import BadInput
from knowledge.types import Distance

if TYPE_CHECKING:
    from bot.client import Kindling


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
    @app_commands.describe(what="Without: what was learned so far")
    @app_commands.choices(
        what=[
            app_commands.Choice(name="on: brainstorms lean towards what people here chose", value="on"),
            app_commands.Choice(name="off: they do not", value="off"),
            app_commands.Choice(name="forget: begin anew; votes and keeps stay", value="forget"),
        ]
    )
    async def learning(self, interaction: discord.Interaction, what: str | None = None) -> None:
        """Whether I learn from votes, keeps and duels here, and what I learned."""
        require_managing(interaction)
        await interaction.response.defer(thinking=True, ephemeral=True)
        studio = await self.bot.studio()
        where = await seen(studio, interaction, place_asked(interaction), alone=True)
        choices, space = studio.choices, where.space
        match what:
            case "on" | "off":
                await choices.switch(space, what == "on")
            case "forget":
                await choices.forget(space)
        view = learned_page(await choices.learned(space, where.filters))
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)

    @settings.command()
    @app_commands.describe(
        channel="Which channel people share their inspiration in",
        switch="Whether its messages become snippets of this server's library",
        mark="Whether a reaction of mine shows what was kept",
    )
    @app_commands.choices(switch=[app_commands.Choice(name=name, value=name) for name in ("on", "off")])
    async def inspiration(
        self, interaction: discord.Interaction, channel: Channel, switch: str, mark: bool = True
    ) -> None:
        """Keep what people share in a channel; a note there says what is kept and how to opt out."""
        require_managing(interaction)
        await interaction.response.defer(thinking=True, ephemeral=True)
        channels = (await self.bot.studio()).channels
        if switch == "on":
            view = await switched_on(self.bot, interaction, channels, channel.id, mark)
        else:
            view = await switched_off(self.bot, interaction, channels, channel.id)
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)

    @settings.command()
    @app_commands.describe(
        channel="Which channel it is posted in",
        every="How often",
        hour="At which hour, 0 to 23 (without: 9)",
        weekday="On which day, where it comes weekly (without: Monday)",
        zone="In which time zone (without: the one named last in this server, else UTC)",
    )
    @app_commands.choices(every=[app_commands.Choice(name=name, value=name) for name in ("weekly", "daily", "off")])
    @app_commands.choices(
        weekday=[app_commands.Choice(name=name, value=number) for number, name in enumerate(WEEKDAYS)]
    )
    async def digest(
        self,
        interaction: discord.Interaction,
        channel: Channel,
        every: str,
        hour: app_commands.Range[int, 0, 23] = 9,
        weekday: int = 0,
        zone: app_commands.Range[str, 1, 60] | None = None,
    ) -> None:
        """Post what came in, what rises and three sparks to begin with, in a channel; off unless you ask."""
        space = space_of(require_managing(interaction), interaction.user)
        await interaction.response.defer(thinking=True, ephemeral=True)
        digests = (await self.bot.studio()).digests
        before = await digests.all(space)
        if every == "off":
            if all(one.channel != channel.id for one in before) or not await digests.unsubscribe(channel.id):
                raise BadInput("That channel gets no digest: there is nothing to switch off.")
            view = note("No further digest comes there.")
        else:
            require_posting(interaction, channel.id)
            named = read_zone(zone) if zone else before[-1].schedule.zone if before else "UTC"
            schedule, now = Schedule(Every(every), hour, weekday, named), self.bot.now()
            await digests.subscribe(space, channel.id, schedule, now)
            first = int(schedule.following(now).timestamp())
            view = page(f"A digest comes to <#{channel.id}> {schedule}, first on <t:{first}:F>.")
        self.bot.dispatch("digests_changed")
        await interaction.edit_original_response(view=view, allowed_mentions=NOBODY)

    @digest.autocomplete("zone")
    async def _zones(self, interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return [app_commands.Choice(name=zone, value=zone) for zone in (await asyncio.to_thread(zones, typed))[:25]]

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
        studio = await self.bot.studio()
        kept = studio.rules
        if rules:
            await kept.set(guild_id, place, **rules)
        server, defaults = await kept.server(guild_id), await kept.of_channel(guild_id, SERVER)
        channels = {channel: await kept.of_channel(guild_id, channel) for channel in await kept.channels(guild_id)}
        followed = await studio.channels.all(space_of(guild_id, interaction.user))
        digests = await studio.digests.all(space_of(guild_id, interaction.user))
        told = [*self._told(server, defaults), ("Inspiration", channel_lines(followed))]
        told.append(("Digest", digest_lines(digests)))
        view = house_page(told, channels)
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
