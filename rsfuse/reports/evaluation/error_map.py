"""Where a map is wrong: every sample at its place, the darker the more of it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

import numpy as np

from rsfuse.metrics.evaluation import SAMPLE_SIZE, JudgedSample
from rsfuse.reports.evaluation.worst import Worst, window_of, wrong_share
from rsfuse.reports.html.colors import STEPS
from rsfuse.reports.html.markup import drawing, element, key, legend

_EDGES = 0.05, 0.1, 0.2, 0.4  # shares of wrong pixels, the same on every page
_SMALL = 0.25  # of a side, left free on each side of a cell with few labels
_WIDE, _HIGH, _CELL = 556, 520, 150  # of a map at most, and sides of its cells
_LEAST = 12.0  # side of the frame around one of the worst


def draw_errors(name: str, shape: tuple[int, int], worst: Worst, samples: Sequence[JudgedSample]) -> Element:
    """A map of samples.

    Args:
        name: of the map, for who cannot see it.
        shape: height and width of the map in pixels.
        worst: which of them are framed.
        samples: of this map.
    """
    scale = min(_WIDE / shape[1], _HIGH / shape[0], _CELL / SAMPLE_SIZE)
    places = [np.multiply(window_of(each, shape).flatten(), scale).tolist() for each in samples]
    cells, marks = element("g", class_="errors"), element("g", class_="marks")
    ranks = {id(each): rank for rank, each in enumerate(worst.samples, 1)}
    for sample, place in zip(samples, places, strict=True):
        cells.append(_cell(sample, place, is_small=sample.confusion.pixels < worst.few))
        if id(sample) in ranks:
            marks.append(_mark(ranks[id(sample)], place))
    size = shape[1] * scale, shape[0] * scale
    ground = element("rect", width=size[0], height=size[1], class_="ground")
    return drawing(size, f"wrong pixels of {name}", ground, cells, marks)


def errors_legend(worst: Worst) -> Element:
    """What colours and signs stand for."""
    bounds = 0.0, *_EDGES
    keys: list[Element | str] = ["wrong pixels of a sample: "]
    for color, low, high in zip(STEPS, bounds, (*_EDGES, 1.0), strict=True):
        told = f"{low:.0%} to {high:.0%}" if color != STEPS[-1] else f"{low:.0%} and more"
        keys.append(key(element("rect", width=14, height=14, fill=color), told))
    none = element("rect", x=0.5, y=0.5, width=13, height=13, fill="#f3f3f3", stroke="#bbb")
    small = element("rect", x=3.5, y=3.5, width=7, height=7, fill="#666")
    keys += [key(none, "no labels"), key(small, f"fewer than {worst.few:,.0f} labelled pixels")]
    frame = element("rect", x=1, y=1, width=12, height=12, fill="none", stroke="#111", stroke_width=1.5)
    return legend(*keys, key(frame, "the worst, by number"))


def _cell(sample: JudgedSample, place: Sequence[float], *, is_small: bool) -> Element:
    share, (column, row) = wrong_share(sample.confusion), sample.place
    left, top, width, height = place
    if is_small:
        left, top = left + _SMALL * width, top + _SMALL * height
        width, height = (1 - 2 * _SMALL) * width, (1 - 2 * _SMALL) * height
    told = f"column {column:,}, row {row:,}: {share:.1%} of {sample.confusion.pixels:,} px wrong"
    color = STEPS[int(np.digitize(share, _EDGES))]
    return element("rect", element("title", told), x=left, y=top, width=width, height=height, fill=color)


def _mark(rank: int, place: Sequence[float]) -> Element:
    """A frame and a number, to be seen on any colour and however small the cell is."""
    left, top, width, height = place
    wide, high = max(width, _LEAST), max(height, _LEAST)
    around = {"x": left + (width - wide) / 2, "y": top + (height - high) / 2, "width": wide, "height": high}
    number = element("text", str(rank), x=left + width / 2, y=top + height / 2 + 5)
    return element("g", element("rect", **around), element("rect", **around, class_="inner"), number)
