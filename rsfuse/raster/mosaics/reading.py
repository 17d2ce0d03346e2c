"""What a mosaic reads of one of its rasters: class codes, an image, or a layer that lies beside a map."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.errors import SceneError
from rsfuse.geometry.depth import Depth
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.map_layer import BLOCK, FULL, beside
from rsfuse.raster.mosaics.source import Source
from rsfuse.raster.opening import Closing, open_raster, reading
from rsfuse.raster.unknown_values import refuse_unknown

_ANY_CODE = LabelCoding({code: code for code in range(NODATA + 1)})

Read = tuple[NDArray[Any], NDArray[np.bool_]]
"""Pixels (C, h, w), and where they are data (h, w)."""


class Reader(Closing):
    """A raster on a part of the grid of a mosaic, read window by window. One thread at a time."""

    @abstractmethod
    def read(self, window: Window) -> Read:
        """A window that lies in the part of the grid, in whole pixels.

        Raises:
            SceneError: if the file is truncated or damaged.
        """


class MapReader(Reader):
    """Class codes; where the grid is another, each pixel takes the nearest.

    Args:
        path: of the map.
        grid: see `Reader`.
        legend: refuse codes that it does not know; None if the file knows best.

    Raises:
        SceneError: if it is not one band of whole numbers.
    """

    def __init__(self, path: Path, grid: Grid, legend: Legend | None = None) -> None:
        self._path, self._legend = path, legend
        self._raster = AlignedRaster(path, grid, categorical=True)
        dtypes = self._raster.dtypes
        if len(dtypes) != 1 or np.dtype(dtypes[0]).kind not in "iu":
            self.close()
            raise SceneError(
                f"{path} has {len(dtypes)} band(s) of {dtypes[0]}, a map has one of integers",
                hint="give maps with one class code per pixel, or leave out --legend for images",
            )

    def read(self, window: Window) -> Read:
        """Codes, and where they are any."""
        pixels, valid = self._raster.read_stored(window)
        if self._raster.dtypes != ("uint8",):
            pixels, unknown = _ANY_CODE.translate(np.where(valid, pixels, NODATA).astype(np.int64))
            refuse_unknown(str(self._path), unknown, hint="map its codes to the range of a legend, 0 to 254")
        codes = pixels.reshape(valid.shape).astype(np.uint8, copy=False)
        valid &= codes != NODATA
        if self._legend is not None:
            self._legend.check(np.where(valid, codes, NODATA), str(self._path))
        return codes[None], valid

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()


class BytesReader(Reader):
    """A map whose bytes are all there is to read: pixel for pixel on the grid, and nothing but 255 is no data."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, open_raster(path)

    def read(self, window: Window) -> Read:
        """Codes, and where they are any."""
        with reading(self._path, window):
            codes = self._file.read(window=window)
        return codes, codes[0] != NODATA

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def open_map(source: Source, grid: Grid, checked: Legend | None) -> Reader:
    """The quickest reader of a map.

    Args:
        source: the map.
        grid: a part of that of the mosaic.
        checked: refuse codes that this legend does not know.
    """
    if checked is None and source.is_plain and grid.matches(source.grid):
        return BytesReader(source.path)
    return MapReader(source.path, grid, checked)


class ImageReader(Reader):
    """Numbers as they stand in the file; where the grid is another, bilinear between its pixels.

    Args:
        path: of the image.
        grid: see there.
    """

    def __init__(self, path: Path, grid: Grid) -> None:
        self._raster = AlignedRaster(path, grid)

    def read(self, window: Window) -> Read:
        """Numbers of all bands but transparency, and where each has one."""
        return self._raster.read_stored(window)

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()


class LayerReader(Reader):
    """A layer beside a map: probabilities from 0 to 1, whether the file holds them as bytes or not.

    Args:
        path: of the layer.
        grid: see there.
        bands: which to read, in this order; None for all.
        nearest: where the grid is another, take the nearest pixel and mix nothing.
    """

    def __init__(self, path: Path, grid: Grid, *, bands: tuple[int, ...] | None = None, nearest: bool = False) -> None:
        self._raster = AlignedRaster(path, grid, bands=bands, categorical=nearest)
        self._scale = np.float32(1 / FULL if self._raster.dtypes[0] == "uint8" else 1)

    def read(self, window: Window) -> Read:
        """Probabilities, and where there are any."""
        pixels, valid = self._raster.read(window)
        pixels *= self._scale
        return pixels, valid

    def close(self) -> None:
        """Let go of the file."""
        self._raster.close()


def open_confidence(path: Path, grid: Grid) -> LayerReader:
    """Confidence of a map: that of each pixel's own class."""
    return LayerReader(beside(path, "confidence"), grid, nearest=True)


def open_probabilities(source: Source, grid: Grid, legend: Legend) -> LayerReader:
    """Probabilities of the classes of a map in the order of a legend; its own may have them in another."""
    order = (source.legend or legend).codes
    bands = tuple(order.index(code) + 1 for code in legend.codes)
    return LayerReader(beside(source.path, "probabilities"), grid, bands=bands)


def depth_of(reader: Reader, shape: tuple[int, int]) -> Depth:
    """How deep the pixels of a raster lie in its data; all of it is read.

    Args:
        reader: of the raster.
        shape: (height, width) of the part of the grid that it lies on.
    """
    depth = Depth(shape)
    for top in range(0, shape[0], BLOCK):
        depth.add(top, reader.read(Window(0, top, shape[1], min(BLOCK, shape[0] - top)))[1])
    return depth
