"""A legend as a strip: swatches with names beside them, on as many lines as its width needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsfuse.legend import Color, Legend

SWATCH = 19
"""Side of a swatch in pixels, without its outline."""

_LINE, _GAP, _TEXT, _INK = 44, 16, 18, (32, 32, 32)


@dataclass(frozen=True)
class LegendEntry:
    """What stands for what: a swatch (19, 19, 3) and its name."""

    name: str
    swatch: NDArray[np.uint8]


def class_entries(legend: Legend) -> list[LegendEntry]:
    """The classes of a legend, in their colours."""
    return [LegendEntry(each.name, _plain(each.color)) for each in legend]


class LegendStrip:
    """Entries in reading order.

    Args:
        entries: none make a strip without height.
        width: in pixels, which an entry that is longer alone exceeds.
        left: where every line begins, in pixels.
    """

    def __init__(self, entries: Sequence[LegendEntry], width: int, *, left: int = _GAP) -> None:
        self._entries, self._left = entries, left
        self._font = ImageFont.load_default(_TEXT)
        self._places = self._arrange(width)
        self.height: int = _LINE * (self._places[-1][1] + 1) if entries else 0
        """In pixels."""

    def draw(self, sheet: Image.Image, top: int) -> None:
        """Draw the strip across a sheet, from this row of pixels on."""
        draw = ImageDraw.Draw(sheet)
        for entry, (left, line) in zip(self._entries, self._places, strict=True):
            middle = top + _LINE * line + _LINE // 2
            corner = middle - (SWATCH + 1) // 2
            draw.rectangle((left, corner, left + SWATCH + 1, corner + SWATCH + 1), outline=_INK)
            sheet.paste(Image.fromarray(entry.swatch), (left + 1, corner + 1))
            draw.text((left + SWATCH + 9, middle), entry.name, fill=_INK, font=self._font, anchor="lm")

    def _arrange(self, width: int) -> list[tuple[int, int]]:
        """(column in pixels, line) of each entry."""
        places, column, line = [], self._left, 0
        for entry in self._entries:
            needs = SWATCH + 9 + round(self._font.getlength(entry.name)) + 2 * _GAP
            if column + needs > width and column > self._left:
                column, line = self._left, line + 1
            places.append((column, line))
            column += needs
        return places


def _plain(color: Color) -> NDArray[np.uint8]:
    return np.full((SWATCH, SWATCH, 3), color, np.uint8)
