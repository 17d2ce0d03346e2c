"""Axes: round numbers, and texts beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from rsfuse.reports.html.markup import element

_ROUND = 1.0, 2.0, 5.0, 10.0


def below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above a positive value."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(each for each in _ROUND if each * power <= value * (1 + 1e-9)) * power


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from the one to the other, about so many."""
    step = below(1.5 * (high - low) / about)
    return [step * at for at in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1)]


@dataclass(frozen=True)
class Axis:
    """Values along a line of a drawing.

    Args:
        low: value at the start.
        high: value at the end; not the same.
        start: where that is, in the drawing.
        end: likewise.
    """

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies."""
        return self.start + self.length(value - self.low)

    def length(self, span: float) -> float:
        """How long a difference of values is."""
        return span * (self.end - self.start) / (self.high - self.low)


def bar(across: Axis, up: Axis, span: tuple[float, float], height: float, color: str) -> Element:
    """A bar over a span of values, a little narrower than that."""
    left, right = map(across.at, span)
    wide, tall = max(right - left - 1, 1), up.at(0) - up.at(height)
    return element("rect", x=left + 0.5, y=up.at(height), width=wide, height=tall, fill=color)


def frame(across: Axis, down: Axis, names: Sequence[str]) -> Element:
    """A frame with lines, numbers and a name at its lower and its left side."""
    left, right = sorted((across.start, across.end))
    top, bottom = sorted((down.start, down.end))
    drawn = element("g", element("rect", x=left, y=top, width=right - left, height=bottom - top), class_="frame")
    for value in ticks(across.low, across.high, 6):
        x = across.at(value)
        drawn.append(element("line", x1=x, x2=x, y1=top, y2=bottom))
        drawn.append(element("text", f"{value:g}", x=x, y=bottom + 17, text_anchor="middle"))
    for value in ticks(down.low, down.high, 6):
        y = down.at(value)
        drawn.append(element("line", x1=left, x2=right, y1=y, y2=y))
        drawn.append(element("text", f"{value:g}", x=left - 7, y=y + 4, text_anchor="end"))
    middle, height = (left + right) / 2, (top + bottom) / 2
    drawn.append(element("text", names[0], x=middle, y=bottom + 36, text_anchor="middle", class_="name"))
    turn = f"translate({left - 40:.1f} {height:.1f}) rotate(-90)"
    drawn.append(element("text", names[1], transform=turn, text_anchor="middle", class_="name"))
    return drawn
