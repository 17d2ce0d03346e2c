"""The legends that rsfuse knows by name."""

from __future__ import annotations

from dataclasses import replace

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
    # the same codes; colours as printed by the ASANet and WHFNet authors
    "whu-opt-sar-asanet": _legend(
        (0, NODATA),
        (10, "farmland", "#ffc380"),
        (20, "city", "#ff0000"),
        (30, "village", "#9f81b7"),
        (40, "water", "#0000ff"),
        (50, "forest", "#00ff00"),
        (60, "road", "#ffff00"),
        (70, "other", "#ffffff"),
    ),
    # names and colours as the ASANet authors have them; the data set itself names no class
    "ddhr": _legend(
        (NODATA,),
        (0, "building", "#ff0000"),
        (1, "road", "#0000ff"),
        (2, "greenery", "#ffff00"),
        (3, "water", "#ff00ff"),
        (4, "farmland", "#00ff00"),
    ),
    # the same codes, names and colours as the WHFNet authors have them: greenery and farmland the other way round
    "ddhr-whfnet": _legend(
        (NODATA,),
        (0, "building", "#800000"),
        (1, "road", "#008000"),
        (2, "farmland", "#808000"),
        (3, "water", "#000080"),
        (4, "greenery", "#800080"),
    ),
    # colours as printed by the ASANet and WHFNet authors, who count the background as a class
    "pie-rgb-sar": _legend(
        (NODATA,),
        (0, "background", "#808080"),
        (1, "city", "#eb3324"),
        (2, "road", "#fffd55"),
        (3, "water", "#42ecf5"),
        (4, "forest", "#38a800"),
        (5, "farmland", "#a87000"),
    ),
    # codes of the data set's readme; no palette is published, these colours are ours
    "yyx-opt-sar": _legend(
        (NODATA,),
        (0, "background", "#808080"),
        (1, "bare ground", "#dfc27d"),
        (2, "low vegetation", "#a6db5c"),
        (3, "trees", "#1b7837"),
        (4, "houses", "#d6604d"),
        (5, "water", "#2166ac"),
        (6, "roads", "#f7f7f7"),
    ),
    # colours of the data set's own masks; codes as the F2Net authors count them, who leave 0 (unknown) out
    "deepglobe": _legend(
        (0, NODATA),
        (1, "urban", "#00ffff"),
        (2, "agriculture", "#ffff00"),
        (3, "rangeland", "#ff00ff"),
        (4, "forest", "#00ff00"),
        (5, "water", "#0000ff"),
        (6, "barren", "#ffffff"),
    ),
    # colours of the data set's own masks, black and white
    "inria": _legend(
        (NODATA,),
        (0, "background", "#000000"),
        (1, "building", "#ffffff"),
    ),
    # codes of the TerraMesh chips, which number Esri's 10 m land cover (1, 2, 4, 5, 7, 8, 9, 10, 11) anew; colours as
    # Esri shows its map. A cloud (8) is no land cover: nobody said
    "esri-lulc": _legend(
        (0, 8, NODATA),
        (1, "water", "#1a5bab"),
        (2, "trees", "#358221"),
        (3, "flooded vegetation", "#87d19e"),
        (4, "crops", "#ffdb5c"),
        (5, "built area", "#ed022a"),
        (6, "bare ground", "#ede9e4"),
        (7, "snow and ice", "#f2faff"),
        (9, "rangeland", "#c6ad8d"),
    ),
    # colours as found in the masks of the Dubai tiles, which are not those of their classes.json; codes are ours
    "dubai": _legend(
        (NODATA,),
        (0, "building", "#3c1098"),
        (1, "land", "#8429f6"),
        (2, "road", "#6ec1e4"),
        (3, "vegetation", "#fedd3a"),
        (4, "water", "#e2a929"),
    ),
    # five classes that can be told from 10 m pictures, the legend of the `sentinel-10m` bundle; colours are ours
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


def _own(name: str) -> LabelCoding:
    return LabelCoding.of(LEGENDS[name])


def _numbers(name: str) -> LabelCoding:
    """Of files of numbers alone: a colour table that such a PNG may have, of whatever program, means nothing."""
    return replace(_own(name), colors={})


_WHU_TENTHS = {code // 10: code for code in LEGENDS["whu-opt-sar"].codes}  # whoever cuts tiles divides the codes by 10

CODINGS: dict[str, LabelCoding] = {
    "whu-opt-sar": _numbers("whu-opt-sar").extended(codes=_WHU_TENTHS),
    "whu-opt-sar-asanet": _numbers("whu-opt-sar-asanet").extended(codes=_WHU_TENTHS),
    "ddhr": _numbers("ddhr"),
    "ddhr-whfnet": _numbers("ddhr-whfnet"),
    "pie-rgb-sar": _numbers("pie-rgb-sar"),
    "yyx-opt-sar": _numbers("yyx-opt-sar"),
    # no number is known: a mask of numbers 0 to 6 would be all 0 once binarised, and pass for unlabelled
    "deepglobe": replace(_own("deepglobe").extended(colors={(0, 0, 0): NODATA}), codes={}, binarised_at=128),
    "inria": replace(_own("inria"), codes={0: 0, 255: 1}, binarised_at=128),
    # grey is "unlabeled" in the Dubai masks; black occurs and is named nowhere
    "dubai": _own("dubai").extended(colors={(155, 155, 155): NODATA, (0, 0, 0): NODATA}),
}
"""How the label files of a data set say what they mean, for each legend where it is not by the legend's own codes."""


def coding_named(name: str) -> LabelCoding:
    """The coding of the files that a legend of `LEGENDS` was made for.

    Raises:
        LegendMismatchError: if there is none of that name.
    """
    return CODINGS.get(name) or LabelCoding.of(legend_named(name))
