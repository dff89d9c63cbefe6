"""Long text as several messages, and replies made safe."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.ui.layout import weight
from bot.ui.pages import split
from bot.ui.replies import own_words, reply, said, sparks_alone, spoken, without_banned
from knowledge.types import Band, Hit, Kind, Snippet

WORDS = st.text(st.sampled_from("abcdefg'é漢🙂*_#"), min_size=1, max_size=12)
GAPS = st.sampled_from([" ", "  ", "\n", "\n\n", ". ", "! "])
PROSE = st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=40).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)
CODE = st.tuples(st.sampled_from(["", "py", "c++"]), st.lists(WORDS, min_size=1, max_size=12)).map(
    lambda code: f"```{code[0]}\n" + "\n".join(code[1]) + "\n```"
)
TEXTS = st.lists(st.one_of(PROSE, CODE), min_size=1, max_size=8).map("\n".join)


def words_of(text: str) -> list[str]:
    """All words, those of code included, without the fences."""
    return re.sub(r"```([\w+#-]*\n)?", " ", text).split()


class TestSplitting:
    @given(TEXTS, st.integers(40, 200))
    def test_no_page_is_too_long_or_blank_and_no_word_is_lost_or_cut(self, text: str, most: int) -> None:
        pages = split(text, most)
        assert all(page.strip() == page and 0 < weight(page) <= most for page in pages)
        assert [word for page in pages for word in words_of(page)] == words_of(text)

    @given(TEXTS, st.integers(40, 200))
    def test_every_page_closes_the_fences_that_it_opens(self, text: str, most: int) -> None:
        assert all(page.count("```") % 2 == 0 for page in split(text, most))

    @given(st.lists(CODE, min_size=1, max_size=4), st.integers(130, 200))
    def test_code_that_fits_on_a_page_is_never_cut(self, blocks: list[str], most: int) -> None:
        pages = split("Some words before it.\n".join(["", *blocks]), most)
        assert all(any(block in page for page in pages) for block in blocks if weight(block) <= most)

    @given(st.text(max_size=300), st.integers(30, 100))
    @example("```" * 30, 30)
    @example("````", 40)
    @example("🙂" * 90, 31)
    def test_any_text_at_all_keeps_the_limit(self, text: str, most: int) -> None:
        assert all(page and weight(page) <= most for page in split(text, most))

    @given(TEXTS)
    def test_what_fits_stays_as_it_is(self, text: str) -> None:
        assert split(text, 10_000) == [text.strip()]

    def test_a_page_ends_with_a_paragraph_rather_than_a_line_and_a_sentence_rather_than_a_word(self) -> None:
        assert split("one two three.\n\nfour five\nsix seven eight", 26) == [
            "one two three.",
            "four five\nsix seven eight",
        ]
        assert split("One two three. Four five six seven", 24) == ["One two three.", "Four five six seven"]

    def test_a_word_longer_than_a_page_is_cut_and_long_code_goes_on_in_its_language(self) -> None:
        assert split("x" * 70, 30) == ["x" * 30, "x" * 30, "x" * 10]
        assert split("```py\n" + "\n".join(["line"] * 6) + "\n```", 30) == [
            "```py\nline\nline\nline\nline\n```",
            "```py\nline\nline\n```",
        ]

    def test_an_open_fence_is_closed(self) -> None:
        assert split("See:\n```py\nprint(1)") == ["See:\n```py\nprint(1)\n```"]
        assert split("``` ") == split(" \n ") == []


def hit(number: int, title: str = "Tide clock", address: str | None = "https://example.org/a") -> Hit:
    snippet = Snippet(number, 1, 1, title, f"Fact {number}.", Kind.NOTE, (), None, None, address, None)
    return Hit(snippet, 1.0, 0.5, Band.NEAR, "")


class TestReplies:
    @pytest.mark.parametrize("turn", ["User:", "human :", "Message:", "You:", "Sparks:\n[1]"])
    def test_the_other_persons_turns_are_cut(self, turn: str) -> None:
        assert own_words(f"Use a bell [1].\n{turn} and then?\nIt rings.") == "Use a bell [1]."
        assert own_words("You said: a bell.") == "You said: a bell."

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("<@123> and <#4> and <:x:5>", "\\<@123> and \\<#4> and \\<:x:5>"),
            ("see [this](https://evil.example)", "see [this\\](https\\://evil.example)"),
            ("https://evil.example", "https\\://evil.example"),
            ("# Loud\n  ## too\n-# small\n#tag", "\\# Loud\n  \\## too\n\\-# small\n#tag"),
            ("*soft* and `<b> https://x`\n```\n# <@1>\n```", "*soft* and `<b> https://x`\n```\n# <@1>\n```"),
            ("@everyone @here @ann", "@\u200beveryone @\u200bhere @ann"),
        ],
    )
    def test_what_could_mention_link_or_shout_is_escaped_outside_code(self, text: str, shown: str) -> None:
        assert spoken(text) == shown
        assert said(shown) == text.strip()

    def test_cited_sparks_stand_below_as_numbered_links_and_invented_numbers_go(self) -> None:
        text = reply("A bell [2], a rope [7].", [hit(1), hit(2, "Bell [old]", "https://example.org/b")])
        assert text == "A bell [2], a rope.\n\n-# [2] [Bell (old)](<https://example.org/b>)"
        assert said(text) == "A bell [2], a rope."

    def test_a_reply_without_citations_says_that_it_used_no_spark(self) -> None:
        assert (
            reply("A bell.", [hit(1, address=None)])
            == "A bell.\n\n-# no spark used; the nearest were:\n-# [1] Tide clock"
        )
        assert reply("A bell.", [hit(1)], finished=False) == "A bell." == reply("A bell.", [])

    def test_sparks_alone_are_numbered_and_told(self) -> None:
        assert sparks_alone([hit(1)], "Down.") == "Down.\n[1] [Tide clock](<https://example.org/a>): Fact 1."

    def test_sentences_with_banned_motifs_go(self) -> None:
        text = "A bell rings. Neon signs hum! Which one?\n\nA rope."
        assert without_banned(text, ["neon"]) == "A bell rings. Which one?\n\nA rope."
        assert without_banned(text, ["gold"]) == text and without_banned("Neon", ["neon"]) == ""
