"""An outlook as a picture: one line for each theme, over time, with the window that it is judged by. A PNG, by Pillow.

It stands on a dark ground of its own, so that it reads the same on Discord's dark and light themes and in a document.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from bot.ideation.prompts import quoted
from knowledge.trends import BEFORE, ENOUGH, Direction, Outlook, Trend

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

MOST_DRAWN = 8
WIDTH, MARGIN = 1200, 56
_ROW, _HEAD, _SECTION, _FOOT = 104, 168, 62, 84
_FINE = 2  # drawn so many times as large and then reduced, which smooths the lines
_LEFT, _RIGHT = 520, WIDTH - MARGIN - 120  # of the lines

Colour = tuple[int, int, int]
_GROUND: Colour = (24, 25, 29)
_BAND: Colour = (36, 38, 44)
_INK: Colour = (244, 242, 238)
_QUIET: Colour = (152, 156, 166)
_HAIR: Colour = (58, 61, 70)
_COLOURS: dict[Direction, Colour] = {
    Direction.NEW: (255, 203, 92),
    Direction.RISING: (255, 138, 61),
    Direction.FADING: (122, 168, 255),
}
_HEADINGS = ((Direction.NEW, "New"), (Direction.RISING, "Rising"), (Direction.FADING, "Fading"))

Point = tuple[float, float]


def picture(outlook: Outlook) -> bytes:
    """The outlook as a PNG, 1200 pixels wide. It takes some tenths of a second: not for the event loop."""
    from PIL import Image, ImageDraw

    groups = drawn(outlook)
    height = _HEAD + _FOOT + sum(_SECTION + _ROW * len(trends) for _, _, trends in groups)
    image = Image.new("RGBA", (WIDTH * _FINE, height * _FINE), (0, 0, 0, 0))
    pen = _Pen(ImageDraw.Draw(image))
    pen.box((0, 0), (WIDTH, height), _GROUND, radius=28)
    pen.text((MARGIN, 46), _title(outlook), 40, _INK, bold=True, room=WIDTH - 2 * MARGIN)
    pen.text((MARGIN, 102), _about(outlook), 23, _QUIET, room=WIDTH - 2 * MARGIN)
    top, turn = _HEAD, _RIGHT - (_RIGHT - _LEFT) / (BEFORE + 1)
    pen.box((turn, top), (_RIGHT, height - _FOOT), _BAND, radius=8)
    y = float(top)
    for direction, heading, trends in groups:
        pen.text((MARGIN, y + 22), heading.upper(), 21, _COLOURS[direction], bold=True, spaced=2)
        y += _SECTION
        for trend in trends:
            _row(pen, y, trend)
            y += _ROW
    pen.line([(_LEFT, y + 14), (_RIGHT, y + 14)], _HAIR, 2)
    pen.text((_LEFT, y + 26), outlook.since, 20, _QUIET)
    pen.text((_RIGHT, y + 26), _lately(outlook), 20, _INK, anchor="ra")
    small = image.resize((WIDTH, height), Image.Resampling.LANCZOS)
    file = BytesIO()
    small.save(file, "PNG", optimize=True)
    return file.getvalue()


def drawn(outlook: Outlook) -> list[tuple[Direction, str, Sequence[Trend]]]:
    """The trends that are drawn, by heading: the surest `MOST_DRAWN`."""
    chosen = outlook.trends[:MOST_DRAWN]
    groups = [(one, heading, [trend for trend in chosen if trend.direction is one]) for one, heading in _HEADINGS]
    return [group for group in groups if group[2]]


def change(trend: Trend) -> str:
    """How much a theme's share changed, in a few signs: "×3.1", "÷4", "×10+"."""
    times = trend.factor if trend.factor >= 1 else 1 / max(trend.factor, 1e-9)
    sign = "×" if trend.factor >= 1 else "÷"
    return f"{sign}10+" if times > 10 else f"{sign}{times:.1f}".removesuffix(".0")


def described(outlook: Outlook) -> str:
    """The picture in words, for whoever does not see it."""
    lines = [f"{_title(outlook)}. {_about(outlook)}."]
    for _, heading, trends in drawn(outlook):
        lines.append(f"{heading}: {'; '.join(f'{quoted(trend.name)} ({change(trend)})' for trend in trends)}.")
    return " ".join(lines)


def about(one: Outlook) -> str:
    """What was looked at, and where nothing was found, why that may be."""
    seen = f"{_lately(one)} ({one.lately:.0f} dated snippets) against the time since {one.since} ({one.before:.0f})"
    about = f", of which {one.dated:,} are about {quoted(one.topic)}" if one.topic else ""
    if one.trends:
        return f"{seen}{about}. Found, not written; by chance alone, at most one library in twenty has any."
    if one.dated == 0:
        return f"Nothing {f'about {quoted(one.topic)} ' if one.topic else ''}in the library has a date yet."
    if not one.enough:
        return f"{seen}: too few to tell a trend from chance. It takes {ENOUGH}; try a longer window."
    return f"{seen}{about}. Nothing rises or fades beyond chance; try another window or topic."


def _title(outlook: Outlook) -> str:
    topic = quoted(outlook.topic)
    return f"What rises and fades: {topic}" if topic else "What rises and fades"


def _about(outlook: Outlook) -> str:
    return f"{_lately(outlook)} against the time since {outlook.since}, {outlook.dated:,} dated snippets"


def _lately(outlook: Outlook) -> str:
    return outlook.until if outlook.turn == outlook.until else f"{outlook.turn} to {outlook.until}"


def _row(pen: _Pen, y: float, trend: Trend) -> None:
    colour = _COLOURS[trend.direction]
    room = _LEFT - MARGIN - 28
    pen.text((MARGIN, y + 14), quoted(trend.name), 29, _INK, bold=True, room=room)
    counts = f"{trend.lately:.0f} lately, {trend.before:.0f} before"
    pen.text((MARGIN, y + 54), counts, 22, _QUIET, room=room)
    low, high = y + _ROW - 24, y + 14
    peak = max(trend.course) or 1.0
    step = (_RIGHT - _LEFT) / len(trend.course)
    line = [
        (_LEFT + step * (place + 0.5), low - (low - high) * share / peak) for place, share in enumerate(trend.course)
    ]
    line = [(_LEFT, line[0][1]), *line, (_RIGHT, line[-1][1])]
    faint = tuple(round(ground + (own - ground) * 0.22) for ground, own in zip(_GROUND, colour, strict=True))
    pen.area([*line, (_RIGHT, low), (_LEFT, low)], (faint[0], faint[1], faint[2]))
    pen.line(line, colour, 4)
    pen.dot(line[-1], 8, colour)
    pen.text((WIDTH - MARGIN, y + 30), change(trend), 32, colour, bold=True, anchor="ra")


class _Pen:
    """Draws in pixels of the finished picture, on one that is `_FINE` times as large."""

    def __init__(self, draw: ImageDraw) -> None:
        self._draw = draw

    def box(self, first: Point, last: Point, fill: Colour, radius: int) -> None:
        self._draw.rounded_rectangle((*_fine(first), *_fine(last)), radius * _FINE, fill)

    def area(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon([_fine(point) for point in points], fill)

    def line(self, points: Sequence[Point], colour: Colour, width: int) -> None:
        self._draw.line([_fine(point) for point in points], colour, width * _FINE, joint="curve")

    def dot(self, point: Point, radius: int, colour: Colour) -> None:
        x, y = _fine(point)
        self._draw.circle((x, y), (radius + 4) * _FINE, _GROUND)
        self._draw.circle((x, y), radius * _FINE, colour)

    def text(
        self,
        at: Point,
        text: str,
        size: int,
        colour: Colour,
        *,
        bold: bool = False,
        anchor: str = "la",
        room: float | None = None,
        spaced: int = 0,
    ) -> None:
        """Text from its upper left ("la") or right ("ra") corner on; what does not fit into `room` is cut."""
        font = _font(size, bold)
        limit = room * _FINE if room is not None else float("inf")
        shown = text
        while self._draw.textlength(shown, font) > limit and len(shown) > 1:
            shown = shown[:-2].rstrip(" ,…") + "…"
        if not spaced:
            self._draw.text(_fine(at), shown, colour, font, anchor)
            return
        x, y = _fine(at)
        for letter in shown:
            self._draw.text((x, y), letter, colour, font, anchor)
            x += self._draw.textlength(letter, font) + spaced * _FINE


def _fine(point: Point) -> Point:
    return point[0] * _FINE, point[1] * _FINE


@cache
def _font(size: int, bold: bool) -> FreeTypeFont | ImageFont:
    """Roboto, from the package that carries it; Pillow's own font should it be missing."""
    from PIL import ImageFont

    spec = importlib.util.find_spec("font_roboto")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "files" / f"Roboto-{'Bold' if bold else 'Regular'}.ttf"
        if path.is_file():
            return ImageFont.truetype(str(path), size * _FINE)
    return ImageFont.load_default(size * _FINE)
