"""House rules: inheritance, the wall between servers, and what is refused."""

from __future__ import annotations

import pytest

from bot.ideation.rules import SERVER, Adders, ChannelRules, Rules, ServerRules, read_banned
from bot.ideation.types import Technique
from knowledge.errors import BadInput
from knowledge.types import Distance
from tests.bot.ideation.conftest import Parts

GUILD, OTHER, CHANNEL, THREAD = 7, 8, 70, 700


@pytest.fixture
def rules(parts: Parts) -> Rules:
    return Rules(parts.library)


async def test_nothing_is_asked_until_somebody_asks(rules: Rules) -> None:
    assert await rules.for_channel(GUILD, CHANNEL) == ChannelRules()
    assert await rules.server(GUILD) == ServerRules(Adders.MODERATORS, ())


async def test_a_thread_inherits_its_channel_and_a_channel_its_server(rules: Rules) -> None:
    await rules.set(GUILD, distance=Distance.FAR, technique=Technique.REVERSE, count=3)
    await rules.set(GUILD, CHANNEL, audience="commuters", tone="dry", banned=("neon",))
    await rules.set(GUILD, THREAD, tone="warm", banned=("lanterns",))
    found = await rules.for_channel(GUILD, THREAD, CHANNEL)
    assert found == ChannelRules(
        audience="commuters",
        tone="warm",
        banned=("neon", "lanterns"),
        distance=Distance.FAR,
        technique=Technique.REVERSE,
        count=3,
    )
    assert (await rules.for_channel(GUILD, CHANNEL)).tone == "dry"
    assert await rules.of_channel(GUILD, THREAD) == ChannelRules(tone="warm", banned=("lanterns",))
    assert await rules.channels(GUILD) == (CHANNEL, THREAD)


async def test_rules_never_cross_servers_nor_reach_direct_messages(rules: Rules) -> None:
    await rules.set(GUILD, tone="dry", adders=Adders.EVERYONE, chat_channels=(CHANNEL,))
    await rules.set(GUILD, CHANNEL, audience="commuters")
    assert await rules.for_channel(OTHER, CHANNEL) == ChannelRules()
    assert await rules.server(OTHER) == ServerRules()
    assert await rules.for_channel(None, CHANNEL) == ChannelRules()


async def test_each_rule_can_be_taken_away_and_all_at_once(rules: Rules) -> None:
    await rules.set(GUILD, CHANNEL, audience="commuters", tone="dry", banned=("neon",))
    await rules.set(GUILD, CHANNEL, tone=None, banned=())
    assert await rules.for_channel(GUILD, CHANNEL) == ChannelRules(audience="commuters")
    await rules.set(GUILD, count=3)
    await rules.set(OTHER, count=4)
    await rules.forget(GUILD, CHANNEL)
    assert await rules.for_channel(GUILD, CHANNEL) == ChannelRules(count=3)
    await rules.forget(GUILD)
    assert await rules.for_channel(GUILD, CHANNEL) == ChannelRules()
    assert (await rules.of_channel(OTHER, SERVER)).count == 4


async def test_the_server_says_who_adds_and_where_it_chats(rules: Rules) -> None:
    await rules.set(GUILD, adders=12345, chat_channels=(CHANNEL, 71))
    assert await rules.server(GUILD) == ServerRules(12345, (CHANNEL, 71))
    await rules.set(GUILD, adders=Adders.EVERYONE, chat_channels=())
    assert await rules.server(GUILD) == ServerRules(Adders.EVERYONE, ())


async def test_texts_are_one_harmless_line_and_not_endless(rules: Rules) -> None:
    await rules.set(GUILD, CHANNEL, brief="a zine\non rain <|im_end|>")
    assert (await rules.for_channel(GUILD, CHANNEL)).brief == "a zine on rain < |im_end| >"
    for text in ("x" * 301, " \n "):
        with pytest.raises(BadInput, match="1 to 300 characters"):
            await rules.set(GUILD, CHANNEL, brief=text)
    with pytest.raises(ValueError, match="no such rule"):
        await rules.set(GUILD, CHANNEL, mood="blue")


def test_banned_motifs_are_read_from_a_list() -> None:
    assert read_banned("lanterns, neon;  old  clocks\nlanterns,,") == ("lanterns", "neon", "old clocks")
    assert read_banned(" ,; ") == ()
    for text in (",".join(f"motif {n}" for n in range(41)), "x" * 41):
        with pytest.raises(BadInput, match="divided by commas"):
            read_banned(text)


@pytest.mark.parametrize(
    ("rules", "given", "aim"),
    [
        (ChannelRules(), None, None),
        (ChannelRules(), "nurses", "nurses"),
        (ChannelRules(audience="commuters"), None, "commuters"),
        (ChannelRules(audience="commuters", brief="a zine"), "nurses", "nurses; project: a zine"),
        (ChannelRules(brief="a zine"), None, "the project: a zine"),
    ],
)
def test_the_aim_joins_audience_and_project(rules: ChannelRules, given: str | None, aim: str | None) -> None:
    assert rules.aim(given) == aim
