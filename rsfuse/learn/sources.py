"""Sources: the tiles that samples are made of, how they are scaled, and those that were decoded last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import LegendMismatchError, TileSetError
from rsfuse.learn.augment.example import Example
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.raster.scene import Sample
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.raster.tiles import TileEntry, TileSet

_KEEP_BYTES = 128_000_000
"""Of decoded tiles in each process: a hundred of 256 px, so that a small set is decoded once in a stretch."""


@dataclass(frozen=True)
class Source:
    """One tile of one tile set, and how its pixels are scaled."""

    tiles: TileSet
    tile: TileEntry
    scaler: Scaler

    @cached_property
    def pixels(self) -> dict[int, int]:
        """Labelled pixels of each class code; counted once where nobody has.

        Raises:
            SceneError: if a file is damaged.
        """
        return self.tiles.count(self.tile)

    def decode(self) -> Decoded:
        """The whole tile.

        Raises:
            SceneError: if a file is damaged.
            LegendMismatchError: if a label is not known, naming the tile.
        """
        labelled = self.tiles.read(self.tile)
        try:
            indices = self.tiles.legend.to_index(labelled.labels)
        except LegendMismatchError as error:
            where = f"tile {self.tile.name} of {self.tiles.folder}"
            raise LegendMismatchError(f"{where}: {error}", hint=error.hint) from error
        return Decoded(labelled.sample, np.where(labelled.sample.valid, indices, np.uint8(NODATA)), self.scaler)


@dataclass(frozen=True)
class Decoded:
    """A tile in memory.

    Args:
        sample: its arrays, not yet scaled.
        labels: (h, w) indices of classes, 255 for none and where there is no data.
        scaler: how the arrays are scaled.
    """

    sample: Sample
    labels: NDArray[np.uint8]
    scaler: Scaler

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return sum(each.nbytes for each in (self.sample.optical, self.sample.sar, self.sample.valid, self.labels))

    def example(self, window: Window, moved: float = 0.0) -> Example:
        """The part that a window inside the tile sees, scaled (`moved`: see `Scaler`); a copy."""
        optical, sar = self.scaler(self.sample.crop(window), moved)
        labels = torch.tensor(self.labels[window.toslices()])
        return Example.of(torch.from_numpy(optical), torch.from_numpy(sar), labels)


class DecodedTiles:
    """Tiles by number; those that were used last stay in memory.

    Args:
        origins: the tiles.
        keep_bytes: how much may stay; the last one does in any case.
    """

    def __init__(self, origins: Sequence[Source], keep_bytes: int = _KEEP_BYTES) -> None:
        self._origins, self._keep_bytes = origins, keep_bytes
        self._held: OrderedDict[int, Decoded] = OrderedDict()

    def __getitem__(self, number: int) -> Decoded:
        if number not in self._held:
            self._held[number] = self._origins[number].decode()
        self._held.move_to_end(number)
        while len(self._held) > 1 and sum(each.bytes for each in self._held.values()) > self._keep_bytes:
            self._held.popitem(last=False)
        return self._held[number]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict()}  # each process decodes for itself


def sources(
    recipe: Recipe, tile_sets: Sequence[TileSet], split: str, statistics: SceneStatistics | None
) -> list[Source]:
    """Every tile of a split, over all tile sets.

    Args:
        recipe: says which bands go in and how they are scaled.
        tile_sets: one for each scene.
        split: "train", "val" or "test".
        statistics: those that scale every tile set, or None for each its own scene's.

    Raises:
        TileSetError: as `check_tiles`.
    """
    check_tiles(recipe, tile_sets, split)
    return [
        Source(tiles, tile, Scaler(recipe.inputs, statistics or tiles.statistics_of(tile)))
        for tiles in tile_sets
        for tile in tiles.select(split)
    ]


def check_tiles(recipe: Recipe, tile_sets: Sequence[TileSet], split: str) -> None:
    """Refuse tile sets that cannot serve as a split.

    Raises:
        TileSetError: if a tile set has other bands than the recipe, or no tile set has tiles of this split.
    """
    for tiles in tile_sets:
        check_bands(recipe, tiles)
    if not any(tiles.select(split) for tiles in tile_sets):
        raise TileSetError(
            f"none of {_folders(tile_sets)} has tiles for {split!r}",
            hint="cut tiles for it: rsfuse tile ... --val 0.15",
        )


def check_sar(recipe: Recipe, tile_sets: Sequence[TileSet]) -> None:
    """Refuse training tiles none of which has the SAR that the recipe takes: the network would learn from zeros.

    Raises:
        TileSetError: naming the bands and the folders.
    """
    training = [tiles for tiles in tile_sets if tiles.select("train")]
    wanted = recipe.inputs.sar if recipe.inputs.sensors != "optical" else ()
    if wanted and not any(tiles.manifest.statistics.sar for tiles in training):
        raise TileSetError(
            f"the recipe takes SAR ({', '.join(wanted)}), and none of {_folders(training)} has any to train on",
            hint="give the SAR file when you cut the tiles: rsfuse tile ... --sar SAR; or --set inputs.sensors=optical",
        )


def check_bands(recipe: Recipe, tiles: TileSet) -> None:
    """Refuse tiles whose bands are not as many as the recipe's.

    Raises:
        TileSetError: with both counts.
    """
    has = tiles.manifest.statistics
    for sensor, bands, wanted in (("optical", has.optical, recipe.inputs.optical), ("SAR", has.sar, recipe.inputs.sar)):
        if len(bands) != len(wanted) and (bands or sensor == "optical"):
            raise TileSetError(
                f"{tiles.folder} has {len(bands)} {sensor} bands, the recipe takes {len(wanted)} ({', '.join(wanted)})",
                hint="choose bands when you cut the tiles: rsfuse tile --optical-bands 3,2,1 --sar-bands 1",
            )


def _folders(tile_sets: Sequence[TileSet]) -> str:
    return ", ".join(str(each.folder) for each in tile_sets)
