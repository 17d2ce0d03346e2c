"""A mosaic, window by window: each window is what its rule makes of the rasters that have pixels there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.dtypes import in_dtype_range
from rasterio.windows import Window

from rsfuse.geometry.depth import Depth
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.overlaps import NOBODY, First, Merged, Share
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.mosaics.numbering import scene_numbers
from rsfuse.raster.mosaics.reading import (
    ImageReader,
    LayerReader,
    Reader,
    depth_of,
    open_confidence,
    open_map,
    open_probabilities,
)
from rsfuse.raster.mosaics.region import Region
from rsfuse.raster.mosaics.rules import WAYS, Name
from rsfuse.raster.mosaics.shelf import Shelf
from rsfuse.raster.mosaics.source import Source
from rsfuse.raster.opening import Closing


@dataclass(frozen=True, eq=False)
class Design:
    """What a mosaic is made of.

    Args:
        sources: its rasters, in the order in which they were given.
        region: where they lie on its grid.
        rule: what becomes of pixels that several have.
        legend: what the codes mean; None for images.
        checks_codes: whether a map may hold codes that the legend does not know, which is refused.
    """

    sources: Sequence[Source]
    region: Region
    rule: Name
    legend: Legend | None
    checks_codes: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels: one that holds the numbers of all rasters."""
        if self.legend is not None:
            return np.dtype(np.uint8)
        return np.dtype(np.result_type(*{dtype for source in self.sources for dtype in source.dtypes}))

    @property
    def bands(self) -> int:
        """How many there are."""
        return 1 if self.legend is not None else len(self.sources[0].dtypes)

    @property
    def nodata(self) -> float | None:
        """Number for no data: that of all rasters, or one that no pixel can have; None if there is none."""
        if self.legend is not None:
            return NODATA
        numbers = {str(source.nodata) for source in self.sources}  # NaN, too, is one number
        shared = self.sources[0].nodata if len(numbers) == 1 else None
        if shared is not None and in_dtype_range(shared, self.dtype.name):
            return shared
        return np.nan if self.dtype.kind == "f" else None


class Mosaic(Closing):
    """Reads windows of a mosaic, from the top down. One thread at a time.

    Args:
        design: what it is made of.
    """

    def __init__(self, design: Design) -> None:
        self.design, self._region = design, design.region
        self._way = WAYS[design.rule]
        # the rules work with numbers that say nothing of the scene, too: they are for polygons alone
        self._numbers = [number % NOBODY for number in scene_numbers(design.region.boxes)]
        self._mixes_codes = design.rule == "feather" and design.legend is not None
        self._readers: Shelf[Reader] = Shelf(self._open)
        self._confidence: Shelf[LayerReader] = Shelf(self._open_confidence)
        self._depths: dict[int, Depth] = {}

    def _open(self, number: int) -> Reader:
        source, grid, legend = self.design.sources[number], self._grid(number), self.design.legend
        if legend is None:
            return ImageReader(source.path, grid)
        if self._mixes_codes:
            return open_probabilities(source, grid, legend)
        return open_map(source, grid, legend if self.design.checks_codes else None)

    def _open_confidence(self, number: int) -> LayerReader:
        return open_confidence(self.design.sources[number].path, self._grid(number))

    def _grid(self, number: int) -> Grid:
        return self._region.grid.window(self._region.window(number))

    def read(self, window: Window) -> Merged:
        """A window inside the grid; no data stands where no raster has data.

        Raises:
            SceneError: if a raster is truncated or damaged.
            LegendMismatchError: if a code is not in the legend.
        """
        numbers = self._region.touching(window)
        self._forget(int(window.row_off))
        merged = self._merged(window, numbers) if self._way.weight is None else self._in_pieces(window)
        if self._mixes_codes:
            merged = self._decided(merged)
        fill = 0 if self.design.nodata is None else self.design.nodata
        np.copyto(merged.pixels, merged.pixels.dtype.type(fill), where=~merged.valid)
        return merged

    def _merged(self, window: Window, numbers: Sequence[int]) -> Merged:
        return self._alone(window, numbers[0]) if len(numbers) == 1 else self._together(window, numbers)

    def _in_pieces(self, window: Window) -> Merged:
        """The same, cut where rasters end: only where they overlap must it be known how much each has to say."""
        whole = Merged(
            np.zeros(self._shape(window), self._dtype), np.full((window.height, window.width), NOBODY, np.uint8)
        )
        for piece in self._region.pieces(window):
            numbers = self._region.touching(piece)
            if numbers:
                merged = self._merged(piece, numbers)
                top, left = int(piece.row_off - window.row_off), int(piece.col_off - window.col_off)
                at = np.s_[top : top + int(piece.height), left : left + int(piece.width)]
                whole.pixels[:, *at], whole.scenes[at] = merged.pixels, merged.scenes
        return whole

    def _alone(self, window: Window, number: int) -> Merged:
        """The only raster that has pixels there."""
        at, part = self._part(window, number)
        pixels, valid = self._readers.take(number).read(part)
        if valid.shape == (window.height, window.width) and pixels.dtype == self._dtype:
            return Merged(pixels, np.where(valid, np.uint8(self._numbers[number]), np.uint8(NOBODY)))
        rule = First(self._shape(window), self._dtype)
        rule.add(Share(at, self._fitted(pixels), valid, self._numbers[number]))
        return rule.merged()

    def _together(self, window: Window, numbers: Sequence[int]) -> Merged:
        rule = self._way.rule(self._shape(window), self._dtype)
        for number in reversed(numbers) if self._way.backwards else numbers:
            at, part = self._part(window, number)
            pixels, valid = self._readers.take(number).read(part)
            if valid.any():
                weight = self._weight(number, part)
                rule.add(Share(at, self._fitted(pixels), valid, self._numbers[number], weight))
            if rule.is_full():
                break
        return rule.merged()

    def _part(self, window: Window, number: int) -> tuple[tuple[slice, slice], Window]:
        """What a raster covers of a window: rows and columns of the window, and the window on its own grid."""
        box, inside = self._region.window(number), self._region.window(number).intersection(window)
        top, left = int(inside.row_off - window.row_off), int(inside.col_off - window.col_off)
        at = np.s_[top : top + int(inside.height), left : left + int(inside.width)]
        part = Window(inside.col_off - box.col_off, inside.row_off - box.row_off, inside.width, inside.height)
        return at, part

    def _fitted(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Numbers that were mixed on their way to the grid, rounded if the mosaic holds whole ones."""
        if self._dtype.kind not in "iu" or pixels.dtype.kind != "f" or self.design.rule == "feather":
            return pixels
        limits = np.iinfo(self._dtype)
        rounded: NDArray[Any] = np.clip(np.rint(pixels), limits.min, limits.max).astype(self._dtype)
        return rounded

    def _weight(self, number: int, part: Window) -> NDArray[Any] | None:
        if self._way.weight == "confidence":
            confidence: NDArray[Any] = self._confidence.take(number).read(part)[0][0]
            return confidence
        if self._way.weight is None:
            return None
        if number not in self._depths:
            shape = self._grid(number).shape
            self._depths[number] = depth_of(self._readers.take(number), shape)
        top, left = int(part.row_off), int(part.col_off)
        return self._depths[number].at((top, top + int(part.height)), (left, left + int(part.width)))

    def _decided(self, merged: Merged) -> Merged:
        """The most probable class of each pixel."""
        assert self.design.legend is not None
        return Merged(self.design.legend.to_code(merged.pixels.argmax(0))[None], merged.scenes)

    def _forget(self, top: int) -> None:
        """Depths of rasters that end above a row are needed no more."""
        ended = [number for number in self._depths if self._region.boxes[number, 2] <= top]
        for number in ended:
            del self._depths[number]

    def _shape(self, window: Window) -> tuple[int, int, int]:
        count = len(self.design.legend or ()) if self._mixes_codes else self.design.bands
        return count, int(window.height), int(window.width)

    def close(self) -> None:
        """Let go of all files."""
        self._readers.close()
        self._confidence.close()

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float32) if self._mixes_codes else self.design.dtype
