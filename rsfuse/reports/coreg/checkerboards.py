"""Checkerboards: optical and SAR in turn, at the tile that lies best, at a middling one and at the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from rasterio.windows import Window

from rsfuse.geometry.registration import TileState
from rsfuse.geometry.shift_field import Floats
from rsfuse.raster.footprint import carried
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.reports.coreg.ground import stretched
from rsfuse.reports.coreg.looks import Look, shift_told
from rsfuse.reports.html.markup import element, embedded
from rsfuse.reports.thumbnails import Picture

_SIDE, _CELLS = 256, 4
_NEAR = 96  # px: a tile no further away shows some of the same
_TINT = 1.0, 0.88, 0.62  # of SAR, which is which to be seen


@dataclass(frozen=True)
class Spot:
    """A tile of the first look, and a square around it.

    Args:
        name: how well the tile lies.
        place: (2,) x and y of its middle, in pixels of the first look.
        corner: (2,) of the square, which lies within the rasters.
        side: of the square.
    """

    name: str
    place: Floats
    corner: Floats
    side: int

    @property
    def cell(self) -> int:
        """Side of a square of the checkerboard, in pixels."""
        return self.side // _CELLS


def spots(look: Look) -> list[Spot]:
    """Where to look closely; fewer than three of few tiles."""
    tiles, order = look.checked.found.tiles, look.accepted[np.argsort(look.lengths, kind="stable")]
    if not len(order):
        return []
    chosen: dict[int, str] = {}
    for at, name in ((0, "best"), (len(order) // 2, "median"), (-1, "worst")):
        chosen.setdefault(int(order[at]), name)
    side = min(_SIDE, *tiles.shape) // _CELLS * _CELLS
    room = np.array(tiles.shape[::-1]) - side
    return [
        Spot(name, tiles.places[at], np.clip(np.round(tiles.places[at] - side / 2), 0, room), side)
        for at, name in chosen.items()
    ]


def draw_spot(spot: Spot, looks: Sequence[Look]) -> Element:
    """The spot in every look, below each other."""
    return element("div", element("h3", spot.name), *(_draw(spot, looks[0], look) for look in looks))


def _draw(spot: Spot, first: Look, look: Look) -> Element:
    grid, overlay = first.checked.overlay.grid, look.checked.overlay
    left, top = np.round(carried(spot.corner[None], grid, overlay.grid)[0]).astype(int).tolist()
    board = _checkerboard(overlay, Window(left, top, spot.side, spot.side))
    image = element("img", src=embedded(board), alt=f"{spot.name} tile, {look.name}", width=spot.side, height=spot.side)
    name = element("b", look.name, style=f"color: {look.color}")
    caption = element("figcaption", name, f": {_shift_near(spot, first, look)}")
    return element("figure", image, caption, class_="board")


def _shift_near(spot: Spot, first: Look, look: Look) -> str:
    """What was measured there in a look, whose tiles may lie a little elsewhere."""
    tiles = look.checked.found.tiles
    there = carried(tiles.places, look.checked.overlay.grid, first.checked.overlay.grid)
    distances = np.hypot(*(there - spot.place).T)
    nearest = int(distances.argmin())
    if distances[nearest] > _NEAR:
        return "no tile was matched here"
    state = TileState(int(tiles.states[nearest]))
    return shift_told(tiles, nearest) if state == TileState.ACCEPTED else f"{state.name.lower()} here"


def _checkerboard(overlay: Overlay, window: Window) -> Picture:
    optical, sar = stretched(overlay.optical(window)), stretched(overlay.sar(window))
    number = np.arange(window.height) * _CELLS // int(window.height)
    is_sar = np.add.outer(number, number) % 2 == 1
    board: Picture = np.where(is_sar[..., None], (sar * np.array(_TINT)).astype(np.uint8), optical)
    return board
