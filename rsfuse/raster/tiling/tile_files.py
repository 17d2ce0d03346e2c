"""One tile as GeoTIFF files: optical, SAR and labels, each where it lies in its scene."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from rsfuse.raster.tiling.stored_blocks import with_blocks

Compression = Literal["scene", "none", "zstd", "deflate"]
"""Of tiles; "scene" is that of the scene's own file, whose packed blocks are taken over where tiles end with blocks."""

_ONE_BLOCK = 512  # a tile up to this size is one block: whoever wants any of it unpacks all of it anyway
_FAST: dict[str, dict[str, Any]] = {
    # the lowest levels: tiles are read far more often than kept, and speckle and texture hardly pack any closer
    "none": {},
    "zstd": {"compress": "ZSTD", "zstd_level": 1},
    "deflate": {"compress": "DEFLATE", "zlevel": 1},
}


@dataclass(frozen=True)
class StoredPart:
    """How a scene's file holds what a tile is cut from.

    Args:
        codec: creation options that pack alike, None where it is packed in a way that is not taken over.
        blocks: the packed blocks of the tile, in their order; None where its edges are not edges of blocks.
        layout: creation options of a file that is to hold these blocks.
    """

    codec: dict[str, Any] | None = None
    blocks: list[bytes] | None = None
    layout: dict[str, Any] = field(default_factory=dict)


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

    def write(
        self,
        name: str,
        grid: Grid,
        labelled: LabelledSample,
        *,
        bands: tuple[tuple[str, ...], ...],
        stored: Mapping[str, StoredPart],
    ) -> None:
        """Write one tile; what has no data is masked.

        Args:
            name: of its files, without an ending.
            grid: where it lies.
            labelled: its pixels as stored, and its codes.
            bands: names of the optical and of the SAR bands.
            stored: how the scene's files hold it, for each layer that lies on the scene's grid.

        Raises:
            OutputError: if the disk is full.
        """
        sample = labelled.sample
        for layer, pixels, names in zip(("optical", "sar"), (sample.optical, sample.sar), bands, strict=True):
            if layer in self.layers:
                content = _Layer(grid, pixels, names)
                self._write_layer(f"{layer}/{name}.tif", content, sample.valid, stored.get(layer, StoredPart()))
        if "labels" in self.layers:
            with MemoryFile() as memory:
                layer_of_codes = _Layer(grid, labelled.labels[None], ("land cover",))
                with _created(memory, layer_of_codes, self._packing(StoredPart(), None), NODATA) as file:
                    paint(file, self.legend)
                    file.write(labelled.labels[None])
                self._save(f"labels/{name}.tif", memory.getbuffer())

    def _write_layer(self, name: str, layer: _Layer, valid: NDArray[np.bool_], part: StoredPart) -> None:
        dtype, whole = tile_dtype(layer.pixels.dtype), bool(valid.all())
        with MemoryFile() as memory:
            if self.compression == "scene" and part.blocks and whole and dtype == layer.pixels.dtype:
                with _created(memory, layer, part.layout | {"sparse_ok": True}):
                    pass
                self._save(name, with_blocks(bytes(memory.getbuffer()), part.blocks))
                return
            content = replace(layer, pixels=layer.pixels.astype(dtype, copy=False))
            with _created(memory, content, self._packing(part, np.dtype(dtype))) as file:
                file.write(content.pixels)
                if not whole:
                    file.write_mask(valid)
            self._save(name, memory.getbuffer())

    def _packing(self, part: StoredPart, dtype: np.dtype[Any] | None) -> dict[str, Any]:
        """Creation options; codes, which have no type here, are not worth a predictor."""
        if self.compression == "scene" and part.codec is not None:
            return part.codec
        compression = "zstd" if self.compression == "scene" else self.compression
        if dtype is None or compression == "none":
            return _FAST[compression]
        return _FAST[compression] | {"predictor": 3 if dtype.kind == "f" else 2}

    def _save(self, name: str, content: bytes | memoryview) -> None:
        """A file goes to the disk when it is complete: Python, unlike GDAL, says when a disk is full."""
        path = self.folder / name
        with writing(path):
            path.write_bytes(content)


@dataclass(frozen=True)
class _Layer:
    """What becomes one file: where it lies, its pixels (C, h, w), and what its bands are called."""

    grid: Grid
    pixels: NDArray[Any]
    bands: tuple[str, ...]


@contextmanager
def _created(memory: MemoryFile, layer: _Layer, packing: Mapping[str, Any], nodata: int | None = None) -> Iterator[Any]:
    """A new file with the names of its bands, open for its pixels."""
    grid = layer.grid
    side = -(-max(grid.shape) // 16) * 16
    block = side if side <= _ONE_BLOCK else 256
    profile = {
        "driver": "GTiff",
        "dtype": layer.pixels.dtype.name,
        "count": len(layer.pixels),
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
        **packing,
    }
    with quiet(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), memory.open(**profile) as file:
        file.descriptions = layer.bands
        yield file


def tile_dtype(dtype: np.dtype[Any]) -> str:
    """Type of a tile's file: the scene's, unless a sample, which is float32, could not hold all its digits."""
    return dtype.name if dtype.name in {"uint8", "int8", "uint16", "int16"} else "float32"
