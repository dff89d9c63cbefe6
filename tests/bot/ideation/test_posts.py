"""From messages to snippets: what is kept, what is chatter, and that no message breaks anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ideation.lexical import words
from bot.ideation.posts import LONGEST_SAVED, Post, caught, saved
from knowledge.errors import BadInput

POST = Post("A tea shop in a tram", "Ann", "user:1", "2026-03-01", 70, 700, "https://d.test/700")


@pytest.mark.parametrize(
    ("text", "shown", "kept"),
    [
        ("A tea shop in a tram", (), "A tea shop in a tram"),
        ("nice", (), None),
        ("<:party:123> <a:wow:45>", (), None),
        ("👍", (), None),
        ("!play a song", (), None),
        ("/imagine a cat", (), None),
        ("...and then it rained", (), "...and then it rained"),
        ("https://example.org/x", (), "https://example.org/x"),
        ("this!", ("A tiled wall (IMG_1.jpg)",), "this! · A tiled wall (IMG_1.jpg)"),
        ("", ("IMG_1.jpg",), "IMG_1.jpg"),
        ("", (), None),
        ("see https://a.test", ("Title: of it", "https://a.test"), "see https://a.test · Title: of it"),
    ],
)
def test_what_is_kept_of_a_message(text: str, shown: tuple[str, ...], kept: str | None) -> None:
    draft = caught(replace(POST, text=text, shown=shown))
    assert (draft and draft.text) == kept


@given(st.text(max_size=3000), st.lists(st.text(max_size=300), max_size=5))
def test_any_message_is_kept_short_or_not_at_all(text: str, shown: list[str]) -> None:
    post = replace(POST, text=text, shown=tuple(shown))
    draft = caught(post)
    if draft is not None:
        assert words(draft.text) and len(draft.text) <= LONGEST_SAVED and 0 < len(draft.title) <= 100
        assert caught(post) == draft and "\n" not in draft.text
        assert caught(replace(post, message=701)) != draft, "the same words elsewhere are another snippet"
    try:
        assert len(saved(post).text) <= LONGEST_SAVED
    except BadInput:
        assert not words(text[:LONGEST_SAVED])
