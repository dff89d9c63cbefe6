"""Plain text: encodings, paragraphs, lists, notes of a line, headings, and passages of a good length."""

from __future__ import annotations

import io
from textwrap import fill

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.readers import Refusal, read
from knowledge.readers.decoding import clean, shorten
from knowledge.readers.passages import PASSAGE_CHARACTERS, has_words, opening_words, split
from knowledge.types import Draft

HERON = "A heron stands in the mill race every morning at six and leaves when the first lorry passes the gate."
BRIDGE = "The rope bridge at Q'eswachaka is woven anew from grass each June, and the old one is cut into the river."


def drafts(text: str | bytes, name: str = "notes.txt") -> list[Draft]:
    data = text if isinstance(text, bytes) else text.encode()
    items = list(read(io.BytesIO(data), name))
    assert not any(isinstance(item, Refusal) for item in items)
    return [item for item in items if isinstance(item, Draft)]


def texts(text: str | bytes) -> list[str]:
    return [draft.text for draft in drafts(text)]


WORDS = st.text("abcdefghijklmnopqrstuvwxyzéüß", min_size=3, max_size=9)
SENTENCES = st.lists(WORDS, min_size=6, max_size=25).map(lambda words: " ".join(words).capitalize() + ".")
PARAGRAPHS = st.lists(SENTENCES, min_size=1, max_size=20).map(" ".join)


@settings(deadline=None, max_examples=30)
@given(paragraphs=st.lists(PARAGRAPHS, min_size=1, max_size=5), width=st.sampled_from([0, 30, 72]))
def test_every_paragraph_is_found_again(paragraphs: list[str], width: int) -> None:
    """Whole where it is short enough, else in pieces that put together are the paragraph; wrapped or not."""
    found = texts(
        "\n\n".join(fill(paragraph, width or len(paragraph), break_long_words=False) for paragraph in paragraphs)
    )
    assert all(len(text) <= PASSAGE_CHARACTERS for text in found)
    together = " ".join(found)
    for paragraph in paragraphs:
        assert paragraph in together
        if len(paragraph) <= PASSAGE_CHARACTERS // 2:
            assert any(paragraph in text for text in found)


@settings(deadline=None)
@given(text=st.text("abc .,;。é", min_size=1, max_size=3000), limit=st.integers(20, 600))
def test_splitting_loses_nothing_but_space(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = "Das Café an der Ecke öffnet, wenn die Möwen kommen; über der Tür hängt ein Schild ohne Wörter."
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert texts(mark + text.encode(encoding)) == [text]


def test_a_damaged_byte_leaves_the_other_accents_alone() -> None:
    found = texts("Möwen über der Küste, ".encode() + b"\xff" + " und ein Café aus Blech am Ende der Straße.".encode())
    assert found[0].startswith("Möwen über der Küste,")
    assert found[0].endswith("und ein Café aus Blech am Ende der Straße.")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends(newline: str) -> None:
    assert texts(f"{HERON}{newline}{newline}{BRIDGE}{newline}") == [HERON, BRIDGE]


def test_control_and_invisible_characters_go() -> None:
    hidden = "A her\x00on \x1bstands\u200b in the \u202emill\u202c race every\u00ad morning at six,\U000e0041 they say."
    assert texts(hidden) == ["A heron stands in the mill race every morning at six, they say."]


def test_joined_emoji_and_composed_accents_stay_whole() -> None:
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"
    assert clean(f"  {family}\tcafe\u0301 ") == f"{family} caf\u00e9"


def test_list_items_stand_for_themselves_and_short_ones_together() -> None:
    found = texts(f"- {HERON}\n- cobalt\n- burnt umber\n- verdigris\n- {BRIDGE}\n")
    assert found == [HERON, "cobalt; burnt umber; verdigris", BRIDGE]
    assert texts(f"Colours of the harbour:\n\n{HERON}\n\n{BRIDGE}") == [f"Colours of the harbour: {HERON}", BRIDGE]
    assert texts(f"{HERON}\n\n{BRIDGE}\n\nand so on") == [HERON, f"{BRIDGE} and so on"]
    assert texts("Colours\n\n* cobalt blue\n* burnt umber\n* verdigris") == ["cobalt blue; burnt umber; verdigris"]


def test_a_file_of_one_note_a_line_is_as_many_notes() -> None:
    short = "The sea is a bad debtor, says Marta."
    assert texts(f"{HERON}\n{short}\n{BRIDGE}\n{HERON.lower()}\n") == [HERON, short, BRIDGE, HERON.lower()]


def test_wrapped_lines_are_one_paragraph() -> None:
    assert texts(HERON.replace(" every", "\nevery").replace(" when", "\nwhen")) == [HERON]


def test_short_lines_above_prose_are_headings() -> None:
    found = drafts(f"THE RIVER\n\n{HERON}\n\nBridges\n=======\n{BRIDGE}\n\n{HERON[:-1]}, they say.\n")
    assert [draft.title for draft in found] == [
        "THE RIVER",
        "Bridges: The rope bridge at Q'eswachaka is woven anew from grass…",
        "Bridges: A heron stands in the mill race every morning at six and…",
    ]
    assert "RIVER" not in " ".join(draft.text for draft in found)


def test_many_short_lines_are_notes_and_no_headings() -> None:
    notes = ["Blue umbrellas", "Rope ladders", "Glass harmonicas", "Paper boats", "Left gloves"]
    found = drafts("\n\n".join([*notes, HERON]))
    assert [(draft.title, draft.text) for draft in found] == [
        (opening_words("; ".join(notes)), "; ".join(notes)),
        (opening_words(HERON), HERON),
    ]


def test_one_short_note_is_a_snippet_too() -> None:
    assert texts("blue umbrellas") == ["blue umbrellas"]


def test_lines_of_dialogue_join_their_neighbours() -> None:
    found = texts(f'{HERON}\n\n"You came."\n\n"I said I would."\n\n"That was in April."\n\n{BRIDGE}')
    assert found == [HERON, f'"You came." "I said I would." "That was in April." {BRIDGE}']


def test_figures_rules_and_leaders_are_left_out() -> None:
    assert texts(
        f"{HERON}\n\n* * * * *\n\n12.5 13.4 18.9 22.1\n\nChapter ............................ 45\n\n{BRIDGE}"
    ) == [
        HERON,
        BRIDGE,
    ]


def test_the_one_address_of_a_paragraph_is_its_own() -> None:
    found = drafts(
        f"{HERON} Source: https://a.example/heron.\n\nSee https://a.example/1 or https://a.example/2, {BRIDGE}"
    )
    assert found[0] == Draft(title=opening_words(HERON), text=HERON, address="https://a.example/heron")
    assert found[1].address is None
    (bracketed,) = drafts(f"{HERON} (https://a.example/Heron_(bird)).")
    assert (bracketed.text, bracketed.address) == (HERON, "https://a.example/Heron_(bird)")
    assert "https://a.example/1" in found[1].text


def test_long_paragraphs_are_cut_at_sentence_ends_into_pieces_of_like_length() -> None:
    sentence = "Dr. Finch noted on p. 12 that e.g. the bower faced south and the blue caps lay to its left. "
    found = texts(sentence * 16)
    assert all(text.startswith("Dr. Finch") and text.endswith("left.") for text in found)
    assert min(map(len, found)) > 0.6 * max(map(len, found))


def test_a_paragraph_without_end_is_read_in_bounded_chunks() -> None:
    words = " ".join(f"word{number}" for number in range(20_000))
    found = texts(words)
    assert " ".join(found) == words
    assert max(map(len, found)) <= PASSAGE_CHARACTERS


def test_e_reader_clippings_are_told_from_other_text() -> None:
    clippings = (
        "\ufeffInvisible Bowers (2nd ed.) (Finch, Ada)\r\n"
        "- Your Highlight on page 44 | Location 671-673 | Added on Saturday, 9 March 2024 17:05:00\r\n\r\n"
        f"{HERON}\r\n==========\r\n"
        "Salt\r\n- Su subrayado en la p\u00e1gina 3 | 9 de marzo\r\n\r\nSalt remembers.\r\n==========\r\n"
        "Salt\r\n- Your Bookmark on page 9\r\n\r\n\r\n==========\r\n"
        "no clipping\r\n==========\r\n"
    )
    one, two, refusal = read(io.BytesIO(clippings.encode()), "My Clippings.txt")
    assert one == Draft(
        title="Invisible Bowers (2nd ed.)",
        text=HERON,
        author="Finch, Ada",
        date="2024-03-09",
        address="Invisible Bowers (2nd ed.), page 44",
    )
    assert isinstance(two, Draft)
    assert (two.title, two.text, two.date, two.address) == ("Salt", "Salt remembers.", None, "Salt")
    assert isinstance(refusal, Refusal)
    assert refusal.where == "line 16"


def test_titles_are_the_first_sentence_or_the_first_words() -> None:
    assert opening_words("Gulls know it. They wait.") == "Gulls know it"
    assert opening_words("Marta. Mends nets. Never swam.") == "Marta. Mends nets"
    assert opening_words("It rained.") == "It rained"
    assert opening_words(HERON) == "A heron stands in the mill race every morning at six and…"
    assert shorten("x" * 500, 50) == "x" * 49 + "…"


@pytest.mark.parametrize(("text", "worth"), [("鳥が鳴く", True), ("a 1 2 3 4", False), ("—", False), ("Möwe", True)])
def test_what_counts_as_words(text: str, worth: bool) -> None:
    assert has_words(text) is worth
