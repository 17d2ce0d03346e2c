"""A laid-out image, read on a grid on the ground."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.lattice import Lattice
from rsfuse.geometry.sampling import Kernel, Part, sample, with_neighbours
from rsfuse.geometry.sharpening.filters import Span
from rsfuse.raster.growing import has_data
from rsfuse.raster.opening import Closing, open_raster, reading
from rsfuse.raster.ortho.heights import Heights
from rsfuse.raster.ortho.laid_out import LaidOut
from rsfuse.raster.ortho.models import between
from rsfuse.raster.ortho.target import source_coarseness


@dataclass(frozen=True)
class Ground:
    """Where the result lies.

    Args:
        grid: of it.
        heights: of its pixels.
        kernel: by which values between pixels are made.
    """

    grid: Grid
    heights: Heights
    kernel: Kernel


@dataclass(frozen=True)
class OnGround:
    """A window of the grid.

    Args:
        values: (B, h, w) float32; nothing certain where they are not valid.
        valid: (h, w).
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]


class OrthoImage(Closing):
    """An image on a grid. One thread at a time.

    Args:
        laid: the image.
        ground: where it is wanted.
        lattice: of both, if it is known already.
    """

    def __init__(self, laid: LaidOut, ground: Ground, lattice: Lattice | None = None) -> None:
        self.laid, self.ground = laid, ground
        self._lattice = lattice or _lattice(laid, ground)
        with ExitStack() as opened:
            self._file = opened.enter_context(open_raster(laid.path))
            self._heights = opened.enter_context(ground.heights.again())
            self._opened = opened.pop_all()

    def again(self) -> OrthoImage:
        """The same opened once more, for another thread."""
        return OrthoImage(self.laid, self.ground, self._lattice)

    def read(self, rows: Span, columns: Span) -> OnGround:
        """A window of the grid.

        Raises:
            SceneError: if the image or the heights cannot be read.
        """
        there = self._lattice.bounds(rows, columns) or ((0, 0), (0, 0))
        (top, bottom), (left, right) = with_neighbours(there, self.laid.shape, self.ground.kernel)
        if bottom <= top or right <= left:
            shape = (rows[1] - rows[0], columns[1] - columns[0])
            return OnGround(np.zeros((self._file.count, *shape), np.float32), np.zeros(shape, np.bool_))
        window = Window(left, top, right - left, bottom - top)
        with reading(self.laid.path, window):
            pixels = self._file.read(window=window)
        known = has_data(pixels, np.nan) if pixels.dtype.kind == "f" else pixels.any(0)
        part = Part(pixels, None if known.all() else known, (top, left), self.laid.shape)
        places = self._lattice.coordinates(rows, columns, self._heights.read(rows, columns))
        return OnGround(*sample(part, *places, self.ground.kernel))

    def places(self, rows: Span, columns: Span) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Columns and rows (h, w) of a window's pixels in the image as it was delivered, NaN where they have none."""
        across, down = self._lattice.coordinates(rows, columns, self._heights.read(rows, columns))
        return across * self.laid.block[1], down * self.laid.block[0]

    def depth(self, rows: Span, columns: Span) -> NDArray[np.float64]:
        """How far inside the image pixels of a window lie: (h, w), in its pixels; below 0 where they do not."""
        across, down = self._lattice.coordinates(rows, columns, self._heights.read(rows, columns))
        height, width = self.laid.shape
        depth = np.minimum(np.minimum(across, width - across), np.minimum(down, height - down))
        return np.where(np.isnan(depth), -1.0, depth)

    def close(self) -> None:
        """Let go of the files."""
        self._opened.close()


def _lattice(laid: LaidOut, ground: Ground) -> Lattice:
    heights = ground.heights
    to_model = between(ground.grid.crs, laid.model.crs)
    middle = (heights.lowest + heights.highest) / 2
    spans = source_coarseness(ground.grid, laid.model, laid.shape, middle)
    across = min(side / span for side, span in zip(laid.shape, spans, strict=True))
    return Lattice(ground.grid, laid.model, to_model, heights.lowest, heights.highest, across=across)
