"""CSV and JSON Lines: names of fields, odd shapes, and what one broken record costs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import knowledge
from knowledge.errors import ReadError
from knowledge.readers import Refusal, read
from knowledge.readers.fields import address_of, iso_date, topics_of
from knowledge.types import Draft, Kind

STARTER = Path(knowledge.__file__).parent / "starter" / "snippets.jsonl"


def items(text: str, name: str) -> list[Draft | Refusal]:
    return list(read(io.BytesIO(text.encode("utf-8", "surrogatepass")), name))


def texts_and_places(text: str, name: str) -> list[str]:
    """The texts of drafts and the places of refusals, in order."""
    return [item.text if isinstance(item, Draft) else item.where for item in items(text, name)]


# Fields


@pytest.mark.parametrize(
    ("written", "date"),
    [
        ("1957", "1957"),
        ("793", "0793"),
        ("1957.0", "1957"),
        ("2024-03", "2024-03"),
        ("2024-3-9", "2024-03-09"),
        ("2024-03-09T17:05:00Z", "2024-03-09"),
        ("2024/03/09", "2024-03-09"),
        ("9 March 2024", "2024-03-09"),
        ("March 9, 2024", "2024-03-09"),
        ("Mar 2024", "2024-03"),
        ("03/09/2024", "2024"),
        ("c. 1650", "1650"),
        ("2024-13-40", "2024"),
        ("2024-02-30", "2024"),
        ("0", None),
        ("0000-01-01", None),
        ("1700000000", None),
        ("٢٠٢٤", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates(written: str, date: str | None) -> None:
    assert iso_date(written) == date


@given(written=st.text("0123456789-/. JanMrchuy,", max_size=30))
def test_any_date_is_iso_or_nothing(written: str) -> None:
    found = iso_date(written)
    assert found is None or [len(part) for part in found.split("-")] in ([4], [4, 2], [4, 2, 2])


def test_topics() -> None:
    assert topics_of("Birds, #colour; light | birds\n[Sea]") == ("birds", "colour", "light", "sea")
    assert len(topics_of(",".join(map(str, range(100))))) == 12


def test_half_an_address_is_none() -> None:
    assert address_of(" https://a.example/\x00heron ") == "https://a.example/heron"
    assert address_of("https://a.example/" + "x" * 600) is None


# CSV


def test_columns_are_known_by_many_names() -> None:
    rows = (
        "Highlight,Book Title,Book Author,Tags,Highlighted at,URL,License,Type\n"
        '"Bowers face south, mostly.",The Bower,Ada Finch,"birds, light",2024-03-09 10:00:00,https://a.example,CC0,Practice\n'
    )
    assert items(rows, "readwise.csv") == [
        Draft(
            title="The Bower",
            text="Bowers face south, mostly.",
            kind=Kind.PRACTICE,
            topics=("birds", "light"),
            date="2024-03-09",
            author="Ada Finch",
            address="https://a.example",
            licence="CC0",
        )
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff", "sep=?\n", "\n\n"])
def test_delimiters_marks_and_empty_lines(delimiter: str, mark: str) -> None:
    start = mark.replace("?", delimiter)
    assert texts_and_places(f"{start}title{delimiter}note\nHeron{delimiter}It stands.\n", "a.csv") == ["It stands."]


def test_one_column_is_enough() -> None:
    assert texts_and_places('note\nIt stands.\n"It waits, too."\n', "a.csv") == ["It stands.", "It waits, too."]


def test_no_column_of_text_is_one_refusal_that_says_what_was_looked_for() -> None:
    with pytest.raises(ReadError, match=r"looked for text, highlight.* and found id, colour, size"):
        items("id,colour,size\n1,blue,small\n", "a.csv")


def test_the_best_name_with_something_in_it_is_the_text() -> None:
    rows = "note,highlight\nmy remark,the passage itself\nonly a remark,\n"
    assert texts_and_places(rows, "a.csv") == ["the passage itself", "only a remark"]


def test_ragged_rows() -> None:
    rows = "title,text\nHeron\nHeron,It stands.,,\nHeron,It stands, and waits.\nHeron,It leaves.\n,\n"
    found = items(rows, "a.csv")
    assert [item.text if isinstance(item, Draft) else item for item in found] == [
        Refusal(
            "line 2",
            "has no text: Kindling looked for text, highlight, quote, quotation, description, note and the like",
        ),
        "It stands.",
        Refusal("line 4", "has 3 fields where the header has 2: is a quote missing?"),
        "It leaves.",
    ]


def test_a_quote_that_is_never_closed_costs_its_own_line() -> None:
    rows = 'text,title\nIt stands.,a\n"It waits.,b\nIt leaves.,c\n"It comes\nback.",d\n'
    assert texts_and_places(rows, "a.csv") == ["It stands.", "line 3", "It leaves.", "It comes back."]
    rows = 'text,title\nIt stands.,a\nIt leaves.,c\n"It waits.,b\nIt comes.,d'
    assert texts_and_places(rows, "a.csv") == ["It stands.", "It leaves.", "line 4", "It comes."]


def test_words_after_a_closing_quote_cost_their_line() -> None:
    rows = 'text\n"It" stands.\nIt "waits" here.\n"It ""leaves"" now."\n'
    assert texts_and_places(rows, "a.csv") == ["line 2", 'It "waits" here.', 'It "leaves" now.']


def test_nul_bytes_and_huge_fields() -> None:
    rows = "text\nIt \0stands.\n" + "x" * 140_000 + '\n"' + ("y" * 999 + "\n") * 140 + '"\nIt leaves.\n'
    found = texts_and_places(rows, "a.csv")
    assert found[:3] == ["It stands.", "line 3", "line 4"]
    assert found[-1] == "It leaves."


def test_long_texts_become_passages_that_share_what_is_said_of_them() -> None:
    sentence = "The bower faced south and the blue caps lay to its left. "
    found = [
        item for item in items(f"title,text,year\nThe Bower,{sentence * 40},1957\n", "a.csv") if isinstance(item, Draft)
    ]
    assert len(found) > 3
    assert " ".join(draft.text for draft in found) == (sentence * 40).strip()
    assert {draft.date for draft in found} == {"1957"}
    assert all(draft.title.startswith("The Bower: The bower faced") for draft in found)


CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), max_size=60)


@settings(deadline=None)
@given(rows=st.lists(st.tuples(CELLS, CELLS), max_size=10), delimiter=st.sampled_from(",;\t|"))
def test_what_a_spreadsheet_writes_is_read_back(rows: list[tuple[str, str]], delimiter: str) -> None:
    sheet = io.StringIO()
    writer = csv.writer(sheet, delimiter=delimiter)
    writer.writerow(["title", "text"])
    writer.writerows((title, f"Words {text}") for title, text in rows)
    found = texts_and_places(sheet.getvalue() + "\n", "a.csv") if rows else []
    assert len(found) == len(rows)
    assert all("Words" in text for text in found if not text.startswith("line"))


# JSON Lines


def test_the_starter_collection_is_read_without_a_refusal() -> None:
    with STARTER.open("rb") as stream:
        found = list(read(stream, STARTER.name))
    records = [json.loads(line) for line in STARTER.read_text("utf-8").splitlines()]
    assert len(found) == len(records)
    for draft, record in zip(found, records, strict=True):
        assert isinstance(draft, Draft)
        assert (draft.title, draft.text, draft.kind.value, list(draft.topics), draft.address) == (
            record["title"],
            record["text"],
            record["kind"],
            record["topics"],
            record["source"],
        )
        assert draft.date == (None if record["year"] is None else f"{record['year']:04}")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"text": "cut', "is not valid JSON: Unterminated string"),
        ("[" * 100_000, "is nested too deeply"),
        ('{"text": ' + "9" * 5000 + "}", "holds a number of too many digits"),
        ("[1, 2]", "is not an object"),
        ("null", "is not an object"),
        ('{"text": ["a", {"b": 1}], "title": "x"}', "has no words in its text"),
        ('{"text": {"a": "b"}}', "has no text"),
        ('{"title": "only"}', "has no text"),
        ('{"text": "— 12 —"}', "has no words"),
        ('"' + "word " * 200_001 + '"', "is longer than 1,000,000 characters"),
    ],
    ids=range(10),
)
def test_a_broken_line_is_refused_by_number_and_the_rest_goes_in(line: str, why: str) -> None:
    first, refusal, last = items(f'{{"text": "It stands."}}\n\n{line}\n{{"text": "It leaves."}}\n', "a.jsonl")
    assert isinstance(first, Draft)
    assert isinstance(last, Draft)
    assert isinstance(refusal, Refusal)
    assert refusal.where == "line 3"
    assert why in refusal.why


def test_odd_values_are_taken_for_what_they_are() -> None:
    line = {
        "body": "It stands.",
        "name": 12,
        "tags": ["Birds", None, 3],
        "year": 1957.0,
        "kind": "gossip",
        "url": ["x"],
    }
    assert items(json.dumps(line), "a.jsonl") == [
        Draft(title="12", text="It stands.", topics=("birds",), date="1957", address="x")
    ]


def test_a_lone_surrogate_goes() -> None:
    assert texts_and_places('{"text": "It \\ud800stands."}', "a.jsonl") == ["It stands."]


def test_strings_are_texts() -> None:
    assert texts_and_places('"It stands."\n"It leaves."', "a.jsonl") == ["It stands.", "It leaves."]
