"""The confusion matrix as a heat map: what became of the pixels of each class."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.legend import Legend
from rsfuse.metrics.confusion import Confusion
from rsfuse.metrics.ratios import ratios
from rsfuse.reports.html.colors import ink_on, shade
from rsfuse.reports.html.markup import drawing, element, key, legend

RIGHT, WRONG = "#0067a8", "#b34700"
"""Of shares that are mapped right and wrong, at 100 %."""

NO_CLASS = "no class"

_NONE = "#f4f4f4"  # of cells without a pixel
_KEYS = 0.01, 0.1, 0.5, 1.0  # shares that the legend shows

_ROOM, _LEAST, _MOST = 1130, 26, 58  # width of the drawing, and sides of a cell at least and at most
_LETTER, _LONGEST = 6.9, 26  # width of a letter of 12 px; letters of a name that are shown
_SLOPE = math.radians(45)  # of names over columns
_GAP, _TITLE = 8, 22


def draw_heat_map(confusion: Confusion, classes: Legend) -> Element:
    """Rows are labels, columns the map; numbers are percent of the row, and exact counts are told where one points."""
    columns = (*classes.names, NO_CLASS)
    counts = np.column_stack([confusion.counts, confusion.unmapped])
    shares = ratios(counts, np.broadcast_to(confusion.labelled[:, None], counts.shape))
    widths = [_LETTER * len(_shortened(name)) for name in columns]
    left, top = max(widths[:-1]) + _TITLE + _GAP, max(widths) * math.sin(_SLOPE) + _TITLE + 2 * _GAP
    # a name over the last columns leans beyond them
    right = max(width * math.cos(_SLOPE) - 20 * after for after, width in enumerate(reversed(widths)))
    side = min(max((_ROOM - left - right) / len(columns), _LEAST), _MOST)
    cells = element("g", class_="cells", transform=f"translate({left:.1f} {top:.1f})")
    for row, name in enumerate(classes.names):
        for column, other in enumerate(columns):
            told = f"{name}, mapped as {other}: {counts[row, column]:,} px"
            cells.append(_cell(row, column, shares[row, column], side, told))
    size = left + side * len(columns) + right, top + side * len(classes) + 1
    return drawing(size, "confusion of labels and map", _names(classes.names, columns, (left, top), side), cells)


def heat_map_legend() -> Element:
    """What colours stand for."""
    keys: list[Element | str] = []
    for is_right, told in ((True, "mapped right: "), (False, "mapped wrong: ")):
        swatches = [element("rect", width=14, height=14, fill=_color(share, is_right=is_right)) for share in _KEYS]
        keys += [told, *(key(swatch, f"{share:.0%}") for swatch, share in zip(swatches, _KEYS, strict=True))]
    return legend(*keys, 'no number: not one pixel; "-": no pixel has this label')


def commonest_errors(confusion: Confusion, classes: Legend, most: int) -> list[str]:
    """The pairs of classes that cost most pixels, in words."""
    wrong = np.column_stack([confusion.counts - np.diag(confusion.counts.diagonal()), confusion.unmapped])
    columns = (*classes.names, NO_CLASS)
    told = []
    for at in np.argsort(-wrong, axis=None, kind="stable")[:most].tolist():
        row, column = divmod(at, len(columns))
        if wrong[row, column]:
            told.append(f"{classes.names[row]} mapped as {columns[column]} ({wrong[row, column]:,} px)")
    return told


def _cell(row: int, column: int, share: float, side: float, told: str) -> Element:
    is_right = row == column
    color = _color(share, is_right=is_right)
    inset = 1.5 if is_right else 0.0
    square = element(
        "rect",
        x=column * side + inset,
        y=row * side + inset,
        width=side - 2 * inset,
        height=side - 2 * inset,
        fill=color,
        class_="right" if is_right else "wrong",
    )
    place = {"x": (column + 0.5) * side, "y": (row + 0.5) * side + 4.3}
    text = element(
        "text", _percent(share), **place, fill=ink_on(color), class_="none" if math.isnan(share) else "share"
    )
    return element("g", element("title", told), square, text)


def _color(share: float, *, is_right: bool) -> str:
    """Bent by a square root: few pixels of a large class are to be seen."""
    return shade(RIGHT if is_right else WRONG, math.sqrt(share)) if share > 0 else _NONE


def _percent(share: float) -> str:
    if math.isnan(share):
        return "-"
    if share == 0:
        return ""
    return "<1" if share < 0.005 else f"{_almost(share):.0f}"


def _almost(share: float) -> float:
    """Percent; 100 is said of all pixels alone."""
    return 100.0 if share == 1 else min(100 * share, 99.0)


def _names(rows: tuple[str, ...], columns: tuple[str, ...], corner: tuple[float, float], side: float) -> Element:
    """Beside the rows and, leaning, over the columns."""
    left, top = corner
    drawn = element("g", class_="names")
    for row, name in enumerate(rows):
        at = {"x": left - _GAP, "y": top + (row + 0.5) * side + 4.3}
        drawn.append(element("text", element("title", name), _shortened(name), **at, text_anchor="end"))
    for column, name in enumerate(columns):
        turn = f"translate({left + (column + 0.5) * side + 3:.1f} {top - _GAP:.1f}) rotate({-math.degrees(_SLOPE):.0f})"
        drawn.append(element("text", element("title", name), _shortened(name), transform=turn))
    middle = top + side * len(rows) / 2
    turn = f"translate(12 {middle:.1f}) rotate(-90)"
    drawn.append(element("text", "labels", transform=turn, text_anchor="middle", class_="name"))
    drawn.append(element("text", "map", x=left + side * len(columns) / 2, y=14, text_anchor="middle", class_="name"))
    return drawn


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1].rstrip()}…"
