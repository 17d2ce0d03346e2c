"""Tables: figures of a pair in pixels and in metres, and what was corrected."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from rsfuse.geometry.correction import Correction
from rsfuse.geometry.registration import Registration, TileState
from rsfuse.reports.coreg.looks import Look
from rsfuse.reports.html.markup import element, figure

Cells = tuple[str, ...]
Row = tuple[str, list[Cells]]
"""A name and the cells of every look: one across both columns, or two."""

STATES = {
    TileState.ACCEPTED: "accepted",
    TileState.REJECTED: "rejected: nothing stood out",
    TileState.FLAT: "without texture",
    TileState.EMPTY: "without data",
}
"""What became of tiles, in words."""

LENGTHS: dict[str, Callable[[Registration], float]] = {
    "median dx, to the right": lambda found: found.median[0],
    "median dy, down": lambda found: found.median[1],
    "RMSE": lambda found: found.rmse,
    "RMSE less the noise of matching": lambda found: found.debiased_rmse,
    "CE90: nine of ten are no longer": lambda found: found.ce(90),
    "CE95": lambda found: found.ce(95),
    "noise of matching": lambda found: found.noise,
}
"""Figures of a look in pixels."""

_SIGNED = 2  # of these, from the first

_AFFINE: dict[str, Callable[[Registration], float]] = {
    "scale across, ppm": lambda found: 1e6 * _linear(found, 0, 0),
    "scale down, ppm": lambda found: 1e6 * _linear(found, 1, 1),
    "rotation clockwise, mrad": lambda found: 1e3 * (_linear(found, 1, 0) - _linear(found, 0, 1)) / 2,
    "shear, mrad": lambda found: 1e3 * (_linear(found, 1, 0) + _linear(found, 0, 1)) / 2,
}

_KINDS = {
    "shift": "one shift for all",
    "affine": "affine: shifts in proportion to the place",
    "local": "local: shifts that vary smoothly from place to place",
}


def figures_table(looks: Sequence[Look]) -> Element:
    """Counts of tiles, shifts, and terms of the affine field; two columns a look."""
    heads = [element("th", look.name, colspan=2, style=f"color: {look.color}") for look in looks]
    units = [element("th", unit) for _ in looks for unit in ("px", "m")]
    return element(
        "table",
        element("thead", element("tr", element("th"), *heads), element("tr", element("th"), *units)),
        _group(_counts(looks)),
        _group(_lengths(looks)),
        _group(_affine_terms(looks)),
        class_="figures",
    )


def correction_table(correction: Correction) -> Element:
    """What each kind of correction leaves at tiles that had no say in it."""
    rows = []
    for kind, left in correction.held_out.items():
        chosen = kind == correction.kind
        mark = element("td", "applied" if chosen else "", class_="mark")
        row = element("tr", element("th", _KINDS.get(kind, kind)), element("td", figure(left)), mark)
        row.set("class", "chosen" if chosen else "")
        rows.append(row)
    heads = element("tr", element("th", "kind"), element("th", "median left, px"), element("th"))
    return element("table", element("thead", heads), element("tbody", *rows), class_="kinds")


def _group(rows: Sequence[Row]) -> Element:
    body = element("tbody")
    for name, cells in rows:
        row = element("tr", element("th", name))
        row.extend(element("td", text, colspan=2 // len(each)) for each in cells for text in each)
        body.append(row)
    return body


def _counts(looks: Sequence[Look]) -> list[Row]:
    all_tiles = [look.checked.found.tiles for look in looks]
    rows: list[Row] = [("tiles", [(f"{len(tiles.states):,}",) for tiles in all_tiles])]
    return rows + [(name, [(f"{tiles.count(state):,}",) for tiles in all_tiles]) for state, name in STATES.items()]


def _lengths(looks: Sequence[Look]) -> list[Row]:
    rows = []
    for at, (name, value) in enumerate(LENGTHS.items()):
        cells: list[Cells] = []
        for look in looks:
            px, gsd_m = value(look.checked.found), look.checked.overlay.gsd_m
            cells.append((figure(px, signed=at < _SIGNED), figure(px * gsd_m, 1, signed=at < _SIGNED)))
        rows.append((name, cells))
    return rows


def _affine_terms(looks: Sequence[Look]) -> list[Row]:
    found = [look.checked.found for look in looks]
    rows: list[Row] = [
        (name, [(figure(value(each), 1, signed=True),) for each in found]) for name, value in _AFFINE.items()
    ]
    return [*rows, ("tiles that an affine field explains", [(_explained(each),) for each in found])]


def _explained(found: Registration) -> str:
    return f"{found.fitted.inliers.mean():.0%}" if found.fitted else "-"


def _linear(found: Registration, row: int, column: int) -> float:
    return float(found.fitted.field.linear[row, column]) if found.fitted else math.nan
