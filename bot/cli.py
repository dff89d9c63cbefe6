"""`kindling`: parses the command line, calls the studio, prints. Nothing heavy is imported until a command needs it.

Exit codes: 0 done, 1 refused or failed (one line on standard error says why), 2 wrong usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.edge import console_of_here, settings_of_here, told, with_services
from knowledge.errors import BadInput, ReadError
from knowledge.types import Distance

if TYPE_CHECKING:
    from rich.console import Console

    from bot.ideation.events import Finished
    from bot.services import Services

app = typer.Typer(
    help="An ideation partner for writers and designers. Without a command: the bot where DISCORD_TOKEN is set, "
    "otherwise the studio in this terminal.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Count = Annotated[int | None, typer.Option("--count", "-n", help="How many.")]
Seed = Annotated[int | None, typer.Option(help="Repeat a run: the same seed, model and library give the same result.")]
Far = Annotated[Distance | None, typer.Option(help="How far sparks may lie.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, nothing else.")]


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """Run `kindling run` when no command is named."""
    if context.invoked_subcommand is None:
        run()


@app.command()
def run() -> None:
    """Start the bot when DISCORD_TOKEN is set, otherwise the studio in this terminal."""
    with told():
        settings = settings_of_here()
    if settings.discord_token is None:
        chat()
        return
    from bot.client import run_bot

    logging.getLogger("bot").setLevel(logging.INFO)  # the invite address and what the bot can't do are worth reading
    with told():
        asyncio.run(run_bot(settings))


@app.command()
def chat() -> None:
    """Open the studio in this terminal: type a brief, then work on with what comes."""

    async def converse(services: Services, console: Console) -> None:
        from bot.terminal import TerminalStudio, piped_lines, typed_lines

        studio = TerminalStudio(services, console)
        if sys.stdin is not None and sys.stdin.isatty():
            console.print("Kindling. Type a brief, or help. The ideas are machine-made sparks; you are the author.")
            await studio.converse(typed_lines(services.settings.data_dir / "history"))
        else:
            await studio.converse(piped_lines())

    with_services(converse, warm=True)


@app.command()
def brainstorm(
    brief: Annotated[str | None, typer.Argument(help="What you want ideas about.")] = None,
    count: Count = None,
    technique: Annotated[str | None, typer.Option(help="One technique for all ideas.")] = None,
    distance: Far = None,
    seed: Seed = None,
    briefs: Annotated[Path | None, typer.Option(help='A file of {"id", "brief"} lines, one answer each.')] = None,
    trend: Annotated[str, typer.Option(help="Sparks of this trend alone; `kindling trends` names them.")] = "",
    as_json: AsJson = False,
) -> None:
    """Ideas for a brief, each with its sparks."""
    from bot.ideation.brief import read_brief, read_technique

    with told():
        rows = _brief_rows(briefs) if briefs else [{"brief": brief or ""}]
        for row in rows:
            read_brief(row["brief"])
        chosen = read_technique(technique) if technique else None

    async def ideate(services: Services, console: Console) -> None:
        from bot import printed
        from bot.ideation.events import Finished, Found, Ready

        settings = services.settings
        wanted = settings.count if count is None else count
        among = await services.studio.trends.sparks("terminal", trend, chosen)
        for row in rows:
            events = services.studio.brainstorm(
                "terminal",
                row["brief"],
                count=wanted,
                technique=chosen,
                distance=distance or settings.distance,
                seed=seed,
                among=among,
            )
            shown = 0
            async for event in events:
                match event:
                    case Finished() if as_json:
                        print(json.dumps(_finished_record(row, event), ensure_ascii=False), flush=True)  # noqa: T201
                    case Found(sparks) if not as_json:
                        console.print(printed.spark_titles(sparks))
                    case Ready(idea) if not as_json:
                        shown += 1
                        console.print(printed.idea(shown, idea))
                    case Finished():
                        console.print(printed.finished(event, wanted))
                    case _:
                        pass

    with_services(ideate, quiet=as_json, warm=True)


@app.command()
def inspire(
    topic: Annotated[str, typer.Argument(help="Around what; nothing for anything.")] = "",
    count: Count = None,
    distance: Far = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Sparks only: no model is asked."""

    async def look(services: Services, console: Console) -> None:
        settings = services.settings
        hits = await services.studio.inspire(
            "terminal", topic, count=count or settings.count, distance=distance or settings.distance, seed=seed
        )
        _print_hits(console, hits, "Sparks", as_json)

    with_services(look, quiet=as_json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words, or what you mean.")],
    count: Count = None,
    as_json: AsJson = False,
) -> None:
    """The snippets nearest to a query."""

    async def look(services: Services, console: Console) -> None:
        hits = await services.studio.search("terminal", query, count=count or 10)
        _print_hits(console, hits, "Found", as_json)

    with_services(look, quiet=as_json)


@app.command()
def trends(
    topic: Annotated[str, typer.Argument(help="About what; nothing for everything.")] = "",
    window: Annotated[
        str, typer.Option(help="How long lately is: 30 days, 6 months, 2 years. Without it, as the dates allow.")
    ] = "",
    space: Annotated[str, typer.Option(help="Whose snippets: own, starter or all.")] = "all",
    picture: Annotated[Path | None, typer.Option(help="Draw it too, as a PNG in this file.")] = None,
    as_json: AsJson = False,
) -> None:
    """What rises, what fades and what is new among dated snippets."""
    from bot.ideation.brief import read_brief
    from bot.ideation.trending import Scope
    from knowledge.dates import read_window

    with told():
        try:
            scope = Scope(space.lower())
        except ValueError:
            raise BadInput(f"There is no space {space!r}: own, starter or all.") from None
        if window:
            read_window(window)
        if topic:
            read_brief(topic)

    async def look(services: Services, console: Console) -> None:
        from bot import chart, printed
        from bot.ideation.export import outlook_record

        found = await services.studio.trends.outlook("terminal", topic=topic, window=window, scope=scope)
        if as_json:
            print(json.dumps(outlook_record(found), ensure_ascii=False))  # noqa: T201
        else:
            console.print(printed.outlook(found))
        if picture is not None and not found.trends:
            console.print("There is nothing to draw, so no picture was written.")
        elif picture is not None:
            drawn = await asyncio.to_thread(chart.picture, found)
            try:
                picture.write_bytes(drawn)
            except OSError as error:
                raise BadInput(f"Cannot write {picture}: {error.strerror}. Choose another file.") from error

    with_services(look, quiet=as_json)


@app.command()
def ingest(
    given: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, addresses: text, Markdown, CSV, JSON, PDF, EPUB, HTML; RSS, Atom, OPML to follow.",
            metavar="PATH_OR_ADDRESS...",
        ),
    ],
) -> None:
    """Add files, folders and pages to your library, and follow feeds."""

    async def read(services: Services, console: Console) -> None:
        from bot.terminal import bring

        if not await bring(services, console, given):
            raise ReadError("Nothing could be read.")

    with_services(read)


@app.command()
def refresh() -> None:
    """Fetch the feeds that you follow, now."""

    async def fetch(services: Services, console: Console) -> None:
        from bot.terminal import refreshed

        if not await refreshed(services, console, everything=True):
            raise BadInput("No feed is followed yet: kindling ingest ADDRESS follows one.")

    with_services(fetch)


@app.command()
def sources(
    remove: Annotated[int | None, typer.Option(help="Remove the source of this number, with its snippets.")] = None,
) -> None:
    """What your library holds, and how the feeds that you follow are doing."""

    async def show(services: Services, console: Console) -> None:
        from datetime import UTC, datetime

        from bot import printed
        from bot.ideation.prompts import quoted

        studio = services.studio
        if remove is not None:
            gone = await studio.shelf.remove("terminal", remove)
            console.print(f"Removed {quoted(gone.source.title)} with {gone.snippets} snippets.", markup=False)
            return
        shelved, health = await studio.shelf.sources("terminal"), await studio.sources.health("terminal")
        console.print(printed.sources(shelved, health, datetime.now(UTC)))

    with_services(show)


@app.command()
def export(
    form: Annotated[str, typer.Option("--format", "-f", help="md, csv or json.")] = "md",
    kept: Annotated[bool, typer.Option("--kept", help="Only the ideas that were kept.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="A file; standard output without it.")] = None,
) -> None:
    """Your ideas as Markdown, CSV or JSON, with who and what made them."""
    from bot.ideation.export import Format, exported

    with told():
        try:
            chosen = Format(form.lower())
        except ValueError:
            raise BadInput(f"There is no format {form!r}: md, csv or json.") from None

    async def write(services: Services, console: Console) -> None:
        text = exported(await services.studio.ideas.of("terminal", kept=kept, limit=100_000), chosen)
        if output is None:
            sys.stdout.write(text)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise BadInput(f"Cannot write {output}: {error.strerror}. Choose another file.") from error

    with_services(write, quiet=True)


@app.command()
def provenance(idea_id: Annotated[str, typer.Argument(help="The idea's id, as --json and export show it.")]) -> None:
    """How an idea was made; makes it again and says whether it comes out the same."""

    async def replay(services: Services, console: Console) -> None:
        from bot import printed

        found = await services.studio.provenance("terminal", idea_id)
        console.print(printed.why(found.entry))
        console.print(printed.replay(found))

    with_services(replay)


@app.command()
def tune(
    space: Annotated[
        list[str] | None, typer.Option(help="Learn from this space's ideas: terminal, guild:ID; default: all of these.")
    ] = None,
    epochs: Annotated[float, typer.Option(min=0.1, max=20, help="How often to go over them.")] = 2.0,
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Learn for no longer than that.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be learned from.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Go back to the model that Kindling came with.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Tune the embedded model on ideas that you, and people who agreed to it, have kept."""
    from bot.tune import Wish, carry_out, lessons_for, take_back

    with told():
        settings, console = settings_of_here(), console_of_here()
        if undo:
            take_back(settings, console)
            return
        wish = Wish(tuple(space or ()), epochs, minutes, dry_run, yes)
        carry_out(settings, console, wish, asyncio.run(lessons_for(settings, wish)))


@app.command()
def doctor() -> None:
    """Each part: its version, whether it was found, how fast it is, and what to do."""
    from bot.doctor import examine

    with told():
        settings = settings_of_here()
        console = console_of_here()
        healthy = asyncio.run(examine(settings, console))
    raise typer.Exit(0 if healthy else 1)


def _brief_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of briefs. Raises `BadInput` that names the line at fault."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read {path}: {error}. It should be a file of JSON lines with id and brief.") from None
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not isinstance(row.get("brief"), str) or "id" not in row:
            raise BadInput(f'{path}, line {number}: not an object with "id" and "brief".')
        rows.append(row)
    return rows


def _finished_record(row: dict[str, Any], event: Finished) -> dict[str, Any]:
    """What `--json` prints for one brief."""
    from bot.ideation.export import idea_record

    seconds = event.seconds
    first = None if seconds.first_idea is None else round(seconds.first_idea, 3)
    return {
        **({"id": row["id"]} if "id" in row else {}),
        "brief": event.session.brief.text,
        "seed": event.session.seed,
        "model": event.session.model,
        "seconds": {"retrieve": round(seconds.retrieve, 4), "first_idea": first, "total": round(seconds.total, 3)},
        "ideas": [idea_record(idea) for idea in event.ideas],
    }


def _print_hits(console: Console, hits: list[Any], heading: str, as_json: bool) -> None:
    from bot import printed
    from bot.ideation.export import spark_record

    if as_json:
        print(json.dumps([spark_record(hit) for hit in hits], ensure_ascii=False))  # noqa: T201
    else:
        console.print(printed.sparks(hits, heading))
