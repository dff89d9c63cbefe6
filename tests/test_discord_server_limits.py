"""The local Discord's specification check, rate limits and ordered trouble, and bots that ignore them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest
from discord.http import Route

from tests.discord_server import DiscordServer, Limit, discord_server_fixture, running  # noqa: F401
from tests.discord_server.probe import ProbeBot, refused, scene_fixture, send  # noqa: F401


async def test_a_request_against_the_specification_is_refused_and_noted(scene: SimpleNamespace) -> None:
    if scene.server.specification is None:
        pytest.skip("Discord's OpenAPI specification is not beside this checkout")
    error = await refused(send(scene, content=["no", "list"]), 50035)
    assert "is not of type" in error.text
    (violation,) = scene.server.violations
    assert violation.place == "content" and "POST /channels/" in str(violation)
    scene.server.violations.clear()


async def test_a_route_that_is_not_served_is_noted(scene: SimpleNamespace) -> None:
    await refused(scene.bot.fetch_premium_sticker_packs(), 0)
    assert [str(one) for one in scene.server.violations] == ["GET /sticker-packs: the local Discord has no such route"]
    scene.server.violations.clear()


async def test_without_the_specification_the_server_works_and_keeps_the_rules() -> None:
    async with DiscordServer(specification_path=None) as server:
        server.guild("Studio")
        with server.addressed():
            bot = ProbeBot()
            async with running(server, bot):
                channel = bot.guilds[0].text_channels[0]
                await channel.send("fine")
                await refused(channel.send("x" * 2001), 50035)
        assert not server.violations


async def test_a_bot_that_waits_passes_the_rate_limit_and_one_that_does_not_is_noted(scene: SimpleNamespace) -> None:
    scene.server.limits.rules["POST", "/channels/{channel_id}/messages"] = Limit(2, 0.4)
    channel = scene.bot.get_channel(scene.channel.id)
    await asyncio.gather(*(channel.send(str(number)) for number in range(5)))
    assert len(scene.channel.messages) == 5 and not scene.server.violations
    times = [message.created_at for message in scene.channel.messages.values()]
    assert times[-1] - times[0] > 0.7

    headers = {"Authorization": f"Bot {scene.server.token}"}
    path = f"{scene.server.api_base}/channels/{scene.channel.id}/messages"
    async with aiohttp.ClientSession(headers=headers) as session:
        answers = []
        for _ in range(6):
            async with session.post(path, json={"content": "again"}) as answer:
                answers.append((answer.status, answer.headers, await answer.json()))
            await asyncio.sleep(0.03)
    _, told, body = next(one for one in answers if one[0] == 429)
    assert 0 < body["retry_after"] <= 0.5 and body["global"] is False and told["Retry-After"] == "1"
    assert told["X-RateLimit-Remaining"] == "0" and told["X-RateLimit-Scope"] == "user" and told["X-RateLimit-Bucket"]
    assert any("429" in str(violation) for violation in scene.server.violations)
    scene.server.violations.clear()


async def test_the_global_limit_holds_all_requests(scene: SimpleNamespace) -> None:
    scene.server.limits.overall = Limit(3, 0.3)
    channel = scene.bot.get_channel(scene.channel.id)
    await asyncio.gather(
        *(channel.typing().__aenter__() for _ in range(2)), *(scene.bot.fetch_channel(channel.id) for _ in range(4))
    )
    assert 429 in [request.status for request in scene.server.requests] and not scene.server.violations


async def test_ordered_faults_happen_once_and_discord_py_survives_them(scene: SimpleNamespace) -> None:
    channel = scene.bot.get_channel(scene.channel.id)
    message = await channel.send("0")
    path = f"/channels/{channel.id}/messages/..."
    fault = scene.server.fail_next("PATCH", path, status=429, retry_after=0.05, times=2)
    await message.edit(content="1")
    assert fault.met == 2 and scene.channel.messages[message.id].content == "1"
    scene.server.fail_next("PATCH", path, status=403)
    with pytest.raises(discord.Forbidden):
        await message.edit(content="2")
    scene.server.fail_next("PATCH", path, status=403, applied=True)
    with pytest.raises(discord.Forbidden):
        await message.edit(content="3")
    assert scene.channel.messages[message.id].content == "3"
    scene.server.fail_next("PATCH", path, status=None)
    with pytest.raises((aiohttp.ClientError, OSError)):
        await message.edit(content="4")
    scene.server.delay_next("PATCH", path, 0.1)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await message.edit(content="5")
    assert loop.time() - before >= 0.1 and scene.channel.messages[message.id].content == "5"


async def test_a_500_is_tried_again(scene: SimpleNamespace) -> None:
    scene.server.fail_next("POST", "/channels/.../messages")
    message = await scene.bot.get_channel(scene.channel.id).send("in the end")
    assert [request.status for request in scene.server.requests_to("POST", "/channels/.../messages")] == [500, 200]
    assert message.content == "in the end"


def option(name: str, **more: Any) -> dict[str, Any]:
    return {"type": 3, "name": name, "description": "x", **more}


WORDY = [{"name": f"{number} {'x' * 90}", "value": f"{number} {'y' * 90}"} for number in range(5)]
WRONG_COMMANDS = {
    "an upper-case name": [{"name": "Upper", "description": "x"}],
    "a name twice": [{"name": "same", "description": "x"}] * 2,
    "no description": [{"name": "bare", "description": ""}],
    "required after optional": [
        {"name": "a", "description": "x", "options": [option("b"), option("c", required=True)]}
    ],
    "more than 8,000 characters": [
        {"name": "long", "description": "x", "options": [option(f"o{n}", choices=WORDY) for n in range(10)]}
    ],
}


@pytest.mark.parametrize("commands", WRONG_COMMANDS.values(), ids=WRONG_COMMANDS.keys())
async def test_wrong_commands_are_refused(scene: SimpleNamespace, commands: Any) -> None:
    route = Route("PUT", "/applications/{application_id}/commands", application_id=scene.bot.application_id)
    await refused(scene.bot.http.request(route, json=commands), 50035)
