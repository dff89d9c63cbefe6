"""Boards from the first word to the last button, as people on Discord meet them."""

from __future__ import annotations

from tests.bot.discord.conftest import Stage


async def test_a_board_grows_to_five_ideas(stage: Stage) -> None:
    answer = await stage.alice.slash(stage.general, "brainstorm", brief="a tea shop by the harbour")
    assert answer.failure is None
    await stage.alice.sees(stage.general, "Machine-made", within=20)
    print(stage.server.transcript(stage.general))
