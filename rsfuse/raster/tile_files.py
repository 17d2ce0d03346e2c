"""One tile as GeoTIFF files: optical, SAR and labels, each where it lies in its scene."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.disk import writing
from rsfuse.raster.labelled import LabelledSample
from rsfuse.raster.opening import quiet
from rsfuse.raster.painted import paint

Compression = Literal["none", "zstd", "deflate"]

_ONE_BLOCK = 512  # a tile up to this size is one block: whoever wants any of it unpacks all of it anyway
_FAST: dict[str, dict[str, Any]] = {
    # the lowest levels: tiles are read far more often than kept, and speckle and texture hardly pack any closer
    "none": {},
    "zstd": {"compress": "ZSTD", "zstd_level": 1},
    "deflate": {"compress": "DEFLATE", "zlevel": 1},
}


@dataclass(frozen=True)
class TileFiles:
    """How the files of a tile set are written.

    Args:
        folder: of the set; its folders of layers exist.
        layers: which to write.
        legend: of the labels.
        compression: of all files.
    """

    folder: Path
    layers: tuple[str, ...]
    legend: Legend
    compression: Compression

    def write(self, name: str, grid: Grid, labelled: LabelledSample, bands: tuple[tuple[str, ...], ...]) -> None:
        """Write one tile; what has no data is masked.

        Args:
            name: of its files, without an ending.
            grid: where it lies.
            labelled: its pixels as stored, and its codes.
            bands: names of the optical and of the SAR bands.

        Raises:
            OutputError: if the disk is full.
        """
        sample = labelled.sample
        for layer, pixels, names in zip(("optical", "sar"), (sample.optical, sample.sar), bands, strict=True):
            if layer in self.layers:
                stored = pixels.astype(tile_dtype(pixels.dtype), copy=False)
                with self._new_file(layer, name) as memory, self._create(memory, grid, stored) as file:
                    file.descriptions = names
                    file.write(stored)
                    if not sample.valid.all():
                        file.write_mask(sample.valid)
        if "labels" in self.layers:
            codes = labelled.labels[None]
            with self._new_file("labels", name) as memory, self._create(memory, grid, codes, NODATA) as file:
                paint(file, self.legend)
                file.write(codes)

    @contextmanager
    def _new_file(self, layer: str, name: str) -> Iterator[MemoryFile]:
        """A file in memory that goes to the disk when it is complete: Python, unlike GDAL, says when a disk is full."""
        with MemoryFile() as memory:
            yield memory
            path = self.folder / layer / f"{name}.tif"
            with writing(path):
                path.write_bytes(memory.getbuffer())

    @contextmanager
    def _create(self, memory: MemoryFile, grid: Grid, pixels: NDArray[Any], nodata: int | None = None) -> Iterator[Any]:
        side = -(-max(grid.shape) // 16) * 16
        block = side if side <= _ONE_BLOCK else 256
        predictor = {} if self.compression == "none" or nodata is not None else {"predictor": _predictor(pixels.dtype)}
        profile = {
            "driver": "GTiff",
            "dtype": pixels.dtype.name,
            "count": len(pixels),
            "height": grid.height,
            "width": grid.width,
            "crs": grid.crs,
            "transform": grid.transform,
            "nodata": nodata,
            "tiled": True,
            "blockxsize": block,
            "blockysize": block,
            "interleave": "band",  # a third faster to pack than pixel by pixel
            "photometric": "MINISBLACK",
        }
        profile |= _FAST[self.compression] | predictor
        with quiet(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), memory.open(**profile) as file:
            yield file


def tile_dtype(dtype: np.dtype[Any]) -> str:
    """Type of a tile's file: the scene's, unless a sample, which is float32, could not hold all its digits."""
    return dtype.name if dtype.name in {"uint8", "int8", "uint16", "int16"} else "float32"


def _predictor(dtype: np.dtype[Any]) -> int:
    return 3 if dtype.kind == "f" else 2  # of TIFF: differences of floats byte by byte, of whole numbers
