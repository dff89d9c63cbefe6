"""Taking ideas along: Markdown to read, CSV for tables, JSON for programs. Each says who and what made every idea."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby
from typing import Any

from bot.ideation.journal import Entry
from bot.ideation.types import Idea
from knowledge.trends import Outlook
from knowledge.types import Hit


class Format(StrEnum):
    """How an export is written."""

    MARKDOWN = "md"
    CSV = "csv"
    JSON = "json"


def spark_record(hit: Hit) -> dict[str, Any]:
    """A spark as plain values: what `--json` and exports print."""
    return {
        "id": hit.snippet.id,
        "title": hit.snippet.title,
        "text": hit.snippet.text,
        "source": hit.snippet.address,
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "distance": str(hit.band),
    }


def idea_record(idea: Idea) -> dict[str, Any]:
    """An idea as plain values: what `--json` prints."""
    return {
        "id": idea.id,
        "title": idea.title,
        "idea": idea.body,
        "first_step": idea.first_step,
        "technique": str(idea.technique),
        "grounded": idea.provenance.grounded,
        "snippets": [spark_record(hit) for hit in idea.sparks],
    }


def outlook_record(outlook: Outlook) -> dict[str, Any]:
    """What rises and fades, as plain values: what `--json` prints."""
    return {
        "topic": outlook.topic,
        "window": outlook.window.name,
        "since": outlook.since,
        "turn": outlook.turn,
        "until": outlook.until,
        "dated": outlook.dated,
        "trends": [
            {
                "name": trend.name,
                "direction": str(trend.direction),
                "score": round(trend.score, 3),
                "factor": round(trend.factor, 3),
                "lately": round(trend.lately, 2),
                "before": round(trend.before, 2),
                "course": [round(share, 4) for share in trend.course],
                "snippets": [
                    {"id": one.id, "title": one.title, "text": one.text, "date": one.date, "source": one.address}
                    for one in trend.examples
                ],
            }
            for trend in outlook.trends
        ],
    }


def exported(entries: Sequence[Entry], form: Format) -> str:
    """The entries as one text in that form."""
    match form:
        case Format.MARKDOWN:
            return _markdown(entries)
        case Format.CSV:
            return _csv(entries)
        case Format.JSON:
            return json.dumps([_record(entry) for entry in entries], ensure_ascii=False, indent=2) + "\n"


def _record(entry: Entry) -> dict[str, Any]:
    made = entry.idea.provenance
    return {
        "brief": entry.brief.text,
        **idea_record(entry.idea),
        "move": str(entry.idea.move),
        "how": entry.idea.how,
        "parents": list(entry.idea.parents),
        "kept_by": list(entry.kept_by),
        "votes": {"for": entry.votes_for, "against": entry.votes_against},
        "made": {
            "model": made.model,
            "seed": made.seed,
            "temperature": made.temperature,
            "prompt_hash": made.prompt_hash,
            "at": made.created_at,
        },
    }


def _markdown(entries: Sequence[Entry]) -> str:
    lines = ["# Ideas", "", "Machine-made by Kindling from the sparks named; chosen, changed and owned by people.", ""]
    for brief, group in groupby(entries, key=lambda entry: entry.brief.line):
        lines += [f"## {_plain(brief)}", ""]
        for entry in group:
            idea = entry.idea
            kept = " (kept)" if entry.kept_by else ""
            lines += [f"### {_plain(idea.title)}{kept}", "", _plain(idea.body), ""]
            lines += [f"First step: {_plain(idea.first_step)}", ""]
            lines += [
                f"- {'Spark' if idea.provenance.grounded else 'No spark used; shown'}: {_cited(hit)}"
                for hit in idea.sparks
            ]
            lines += [f"- {idea.technique}; {idea.provenance.model}; seed {idea.provenance.seed}; id {idea.id}", ""]
    return "\n".join(lines)


def _cited(hit: Hit) -> str:
    title = _plain(hit.snippet.title)
    address = hit.snippet.address or ""
    if re.fullmatch(r"https?://[^\s<>()\[\]]+(?:\([^\s<>()\[\]]*\)[^\s<>()\[\]]*)*", address):
        return f"[{title}](<{address}>)"
    return f"{title}, {_plain(address)}" if address else title


def _plain(text: str) -> str:
    """Foreign text with markdown's signs escaped, so that it stays in its place."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", text)


def _csv(entries: Sequence[Entry]) -> str:
    table = io.StringIO()
    columns = [
        "id",
        "brief",
        "title",
        "idea",
        "first_step",
        "technique",
        "sparks",
        "sources",
        "kept_by",
        "votes",
        "model",
        "seed",
        "at",
    ]
    writer = csv.writer(table)
    writer.writerow(columns)
    for entry in entries:
        idea, made = entry.idea, entry.idea.provenance
        values = [
            idea.id,
            entry.brief.text,
            idea.title,
            idea.body,
            idea.first_step,
            idea.technique,
            "; ".join(hit.snippet.title for hit in idea.sparks),
            " ".join(hit.snippet.address or "" for hit in idea.sparks),
            "; ".join(entry.kept_by),
            entry.votes_for - entry.votes_against,
            made.model,
            made.seed,
            made.created_at,
        ]
        writer.writerow([_cell(value) for value in values])
    return table.getvalue()


def _cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula (OWASP, CSV injection)."""
    text = str(value)
    return "'" + text if text.startswith(("=", "+", "@", "\t", "\r")) or re.match(r"-\D", text) else text
