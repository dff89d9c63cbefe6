"""Lists and reports: ideas, the library, what an ingest did, a critique. Pure: values in, pages out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.ideation.journal import Entry
from bot.ideation.shelf import CHANNEL, MESSAGE, Shelved
from bot.ideation.sources import Fetch
from bot.ideation.types import Critique
from bot.ui.board import made_by
from bot.ui.layout import MOST_TEXT, Page, page, weight
from bot.ui.marks import link, plain
from knowledge.ingest import Report
from knowledge.sources.harvest import FEED, PAGE
from knowledge.sources.ledger import Health

IDEAS_A_PAGE = 12
SOURCES_SHOWN = 20
REFUSALS_SHOWN = 5


def ideas_page(heading: str, entries: Sequence[Entry], number: int) -> Page:
    """Page `number` (from 1) of these ideas; `entries` reach from the first to at least one beyond that page."""
    first = (number - 1) * IDEAS_A_PAGE
    shown = entries[first : first + IDEAS_A_PAGE]
    lines = [f"## {plain(heading, 150)}"]
    if not shown:
        lines.append("There are none yet: /brainstorm makes some." if number == 1 else "There are no more than that.")
    lines += [f"{place}. {_line(entry)}" for place, entry in enumerate(shown, start=first + 1)]
    more = f"more with page:{number + 1} · " if len(entries) > first + IDEAS_A_PAGE else ""
    return page(_fitting([*lines, f"-# {more}/ideas show opens one with its buttons"]))


def critique_page(title: str, critique: Critique) -> Page:
    """A strength, a risk and a question."""
    return page(
        "\n".join(
            [
                f"### {plain(title, 100)}",
                f"**Holds it up:** {plain(critique.strength, 500)}",
                f"**Could sink it:** {plain(critique.risk, 500)}",
                f"**Asks you:** {plain(critique.question, 500)}",
                "-# machine-made critique",
            ]
        )
    )


def report_text(report: Report) -> str:
    """What became of the files that somebody added, and what could not be read of them."""
    lines = []
    for file in report.files:
        told = [f"{file.added} {'snippet' if file.added == 1 else 'snippets'} added"]
        told += [f"{file.unchanged} were there already"] if file.unchanged else []
        told += [f"{file.removed} no longer in the file were removed"] if file.removed else []
        lines.append(f"**{plain(file.name, 100)}**: {', '.join(told)}.")
    refused = report.refused
    lines += [f"- not read: {plain(str(one), 200)}" for one in refused[:REFUSALS_SHOWN]]
    if len(refused) > REFUSALS_SHOWN:
        lines.append(f"- and {len(refused) - REFUSALS_SHOWN} more parts that could not be read")
    return "\n".join(lines)


def fetches_text(fetches: Sequence[Fetch]) -> str:
    """What became of an address that somebody added: a page, a feed, or a list of feeds."""
    if not fetches:
        return "Those feeds are followed already: /library list shows how they are doing."
    if fetches[0].waiting:
        feeds = "a feed" if len(fetches) == 1 else f"{len(fetches)} feeds"
        return f"Following {feeds} from now on; what they bring comes in over the next minutes: /library list shows it."
    lines = []
    for one in fetches:
        kept, source = one.kept, one.source
        told = [f"{kept.added} {'snippet' if kept.added == 1 else 'snippets'} added"]
        told += [f"{kept.removed} that changed or went were removed"] if kept.removed else []
        there = kept.joined + kept.unchanged
        told += [f"{there} {'entry was' if there == 1 else 'entries were'} there already"] if there else []
        follows = "Following " if source.kind == FEED else ""
        lines.append(f"{follows}**{link(source.title, source.address)}**: {', '.join(told)}.")
        lines += [f"- not read: {plain(line, 200)}" for line in one.refused[:REFUSALS_SHOWN]]
        if one.follows:
            lines.append(f"-# The page has a feed: /library add address:{plain(one.follows, 200)} follows it.")
    return "\n".join(lines)


def library_page(shelved: Sequence[Shelved], own: int, starter: int, health: Sequence[Health] = ()) -> Page:
    """What stands on a space's shelf, newest first, and how what comes from the web is doing."""
    lines = ["## Library", f"{own:,} snippets of your own, beside the {starter:,} that Kindling comes with."]
    states = {one.source.id: _state(one) for one in health}
    for one in shelved[:SOURCES_SHOWN]:
        source = one.source
        address = source.address if source.kind in (MESSAGE, CHANNEL, FEED, PAGE) else None
        about = (
            "a message"
            if source.kind == MESSAGE
            else f"{one.snippets:,} {'snippet' if one.snippets == 1 else 'snippets'}"
        )
        state = states.get(source.id) or source.added_at[:10]
        lines.append(f"- {link(source.title, address)} · {about} · {state}")
    if len(shelved) > SOURCES_SHOWN:
        lines.append(f"- and {len(shelved) - SOURCES_SHOWN} older ones")
    return page(_fitting([*lines, "-# /library add brings more, /library remove takes one away"]))


def _state(one: Health) -> str:
    """How a source on the web is doing. Discord shows the times in each reader's own zone."""
    told = []
    if one.source.kind == FEED and one.fetched_at is None and not one.failures:
        told.append("waits to be fetched")
    if one.fetched_at is not None:
        told.append(f"fetched {_ago(one.fetched_at)}")
    if one.source.kind == FEED and one.fetched_at is not None:
        told.append(f"{one.added} new" + (f", {one.joined} said before" if one.joined else ""))
    if one.failures:
        again = f"next try {_ago(one.due_at)}" if one.due_at else "not tried again"
        times = "" if one.failures == 1 else f" {one.failures} times"
        told.append(f"**failed{times}**: {plain(one.error or '', 120)}; {again}")
    return " · ".join(told)


def _ago(moment: str) -> str:
    return f"<t:{int(datetime.fromisoformat(moment).timestamp())}:R>"


def _line(entry: Entry) -> str:
    marks = [plain(made_by(entry.idea), 40)]
    marks += [f"kept {len(entry.kept_by)}"] if entry.kept_by else []
    marks += [f"votes {entry.votes_for}"] if entry.votes_for else []
    return f"**{plain(entry.idea.title, 80)}** · {' · '.join(marks)}\n-# {plain(entry.brief.text, 80)}"


def _fitting(lines: Sequence[str]) -> str:
    """The lines as one text; of more than Discord takes, the last ones before the foot are left out."""
    *body, foot = lines
    while weight("\n".join([*body, foot])) > MOST_TEXT:
        body.pop()
    return "\n".join([*body, foot])
