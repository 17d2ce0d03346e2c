"""Samples: tiles on disk as batches of tensors, in training and in validation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rasterio.windows import Window
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from rsfuse.errors import TileSetError
from rsfuse.learn.augment import Augment, Example
from rsfuse.learn.recipe import Recipe
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import Legend
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.raster.tiles import LabelledSample, TileEntry, TileSet

Batch = tuple[Tensor, Tensor, Tensor]
"""Optical (B, C, H, W), SAR (B, S, H, W), label indices (B, H, W)."""

_KEEP_IN_MEMORY = 64
"""Tiles that are not read again: a few hundred MB at most, and enough for a province in a laptop's evening."""


_LOOKS = 4
"""Places that are looked at for a class that a crop should show."""


@dataclass(frozen=True)
class Source:
    """One tile of one tile set, and how its pixels are scaled."""

    tiles: TileSet
    tile: TileEntry
    scaler: Scaler


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
        TileSetError: if a tile set has other bands than the recipe, or no tile set has tiles of this split.
    """
    for tiles in tile_sets:
        check_bands(recipe, tiles)
    found = [
        Source(tiles, tile, Scaler(recipe.inputs, statistics or tiles.statistics_of(tile)))
        for tiles in tile_sets
        for tile in tiles.select(split)
    ]
    if not found:
        raise TileSetError(
            f"none of {', '.join(str(each.folder) for each in tile_sets)} has tiles for {split!r}",
            hint="cut tiles for it: rsfuse tile ... --val 0.15",
        )
    return found


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


class TrainingSamples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """One stretch of training between two validations: random crops, each a function of the seed, stretch and place.

    Args:
        recipe: batch, crop, balance, augmentation, seed.
        origins: the tiles to draw from.
        stretch: number of the stretch, from 0; a resumed run draws what the undisturbed one would have drawn.
    """

    def __init__(self, recipe: Recipe, origins: Sequence[Source], stretch: int) -> None:
        self._recipe, self._origins, self._stretch = recipe, origins, stretch
        self._legend = origins[0].tiles.legend
        self._pixels = class_pixels(origins, self._legend)  # (tiles, K)
        places = [origin.tiles.place_of(origin.tile) for origin in origins]
        numbers = {place: number for number, place in enumerate(dict.fromkeys(places))}
        place_of = np.array([numbers[place] for place in places])
        self._places = [np.flatnonzero(place_of == number) for number in range(len(numbers))]
        self._read = functools.lru_cache(_KEEP_IN_MEMORY)(self._read_tile)

    def __len__(self) -> int:
        return self._recipe.training.validate_every * self._recipe.training.batch

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor, Tensor]:
        seed = np.random.SeedSequence([self._recipe.training.seed, self._stretch, place])
        chance = np.random.default_rng(seed)
        augment = Augment(self._recipe.augmentation, torch.Generator().manual_seed(int(chance.integers(2**62))))
        example = self._example(augment, chance)
        if chance.random() < self._recipe.augmentation.mix:
            example = augment.mix(example, self._example(augment, chance))
        return example.optical, example.sar, example.labels

    def _example(self, augment: Augment, chance: np.random.Generator) -> Example:
        tile, wanted = self._draw(chance)
        zoom = augment.zoom()
        crops = [self._crop(tile, zoom, chance) for _ in range(_LOOKS if wanted >= 0 else 1)]
        return augment(max(crops, key=lambda crop: int((crop.labels == wanted).sum())))

    def _draw(self, chance: np.random.Generator) -> tuple[int, int]:
        """Number of the tile to crop from, and the class that the crop should show; -1 for any."""
        if not self._recipe.training.balance:
            return int(chance.integers(len(self._origins))), -1
        # scene first: what is bare in one city is not what is bare in another
        tiles = self._places[chance.integers(len(self._places))]
        pixels = self._pixels[tiles]
        wanted = int(chance.choice(np.flatnonzero(pixels.sum(0))))
        return int(chance.choice(tiles, p=pixels[:, wanted] / pixels[:, wanted].sum())), wanted

    def _read_tile(self, number: int) -> Example:
        origin = self._origins[number]
        return to_example(origin.tiles.read(origin.tile), origin.scaler, self._legend)

    def _crop(self, number: int, zoom: float, chance: np.random.Generator) -> Example:
        tile, crop = self._read(number), self._recipe.training.crop
        height, width = tile.labels.shape
        side = min(round(crop / zoom), height, width)
        top, left = (int(chance.integers(length - side + 1)) for length in (height, width))
        here = np.s_[..., top : top + side, left : left + side]
        return Example(
            _resize(tile.optical[here], crop, "bilinear"),
            _resize(tile.sar[here], crop, "bilinear"),
            _resize(tile.labels[here][None], crop, "nearest-exact")[0],
        )


class ValidationSamples(Dataset[tuple[Tensor, Tensor, Tensor]]):
    """Every tile of a split once, cut into squares of the training crop; what is left over at the edges is not used.

    Args:
        origins: the tiles.
        crop: side of the squares in pixels.
    """

    def __init__(self, origins: Sequence[Source], crop: int) -> None:
        self._crop = crop
        self._places = [
            (origin, Window(left, top, crop, crop))
            for origin in origins
            for top in range(0, origin.tile.window[3] - crop + 1, crop)
            for left in range(0, origin.tile.window[2] - crop + 1, crop)
        ]
        if not self._places:
            raise TileSetError(
                f"tiles of {origins[0].tile.window[2]} px are smaller than the recipe's crop of {crop} px",
                hint="cut larger tiles, or --set training.crop=...",
            )

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor, Tensor]:
        origin, window = self._places[place]
        example = to_example(origin.tiles.read(origin.tile, window), origin.scaler, origin.tiles.legend)
        return example.optical, example.sar, example.labels


def to_example(sample: LabelledSample, scaler: Scaler, legend: Legend) -> Example:
    """Scaled tensors of a labelled sample; pixels without data have no label."""
    optical, sar = scaler(sample.sample)
    labels = np.where(sample.sample.valid, legend.to_index(sample.labels), np.uint8(255))
    return Example(torch.from_numpy(optical), torch.from_numpy(sar), torch.from_numpy(labels).long())


def class_pixels(origins: Sequence[Source], legend: Legend) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Labelled pixels of each tile and class, (tiles, K); counted now where nobody has."""
    counts = [each.tiles.count(each.tile) for each in origins]
    return np.array([[count.get(code, 0) for code in legend.codes] for count in counts], np.int64)


def _resize(image: Tensor, side: int, mode: str) -> Tensor:
    if image.shape[-1] == side:
        return image
    if len(image) == 0:  # a sensor without bands
        return image.new_zeros(0, side, side)
    return functional.interpolate(image[None].float(), size=(side, side), mode=mode)[0].to(image.dtype)
