"""Talking with the bot: by mention, by reply, in direct messages, and in threads that it opened with /chat."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import discord
from discord import app_commands
from discord.ext import commands

from bot.cogs.answer import Answer, Pieces
from bot.cogs.conversation import conversation, mentions, opened_by, speaks_to
from bot.cogs.live import NOBODY
from bot.cogs.refusal import line_for
from bot.cogs.rights import NotAllowed
from bot.cogs.sight import Eyes, filters_for
from bot.cogs.spaces import person_of, space_of
from bot.language.base import Message
from bot.ui.marks import cut, plain
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from bot.client import Kindling

log = logging.getLogger(__name__)

NOTHING_READ = "What are you working on? Write it in the same message, and I look for sparks."
CANNOT_READ = (
    "I can't read that: Discord shows me what you reply to a board only if you mention me in your own words. "
    "Mention me, and say it again."
)
OPENING = "-# What are you working on? Just write; in this thread you need not mention me."
OPENING_UNREAD = (
    "-# What are you working on? Mention me in each message: without it, Discord does not show me your words."
)


class Chat(commands.Cog):
    """Conversations."""

    def __init__(self, bot: Kindling) -> None:
        self.bot = bot
        self._answers: dict[int, Answer] = {}  # by the message that is answered

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Answer what is said to the bot, and nothing else."""
        me = self.bot.user
        if me is None or not speaks_to(message, me):
            return
        try:
            await self._answer(message, me)
        except Exception as error:  # discord.py would only log it; the person is told
            await self._say(message, line_for(error))

    @commands.Cog.listener()
    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        """Whoever deletes what they said wants no answer to it."""
        if (answer := self._answers.get(payload.message_id)) is not None:
            answer.stop()

    @app_commands.command()
    @app_commands.guild_only()
    @app_commands.describe(topic="What you would like to talk over")
    async def chat(
        self, interaction: discord.Interaction, topic: app_commands.Range[str, 1, 300] | None = None
    ) -> None:
        """Open a thread to talk something over; nobody needs to mention me in it."""
        channel = interaction.channel
        if not isinstance(channel, discord.TextChannel):
            raise BadInput("A thread can be opened in a text channel only. Here, mention me and say what you need.")
        may = interaction.app_permissions
        if not (may.create_public_threads and may.send_messages_in_threads):
            raise NotAllowed("I may not open threads here: ask someone who manages this channel to let me.")
        await interaction.response.defer(thinking=True, ephemeral=True)
        name = cut(topic, 90) if topic else f"{interaction.user.display_name} and Kindling"
        thread = await channel.create_thread(name=name, type=discord.ChannelType.public_thread)
        await thread.add_user(interaction.user)
        opening = OPENING if self.bot.intents.message_content else OPENING_UNREAD
        if topic is not None:
            opening = f"{plain(interaction.user.display_name, 60)} would like to talk over: {plain(topic, 300)}"
        await thread.send(opening, allowed_mentions=NOBODY)
        await interaction.edit_original_response(content=f"Let's talk in {thread.mention}.")
        if topic is not None:
            history = [Message("user", topic)]
            answer = self._speaking(
                thread, interaction.guild_id, interaction.user, channel.id, thread.id, history, None
            )
            await answer.give(person_of(interaction.user), space_of(interaction.guild_id, interaction.user))

    async def _answer(self, message: discord.Message, me: discord.ClientUser) -> None:
        if not await self._chats_here(message, me):
            return
        history = await conversation(message, me)
        if not history[-1].text:
            if self.bot.intents.message_content or message.guild is None:
                await self._say(message, NOTHING_READ)
            elif mentions(message, me):
                await self._say(message, CANNOT_READ if message.reference else NOTHING_READ)
            return
        guild_id = message.guild.id if message.guild else None
        parent = message.channel.parent_id if isinstance(message.channel, discord.Thread) else None
        to = message.to_reference(fail_if_not_exists=False)
        answer = self._speaking(message.channel, guild_id, message.author, parent, message.channel.id, history, to)
        self._answers[message.id] = answer
        try:
            await answer.give(person_of(message.author), space_of(guild_id, message.author))
        finally:
            del self._answers[message.id]

    def _speaking(
        self,
        channel: discord.abc.Messageable,
        guild_id: int | None,
        person: discord.User | discord.Member,
        parent_id: int | None,
        channel_id: int,
        history: Sequence[Message],
        to: discord.MessageReference | None,
    ) -> Answer:
        async def speak() -> tuple[Pieces, tuple[str, ...]]:
            studio = await self.bot.studio()
            rules = await studio.rules.for_channel(guild_id, channel_id, parent_id)
            space = space_of(guild_id, person)
            guild = self.bot.get_guild(guild_id) if guild_id else None
            eyes = Eyes(guild, channel_id, parent_id, None if guild_id else person)
            filters = await filters_for(studio, self.bot, eyes, (space,))
            pieces = studio.chat(space, history, audience=rules.aim(), tone=rules.tone, filters=filters)
            return pieces, rules.banned

        return Answer(self.bot, channel, speak, to)

    async def _chats_here(self, message: discord.Message, me: discord.ClientUser) -> bool:
        """Whether the server lets the bot chat in this channel; whoever mentions it elsewhere is told where."""
        if message.guild is None or opened_by(message.channel, me):
            return True
        allowed = (await (await self.bot.studio()).rules.server(message.guild.id)).chat_channels
        parent = getattr(message.channel, "parent_id", None)
        if not allowed or message.channel.id in allowed or parent in allowed:
            return True
        if mentions(message, me):
            await self._say(message, f"I chat in {', '.join(f'<#{one}>' for one in allowed[:10])} here.")
        return False

    async def _say(self, message: discord.Message, line: str) -> None:
        """One line as a reply; where that can't be said, there is nobody to tell."""
        try:
            to = message.to_reference(fail_if_not_exists=False)
            await message.channel.send(line, reference=to, allowed_mentions=NOBODY)
        except (discord.HTTPException, OSError) as error:
            log.warning("could not answer in %s: %s", message.channel.id, error)


async def setup(bot: Kindling) -> None:
    """Called by discord.py when the extension is loaded."""
    await bot.add_cog(Chat(bot))
