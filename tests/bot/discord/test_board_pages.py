"""Boards, cards and forms as Discord counts them: whatever an idea says, every message keeps the limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.ideation.journal import Entry
from bot.ideation.types import Brief, Idea, Move, Provenance, Technique
from bot.ui.board import Board, pages
from bot.ui.cards import note, outline_page, sparks_page, why_page
from bot.ui.forms import entries_of, idea_select, twist_form, twist_wanted
from bot.ui.ids import Verb, parsed
from bot.ui.layout import Page
from knowledge.types import Band, Hit, Kind, Snippet
from tests.discord_server.components import TEXT_DISPLAY, check_components, walk
from tests.discord_server.errors import FormErrors

# Text made of what grows most when it is escaped, what counts twice in UTF-16, and what is too long by far.
HOSTILE = st.sampled_from(
    [
        *("*" * 3000, "_|~`" * 900, "@everyone" * 300, "<@1>" * 500, "😀" * 2000, "https://a.example/" * 90),
        *("", "-", "A short line.", "a " * 1500, "[x](http://y.z)" * 100, "\n# " * 300),
    ]
)
ADDRESS = st.sampled_from([None, "https://example.org/" + "b" * 175, "https://example.org/" + "c" * 900, "no address"])
IDS = st.integers(0, 16**10 - 1).map(lambda number: f"{number:010x}")


@st.composite
def hits(draw: st.DrawFn) -> Hit:
    snippet = Snippet(
        1, 1, 1, draw(HOSTILE), draw(HOSTILE), Kind.NOTE, (), draw(HOSTILE), draw(HOSTILE), draw(ADDRESS), draw(HOSTILE)
    )
    return Hit(snippet, 0.5, 0.5, Band.FAR, "why")


@st.composite
def boards(draw: st.DrawFn) -> Board:
    ids = draw(st.lists(IDS, max_size=13, unique=True))
    sparks = st.lists(hits(), max_size=5).map(tuple)
    entries = tuple(
        Entry(
            Idea(
                id=one,
                session_id="0" * 10,
                place=place,
                title=draw(HOSTILE),
                body=draw(HOSTILE),
                first_step=draw(HOSTILE),
                technique=Technique.DIRECT,
                sparks=draw(sparks),
                provenance=Provenance(
                    draw(HOSTILE), "0", 1, 0.8, "2025-01-01T00:00:00+00:00", 1.0, draw(st.booleans())
                ),
                move=draw(st.sampled_from(Move)),
                how=draw(HOSTILE),
            ),
            Brief(draw(HOSTILE)),
            ("user:1",) * draw(st.integers(0, 2)),
            draw(st.integers(0, 99_999)),
            0,
        )
        for place, one in enumerate(ids, start=1)
    )
    return Board(
        draw(HOSTILE),
        draw(HOSTILE),
        draw(st.sampled_from([None, "f" * 10])),
        entries,
        draw(sparks),
        draw(st.sampled_from([None, "e" * 10])),
    )


def components(page: Page) -> list[dict[str, Any]]:
    """What is sent; Discord's rules are asserted by the local Discord's own check, and text in UTF-16 beside it."""
    sent = page.to_components()
    errors = FormErrors()
    check_components(sent, errors, v2=True)
    errors.check()
    texts = [one["content"] for _, one in walk(sent) if one["type"] == TEXT_DISPLAY]
    assert sum(len(text.encode("utf-16-le")) // 2 for text in texts) <= 4000
    return sent


def targets(sent: list[dict[str, Any]]) -> Iterator[tuple[Verb, str]]:
    for _, one in walk(sent):
        if one.get("custom_id"):
            what = parsed(one["custom_id"])
            assert what is not None
            yield what


@settings(deadline=None, max_examples=40)
@given(boards())
def test_every_page_keeps_discords_limits_and_none_loses_an_idea(board: Board) -> None:
    sent = [components(page) for page in pages(board)]
    pressed = [pair for one in sent for pair in targets(one)]
    for verb in (Verb.VOTE, Verb.KEEP, Verb.TWIST, Verb.EXPAND, Verb.WHY):
        assert [target for one, target in pressed if one is verb] == [entry.idea.id for entry in board.entries]
    last = [verb for verb, _ in targets(sent[-1])]
    assert (Verb.STOP in last) == (board.run_id is not None)
    assert (Verb.MORE in last) == (board.run_id is None and board.session_id is not None and bool(board.entries))


@settings(deadline=None, max_examples=40)
@given(boards())
def test_a_board_that_grows_never_loses_a_page(board: Board) -> None:
    growing = [
        replace(board, entries=board.entries[:count], run_id="e" * 10) for count in range(len(board.entries) + 1)
    ]
    counts = [len(pages(one)) for one in [*growing, replace(board, run_id=None)]]
    if board.session_id is None:
        counts.pop()  # without the session's verbs the foot may move up at the end
    assert counts == sorted(counts)


@settings(deadline=None, max_examples=40)
@given(boards(), st.lists(HOSTILE, max_size=9), st.lists(hits(), max_size=9), HOSTILE)
def test_cards_keep_discords_limits(board: Board, steps: list[str], sparks: list[Hit], text: str) -> None:
    for entry in board.entries[:3]:
        components(outline_page(entry, steps))
        components(why_page(entry))
    components(sparks_page(text, sparks))
    components(note(text))
    if board.entries:
        components(idea_select(board.entries, Verb.REMIXED, "f" * 10, "Which two?", 1))


def test_the_twist_form_is_one_that_discord_takes() -> None:
    form = twist_form("a" * 10).to_dict()
    errors = FormErrors()
    check_components(form["components"], errors, v2=True, modal=True)
    errors.check()
    assert len(form["title"]) <= 45 and parsed(form["custom_id"]) == (Verb.TWISTED, "a" * 10)


def test_own_words_win_over_a_choice() -> None:
    def submitted(words: str, *picked: str) -> dict[str, Any]:
        fields = [{"custom_id": "preset", "values": list(picked)}, {"custom_id": "words", "value": words}]
        return {"components": [{"type": 18, "component": field} for field in fields]}

    assert twist_wanted(submitted(" in snow ", "darker")) == "in snow"
    assert twist_wanted(submitted("", "darker")) == "darker"
    assert twist_wanted(submitted("  ")) == "" == twist_wanted({})
    assert entries_of({"components": [{"type": 1, "components": [{"custom_id": "old", "value": "x"}]}]}) == {"old": "x"}


def test_only_our_own_ids_are_understood() -> None:
    assert parsed("k1:vote:0123456789") == (Verb.VOTE, "0123456789")
    for other in ("k2:vote:0123456789", "k1:fly:0123456789", "k1:vote:01234", "vote", "", "k1:vote:0123456789 "):
        assert parsed(other) is None
