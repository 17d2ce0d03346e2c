"""TileSet: a folder of tiles cut from one scene.

It holds

    tiles.json              the manifest, written last: a folder without it is not a tile set
    optical/<name>.tif      georeferenced, in the type of the scene's own file
    sar/<name>.tif          if the scene has SAR
    labels/<name>.tif       class codes, if there are labels
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import TileSetError
from rsfuse.legend import NODATA, Legend
from rsfuse.raster.labels import Labels
from rsfuse.raster.manifest import TILES, Manifest, Source, Split, TileEntry, read_manifest
from rsfuse.raster.scene import Sample, Scene
from rsfuse.raster.tile_writer import TileSetWriter

__all__ = ["TILES", "LabelledSample", "Labels", "Manifest", "Source", "Split", "TileEntry", "TileSet", "TileSetWriter"]


@dataclass(frozen=True)
class LabelledSample:
    """A sample and what is known of its pixels.

    Args:
        sample: the arrays of the sensors.
        labels: (h, w) class codes, 255 where nobody said.
    """

    sample: Sample
    labels: NDArray[np.uint8]


class TileSet:
    """A folder of tiles, open for reading from any thread or process.

    Args:
        folder: what `rsfuse tile` made.

    Raises:
        TileSetError: if the folder is not a tile set, or a file of it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self.legend: Legend = Legend.from_dict(self.manifest.legend)
        for layer in self.manifest.layers:
            there = {path.stem for path in (folder / layer).glob("*.tif")}
            missing = [tile.name for tile in self.manifest.tiles if tile.name not in there]
            if missing:
                raise TileSetError(
                    f"{folder / layer} lacks {len(missing)} of {len(self.manifest.tiles)} tiles, "
                    f"the first of them {missing[0]}.tif",
                    hint="copy the folder again, or cut the tiles again: rsfuse tile --overwrite",
                )

    def select(self, split: str) -> list[TileEntry]:
        """The tiles of "train", "val" or "test"."""
        return [tile for tile in self.manifest.tiles if tile.split == split]

    def read(self, tile: TileEntry, window: Window | None = None) -> LabelledSample:
        """A tile, or the part of it that a window sees.

        Args:
            tile: one of this set's.
            window: in the tile's own pixels; None for all of it.

        Raises:
            SceneError: if a file is damaged.
        """
        window = window or Window(0, 0, *tile.window[2:])
        with Scene(self.folder / "optical" / f"{tile.name}.tif", self._path("sar", tile)) as scene:
            sample, grid = scene.read(window), scene.grid
        path = self._path("labels", tile)
        if path is None:
            return LabelledSample(sample, np.full(sample.valid.shape, NODATA, np.uint8))
        with Labels(path, grid) as labels:
            return LabelledSample(sample, labels.read(window))

    def _path(self, layer: str, tile: TileEntry) -> Path | None:
        return self.folder / layer / f"{tile.name}.tif" if layer in self.manifest.layers else None
