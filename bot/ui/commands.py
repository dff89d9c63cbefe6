"""All commands, told from their definitions: for /help and for the README, which a test compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
from discord import app_commands

Tree = app_commands.CommandTree[Any]
Command = app_commands.Command[Any, ..., Any]


def slash_commands(tree: Tree) -> list[Command]:
    """Every slash command, those in groups included, by name."""
    found = tree.walk_commands(type=discord.AppCommandType.chat_input)
    return sorted((one for one in found if isinstance(one, app_commands.Command)), key=lambda one: one.qualified_name)


def menus(tree: Tree) -> list[str]:
    """The commands in the menu of a message, by name."""
    return sorted(menu.name for menu in tree.get_commands(type=discord.AppCommandType.message))


def usage(command: Command) -> str:
    """A command as one types it: /brainstorm brief [technique]; what stands in brackets may be left out."""
    options = [one.display_name if one.required else f"[{one.display_name}]" for one in command.parameters]
    return " ".join([f"/{command.qualified_name}", *options])


def help_lines(tree: Tree) -> list[str]:
    """A line for each command, in Discord's markdown."""
    lines = [f"`{usage(one)}` {one.description}" for one in slash_commands(tree)]
    return [*lines, f"In the menu of a message (right click, Apps): {', '.join(menus(tree))}."]


def commands_table(tree: Tree) -> str:
    """All commands as a Markdown table, as it stands in the README."""
    rows = [("Command", "What it does", "Who"), ("---", "---", "---")]
    rows += [(f"`{usage(one)}`", one.description, _who(one)) for one in slash_commands(tree)]
    rows += [(f"message menu: {name}", _described(tree, name), "everyone") for name in menus(tree)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows) + "\n"


def _who(command: Command) -> str:
    needed = next((one.default_permissions for one in _with_parents(command) if one.default_permissions), None)
    names = [name.replace("_", " ") for name, wanted in needed or () if wanted]
    return f"who may {' and '.join(names)}".replace("manage guild", "manage the server") if names else "everyone"


def _with_parents(command: Command) -> Iterator[Command | app_commands.Group]:
    yield command
    parent = command.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _described(tree: Tree, name: str) -> str:
    """The first sentence of what stands above a menu's callback, without who the menu belongs to."""
    menu = tree.get_command(name, type=discord.AppCommandType.message)
    document = (menu.callback.__doc__ or "") if menu is not None else ""
    text = document.strip().split("\n\n")[0].removeprefix("The message menu: ")
    return text[:1].upper() + text[1:]
