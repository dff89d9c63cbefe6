"""PDF: pages to paragraphs, metadata, and files that are encrypted, pictures, broken or made to hurt."""

from __future__ import annotations

import io
import logging
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from knowledge.readers import Refusal, pdf, read
from knowledge.readers.pages import Page, paragraphs
from knowledge.types import Draft
from tests.knowledge import pdfs
from tests.knowledge.test_readers import assert_well_formed, taken

HERON = (
    "A heron stands in the mill race every morning at six",
    "and leaves when the first lorry passes the gate of the",
    "old mill.",
)
BRIDGE = (
    "The rope bridge at Q'eswachaka is woven anew from grass",
    "each June, and the old one is cut away into the river by",
    "the whole village.",
)
LANTERN = ("Lanterns hang from the wall of the harbour in November,", "one for each boat.")
GLOVE = ("A shop by the bridge sells gloves for the left hand only,", "and has a queue.")
ABOUT = {"/Title": "River Notes", "/Author": "Ada Finch", "/CreationDate": "D:20240309120000Z", "/Producer": "tests"}


def drafts(data: bytes) -> list[Draft]:
    items = list(read(io.BytesIO(data), "notes/river.pdf"))
    assert not any(isinstance(item, Refusal) for item in items)
    return [item for item in items if isinstance(item, Draft)]


def refusal(data: bytes) -> str:
    found, refusals, message = taken(data, "river.pdf")
    assert (found, refusals) == ([], [])
    return message


def test_paragraphs_know_their_page_and_what_the_metadata_says() -> None:
    assert drafts(pdfs.pdf([HERON, BRIDGE], ABOUT)) == [
        Draft(
            title="River Notes: A heron stands in the mill race every morning at six and…",
            text=" ".join(HERON),
            author="Ada Finch",
            date="2024-03-09",
            address="notes/river.pdf, page 1",
        ),
        Draft(
            title="River Notes: The rope bridge at Q'eswachaka is woven anew from grass…",
            text=" ".join(BRIDGE),
            author="Ada Finch",
            date="2024-03-09",
            address="notes/river.pdf, page 2",
        ),
    ]


@pytest.mark.parametrize("title", ["Microsoft Word - draft3.doc", "untitled", "river.indd", ""])
def test_titles_that_programs_make_up_are_passed_over(title: str) -> None:
    assert drafts(pdfs.pdf([HERON], {"/Title": title}))[0].title.startswith("A heron")


def test_a_paragraph_that_goes_on_overleaf_belongs_to_the_page_it_begins_on() -> None:
    (draft,) = drafts(pdfs.pdf([HERON[:2], HERON[2:]]))
    assert (draft.text, draft.address) == (" ".join(HERON), "notes/river.pdf, page 1")


def test_running_heads_and_page_numbers_are_left_out() -> None:
    pages = [
        Page(number, (("THE RIVER" if number % 2 else f"ADA FINCH   {number}"), *lines, f"- {number} -"))
        for number, lines in enumerate([HERON, BRIDGE, LANTERN, GLOVE], start=1)
    ]
    found = list(paragraphs(pages, "river.pdf"))
    assert [paragraph.lines[0] for paragraph in found] == [" ".join(lines) for lines in (HERON, BRIDGE, LANTERN, GLOVE)]
    assert [paragraph.address for paragraph in found] == [f"river.pdf, page {number}" for number in (1, 2, 3, 4)]


def test_broken_words_ligatures_headings_and_lists() -> None:
    lines = (
        "1. The bower",
        "",
        "The male builds an avenue of twigs and sets out blue ob-",
        "jects before it: \ufb02owers, straws and bottle caps, and the",
        "pegs of clothes lines.",
        "It steals from its neighbours:",
        "\u2022 feathers of parrots",
        "\u2022 straws",
    )
    found = [(paragraph.lines[0], paragraph.is_item) for paragraph in paragraphs([Page(1, lines)], "a.pdf")]
    assert found == [
        ("The bower", True),
        (
            "The male builds an avenue of twigs and sets out blue objects before it: flowers, straws and bottle caps, "
            "and the pegs of clothes lines.",
            False,
        ),
        ("It steals from its neighbours:", False),
        ("feathers of parrots", True),
        ("straws", True),
    ]


@settings(deadline=None)
@given(pages=st.lists(st.lists(st.text("ab .:•-1\n", max_size=60), max_size=12), max_size=6))
def test_any_pages_keep_their_letters_but_for_repeated_edges(pages: list[list[str]]) -> None:
    """Lines that no page near them repeats are all found again; nothing is found that was not there."""
    numbered = [
        Page(number, tuple(f"{'pqrstu'[number]}{index}x{line}" for index, line in enumerate(lines)))
        for number, lines in enumerate(pages)
    ]
    letters = "".join("".join(paragraph.lines) for paragraph in paragraphs(numbered, "a.pdf"))
    for page in numbered:
        inner = [line for line in page.lines[2:-2] if line.strip()]
        assert all(line[:3] in letters for line in inner)


def test_encrypted_files_are_refused_unless_the_password_is_empty() -> None:
    writer = pdfs.writer_of([HERON])
    writer.encrypt("secret", algorithm="RC4-128")
    assert refusal(pdfs.written(writer)) == "is encrypted: save a copy without a password"
    writer = pdfs.writer_of([HERON])
    writer.encrypt("", owner_password="secret", algorithm="RC4-128")
    assert drafts(pdfs.written(writer))[0].text == " ".join(HERON)


def test_pages_without_text_are_refused_as_scans() -> None:
    assert "text recognition" in refusal(pdfs.pdf([(), ()]))


@pytest.mark.parametrize("cut", [0.05, 0.3, 0.6, 0.9])
def test_broken_files_give_what_they_have_or_one_refusal(cut: float) -> None:
    data = pdfs.pdf([HERON, BRIDGE] * 5, ABOUT)
    found, refusals, message = taken(data[: int(cut * len(data))], "river.pdf")
    assert_well_formed(found, refusals, message)
    assert found or message


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_damage(data: st.DataObject) -> None:
    whole = bytearray(pdfs.pdf([HERON, BRIDGE], ABOUT))
    for _ in range(data.draw(st.integers(1, 12))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    assert_well_formed(*taken(bytes(whole), "river.pdf"))


def test_a_page_that_cannot_be_read_is_refused_by_number_and_the_rest_goes_in() -> None:
    writer = pdfs.writer_of([HERON, (), BRIDGE])
    bomb = DecodedStreamObject()
    bomb.set_data(zlib.compress(b"BT " * 20_000_000))
    bomb[NameObject("/Filter")] = NameObject("/FlateDecode")
    writer.pages[1][NameObject("/Contents")] = writer._add_object(bomb)
    found, refusals, message = taken(pdfs.written(writer), "river.pdf")
    assert [draft.address for draft in found] == ["river.pdf, page 1", "river.pdf, page 3"]
    assert refusals == [Refusal("page 2", "unpacks to more than a page of text ever needs")]
    assert message == ""


def test_forms_within_forms_within_forms_end() -> None:
    """Ten forms that each draw the next one ten times: ten thousand million drawings, if one let them."""
    writer = pdfs.writer_of([HERON])
    inner = None
    for _ in range(10):
        form = DecodedStreamObject()
        form.set_data(b"/X Do " * 10)
        form.update({NameObject("/Type"): NameObject("/XObject"), NameObject("/Subtype"): NameObject("/Form")})
        if inner is not None:
            form[NameObject("/Resources")] = _drawing(inner)
        inner = writer._add_object(form)
    page = writer.pages[0]
    page[NameObject("/Resources")] = _drawing(inner)
    pdfs.draw(writer, page, b"/X Do")
    assert "holds no text" in refusal(pdfs.written(writer))


def _drawing(form: object) -> DictionaryObject:
    return DictionaryObject({NameObject("/XObject"): DictionaryObject({NameObject("/X"): form})})


def test_a_page_of_too_many_characters_is_cut_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PAGE_CHARACTERS", 160)
    found, refusals, _ = taken(pdfs.pdf([(*HERON, *BRIDGE)]), "river.pdf")
    assert sum(len(draft.text) for draft in found) <= 160
    assert refusals == [Refusal("page 1", "holds more than 160 characters: the rest is left out")]


def test_a_document_of_too_many_pages_ends_with_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "PAGES", 2)
    found, _, message = taken(pdfs.pdf([HERON, BRIDGE, HERON, BRIDGE]), "river.pdf")
    assert len(found) == 2
    assert message == "has more than 2 pages: the rest was not read, split it"


def test_a_page_of_too_many_steps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_OPERATIONS", 15)
    found, refusals, _ = taken(pdfs.pdf([HERON, HERON * 4]), "river.pdf")
    assert [draft.text for draft in found] == [" ".join(HERON)]
    assert [refusal.where for refusal in refusals] == ["page 2"]


def test_a_document_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_DOCUMENT_SECONDS", -1)
    assert "took longer than" in refusal(pdfs.pdf([HERON]))


def test_the_parser_says_nothing_on_its_own(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = pdfs.pdf([HERON], ABOUT)
    with caplog.at_level(logging.DEBUG):
        taken(data[: len(data) // 2] + data[len(data) // 2 + 9 :], "river.pdf")
        taken(b"%PDF-1.7\nxref\n0 1\ntrailer << /Root 9 0 R >>\nstartxref\n9\n%%EOF", "river.pdf")
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")
