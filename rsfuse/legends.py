"""The legends that rsfuse knows by name."""

from __future__ import annotations

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, LandClass, Legend, parse_color


def _legend(unlabelled: tuple[int, ...], *rows: tuple[int, str, str]) -> Legend:
    return Legend(tuple(LandClass(code, name, parse_color(color)) for code, name, color in rows), unlabelled)


LEGENDS: dict[str, Legend] = {
    # codes of the WHU-OPT-SAR label files; colours as printed by the PAD authors
    "whu-opt-sar": _legend(
        (0, NODATA),
        (10, "farmland", "#cc6600"),
        (20, "city", "#ff0000"),
        (30, "village", "#ffff00"),
        (40, "water", "#0000ff"),
        (50, "forest", "#55a700"),
        (60, "road", "#00ffff"),
        (70, "other", "#996699"),
    ),
    # five classes that can be told from 10 m pictures, the legend of the `sentinel-10m` bundle
    "sentinel-5": _legend(
        (NODATA,),
        (0, "water", "#2166ac"),
        (1, "built-up", "#d6604d"),
        (2, "trees", "#1b7837"),
        (3, "low vegetation", "#a6db5c"),
        (4, "bare", "#dfc27d"),
    ),
}
"""Legends known by name; a recipe or a tile set may bring its own."""


def legend_named(name: str) -> Legend:
    """One of `LEGENDS`.

    Raises:
        LegendMismatchError: if there is none of that name.
    """
    if name not in LEGENDS:
        raise LegendMismatchError(f"no legend is called {name!r}", hint=f"choose one of: {', '.join(LEGENDS)}")
    return LEGENDS[name]


CODINGS: dict[str, LabelCoding] = {}
"""How the label files of a data set say what they mean, for each legend where it is not by the legend's own codes."""


def coding_named(name: str) -> LabelCoding:
    """The coding of the files that a legend of `LEGENDS` was made for.

    Raises:
        LegendMismatchError: if there is none of that name.
    """
    return CODINGS.get(name) or LabelCoding.of(legend_named(name))
