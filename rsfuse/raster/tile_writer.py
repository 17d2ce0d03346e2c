"""TileSetWriter: tiles into a folder one after the other, and at the end the manifest that makes it a tile set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import MemoryFile
from rasterio.windows import Window

import rsfuse
from rsfuse.errors import OutputError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.disk import writing
from rsfuse.raster.manifest import LAYERS, TILES, Manifest, Source, Split, TileEntry
from rsfuse.raster.opening import quiet
from rsfuse.raster.painted import paint
from rsfuse.raster.scene import Sample, Scene

_ONE_BLOCK = 512  # a tile up to this size is one block: whoever wants any of it unpacks all of it anyway


class TileSetWriter:
    """Cuts of one scene on their way into a folder. Without a clean end nothing of them stays.

    Args:
        folder: made if it is not there.
        scene: what is cut; it must stay open.
        legend: of the labels.
        size: side of a tile in pixels.
        split: one sentence on how the splits are made.
        labels: file of the labels, None where there are none.
        overwrite: replace the tile set that is there.

    Raises:
        OutputError: if the folder is not empty, or cannot be made.
        SceneError: if the scene has no data.
    """

    def __init__(
        self,
        folder: Path,
        scene: Scene,
        legend: Legend,
        *,
        size: int,
        split: str,
        labels: Path | None = None,
        overwrite: bool = False,
    ) -> None:
        if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not overwrite):
            raise OutputError(
                f"{folder} {'is a file' if folder.is_file() else 'is not empty'}",
                hint="choose another --out, or add --overwrite to replace a tile set",
            )
        self._folder, self._grid, self._legend = folder, scene.grid, legend
        self._tiles: list[TileEntry] = []
        self._dtypes = [_tile_dtype(each) for each in scene.dtypes]
        self._names = (scene.optical_bands, scene.sar_bands)
        self._manifest = Manifest(
            software=f"rsfuse {rsfuse.__version__}",
            source=Source(
                optical=scene.optical_path.name,
                sar=scene.sar_path.name if scene.sar_path else None,
                labels=labels.name if labels else None,
            ),
            size=size,
            gsd_m=scene.gsd_m,
            crs=scene.grid.crs.to_string() if scene.grid.crs else None,
            statistics=scene.statistics(),
            legend=legend.to_dict(),
            split=split,
            tiles=(),
        )
        with writing(folder):
            _clear(folder)
            for layer in self._manifest.layers:
                (folder / layer).mkdir(parents=True, exist_ok=True)

    def add(
        self, name: str, split: Split, window: Window, sample: Sample, labels: NDArray[np.uint8] | None = None
    ) -> None:
        """Write one tile.

        Args:
            name: of its files, without an ending.
            split: what it may be used for.
            window: where in the scene it lies.
            sample: its pixels, as `Scene.read` gave them.
            labels: its codes (h, w), if the tile set has labels.

        Raises:
            LegendMismatchError: if a code is not in the legend.
            OutputError: if the disk is full.
        """
        if (labels is None) != (self._manifest.source.labels is None):
            raise ValueError("either every tile has labels or none")
        grid = self._grid.window(window)
        layers = zip(LAYERS, (sample.optical, sample.sar), self._names, self._dtypes, strict=False)
        for layer, pixels, bands, dtype in layers:
            if layer in self._manifest.layers:
                with self._new_file(layer, name) as memory, _create(memory, grid, pixels.shape[0], dtype) as file:
                    file.descriptions = bands
                    file.write(_to_dtype(pixels, dtype))
                    if not sample.valid.all():
                        file.write_mask(sample.valid)
        classes = {} if labels is None else self._add_labels(name, grid, labels, sample.valid)
        place = (int(window.col_off), int(window.row_off), int(window.width), int(window.height))
        valid = round(float(sample.valid.mean()), 6)
        self._tiles.append(TileEntry(name=name, split=split, window=place, valid=valid, classes=classes))

    def _add_labels(self, name: str, grid: Grid, labels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> dict[int, int]:
        """Write the labels of a tile; how many valid pixels each class has."""
        self._legend.check(labels, f"tile {name}")
        with self._new_file("labels", name) as memory, _create(memory, grid, 1, "uint8", nodata=NODATA) as file:
            paint(file, self._legend)
            file.write(labels, 1)
        counts = np.bincount(labels[valid], minlength=NODATA + 1)
        return {code: int(counts[code]) for code in self._legend.codes if counts[code]}

    @contextmanager
    def _new_file(self, layer: str, name: str) -> Iterator[MemoryFile]:
        """A file in memory that goes to the disk when it is complete: Python, unlike GDAL, says when a disk is full."""
        with MemoryFile() as memory:
            yield memory
            path = self._folder / layer / f"{name}.tif"
            with writing(path):
                path.write_bytes(memory.getbuffer())

    def _seal(self) -> None:
        manifest = self._manifest.model_copy(update={"tiles": tuple(self._tiles)})
        part = self._folder / f".{TILES}.part"
        with writing(part):
            part.write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
            part.replace(self._folder / TILES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self._seal()
        except BaseException:
            _clear(self._folder)
            raise
        if kind is not None:
            _clear(self._folder)


def _clear(folder: Path) -> None:
    """Remove what a tile set consists of, the manifest first, and nothing that anybody else has put there."""
    for name in (TILES, f".{TILES}.part"):
        (folder / name).unlink(missing_ok=True)
    for layer in LAYERS:
        for tile in (folder / layer).glob("*.tif"):
            tile.unlink()
    for emptied in (*(folder / layer for layer in LAYERS), folder):
        if emptied.is_dir() and not any(emptied.iterdir()):
            emptied.rmdir()


@contextmanager
def _create(memory: MemoryFile, grid: Grid, bands: int, dtype: str, nodata: int | None = None) -> Iterator[Any]:
    side = -(-max(grid.shape) // 16) * 16
    block = side if side <= _ONE_BLOCK else 256
    profile = {
        "driver": "GTiff",
        "dtype": dtype,
        "count": bands,
        "height": grid.height,
        "width": grid.width,
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": block,
        "blockysize": block,
        "compress": "DEFLATE",
        "photometric": "MINISBLACK",
    }
    with quiet(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), memory.open(**profile) as file:
        yield file


def _tile_dtype(dtype: str | None) -> str:
    """Type of a tile's file: the scene's, unless a sample, which is float32, could not hold all its digits."""
    return dtype if dtype in {"uint8", "int8", "uint16", "int16"} else "float32"


def _to_dtype(pixels: NDArray[np.float32], dtype: str) -> NDArray[Any]:
    if dtype == "float32":
        return pixels
    limits = np.iinfo(dtype)
    return np.clip(np.rint(pixels), limits.min, limits.max).astype(dtype)  # a warp leaves fractions
