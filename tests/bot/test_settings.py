"""Settings: read from the environment and .env, explained when wrong, and every one listed in .env.example."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.settings import Settings, read_settings
from knowledge.errors import BadInput

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"KINDLING_{name.upper()}", raising=False)
    monkeypatch.delenv("DISCORD_TOKEN", raising=False)


def test_the_example_lists_every_setting_and_what_it_is_and_no_other() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    described = re.findall(r"^# (.*)\n# ([A-Z_]+)=", example, re.M)
    assert described == [
        (field.description, str(field.validation_alias or f"KINDLING_{name.upper()}"))
        for name, field in Settings.model_fields.items()
    ]


def test_what_the_example_gives_are_the_defaults(tmp_path: Path) -> None:
    defaults = read_settings()
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    all_set = [line.removeprefix("# ") if re.match(r"# [A-Z_]+=", line) else line for line in lines]
    (tmp_path / ".env").write_text("\n".join(all_set), encoding="utf-8")
    assert read_settings() == defaults


def test_a_wrong_value_is_one_line_that_names_the_variable_and_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINDLING_COUNT", "secret-99")
    with pytest.raises(BadInput, match="KINDLING_COUNT") as refusal:
        read_settings()
    assert "\n" not in str(refusal.value) and "secret-99" not in str(refusal.value)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "abc.def")
    settings = read_settings()
    assert settings.discord_token is not None and settings.discord_token.get_secret_value() == "abc.def"
    assert "abc.def" not in repr(settings)
