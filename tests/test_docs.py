"""The documents tell the truth: what they name exists. Part of `make check`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from bot.cli import app
from bot.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_files_that_a_document_names_exist(name: str) -> None:
    named = re.findall(r"`((?:bot|knowledge|training|bench|tests|docs)/[\w./-]*)`", read(name))
    named += [target for target in re.findall(r"\]\(([^)#]+)", read(name)) if "://" not in target]
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_settings_that_a_document_names_exist(name: str) -> None:
    known = {f"KINDLING_{field.upper()}" for field in Settings.model_fields}
    assert set(re.findall(r"\bKINDLING_[A-Z_]+", read(name))) <= known


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_and_options_that_a_document_names_exist(name: str) -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    for line in re.findall(r"^\s*(?:\$ )?kindling ([a-z].*)$|`kindling ([a-z][^`]*)`", read(name), re.M):
        words = (line[0] or line[1]).split()
        assert words[0] in commands, words
        options = {option for parameter in commands[words[0]].params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, words


def test_every_command_is_in_the_readme() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert not [name for name in commands if f"kindling {name}" not in read("README.md")]


def test_the_two_commands_come_with_the_makefile() -> None:
    makefile = read("Makefile")
    assert all(f"\n{target}:" in makefile for target in re.findall(r"`make (\w+)`", read("README.md")))
