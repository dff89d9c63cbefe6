"""A local Discord for tests: REST and gateway on loopback, to which the real discord.py client connects unchanged.

It keeps Discord's rules, so that a bot that breaks one fails here as it would there, and it holds every request against
Discord's OpenAPI specification where that lies beside the checkout (``specification.DEFAULT_PATH``).

An example::

    from tests.discord_server import discord_server_fixture, running  # noqa: F401  (the fixture "discord_server")

    async def test_a_vote(discord_server):
        server = discord_server
        studio = server.guild("Studio", bot_permissions=["manage_messages"])
        ideas = server.channel("ideas", studio)
        alice = server.member("alice", studio)
        bot = make_my_bot(guild_ready_timeout=0.05)

        async with running(server, bot):
            await bot.tree.sync()
            answer = await alice.slash(ideas, "brainstorm", brief="a tea shop", count=3)
            assert answer.acknowledged_after < 3 and answer.deferred
            board = await answer.finished()                       # the deferred message has been filled
            vote = await alice.clicks(board, "vote")
            assert vote.failure is None
            await alice.sees(ideas, "1 vote")        # or a function of a Message; a failure shows all there was
            assert len(board.revisions) > 2          # each with its time and text: the pace of edits

``example.py`` holds a small bot with a command of every kind.

**Pointing a client at it.** ``with server.addressed(): ...`` (the fixture does it) sets the two public class attributes
that discord.py reads its addresses from::

    discord.http.Route.BASE = server.api_base
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(server.gateway_url)

A bot with settings for both takes ``server.api_base``, ``server.gateway_url`` and ``server.token``. The gateway
compresses if the address asks for it (``?compress=zlib-stream``, which discord.py adds by itself) and not otherwise.

**Furnishing.** ``server.guild``, ``channel``, ``category``, ``role``, ``member`` (a person; in several servers too, or
``bot=True`` for somebody else's bot), ``overwrite`` (rights in a channel), ``set_permissions`` (of a role),
``give_role``, ``take_role``, ``leave``, ``invite_bot``, ``remove_bot``, ``delete_channel``. Everything also works while
a bot is connected, and tells it. ``DiscordServer(privileged=())`` is an application without privileged intents.

**A person** (``person.Person``) writes: ``says`` (with ``reply_to``, ``attachments=[Upload(...)]``), ``edits``,
``deletes``, ``reacts``, ``unreacts``, ``types``, ``starts_thread``, ``archives``. Uses commands: ``slash``,
``autocomplete``, ``uses_menu``, ``uses_user_menu``, ``commands``. Uses components: ``clicks``, ``picks``, ``submits``.
Reads: ``sees``, ``reads``. ``dm`` is their conversation with the bot. What Discord's own client would not let them do
raises ``Refused``. Commands and components wait until the bot acknowledged or its time was up, and give an
``Interaction``: ``acknowledged_after``, ``deferred``, ``failure``, ``messages``, ``response``, ``text``, ``modal``,
``choices``, ``await finished()``.

**A message** has ``text`` (Components V2 flattened), ``buttons``, ``selects``, ``links``, ``previews``, ``pings`` (whom
it notified), ``reactions``, ``attachments``, ``ephemeral``, ``deleted``, ``revisions``. ``render.lines`` gives it as
plain text, ``server.transcript(channel)`` a whole channel.

**Time.** ``server.clock.advance(minutes=16)`` moves everything but heartbeats, while real time flows on.

**Trouble.** ``server.fail_next("PATCH", "/channels/.../messages/...", status=500)`` (or 429, or ``None`` for a broken
line; ``times``; ``applied=True`` when only the answer is lost) and ``server.delay_next``. ``server.gateway`` has
``await drop()``, ``reconnect()``, ``invalidate()``, ``refuse_resume()`` and ``heartbeat_interval``; after an invalid
session discord.py waits five seconds before it identifies anew, unless the client overrides ``before_identify_hook``.
``server.limits.rules[method, template] = Limit(5, 5.0)`` sets a rate limit, ``server.limits.enabled = False`` ends all.

**Looking back.** ``server.requests``, ``server.requests_to("PATCH", "/channels/...")``, ``server.violations`` (requests
against the specification, and those that ignored a 429), ``server.commands.syncs``, ``server.gateway.identifies``,
``resumes`` and ``closes``.

**Cost.** Holding a full board of 40 components against the specification takes about 10 ms of the event loop, which
matters where a benchmark measures that loop: there, ``DiscordServer(specification_path=None)``.

**What it does not do.** Voice, webhooks of one's own, forum channels, stickers, polls, auto-moderation, invites,
sharding, archiving of threads by time, and unfolding of links. Where Discord publishes no number (rate limits of single
routes, edits of old messages), the default is what developers have observed, and can be set.
"""

from .fixtures import discord_server_fixture, eventually, running
from .interactions import Choice, Interaction, Modal
from .invocation import Refused
from .limits import Limit
from .message import Message, Upload
from .person import Person
from .server import TOKEN, DiscordServer
from .specification import Violation

__all__ = [
    "TOKEN",
    "Choice",
    "DiscordServer",
    "Interaction",
    "Limit",
    "Message",
    "Modal",
    "Person",
    "Refused",
    "Upload",
    "Violation",
    "discord_server_fixture",
    "eventually",
    "running",
]
