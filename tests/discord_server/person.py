"""A human in a test: says, edits, reacts, types commands, clicks, picks, submits, and reads what they may see.

What Discord's own client would not let them do raises ``Refused``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from . import posting
from .commands import CHAT_INPUT, MESSAGE_MENU, USER_MENU
from .components import LINK_STYLE
from .drafts import MAX_CONTENT, Draft
from .emoji import is_emoji
from .entities import Channel, User
from .errors import JSON
from .forms import filled
from .interactions import AUTOCOMPLETE, COMMAND, COMPONENT, MODAL_SUBMIT, Interaction, Modal
from .invocation import Refused, Resolved, command_data, select_values
from .message import Button, Message, Select, Upload
from .permissions import BITS
from .render import transcript

if TYPE_CHECKING:
    from .server import DiscordServer

Wanted = str | Callable[[Message], Any]


class Person:
    """Somebody (or somebody else's bot) who uses the local Discord."""

    def __init__(self, server: DiscordServer, user: User) -> None:
        self._server = server
        self.user = user

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def mention(self) -> str:
        return self.user.mention

    @property
    def dm(self) -> Channel:
        """The direct conversation with the bot."""
        return self._server.dm(self.user)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def says(
        self,
        channel: Channel,
        text: str = "",
        *,
        reply_to: Message | None = None,
        ping: bool = True,
        attachments: Iterable[Upload] = (),
        embeds: Iterable[JSON] = (),
    ) -> Message:
        """Post a message. A reply mentions the author of the original unless ``ping`` is off."""
        self._need(channel, "view_channel", "send_messages")
        if channel.is_thread and channel.locked and not channel.may(self.user, "manage_threads"):
            raise Refused(f"the thread {channel.name!r} is locked")
        if len(text) > MAX_CONTENT:
            raise Refused(f"a message may have {MAX_CONTENT} characters, not {len(text)}")
        files = list(attachments)
        if files:
            self._need(channel, "attach_files")
        store = self._server.store(channel)
        draft = Draft(
            content=text,
            embeds=list(embeds),
            attachments=[store(upload) for upload in files],
            allowed_mentions={"parse": ["users", "roles", "everyone"], "replied_user": ping},
        )
        return posting.post(self._server, channel, self.user, draft, reply_to=reply_to)

    async def edits(self, message: Message, text: str) -> Message:
        """Change an own message."""
        if message.author is not self.user or message.deleted:
            raise Refused("only an own message that is still there can be edited")
        kept = Draft(text, message.embeds, message.components, message.attachments, message.flags)
        posting.edit(self._server, message, kept)
        return message

    async def deletes(self, message: Message) -> None:
        """Delete a message: an own one, or as a moderator another's."""
        if message.author is not self.user and message.visible_to is not self.user:
            self._need(message.channel, "manage_messages")
        posting.delete(self._server, message)

    async def reacts(self, message: Message, emoji: str) -> None:
        """Add a reaction."""
        self._need_sight(message)
        if not is_emoji(emoji):
            raise Refused(f"{emoji!r} is no emoji")
        if emoji not in message.reactions:
            self._need(message.channel, "add_reactions")
        posting.react(self._server, message, self.user, emoji)

    async def unreacts(self, message: Message, emoji: str) -> None:
        """Take an own reaction away."""
        posting.unreact(self._server, message, self.user, emoji)

    async def types(self, channel: Channel) -> None:
        """Show that one is typing."""
        self._need(channel, "send_messages")
        posting.type_in(self._server, channel, self.user)

    async def starts_thread(self, channel: Channel, name: str, message: Message | None = None) -> Channel:
        """Start a public thread, from a message or without one."""
        self._need(channel, "create_public_threads")
        return posting.start_thread(self._server, channel, self.user, name, message=message)

    async def archives(self, thread: Channel, *, locked: bool = False) -> None:
        """Archive an own thread, or as a moderator another's."""
        if thread.owner is not self.user or locked:
            self._need(thread, "manage_threads")
        posting.set_archived(self._server, thread, archived=True, locked=locked)

    # --- commands ----------------------------------------------------------------------------------------------------

    async def slash(self, channel: Channel, command: str, /, **options: Any) -> Interaction:
        """Use a slash command ("brainstorm", or with subcommands "ideas list") and wait until it is acknowledged.

        Options are text, numbers, booleans, a ``Person``, a ``Channel``, a ``Role`` or an ``Upload``, as the command's
        definition wants them; a choice goes by its name or value.
        """
        found, words = self._command(channel, command)
        resolved = Resolved(self._server, channel)
        data = command_data(found, words, options, resolved, self.user)
        return await self._server.interactions.set_off(COMMAND, self.user, channel, data)

    async def autocomplete(
        self, channel: Channel, command: str, option: str, typed: str = "", /, **others: Any
    ) -> Interaction:
        """Type into an option with autocomplete; the result's ``choices`` are what is offered."""
        found, words = self._command(channel, command)
        resolved = Resolved(self._server, channel)
        data = command_data(found, words, {**others, option: typed}, resolved, self.user, focused=option)
        return await self._server.interactions.set_off(AUTOCOMPLETE, self.user, channel, data)

    async def uses_menu(self, name: str, target: Message) -> Interaction:
        """Use a command from the menu of a message."""
        self._need_sight(target)
        command = self._menu(target.channel, name, MESSAGE_MENU)
        payload = target.payload(viewer=self._server.bot)
        resolved = {"messages": {str(target.id): payload}}
        return await self._use_menu(target.channel, command, target.id, resolved, target)

    async def uses_user_menu(self, name: str, channel: Channel, target: Person) -> Interaction:
        """Use a command from the menu of a person in a channel."""
        command = self._menu(channel, name, USER_MENU)
        resolved = Resolved(self._server, channel)
        resolved.user(target.user)
        return await self._use_menu(channel, command, target.user.id, resolved.data, None)

    def _menu(self, channel: Channel, name: str, kind: int) -> JSON:
        offered = {one["name"]: one for one in self._server.commands.offered(self.user, channel, kind)}
        if name not in offered:
            raise Refused(f"the menu offers {', '.join(offered) or 'nothing'}, not {name!r}")
        return offered[name]

    async def _use_menu(
        self, channel: Channel, command: JSON, target_id: int, resolved: JSON, target: Message | None
    ) -> Interaction:
        data: JSON = {key: command[key] for key in ("id", "name", "type", "guild_id") if key in command}
        data |= {"target_id": str(target_id), "resolved": resolved}
        return await self._server.interactions.set_off(COMMAND, self.user, channel, data, target=target)

    def commands(self, channel: Channel) -> list[str]:
        """The names of the slash commands that this person is offered in a channel."""
        return [command["name"] for command in self._server.commands.offered(self.user, channel)]

    def _command(self, channel: Channel, text: str) -> tuple[JSON, list[str]]:
        name, *words = text.removeprefix("/").split()
        for command in self._server.commands.offered(self.user, channel, CHAT_INPUT):
            if command["name"] == name:
                return command, words
        raise Refused(f"{self.name} is offered {', '.join(self.commands(channel)) or 'no command'} here, not /{name}")

    # --- components --------------------------------------------------------------------------------------------------

    async def clicks(self, message: Message, button: str) -> Interaction:
        """Press a button, by its label, emoji or custom id, and wait until that is acknowledged."""
        self._need_sight(message)
        found = self._one(button, message.buttons, message)
        if found.style == LINK_STYLE:
            raise Refused(f"{button!r} opens {found.url}: the bot does not hear of it")
        data = {"component_type": found.data["type"], "custom_id": found.custom_id, "id": found.data["id"]}
        return await self._use_component(message, data)

    async def picks(self, message: Message, select: str, values: Any) -> Interaction:
        """Choose in a select menu, named by placeholder or custom id; values by label or value, or the objects."""
        self._need_sight(message)
        found = self._one(select, message.selects, message)
        resolved = Resolved(self._server, message.channel)
        chosen = values if isinstance(values, (list, tuple)) else [values]
        picked = select_values(found.data, list(chosen), resolved, self.user)
        data: JSON = {
            "component_type": found.data["type"],
            "custom_id": found.custom_id,
            "id": found.data["id"],
            "values": picked,
        }
        return await self._use_component(message, data | ({"resolved": resolved.data} if resolved.data else {}))

    async def submits(self, modal: Modal | Interaction, values: dict[str, Any]) -> Interaction:
        """Fill in a modal, by label or custom id, and submit it."""
        form = modal.modal if isinstance(modal, Interaction) else modal
        if form is None or form.closed or form.opened_by.user is not self.user:
            why = f": {modal.describe()}" if isinstance(modal, Interaction) else ""
            raise Refused(f"no modal is open before {self.name}{why}")
        opener = form.opened_by
        resolved = Resolved(self._server, opener.channel)
        data = filled(form, values, resolved, self.user)
        submitted = await self._server.interactions.set_off(
            MODAL_SUBMIT, self.user, opener.channel, data, message=opener.message, opened_by=opener
        )
        form.closed = submitted.failure is None
        return submitted

    async def _use_component(self, message: Message, data: JSON) -> Interaction:
        interactions = self._server.interactions
        return await interactions.set_off(COMPONENT, self.user, message.channel, data, message=message)

    @staticmethod
    def _one(name: str, offered: list[Any], message: Message) -> Any:
        found: list[Button | Select] = [one for one in offered if one.answers_to(name)]
        if len(found) != 1:
            there = ", ".join(repr(getattr(one, "label", None) or getattr(one, "placeholder", "")) for one in offered)
            many = "several are" if found else "nothing is"
            raise Refused(f"{many} named {name!r} in the message of {message.author.name}; there are {there or 'none'}")
        if found[0].disabled:
            raise Refused(f"{name!r} is disabled")
        return found[0]

    # --- reading -----------------------------------------------------------------------------------------------------

    def reads(self, channel: Channel) -> list[Message]:
        """All messages in a channel that this person can see, oldest first."""
        return [message for message in channel.messages.values() if message.seen_by(self.user)]

    async def sees(
        self, channel: Channel, wanted: Wanted, within: float = 5.0, *, after: Message | None = None
    ) -> Message:
        """Wait for a message of somebody else that contains a text, or for which a function is true; new or edited.

        The newest one that fits is given. With ``after`` only messages younger than that one count. ``within`` is in
        real seconds; after it ``AssertionError`` shows everything that there was to read.
        """
        if not channel.may(self.user, "view_channel"):
            raise Refused(f"{self.name} cannot see {channel.name or 'this conversation'}")
        fits = (lambda message: wanted in message.text) if isinstance(wanted, str) else wanted

        def look() -> Message | None:
            for message in reversed(self.reads(channel)):
                younger = after is None or message.id > after.id
                if (
                    younger
                    and message.author is not self.user
                    and not (message.loading or message.is_system)
                    and fits(message)
                ):
                    return message
            return None

        def otherwise() -> str:
            what = repr(wanted) if isinstance(wanted, str) else "a message that fits"
            where = f"#{channel.name}" if channel.name else "the direct conversation"
            return f"{self.name} did not see {what} in {where} within {within} s:\n{transcript(self.reads(channel))}"

        return await self._server.changes.until(look, within, otherwise)

    # --- what Discord's client allows --------------------------------------------------------------------------------

    def _need(self, channel: Channel, *permissions: str) -> None:
        for name in permissions:
            if not channel.may(self.user, name):
                assert name in BITS
                raise Refused(f"{self.name} lacks the permission {name} in {channel.name or 'this conversation'}")

    def _need_sight(self, message: Message) -> None:
        if not message.seen_by(self.user):
            raise Refused(f"{self.name} does not see that message")
