"""`kindling tune`, called as a person calls it; the training process is one that learns nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bot.ideation.journal import new_id, now
from bot.ideation.types import Brief, Idea, Provenance, Session, Technique
from bot.language import embedded, tuning
from bot.services import open_services
from bot.settings import read_settings
from knowledge.types import Distance
from tests.bot.fakes import ScriptedModel
from tests.bot.language.test_tuning import contents, stand_in
from tests.bot.test_cli import data_dir, kindling, stand_ins

__all__ = ["data_dir", "stand_ins"]


def keep_ideas(count: int, space: str = "terminal", person: str = "you") -> None:
    """That many kept ideas in a space, five for a brief, each with a spark of the starter collection."""

    async def fill() -> None:
        async with open_services(read_settings()) as services:
            library = services.library

            def write() -> None:
                sparks = library.retriever.sparks("rope", (space, "starter"), 5, distance=Distance.MIXED, seed=1)
                for number in range(count):
                    if number % 5 == 0:
                        session = Session(new_id(), space, Brief(f"a poster {number}"), 1, "m", now())
                        library.journal.open_session(session)
                    idea = Idea(
                        new_id(), session.id, number % 5, f"The Rope {number}", f"Rope number {number} is knotted.",
                        "Knot it.", Technique.DIRECT, (sparks[number % 5],),
                        Provenance("m", "0" * 64, 1, 0.8, now(), 1.0, True),
                    )  # fmt: skip
                    library.journal.add(idea, library.embedder.embed([idea.body])[0], library.embedder.name)
                    library.journal.keep(space, idea.id, person)

            await library.run(write)

    asyncio.run(fill())


def own_adapter(data_dir: Path) -> dict[str, bytes]:
    folder = data_dir / embedded.OWN_ADAPTER
    return contents(folder) if folder.exists() else {}


def test_too_few_ideas_are_one_line_that_says_how_more_come(stand_ins: ScriptedModel) -> None:
    keep_ideas(7)
    code, out, err = kindling("tune")
    assert (code, out) == (1, "") and len(err.strip().splitlines()) == 1
    assert "at least 30" in err and "there are 7" in err and "/privacy tuning" in err and "save 3" in err
    assert "no ideas were made in 'guild:1'" in kindling("tune", "--space", "guild:1")[2].lower()


def test_it_says_what_it_learns_from_asks_tunes_and_goes_back(
    stand_ins: ScriptedModel, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_ideas(30)
    keep_ideas(5, "guild:1", "user:1")  # who did not agree
    stand_in(monkeypatch, [3.25, 3.0])
    code, out, _ = kindling("tune", "--dry-run")
    assert code == 0 and "30 kept ideas for 6 briefs (30 of this terminal's)" in out
    assert re.search(r"about [1-9]\d* min", out)
    assert "5 kept by nobody who agreed" in out and "The Rope 29" in out and "Nothing was changed" in out

    code, out, err = kindling("tune", line="n\n")
    assert code == 0 and "Nothing was changed." in out and not own_adapter(data_dir)
    code, out, err = kindling("tune", line="")
    assert code == 1 and "--yes" in err.splitlines()[-1] and not own_adapter(data_dir)

    code, out, _ = kindling("tune", line="y\n")
    assert code == 0 and "learning, step 1 of 4, 2 min left" in out
    assert "Held-out loss 3.250 before, 3.000 after 0 minutes of learning: the tuned model is in force." in out
    assert own_adapter(data_dir)
    code, out, _ = kindling("tune", "--undo")
    assert code == 0 and "came with again" in out and not own_adapter(data_dir)
    code, out, _ = kindling("tune", "--undo")
    assert code == 0 and "nothing to undo" in out


def test_a_loss_that_did_not_fall_and_a_process_that_fails_are_told(
    stand_ins: ScriptedModel, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_ideas(30)
    stand_in(monkeypatch, [3.0, 3.5])
    code, out, _ = kindling("tune", "--yes")
    assert code == 0 and "did not fall, so nothing was changed" in out and not own_adapter(data_dir)
    stand_in(monkeypatch, [], "fail")
    code, _, err = kindling("tune", "--yes")
    assert code == 1 and err.splitlines() == ["Tuning failed, and nothing was changed: The disk is full."]


def test_without_the_source_it_is_refused_before_anything_is_opened(
    stand_ins: ScriptedModel, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "ROOT", tmp_path)
    code, _, err = kindling("tune")
    assert code == 1 and "checkout" in err and len(err.strip().splitlines()) == 1 and not data_dir.exists()
