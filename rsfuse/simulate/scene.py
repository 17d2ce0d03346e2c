"""A simulated scene: what to simulate, and any window of it as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.simulate.ground import ground_under
from rsfuse.simulate.noise import Floats, Frame
from rsfuse.simulate.palette import palette_of
from rsfuse.simulate.sensors import FULL_SCALE, Clouds, Optical, Radar

BLOCK = 512
"""Side of the blocks in which a scene is made; a window is cut out of whole blocks."""
LARGEST_SHIFT_PX = 200

Rendered = tuple[NDArray[np.uint16], Floats, NDArray[np.uint8]]


@dataclass(frozen=True)
class SimulatedScene:
    """What to simulate. The same values give the same pixels.

    Args:
        height: rows.
        width: columns.
        seed: which land on which date; 0 or more.
        looks: looks of the SAR; its speckle on intensity is gamma distributed with mean 1 and variance 1 / looks.
        cloud: share of the optical image under cloud, 0 to 0.95. The truth knows no clouds.
        shift_px: (dx, dy) of the SAR against the optical, right and down positive; at most 200 px each way.
        gsd_m: ground sample distance that the files claim; the land has the same size in pixels whatever it is.

    Raises:
        ValueError: if a value is out of range.
    """

    height: int
    width: int
    seed: int = 0
    looks: float = 4.0
    cloud: float = 0.0
    shift_px: tuple[float, float] = (0.0, 0.0)
    gsd_m: float = 5.0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1 or self.seed < 0:
            raise ValueError(f"cannot simulate {self.height} x {self.width} px of seed {self.seed}")
        if not (0 <= self.cloud <= 0.95 and self.looks > 0 and self.gsd_m > 0):
            raise ValueError(f"out of range: cloud {self.cloud}, looks {self.looks}, gsd_m {self.gsd_m}")
        if max(map(abs, self.shift_px)) > LARGEST_SHIFT_PX:
            raise ValueError(f"a shift of {self.shift_px} px is more than {LARGEST_SHIFT_PX} px")


def render(scene: SimulatedScene, window: Window) -> Rendered:
    """One window of a simulated scene.

    Args:
        scene: what to simulate.
        window: whole pixels inside the scene.

    Returns:
        optical: (4, h, w), blue, green, red, near infrared, 0 to 1023.
        sar: (1, h, w), amplitude in DN.
        truth: (h, w), codes of the legend "whu-opt-sar".

    Raises:
        ValueError: if the window reaches outside the scene.
    """
    top, left = int(window.row_off), int(window.col_off)
    height, width = int(window.height), int(window.width)
    if min(top, left) < 0 or top + height > scene.height or left + width > scene.width:
        raise ValueError(f"{window} reaches outside the scene of {scene.height} x {scene.width} px")
    if (height, width) == (BLOCK, BLOCK) and not (top % BLOCK or left % BLOCK):
        return _render_block(scene, top // BLOCK, left // BLOCK)
    optical = np.empty((4, height, width), np.uint16)
    sar = np.empty((1, height, width), np.float32)
    truth = np.empty((height, width), np.uint8)
    for block_row, rows, from_rows in _touched(top, height):
        for block_column, columns, from_columns in _touched(left, width):
            made = _render_block(scene, block_row, block_column)
            optical[:, rows, columns] = made[0][:, from_rows, from_columns]
            sar[:, rows, columns] = made[1][:, from_rows, from_columns]
            truth[rows, columns] = made[2][from_rows, from_columns]
    return optical, sar, truth


def _touched(start: int, length: int) -> Iterator[tuple[int, slice, slice]]:
    """Number of each block along one axis, its part of the window, and the part of the block that is wanted."""
    for number in range(start // BLOCK, (start + length - 1) // BLOCK + 1):
        first, past = max(start, number * BLOCK), min(start + length, (number + 1) * BLOCK)
        yield (
            number,
            slice(first - start, past - start),
            slice(first - number * BLOCK, past - number * BLOCK),
        )


def _render_block(scene: SimulatedScene, row: int, column: int) -> Rendered:
    """A whole block, even where it hangs over the edge of the scene: it must not depend on where the scene ends."""
    optics, radar, clouds = _instruments(scene)
    inner = Frame(scene.seed, row * BLOCK, column * BLOCK, BLOCK, BLOCK)
    halo = max(math.ceil(max(map(abs, scene.shift_px))) + 1, 2)  # what blurs or is shifted into the block
    ground = ground_under(inner.inside(-halo))

    recorded = optics.record(ground.inside(halo - 1), (row, column))
    if clouds is not None:
        clouds.cover(inner, recorded)
    optical = np.rint(np.clip(recorded, 0, FULL_SCALE)).astype(np.uint16)
    sar = radar.record(_shifted(radar.scatter(ground), scene.shift_px, halo), scene.seed, (row, column))
    truth = palette_of(scene.seed).code[ground.inside(halo).material]
    return optical, sar[None], truth


@lru_cache(maxsize=4)
def _instruments(scene: SimulatedScene) -> tuple[Optical, Radar, Clouds | None]:
    clouds = Clouds(scene.seed, (scene.height, scene.width), scene.cloud) if scene.cloud else None
    return Optical(scene.seed), Radar(scene.seed, scene.looks), clouds


def _shifted(plane: Floats, shift_px: tuple[float, float], halo: int) -> Floats:
    """The middle of a plane (h, w) whose content moves by (dx, dy), bilinear between pixels; the halo falls away."""
    for axis, shift in ((1, shift_px[0]), (0, shift_px[1])):
        whole = math.floor(shift)
        part = np.float32(shift - whole)
        near = _part(plane, halo - whole, axis)
        plane = near if part == 0 else near + part * (_part(plane, halo - whole - 1, axis) - near)
    return plane


def _part(plane: Floats, start: int, axis: int) -> Floats:
    return plane[:, start : start + BLOCK] if axis == 1 else plane[start : start + BLOCK]
