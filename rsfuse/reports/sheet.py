"""A sheet of pictures: rows under each other, in blocks beside each other, with captions and a legend."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from rsfuse.legend import Color
from rsfuse.raster.disk import writing
from rsfuse.reports.legend_strip import LegendEntry, LegendStrip

_GAP, _BETWEEN, _EDGE = 8, 40, 24  # pixels between pictures, between blocks, around all
_TITLE, _HEAD, _CAPTIONS, _NAME, _LINE, _FOOT = 48, 34, 24, 22, 22, 36
_LEAST = 400  # width of a block: names need room
_INK, _FAINT, _PAPER = (32, 32, 32), (110, 110, 110), (255, 255, 255)

SheetItem = TypeVar("SheetItem")


@dataclass(frozen=True)
class SheetRow:
    """Pictures of one thing.

    Args:
        name: above them.
        remarks: below the name; each after a small square in its colour, if it has one.
        pictures: (h, w, 3) each, no larger than the sheet's cells; one for each column, from the first on.
    """

    name: str
    remarks: tuple[tuple[str, Color | None], ...]
    pictures: tuple[NDArray[np.uint8], ...]


@dataclass(frozen=True)
class SheetBlock:
    """Rows under a heading."""

    heading: str
    rows: tuple[SheetRow, ...]


@dataclass(frozen=True)
class Sheet:
    """All there is on a sheet.

    Args:
        title: at the top.
        columns: captions of the pictures of every row.
        blocks: beside each other.
        legend: below; may be empty.
        foot: a sentence at the bottom.
        cell: room for a picture, in pixels a side.
    """

    title: str
    columns: tuple[str, ...]
    blocks: tuple[SheetBlock, ...]
    legend: tuple[LegendEntry, ...]
    foot: str
    cell: int

    @property
    def block_width(self) -> int:
        """In pixels."""
        return max(len(self.columns) * (self.cell + _GAP) - _GAP, _LEAST)

    @property
    def row_height(self) -> int:
        """In pixels, with the space below; lines for remarks are left out where there are none."""
        remarks = any(row.remarks for block in self.blocks for row in block.rows)
        return _NAME + _LINE * remarks + self.cell + 2 * _GAP


def write_sheet(sheet: Sheet, path: Path) -> None:
    """Draw a sheet into a PNG, in one go: a file that is there is replaced, or stays as it is.

    Raises:
        OutputError: if the disk is full, or the folder is not there.
    """
    image = _draw(sheet)
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            image.save(part, format="PNG")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def _draw(sheet: Sheet) -> Image.Image:
    blocks, rows = len(sheet.blocks), max((len(block.rows) for block in sheet.blocks), default=0)
    width = 2 * _EDGE + blocks * (sheet.block_width + _BETWEEN) - _BETWEEN
    strip = LegendStrip(sheet.legend, width, left=_EDGE)
    body = _TITLE + _HEAD + _CAPTIONS + rows * sheet.row_height
    image = Image.new("RGB", (width, _EDGE + body + strip.height + _FOOT), _PAPER)
    _write(image, (_EDGE, _EDGE), sheet.title, size=24, width=width - 2 * _EDGE)
    for number, block in enumerate(sheet.blocks):
        _draw_block(image, sheet, block, _EDGE + number * (sheet.block_width + _BETWEEN))
    strip.draw(image, _EDGE + body)
    _write(image, (_EDGE, _EDGE + body + strip.height), sheet.foot, ink=_FAINT, width=width - 2 * _EDGE)
    return image


def _draw_block(image: Image.Image, sheet: Sheet, block: SheetBlock, left: int) -> None:
    top = _EDGE + _TITLE
    _write(image, (left, top), block.heading, size=18, width=sheet.block_width)
    for number, column in enumerate(sheet.columns):
        place = left + number * (sheet.cell + _GAP), top + _HEAD
        _write(image, place, column, ink=_FAINT, width=sheet.cell)
    for number, row in enumerate(block.rows):
        _draw_row(image, sheet, row, (left, top + _HEAD + _CAPTIONS + number * sheet.row_height))


def _draw_row(image: Image.Image, sheet: Sheet, row: SheetRow, place: tuple[int, int]) -> None:
    left, top = place
    _write(image, place, row.name, size=15, width=sheet.block_width)
    _draw_remarks(image, row.remarks, (left, top + _NAME), sheet.block_width)
    below = top + sheet.row_height - sheet.cell - 2 * _GAP
    for number, picture in enumerate(row.pictures):
        column, (height, width) = left + number * (sheet.cell + _GAP), picture.shape[:2]
        image.paste(Image.fromarray(picture), (column, below))
        frame = (column - 1, below - 1, column + width, below + height)  # else white would have no end
        ImageDraw.Draw(image).rectangle(frame, outline=_FAINT)


def _draw_remarks(
    image: Image.Image, remarks: Iterable[tuple[str, Color | None]], place: tuple[int, int], width: int
) -> None:
    """Remarks beside each other, as many as there is room for."""
    left, top = place
    for text, color in remarks:
        indent = 16 if color is not None else 0
        needs = indent + round(_font(14).getlength(text))
        if left + needs > place[0] + width:
            break
        if color is not None:
            ImageDraw.Draw(image).rectangle((left, top + 3, left + 10, top + 13), fill=color, outline=_FAINT)
        _write(image, (left + indent, top), text, ink=_FAINT, width=width)
        left += needs + 16


def _write(
    image: Image.Image,
    place: tuple[int, int],
    text: str,
    *,
    width: int,
    size: int = 14,
    ink: Color = _INK,
) -> None:
    """Write text with its upper left corner at a place; what is too wide loses its middle: names differ at the end."""
    font = _font(size)
    ImageDraw.Draw(image).text(place, _shortened(text, font, width), fill=ink, font=font)


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    short, keep = text, len(text)
    while keep > 2 and font.getlength(short) > width:
        keep -= 1
        short = f"{text[: keep // 2]}...{text[len(text) - (keep - keep // 2) :]}"
    return short


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def counted(shown: int, there: int, one: str, many: str) -> str:
    """How many are shown: "4 of 12 tiles", or "3 tiles" where these are all."""
    told = f"{there:,} {one if there == 1 else many}"
    return told if shown == there else f"{shown} of {told}"


def evenly(items: Sequence[SheetItem], most: int) -> list[SheetItem]:
    """At most so many items, spread evenly over all."""
    count = min(most, len(items))
    return [items[(2 * number + 1) * len(items) // (2 * count)] for number in range(count)]
