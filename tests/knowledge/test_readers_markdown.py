"""Markdown: headings, front matter, what is left out, and links."""

from __future__ import annotations

import io

import pytest

from knowledge.errors import ReadError
from knowledge.readers import Refusal, markdown, read
from knowledge.types import Draft, Kind

HERON = "A heron stands in the mill race every morning at six and leaves when the first lorry passes the gate."
BRIDGE = "The rope bridge at Q'eswachaka is woven anew from grass each June, and the old one is cut into the river."


def items(text: str) -> list[Draft | Refusal]:
    return list(read(io.BytesIO(text.encode()), "notes.md"))


def drafts(text: str) -> list[Draft]:
    found = items(text)
    assert not any(isinstance(item, Refusal) for item in found)
    return [item for item in found if isinstance(item, Draft)]


def test_headings_give_nested_titles() -> None:
    found = drafts(
        f"# Field notes\n\n## Birds\n\n{HERON}\n\n## Bridges\n\n{BRIDGE}\n\n{HERON[:-1]}, too.\n\n# End\n{HERON} So."
    )
    assert [(draft.title, draft.text) for draft in found] == [
        ("Field notes › Birds", HERON),
        ("Field notes › Bridges: The rope bridge at Q'eswachaka is woven anew from grass…", BRIDGE),
        ("Field notes › Bridges: A heron stands in the mill race every morning at six and…", f"{HERON[:-1]}, too."),
        ("End", f"{HERON} So."),
    ]


def test_a_long_path_of_headings_keeps_its_end() -> None:
    path = "\n".join(f"{'#' * level} {'Heading number ' * 3}{level}" for level in range(1, 7))
    assert drafts(f"{path}\n\n{HERON}")[0].title.endswith("Heading number Heading number Heading number 6")


def test_front_matter_describes_every_snippet() -> None:
    front = (
        "---\ntitle: Field notes\nauthor: [Ada Finch, Bo Wren]\ndate: 2024-03\ntags: [Birds, rivers]\n"
        "source: https://a.example/notes\nlicense: CC0\ntype: practice\nextra: {deep: [1, 2]}\n---\n"
    )
    assert drafts(f"{front}# Field notes\n\n{HERON}\n") == [
        Draft(
            title="Field notes",
            text=HERON,
            kind=Kind.PRACTICE,
            topics=("birds", "rivers"),
            date="2024-03",
            author="Ada Finch, Bo Wren",
            address="https://a.example/notes",
            licence="CC0",
        )
    ]


@pytest.mark.parametrize(
    ("written", "date"), [("2024-03-09", "2024-03-09"), ("1957", "1957"), ("9 March 2024", "2024-03-09")]
)
def test_dates_of_front_matter_keep_their_precision(written: str, date: str) -> None:
    assert drafts(f"---\ndate: {written}\n---\n{HERON}")[0].date == date


def test_broken_front_matter_is_refused_and_the_rest_goes_in() -> None:
    refusal, draft = items(f"---\ntitle: [never closed\n---\n\n{HERON}")
    assert refusal == Refusal("front matter", "is not valid YAML: what it says of the document is left out")
    assert isinstance(draft, Draft)
    assert draft.text == HERON


def test_a_rule_at_the_top_is_no_front_matter() -> None:
    assert [draft.text for draft in drafts(f"---\n\n{HERON}\n\n---\n\n{BRIDGE}")] == [HERON, BRIDGE]


def test_code_html_and_comments_are_left_out() -> None:
    text = (
        f"{HERON}\n\n```python\nsecret = 'fenced'\n```\n\n    indented\n\n<!-- comment\n\nof two paragraphs -->\n\n"
        f"<div>html</div>\n\n{BRIDGE[:-1]} <!-- inline --><b>today</b>.\n"
    )
    assert [draft.text for draft in drafts(text)] == [HERON, f"{BRIDGE[:-1]} today."]


def test_marks_are_dropped_and_words_kept() -> None:
    text = "The *male* **satin** ~~bird~~ `bower` [[Birds|bird]] sees[^1] &lt;cats&gt;\\*,  \nfacing ![a](b.png) south."
    assert drafts(text)[0].text == "The male satin bird bower bird sees <cats>*, facing south."


def test_task_boxes_callouts_and_embeds_are_dropped() -> None:
    text = f"- [ ] {HERON}\n- [x] {BRIDGE}\n\n> [!note] {HERON[:-1]}, they say.\n\n![[heron.png]]\n"
    assert [draft.text for draft in drafts(text)] == [HERON, BRIDGE, f"{HERON[:-1]}, they say."]


def test_a_paragraph_has_the_address_of_its_only_link() -> None:
    one, two, none, own = drafts(
        f"[A heron](https://a.example/heron){HERON[7:]}\n\n{BRIDGE} <https://a.example/bridge>\n\n"
        f"{HERON} [See](https://a.example/1) or [see](https://a.example/2).\n\n[{BRIDGE}](other.md)\n"
    )
    assert (one.text, one.address) == (HERON, "https://a.example/heron")
    assert (two.text, two.address) == (BRIDGE, "https://a.example/bridge")
    assert (none.address, own.address) == (None, None)


def test_list_items_and_table_rows_are_units() -> None:
    text = (
        f"- {HERON}\n- {BRIDGE}\n\n| Bird | Habit |\n|---|---|\n| Heron | {HERON} |\n| Satin bowerbird | {BRIDGE} |\n"
    )
    assert [draft.text for draft in drafts(text)] == [HERON, BRIDGE, f"Heron — {HERON}", f"Satin bowerbird — {BRIDGE}"]


def test_line_ends_of_other_systems() -> None:
    assert [draft.title for draft in drafts(f"---\r\ntitle: Notes\r\n---\r\n# Birds\r\n\r\n{HERON}\r\n")] == [
        "Notes › Birds"
    ]


def test_a_document_too_large_to_parse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "DOCUMENT_BYTES", 1000)
    with pytest.raises(ReadError, match="too large for Markdown"):
        items(f"{HERON}\n\n" * 20)
