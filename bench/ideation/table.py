"""From scored ideas to figures: one row a system, means over briefs with bootstrap intervals, as Markdown and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

import numpy as np

from bench import yardstick
from bench.ideation.anchors import Run
from bench.yardstick import SAME_LAX, Scored
from bot.ideation.gates import Gate

MEASURED = [Gate.FORMAT, Gate.FLUENCY, Gate.RELEVANCE, Gate.GROUNDING, Gate.ORIGINALITY]


LEGEND = (
    "Times are p50 / p95 in seconds, of the few sets that ran alone; '-' is not timed. Below, 'gates' says which of "
    "the five an idea fails and why; ideas of one class say the same; relevance, grounding and novelty are "
    "percentiles; nats are the referee's a token."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one system gave for one brief and seed, and what the yardstick says of it."""

    system: str
    brief: str
    seed: int
    run: Run
    scored: list[Scored]


def figures(entries: Sequence[Entry], places: int) -> dict[str, Any]:
    """All figures of one system's entries. Shares are of `places` ideas a set: one that is missing is not valid."""
    briefs = list(dict.fromkeys(entry.brief for entry in entries))
    seeds = sorted({entry.seed for entry in entries})
    ideas = [one for entry in entries for one in entry.scored]

    def over_briefs(measure: Callable[[Entry], float]) -> list[float]:
        return [mean(measure(entry) for entry in entries if entry.brief == brief) for brief in briefs]

    def share(passes: Callable[[Scored], bool]) -> float:
        return sum(map(passes, ideas)) / max(1, places * len(entries))

    ud = over_briefs(lambda entry: yardstick.distinct(entry.scored))
    ud_free = over_briefs(lambda entry: yardstick.distinct(entry.scored, grounded=False))
    totals = [entry.run.total for entry in entries if entry.run.total is not None]
    firsts = [entry.run.first for entry in entries if entry.run.first is not None]
    return {
        "briefs": len(briefs),
        "seeds": len(seeds),
        "ideas": len(ideas),
        "ud": mean(ud),
        "ud_interval": yardstick.interval(ud),
        "ud_without_grounding": mean(ud_free),
        "ud_without_grounding_interval": yardstick.interval(ud_free),
        "ud_lax": mean(over_briefs(lambda entry: yardstick.distinct(entry.scored, SAME_LAX))),
        "valid": share(lambda one: one.valid()),
        "valid_without_grounding": share(lambda one: one.valid(grounded=False)),
        "gates": {gate.value: share(partial(_passes, gate)) for gate in MEASURED},
        "utility": mean(over_briefs(lambda entry: yardstick.utility(entry.scored, places))),
        "utility_without_grounding": mean(
            over_briefs(lambda entry: yardstick.utility(entry.scored, places, grounded=False))
        ),
        "empd": mean(over_briefs(lambda entry: yardstick.effective_distance(entry.scored, places))),
        "vendi": mean(over_briefs(lambda entry: yardstick.vendi([s.vector for s in entry.scored if s.valid()]))),
        "distinct_over_seeds": mean(
            yardstick.distinct([one for entry in entries if entry.brief == brief for one in entry.scored])
            for brief in briefs
        ),
        "recurrence": mean(
            yardstick.recurrence([[s.vector for s in entry.scored] for entry in entries if entry.seed == seed])
            for seed in seeds
        ),
        "distinct_openings": yardstick.distinct_openings([idea.body for entry in entries for idea in entry.run.ideas]),
        "self_bleu": mean(over_briefs(lambda entry: yardstick.self_bleu([i.body for i in entry.run.ideas]))),
        "compression": mean(over_briefs(lambda entry: yardstick.compression_ratio([i.body for i in entry.run.ideas]))),
        "nats": mean([one.nats for one in ideas] or [0.0]),
        "seconds_first": _percentiles(firsts),
        "seconds_total": _percentiles(totals),
    }


def markdown(rows: dict[str, dict[str, Any]]) -> str:
    """The table, one row a system in the order given."""
    heads = (
        "system", "UD@10", "without grounding gate", "at 0.80", "valid", "format", "fluency", "relevance", "grounding",
        "originality", "utility", "eMPD", "Vendi", "distinct over seeds", "recur", "openings", "self-BLEU",
        "compression", "first s", "set s",
    )  # fmt: skip
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for name, row in rows.items():
        gates = [f"{row['gates'][gate.value]:.0%}" for gate in MEASURED]
        cells = [
            name,
            _with_interval(row["ud"], row["ud_interval"]),
            _with_interval(row["ud_without_grounding"], row["ud_without_grounding_interval"]),
            f"{row['ud_lax']:.1f}",
            f"{row['valid']:.0%}",
            *gates,
            f"{row['utility']:.2f}",
            f"{row['empd']:.2f}",
            f"{row['vendi']:.1f}",
            f"{row['distinct_over_seeds']:.1f}",
            f"{row['recurrence']:.0%}",
            f"{row['distinct_openings']:.0%}",
            f"{row['self_bleu']:.2f}",
            f"{row['compression']:.2f}",
            _seconds(row["seconds_first"]),
            _seconds(row["seconds_total"]),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def report(title: str, rows: dict[str, dict[str, Any]], entries: Iterable[Entry]) -> str:
    """The table, then every idea that was shown beside its scores: one table for each brief, system and seed."""
    parts = [f"# {title}", markdown(rows), LEGEND]
    by_brief: dict[str, list[Entry]] = {}
    for entry in entries:
        by_brief.setdefault(entry.brief, []).append(entry)
    for brief, of_brief in by_brief.items():
        parts.append(f"## {_cell(brief)}")
        for entry in of_brief:
            parts.append(f"### {entry.system}, seed {entry.seed}: UD {yardstick.distinct(entry.scored)}")
            parts.append("\n".join(_idea_rows(entry)) if entry.scored else "nothing")
    return "\n\n".join(parts) + "\n"


def as_json(rows: dict[str, dict[str, Any]], entries: Iterable[Entry]) -> dict[str, Any]:
    """Figures and ideas, fit for json.dumps."""
    return {
        "systems": rows,
        "sets": [
            {
                "system": entry.system,
                "brief": entry.brief,
                "seed": entry.seed,
                "seconds": [entry.run.first, entry.run.total],
                "ideas": [
                    {
                        "title": entry.run.titles[place] if entry.run.titles else None,
                        "body": idea.body,
                        "spark": idea.spark,
                        "valid": one.valid(),
                        "faults": {gate.value: fault for gate, fault in one.faults.items()},
                        "relevance": one.relevance,
                        "grounding": one.grounding,
                        "novelty": one.novelty,
                        "nats": one.nats,
                    }
                    for place, (idea, one) in enumerate(zip(entry.run.ideas, entry.scored, strict=True))
                ],
            }
            for entry in entries
        ],
    }


def _idea_rows(entry: Entry) -> list[str]:
    """A Markdown table of one set: texts on the left, scores on the right."""
    lines = ["| | idea | spark | gates | class | relevance | grounding | novelty | nats |", "|" + "---|" * 9]
    groups = iter(yardstick.classes([one.vector for one in entry.scored if one.valid()]))
    for place, (idea, one) in enumerate(zip(entry.run.ideas, entry.scored, strict=True)):
        title = f"**{_cell(entry.run.titles[place])}.** " if entry.run.titles else ""
        gates = "; ".join(f"{gate}: {fault}" for gate, fault in one.faults.items()) or "all"
        group = str(next(groups) + 1) if one.valid() else ""
        shares = [f"{share:.0%}" for share in (one.relevance, one.grounding, one.novelty)]
        cells = [str(place + 1), title + _cell(idea.body), _cell(idea.spark or ""), _cell(gates), group, *shares]
        lines.append("| " + " | ".join([*cells, f"{one.nats:.1f}"]) + " |")
    return lines


def _cell(text: str) -> str:
    """Text as one cell shows it, whatever a model wrote: one line, no marks that end a cell or begin a tag."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _passes(gate: Gate, one: Scored) -> bool:
    return gate not in one.faults


def _percentiles(values: Sequence[float]) -> tuple[float, float] | None:
    if not values:
        return None
    middle, late = np.percentile(values, [50, 95])
    return float(middle), float(late)


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.1f} ({interval[0]:.1f} to {interval[1]:.1f})"


def _seconds(pair: tuple[float, float] | None) -> str:
    return "-" if pair is None else f"{pair[0]:.1f} / {pair[1]:.1f}"
