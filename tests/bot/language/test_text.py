"""Streamed text: the pieces add up, characters stay whole, and stop strings never show."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.language.text import StopFilter, TextStream

from . import tiny


@cache
def tokenizer():
    return tiny.tokenizer()


def decode(tokens):
    return tokenizer().decode(tokens, skip_special_tokens=True)


def stream(tokens, stop=()):
    text = TextStream(decode, stop)
    pieces = []
    for token in tokens:
        pieces.append(text.push(token))
        if text.stopped:
            return pieces, True
    pieces.append(text.finish())
    return pieces, text.stopped


def cut(text, stop):
    """What is left of the text, stop strings being looked for as it grows."""
    ends = [text.find(s) + len(s) for s in stop if s in text]
    grown = text[: min(ends)] if ends else text
    starts = [grown.find(s) for s in stop if s in grown]
    return grown[: min(starts)] if starts else text


@settings(deadline=None)
@given(st.text(max_size=40))
def test_pieces_add_up_and_hold_whole_characters_only(text):
    pieces, stopped = stream(tokenizer().encode(text, add_special_tokens=False))
    assert "".join(pieces) == text.rstrip("\ufffd")
    assert not stopped
    if "\ufffd" not in text:
        assert all("\ufffd" not in piece for piece in pieces)


@settings(deadline=None)
@given(
    st.text(alphabet="ab\n#é", max_size=30), st.lists(st.text(alphabet="ab\n#é", min_size=1, max_size=4), max_size=3)
)
def test_text_ends_before_the_first_stop_string(text, stop):
    pieces, stopped = stream(tokenizer().encode(text, add_special_tokens=False), stop)
    assert "".join(pieces) == cut(text, stop)
    assert stopped == any(s in text for s in stop)


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab#", max_size=5)), st.lists(st.text(alphabet="ab#", min_size=1, max_size=4)))
def test_the_filter_never_lets_a_beginning_of_a_stop_string_out(chunks, stop):
    through = StopFilter(stop)
    told = ""
    for chunk in chunks:
        told += through.push(chunk)
        assert not any(told.endswith(s) for s in stop)
    told += through.finish()
    assert "".join(chunks).startswith(told)
    assert through.stopped or told == "".join(chunks)


@pytest.mark.parametrize("whole", ["naïve café", "火花", "👩‍🚀 off she goes", "🔥"])
def test_a_text_cut_in_the_middle_of_a_character_loses_that_character_only(whole):
    tokens = tokenizer().encode(whole, add_special_tokens=False)
    for length in range(len(tokens)):
        pieces, _ = stream(tokens[:length])
        assert "".join(pieces) == whole.encode()[:length].decode(errors="ignore")
