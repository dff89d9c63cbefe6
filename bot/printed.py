"""What a terminal shows, as rich renderables: pure functions of sparks, ideas and reports.

Everything foreign becomes `Text`, never markup, and passes `quoted`, so that no snippet can colour, move or hide what
stands around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot import chart
from bot.ideation.choices import Learned
from bot.ideation.events import Finished
from bot.ideation.journal import Entry
from bot.ideation.prompts import quoted
from bot.ideation.shelf import Shelved
from bot.ideation.sources import Fetch
from bot.ideation.studio import Replay
from bot.ideation.types import Critique, Idea, Move
from knowledge.ingest import Report
from knowledge.sources.ledger import Health
from knowledge.trends import Direction, Outlook, Trend
from knowledge.types import Hit

MOST_REFUSALS = 20


def indented(text: Text) -> Padding:
    """A text set in by four columns."""
    return Padding(text, (0, 0, 0, 4), expand=False)


def spark_line(hit: Hit) -> Text:
    """A spark's title and address, for under an idea."""
    line = Text("spark  ", style="dim").append(quoted(hit.snippet.title), style="italic")
    if hit.snippet.address:
        line.append(f"  {quoted(hit.snippet.address)}", style="dim")
    return line


def sparks(hits: Sequence[Hit], heading: str = "Sparks") -> RenderableType:
    """Sparks in full: title, text, where from, why."""
    if not hits:
        return Text("The library has nothing on that.", style="dim")
    parts: list[RenderableType] = [Text(heading, style="bold yellow")]
    for number, hit in enumerate(hits, start=1):
        title = Text(f"{number:>2}  ").append(quoted(hit.snippet.title), style="bold")
        title.append(f"  {hit.band}: {hit.why}", style="dim")
        parts += [title, indented(Text(quoted(hit.snippet.text)))]
        if hit.snippet.address:
            parts.append(indented(Text(quoted(hit.snippet.address), style="dim")))
    return Group(*parts)


def spark_titles(hits: Sequence[Hit]) -> RenderableType:
    """Sparks in one paragraph, for while the ideas are being written."""
    titles = Text(" · ").join(Text(quoted(hit.snippet.title), style="italic") for hit in hits)
    return Text("Sparks  ", style="yellow").append_text(titles)


def idea(number: int, one: Idea) -> RenderableType:
    """An idea as a card: number, title, idea, first step, technique and sparks."""
    how = {Move.BRAINSTORM: str(one.technique), Move.TWIST: f"twist: {one.how}", Move.REMIX: "remix"}[one.move]
    title = (
        Text(f"{number:>2}  ", style="bold cyan")
        .append(quoted(one.title), style="bold")
        .append(f"  {quoted(how)}", style="dim")
    )
    parts: list[RenderableType] = [title, indented(Text(quoted(one.body)))]
    parts.append(indented(Text("first  ", style="dim").append(quoted(one.first_step), style="not dim")))
    parts += [indented(spark_line(hit)) for hit in one.sparks]
    if not one.provenance.grounded:
        parts.append(indented(Text("no spark: it does not really use what it was given", style="dim yellow")))
    return Group(*parts)


def finished(event: Finished, wanted: int) -> RenderableType:
    """The line under a set of ideas."""
    line = f"{len(event.ideas)} ideas in {event.seconds.total:.1f} s from {event.written} candidates; "
    line += "machine-made, yours to change."
    if len(event.ideas) < wanted:
        line += f" {wanted - len(event.ideas)} fewer than asked for: the rest was not good enough to show."
    return Text(line, style="dim")


def why(entry: Entry) -> RenderableType:
    """How an idea was made, and the sparks behind it."""
    one, made = entry.idea, entry.idea.provenance
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    rows = [
        ("brief", entry.brief.line),
        ("idea", f"{one.title} ({one.id})"),
        (
            "how",
            f"{one.move}"
            + (f", {one.how}" if one.how else "")
            + (f", from {', '.join(one.parents)}" if one.parents else ""),
        ),
        ("technique", str(one.technique)),
        ("model", made.model),
        ("sampling", f"seed {made.seed}, temperature {made.temperature}"),
        ("prompt", f"SHA-256 {made.prompt_hash[:16]}…"),
        ("made", f"{made.created_at}, after {made.seconds:.1f} s"),
        ("kept by", ", ".join(entry.kept_by) or "nobody yet"),
    ]
    for name, value in rows:
        table.add_row(name, Text(quoted(value)))
    parts: list[RenderableType] = [table]
    if not made.grounded:
        parts.append(Text("No spark: the idea shares too little with what it was given.", style="yellow"))
    for hit in one.sparks:
        parts += [
            spark_line(hit),
            indented(Text(quoted(hit.snippet.text))),
            indented(Text(f"{hit.band} to the brief (similarity {hit.similarity:.2f}): {hit.why}", style="dim")),
        ]
    return Group(*parts)


def replay(found: Replay) -> RenderableType:
    """Whether an idea came out the same when it was made again."""
    told = Text("the same  " if found.same else "not the same  ", style="green" if found.same else "yellow")
    told.append(found.reason, style="default")
    if found.same or not found.body:
        return told
    return Group(told, indented(Text(quoted(f"{found.title}. {found.body}"), style="dim")))


def ingest_report(report: Report) -> RenderableType:
    """What an ingest did: a line in all, then what was refused and why."""
    counts = f"{report.read} read, {report.added} added, {report.unchanged} unchanged, {report.removed} removed"
    files = f"{len(report.files)} file{'' if len(report.files) == 1 else 's'}"
    line = f"{files}: {counts}, {len(report.refused)} refused"
    line += f"; {len(report.listed)} feeds to follow" if report.listed else ""
    parts: list[RenderableType] = [
        Text(line + (f"; {report.skipped} other files passed over" if report.skipped else ""))
    ]
    shown = report.refused[:MOST_REFUSALS]
    parts += [Text(f"  refused  {quoted(str(refused))}", style="yellow") for refused in shown]
    if len(report.refused) > len(shown):
        parts.append(Text(f"  and {len(report.refused) - len(shown)} more", style="yellow"))
    return Group(*parts)


def fetch(one: Fetch) -> RenderableType:
    """What became of one address."""
    line = Text(quoted(one.source.title), style="bold").append(f"  {quoted(one.address)}", style="dim")
    if one.error:
        return Group(line, indented(Text(f"failed: it {quoted(one.error)}", style="yellow")))
    kept = one.kept
    counts = f"{kept.added} added, {kept.joined} said before, {kept.unchanged} unchanged, {kept.removed} removed"
    parts: list[RenderableType] = [line, indented(Text(counts if one.changed else "nothing new"))]
    parts += [indented(Text(f"refused  {quoted(refused)}", style="yellow")) for refused in one.refused[:MOST_REFUSALS]]
    if one.follows:
        parts.append(indented(Text(f"has a feed: kindling ingest {quoted(one.follows)}", style="dim")))
    return Group(*parts)


def sources(shelved: Sequence[Shelved], health: Sequence[Health], now: datetime) -> RenderableType:
    """What a library holds, newest first, and how what comes from the web is doing."""
    if not shelved:
        return Text("Nothing was added yet: kindling ingest takes files, folders and addresses.", style="dim")
    states = {one.source.id: one for one in health}
    table = Table("number", "source", "snippets", "fetched", "new", "state", box=None, pad_edge=False)
    for one in shelved:
        state = states.get(one.source.id)
        name = Text(quoted(one.source.title))
        if state is None:
            table.add_row(str(one.source.id), name, f"{one.snippets:,}", "", "", Text(one.source.kind, style="dim"))
            continue
        name.append(f"  {quoted(one.source.address)}", style="dim")
        fetched = _ago(state.fetched_at, now) if state.fetched_at else "never"
        new = f"{state.added}" + (f", {state.joined} said before" if state.joined else "")
        how = Text("well" if state.fetched_at else "waits to be fetched", style="green")
        if state.failures:
            again = f"next try {_ago(state.due_at, now)}" if state.due_at else "not tried again"
            how = Text(f"failed {state.failures}x: it {quoted(state.error or '')}; {again}", style="yellow")
        table.add_row(str(one.source.id), name, f"{one.snippets:,}", fetched, new, how)
    return table


def _ago(moment: str, now: datetime) -> str:
    """A moment as people say it: "3 h ago", "in 20 min"."""
    seconds = (datetime.fromisoformat(moment) - now).total_seconds()
    size, unit = next(
        ((size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")) if abs(seconds) >= size), (1, "s")
    )
    told = f"{abs(round(seconds / size))} {unit}"
    return f"in {told}" if seconds > 0 else f"{told} ago"


def critique(one: Critique) -> RenderableType:
    """Strength, risk, question."""
    return Group(
        Text("strength  ", style="green").append(quoted(one.strength), style="not green"),
        Text("risk      ", style="red").append(quoted(one.risk), style="default"),
        Text("question  ", style="cyan").append(quoted(one.question), style="default"),
    )


def learned(one: Learned) -> RenderableType:
    """What one's choices say of one's taste."""
    if not one.choices:
        return Text("Nothing yet: save and duel are what I learn from.", style="dim")
    lines = [Text(f"From {one.choices} {'choice' if one.choices == 1 else 'choices'}.")]
    if one.towards:
        lines.append(Text("leans towards    ", style="green").append(quoted(", ".join(one.towards)), style="default"))
    if one.away:
        lines.append(Text("leans away from  ", style="red").append(quoted(", ".join(one.away)), style="default"))
    counts = "It counts; taste off ends that." if one.learns else "It does not count; taste on lets it."
    return Group(*lines, Text(counts, style="dim"))


def outline(steps: Sequence[str]) -> RenderableType:
    """Numbered steps."""
    return Group(*(Text(f"{number:>2}  {quoted(step)}") for number, step in enumerate(steps, start=1)))


def outlook(one: Outlook) -> RenderableType:
    """What rises and fades, each theme with three snippets of it."""
    parts: list[RenderableType] = []
    colours = {Direction.NEW: "bold yellow", Direction.RISING: "bold red", Direction.FADING: "bold blue"}
    for direction, heading in ((Direction.NEW, "New"), (Direction.RISING, "Rising"), (Direction.FADING, "Fading")):
        if trends := one.going(direction):
            parts.append(Text(heading, style=colours[direction]))
            parts += [line for trend in trends for line in _trend(trend)]
    return Group(*parts, Text(chart.about(one), style="dim"))


def _trend(trend: Trend) -> list[RenderableType]:
    title = Text("  ").append(quoted(trend.name), style="bold").append(f"  {chart.change(trend)}")
    title.append(f"  {trend.lately:.0f} lately, {trend.before:.0f} before", style="dim")
    lines: list[RenderableType] = [title]
    for snippet in trend.examples:
        told = Text(f"{snippet.date or ''}  ", style="dim").append(quoted(snippet.title), style="italic")
        lines.append(indented(told.append(f"  {quoted(snippet.address)}" if snippet.address else "")))
    return lines
