"""Thumbnails: tiles of any size made small enough to stand beside each other, and what is in them counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.legend import NODATA, Legend
from rsfuse.raster.labelled import LabelledSample
from rsfuse.raster.statistics import BandStatistics
from rsfuse.raster.tiles import TileEntry, TileSet
from rsfuse.reports.shown_bands import shown_bands

SIDE = 192
"""Longest side of a thumbnail in pixels."""

_READ = 2**19  # pixels at once: a tile may be as large as a scene
_GREY, _PALE, _WHITE = 150, 222, 255

Picture = NDArray[np.uint8]
Planes = NDArray[np.float32]


@dataclass(frozen=True)
class Thumbnail:
    """What a tile looks like.

    Args:
        optical: (h, w, 3), at most `SIDE` a side; hatched where there is no data.
        sar: likewise, grey; None where the set has no SAR.
        labels: likewise, in the legend's colours, dotted where nobody said; None where the set has no labels.
        pixels: pixels with data of each code in the tile, and of 255 where nobody said.
        empty: pixels without data.
    """

    optical: Picture
    sar: Picture | None
    labels: Picture | None
    pixels: dict[int, int]
    empty: int


def look_at_tile(tiles: TileSet, tile: TileEntry) -> Thumbnail:
    """A tile made small: the same values look the same in all tiles of a scene, whatever else is in them.

    Colours run from the 2nd to the 98th percentile of the scene and are bent by a square root, so that dark land can
    be seen beside a bright cloud.

    Raises:
        SceneError: if a file is damaged.
        LegendMismatchError: if a label is not known.
    """
    layers, codes = tiles.manifest.layers, (*tiles.legend.codes, NODATA)
    statistics = tiles.statistics_of(tile)
    bands = shown_bands([band.name for band in statistics.optical])
    optical, sar, labels = (Reducer(tile.window[3], tile.window[2]) for _ in range(3))
    counts = np.zeros(NODATA + 1, np.int64)
    for top, part in _strips(tiles, tile):
        optical.add(top, measured(part.sample.optical, part.sample.valid, bands))
        if "sar" in layers:
            sar.add(top, measured(part.sample.sar, part.sample.valid, (0,)))
        if "labels" in layers:
            labels.add(top, _one_hot(part, codes))
        counts += np.bincount(part.labels[part.sample.valid], minlength=NODATA + 1)
    return Thumbnail(
        optical=picture(optical.means, [statistics.optical[band] for band in bands]),
        sar=picture(sar.means, statistics.sar[:1]) if "sar" in layers else None,
        labels=_map(labels.means, tiles.legend) if "labels" in layers else None,
        pixels={code: int(counts[code]) for code in codes if counts[code]},
        empty=tile.window[2] * tile.window[3] - int(counts.sum()),
    )


class Reducer:
    """Means of pixels in the cells of a thumbnail, each pixel by its share in the cell; fed from top to bottom.

    Args:
        height: of what is made small, in pixels; the thumbnail's longest side is `SIDE`.
        width: likewise.
    """

    def __init__(self, height: int, width: int) -> None:
        cells = (max(round(side * SIDE / max(height, width)), 1) for side in (height, width))
        self._rows, self._columns = (_shares(*each) for each in zip((height, width), cells, strict=True))
        self.means: Planes = np.zeros(0, np.float32)
        """(P, h, w) after the first strip."""

    def add(self, top: int, planes: Planes) -> None:
        """A strip (P, r, width) that begins with this row."""
        rows = self._rows[:, top : top + planes.shape[1]]
        touched = np.flatnonzero(rows.any(1))
        if not self.means.size:
            self.means = np.zeros((len(planes), len(self._rows), len(self._columns)), np.float32)
        self.means[:, touched] += rows[touched] @ planes @ self._columns.T


def measured(pixels: NDArray[np.float32], valid: NDArray[np.bool_], bands: Sequence[int]) -> Planes:
    """Planes (n + 1, h, w) for `Reducer`: n bands, 0 where they have no data, and 1 where they have.

    Args:
        pixels: (C, h, w), 0 where this sensor has no data.
        valid: (h, w), true where every sensor has data.
        bands: which, counted from 0.
    """
    has = valid | (pixels != 0).any(0)
    return np.concatenate([pixels[list(bands)] * has, has[None].astype(np.float32)])


def picture(means: Planes, bands: Sequence[BandStatistics]) -> Picture:
    """The picture (h, w, 3) of reduced planes of `measured`; one band becomes grey."""
    filled = means[-1]
    values = means[:-1] / np.maximum(filled, 1e-6)
    power = 0.5 if len(bands) == 3 else 1.0
    shown = np.stack([_stretch(*each, power) for each in zip(values, bands, strict=True)], axis=-1)
    return np.where((filled >= 0.5)[..., None], shown, hatched(*filled.shape)).astype(np.uint8)


def hatched(height: int, width: int) -> Picture:
    """What stands for "no data" (h, w, 3)."""
    stripes = np.add.outer(np.arange(height), np.arange(width)) % 8 < 2
    return np.where(stripes, np.uint8(_GREY), np.uint8(_PALE))[..., None].repeat(3, -1)


def dotted(height: int, width: int) -> Picture:
    """What stands for "not labelled" (h, w, 3): white, with dots that a class in white does not have."""
    dots = np.logical_and.outer(np.arange(height) % 6 == 3, np.arange(width) % 6 == 3)
    return np.where(dots, np.uint8(_GREY), np.uint8(_WHITE))[..., None].repeat(3, -1)


def _strips(tiles: TileSet, tile: TileEntry) -> Iterator[tuple[int, LabelledSample]]:
    width, height = tile.window[2:]
    rows = max(_READ // width, 1)
    for top in range(0, height, rows):
        yield top, tiles.read(tile, Window(0, top, width, min(rows, height - top)))


def _shares(length: int, cells: int) -> Planes:
    """Share (cells, length) of each cell that each pixel fills."""
    edges, pixels = np.arange(cells + 1) * (length / cells), np.arange(length)
    within = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares: Planes = (np.clip(within, 0, None) * (cells / length)).astype(np.float32)
    return shares


def _one_hot(part: LabelledSample, codes: Sequence[int]) -> Planes:
    """Planes of each code where there is data, and of none."""
    valid = part.sample.valid
    return np.stack([*((part.labels == code) & valid for code in codes), ~valid]).astype(np.float32)


def _map(means: Planes, legend: Legend) -> Picture:
    """The commonest code of each cell in its colour."""
    commonest = means.argmax(0)
    shape = commonest.shape
    layers = [np.full((*shape, 3), each.color, np.uint8) for each in legend] + [dotted(*shape), hatched(*shape)]
    rows, columns = np.indices(shape, sparse=True)
    chosen: Picture = np.stack(layers)[commonest, rows, columns]
    return chosen


def _stretch(values: Planes, band: BandStatistics, power: float) -> NDArray[np.float32]:
    """0 to 255 between the 2nd and the 98th percentile; radar power as dB, else few bright roofs leave it black."""
    low, high = band.percentiles[2], band.percentiles[98]
    if band.unit == "linear":
        floor = max(low, high * 1e-4, 1e-12)
        values, low, high = np.log(np.maximum(values, floor)), float(np.log(floor)), float(np.log(max(high, floor)))
    unit = np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    stretched: NDArray[np.float32] = unit**power * 255
    return stretched
