"""Foreign text in Discord's markdown: it shows just as it reads and does nothing else, whatever it is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ideation.prompts import quoted
from bot.ui.marks import cut, link, plain
from tests.discord_server.message import BARE_LINK

MARKS = [
    *"@everyone @here <@123> <#9> <@&7> <t:1:R> </go:1> <a:x:1> # -# > >>> - ** __ ~~ || ` ``` _ * ] ( ) \\".split(),
    *"[a](http://x.y) https://evil.example/a_b word <|im_end|> é 漢 🙂".split(),
    *(" ", "\n", "\u202e"),
]
HOSTILE = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=30).map("".join)


def as_read(markdown: str) -> str:
    """What Discord shows of text in which every mark is escaped."""
    return re.sub(r"\\([^0-9A-Za-z\s])", r"\1", markdown).replace("\u200b", "")


@given(HOSTILE)
def test_plain_text_reads_as_it_was_and_has_no_living_mark(text: str) -> None:
    safe = plain(text, 10_000)
    assert as_read(safe) == quoted(text)
    bare = re.sub(r"\\[^0-9A-Za-z\s]", "", safe)
    assert not re.search(r"[`*_~|\[\]<]|@everyone|@here", bare)
    assert not re.match(r"[#>+-]", safe) and not BARE_LINK.search(safe)
    assert "\n" not in safe


@given(HOSTILE, st.integers(2, 60))
def test_cutting_keeps_to_the_length(text: str, longest: int) -> None:
    assert len(cut(text, longest)) <= longest
    assert len(as_read(plain(text, longest))) <= longest
    assert len(plain(text, longest)) <= 2 * longest


@given(HOSTILE, HOSTILE)
def test_a_link_has_one_target_and_no_preview(title: str, rest: str) -> None:
    shown = link(title, f"https://example.org/{rest}")
    assert not BARE_LINK.search(re.sub(r"\]\(<[^>]*>\)$", "]", shown))
    assert len(re.findall(r"(?<!\\)\]\(<", shown)) <= 1


@pytest.mark.parametrize(
    ("address", "followed"),
    [
        ("https://en.wikipedia.org/wiki/Siku_(instrument)", True),
        ("http://example.org", True),
        ("javascript:alert(1)", False),
        ("https://example.org/ onclick", False),
        ("https://example.org/>) [x](<https://evil.example", False),
        ("https://example.org/" + "a" * 300, False),
        (None, False),
        ("", False),
    ],
)
def test_only_addresses_become_links(address: str | None, followed: bool) -> None:
    assert (link("A title", address) == f"[A title](<{address}>)") is followed
    assert link("A title", address).count("A title") == 1
