"""Settlements: which roof, street or yard lies on each pixel of a town or a village."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.simulate import palette
from rsfuse.simulate.districts import Districts
from rsfuse.simulate.noise import Floats, Hashes, hash_places, unit

BLOCK = 46.0
"""Side of a city block in pixels, streets included."""
_CELLS = np.array([6.0, 8.0, 10.0, 15.0], np.float32)  # sides of a plot with one building, by kind of block


def city(districts: Districts, where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Materials of the pixels (n,) of a mask (h, w) that lie in a town: streets around buildings and parks."""
    along, across = (each[where] for each in districts.plots)
    start = districts.hashes.take(districts.index[where])
    block, (right, down) = _cells(along, across, np.float32(BLOCK), start)
    cell = _CELLS.take((block & np.uint32(3)).astype(np.intp))
    house, (u, v) = _cells(right, down, cell, block)

    material = _variety(house, palette.ROOFS, palette.ROOF_KINDS)
    shared = (block & np.uint32(0x300)) > 0  # in three blocks of four, most roofs are alike
    alike = shared & (unit(house, 4) < 0.7)
    material[alike] = _variety(block, palette.ROOFS, palette.ROOF_KINDS)[alike]
    depth = np.float32(0.62) + np.float32(0.2) * unit(house, 10)
    material[(u > depth * cell) | (v > depth * cell)] = palette.ASPHALT
    material[(u > depth * cell) & (u <= depth * cell + 2)] = palette.SHADOW  # the sun stands on the other side
    material[(v < 1) & (unit(house, 16) < 0.5)] = palette.WALL  # faces the radar
    green = unit(house, 6)
    material[(green < 0.16) | ((material == palette.ASPHALT) & (green > 0.6))] = palette.CITY_GREEN
    park = unit(block, 18) < 0.06
    material[park] = palette.WOODS + 3
    avenue = np.float32(3)
    material[(right < avenue) | (down < avenue)] = palette.ROADS + 1
    return material


def village(districts: Districts, where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Materials of the pixels (n,) of a mask (h, w) that lie in a village: houses in rows among yards and trees."""
    along, across = (each[where] for each in districts.plots)
    start = districts.hashes.take(districts.index[where])
    house, (u, v) = _cells(along, across, np.float32(4.5), start)
    material = _variety(house, palette.YARDS, palette.YARD_KINDS)
    roof = (unit(house, 5) < 0.72) & (u < 3.4) & (v < 3.2)
    material[roof] = _variety(house, palette.HOUSES, palette.HOUSE_KINDS)[roof]
    return material


def _cells(
    along: Floats, across: Floats, side: Floats | np.float32, start: Hashes
) -> tuple[Hashes, tuple[Floats, Floats]]:
    """Hashes (n,) of square cells, and the place of each pixel inside its cell, in pixels."""
    column, row = np.floor(along / side), np.floor(across / side)
    hashes = hash_places(row, column, start)
    return hashes, (along - column * side, across - row * side)


def _variety(hashes: Hashes, first: int, kinds: int) -> NDArray[np.uint8]:
    """One of the `kinds` materials from `first` on, by hash."""
    chosen: NDArray[Any] = (hashes >> np.uint32(11)) % np.uint32(kinds)
    return (chosen + np.uint32(first)).astype(np.uint8)
