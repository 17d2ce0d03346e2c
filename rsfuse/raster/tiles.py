"""TileSet: a folder of tiles cut from scenes, or of the places in scenes where they are to be read.

It holds

    tiles.json              the manifest, written last: a folder without it is not a tile set
    optical/<name>.tif      georeferenced, in the type of the scene's own file
    sar/<name>.tif          if the scenes have SAR
    labels/<name>.tif       class codes, if there are labels

or the manifest alone, if it says how windows of the scenes are read.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.crop import Crop
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.labelled import LabelledSample, LabelledScene, SceneSource
from rsfuse.raster.labels import Labels
from rsfuse.raster.manifest import (
    TILES,
    Manifest,
    Reading,
    SceneEntry,
    Split,
    TileEntry,
    read_manifest,
)
from rsfuse.raster.scene import Bands, Scene
from rsfuse.raster.statistics import SceneStatistics

__all__ = ["TILES", "LabelledSample", "Labels", "Manifest", "Split", "TileEntry", "TileSet", "source_of"]

_OPEN_SCENES = 32
"""Of each thread: enough for neighbours to find their blocks decoded, and far below the limit of open files."""


class TileSet:
    """A folder of tiles, open for reading from any thread or process.

    Args:
        folder: what `rsfuse tile` made.

    Raises:
        TileSetError: if the folder is not a tile set, or a file of it, or a scene that it names, is missing or changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self.legend: Legend = Legend.from_dict(self.manifest.legend)
        self._scenes = {scene.name: scene for scene in self.manifest.scenes}
        self._open = _OpenScenes()
        if self.manifest.reading is None:
            self._check_files()
        else:
            for scene in self.manifest.scenes:
                _check_unchanged(folder, scene)

    def select(self, split: str) -> list[TileEntry]:
        """The tiles of "train", "val" or "test"."""
        return [tile for tile in self.manifest.tiles if tile.split == split]

    def statistics_of(self, tile: TileEntry) -> SceneStatistics:
        """Statistics of the scene that a tile is a part of; those of the set where the tile is a chip."""
        return self._scenes[tile.scene].statistics or self.manifest.statistics

    def place_of(self, tile: TileEntry) -> str:
        """Which place a tile shows: that of its scene; chips, of which nobody knows, are of one place all together."""
        return f"{self.folder}:{tile.scene if self._scenes[tile.scene].statistics else ''}"

    def read(self, tile: TileEntry, window: Window | None = None) -> LabelledSample:
        """A tile, or the part of it that a window sees.

        Args:
            tile: one of this set's.
            window: in the tile's own pixels; None for all of it.

        Raises:
            SceneError: if a file is damaged.
        """
        window = window or Window(0, 0, *tile.window[2:])
        if self.manifest.reading is not None:
            scene = self._open.get(self._scenes[tile.scene], self.manifest.reading)
            left, top, width, height = tile.window
            if left + width > scene.scene.grid.width or top + height > scene.scene.grid.height:
                whole = scene.read(Window(*tile.window))  # a part of it may lie outside of the scene altogether
                return LabelledSample(whole.sample.crop(window), whole.labels[window.toslices()])
            return scene.read(Window(left + window.col_off, top + window.row_off, window.width, window.height))
        with Scene(self.folder / "optical" / f"{tile.name}.tif", self._path("sar", tile)) as copy:
            sample, grid = copy.read(window), copy.grid
        path = self._path("labels", tile)
        if path is None:
            return LabelledSample(sample, np.full(sample.valid.shape, NODATA, np.uint8))
        with Labels(path, grid) as labels:
            return LabelledSample(sample, labels.read(window))

    def count(self, tile: TileEntry) -> dict[int, int]:
        """Pixels with data of each class code in a tile: as the manifest says, or counted now.

        Raises:
            SceneError: if a file is damaged.
            LegendMismatchError: if a label is not known.
        """
        if tile.classes is not None:
            return tile.classes
        labelled = self.read(tile)
        counts = np.bincount(labelled.labels[labelled.sample.valid], minlength=NODATA + 1)
        return {code: int(counts[code]) for code in self.legend.codes if counts[code]}

    def _path(self, layer: str, tile: TileEntry) -> Path | None:
        return self.folder / layer / f"{tile.name}.tif" if layer in self.manifest.layers else None

    def _check_files(self) -> None:
        for layer in self.manifest.layers:
            there = {path.stem for path in (self.folder / layer).glob("*.tif")}
            missing = [tile.name for tile in self.manifest.tiles if tile.name not in there]
            if missing:
                raise TileSetError(
                    f"{self.folder / layer} lacks {len(missing)} of {len(self.manifest.tiles)} tiles, "
                    f"the first of them {missing[0]}.tif",
                    hint="copy the folder again, or cut the tiles again: rsfuse tile --overwrite",
                )


def source_of(scene: SceneEntry, reading: Reading) -> SceneSource:
    """How a scene of a set without copies is read."""
    sar, labels = (Path(path) if path else None for path in (scene.sar, scene.labels))
    return SceneSource(
        SceneFiles(scene.name, Path(scene.optical), sar, labels),
        reading.coding,
        Bands(reading.optical_bands, reading.sar_bands),
        reading.field,
        Crop(polygons=Path(reading.area) if reading.area else None),
        reading.by_size,
    )


class _OpenScenes:
    """Scenes that stay open, so that their decoded blocks do; each thread and process has its own."""

    def __init__(self) -> None:
        self._local = threading.local()

    def get(self, entry: SceneEntry, reading: Reading) -> LabelledScene:
        held: OrderedDict[str, LabelledScene] = self._held()
        if entry.name not in held:
            held[entry.name] = source_of(entry, reading).open()
            if len(held) > _OPEN_SCENES:
                held.popitem(last=False)[1].close()
        held.move_to_end(entry.name)
        return held[entry.name]

    def _held(self) -> OrderedDict[str, LabelledScene]:
        if getattr(self._local, "process", None) != os.getpid():  # handles of a forked parent are not ours to use
            self._local.process, self._local.held = os.getpid(), OrderedDict()
        held: OrderedDict[str, LabelledScene] = self._local.held
        return held

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, _: dict[str, Any]) -> None:
        self._local = threading.local()


def _check_unchanged(folder: Path, scene: SceneEntry) -> None:
    paths = [Path(path) for path in (scene.optical, scene.sar, scene.labels) if path]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise TileSetError(
            f"{folder} reads from {missing[0]}, which is not there any more",
            hint="bring the scene back, or plan the tiles again: rsfuse tile --manifest-only",
        )
    size = sum(path.stat().st_size for path in paths)
    if size != scene.bytes:
        raise TileSetError(
            f"the files of scene {scene.name!r} had {scene.bytes} bytes when {folder} was planned, and have {size} now",
            hint="plan the tiles again: rsfuse tile --manifest-only --overwrite",
        )
