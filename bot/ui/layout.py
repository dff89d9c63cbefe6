"""What every message of Kindling is built with: a page of components, lasting buttons, sizes as Discord counts them."""

from __future__ import annotations

from typing import Any

import discord
from discord import ui

from bot.ui.ids import Verb, custom_id

MOST_COMPONENTS = 40
MOST_TEXT = 4000
EMBER = discord.Colour(0xE8722A)

Page = ui.LayoutView
Child = ui.Item[ui.LayoutView]


def page(*children: Child | str) -> Page:
    """One message's components, in a frame; a string becomes a text.

    The view is stopped at once: discord.py then keeps no record of it, so that nothing grows with the number of
    messages and a press reaches the lasting items by its id alone.
    """
    items = [ui.TextDisplay(child) if isinstance(child, str) else child for child in children]
    return sealed(ui.Container(*items, accent_colour=EMBER))


def sealed(*items: Child) -> Page:
    """A stopped view of these items."""
    view = ui.LayoutView(timeout=None)
    for item in items:
        view.add_item(item)
    view.stop()
    return view


def button(
    verb: Verb, target: str, label: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary
) -> ui.Button[Any]:
    """A lasting button."""
    return ui.Button(label=label, style=style, custom_id=custom_id(verb, target))


def weight(text: str) -> int:
    """Characters as the strictest reading of Discord's limit counts them: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
