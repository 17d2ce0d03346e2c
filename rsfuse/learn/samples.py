"""Samples: tiles on disk as batches of tensors, in training and in validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from rsfuse.errors import RsfuseError, TileSetError
from rsfuse.learn.augment.chance import between, seeded
from rsfuse.learn.augment.crops import Cropping, ToCrop
from rsfuse.learn.augment.example import Example
from rsfuse.learn.augment.mixing import mix
from rsfuse.learn.augment.variations import variations
from rsfuse.learn.recipes.recipe import Recipe
from rsfuse.learn.sources import DecodedTiles, Source, sources
from rsfuse.legend import Legend

__all__ = [
    "Batch",
    "Item",
    "Share",
    "Source",
    "TrainingSamples",
    "ValidationSamples",
    "class_pixels",
    "collate",
    "raise_broken",
    "sources",
    "tile_order",
]

Batch = tuple[Tensor, Tensor, Tensor]
"""Optical (B, C, H, W), SAR (B, S, H, W), label indices (B, H, W), 255 for none."""

T = TypeVar("T")

Item = Batch | RsfuseError
"""One sample, as `Batch` without B; or why it could not be read."""


@dataclass(frozen=True)
class Share:
    """Which samples of each step a process draws. All processes together draw what one alone would.

    Args:
        rank: number of the process, from 0.
        processes: how many there are.
        parts: how many batches a process makes of its samples of one step, one after the other.
    """

    rank: int = 0
    processes: int = 1
    parts: int = 1

    def at_once(self, batch: int) -> int:
        """Samples that go through the network together.

        Args:
            batch: samples of a step, over all processes and parts.

        Raises:
            ValueError: if they cannot be shared out evenly.
        """
        if batch % (self.processes * self.parts):
            raise ValueError(f"{batch} samples cannot be shared by {self.processes} processes of {self.parts} parts")
        return batch // (self.processes * self.parts)

    def place(self, index: int, batch: int) -> int:
        """The place, among the samples of all processes, of one of this process's."""
        each = batch // self.processes
        step, inside = divmod(index, each)
        return step * batch + self.rank * each + inside

    def own(self, samples: Sequence[T], kind: str) -> Sequence[T]:
        """The part of the validation samples that is this process's; all processes together have each once.

        Args:
            samples: of all processes.
            kind: what they are, for the message.

        Raises:
            TileSetError: if there are fewer than processes, so that one would have nothing to judge.
        """
        if len(samples) < self.processes:
            raise TileSetError(
                f"{self.processes} processes cannot share {len(samples)} {kind}: each needs one at least",
                hint=f"take fewer --devices (times --nodes {len(samples)} at most), or cut more for validation",
            )
        return samples[self.rank :: self.processes]


class TrainingSamples(Dataset[Item]):
    """One stretch of training between two validations: random crops, each a function of recipe, stretch and place.

    A sample that cannot be read is an error in its place: `raise_broken` raises it.

    Args:
        recipe: batch, crop, balance, augmentation, seed.
        origins: the tiles to draw from.
        stretch: number of the stretch, from 0; a resumed run draws what the undisturbed one would have drawn.
        steps: of every stretch; a last one that is shorter is broken off.
        share: which of the samples are this process's; load them in batches of `share.at_once`.

    Raises:
        ValueError: if the batch cannot be shared out evenly.
        TileSetError: if classes are to be balanced and no tile has a label.
    """

    def __init__(
        self, recipe: Recipe, origins: Sequence[Source], stretch: int, steps: int, *, share: Share = Share()
    ) -> None:
        share.at_once(recipe.training.batch)
        self._recipe, self._stretch, self._steps, self._share = recipe, stretch, steps, share
        self._tiles, self._count = DecodedTiles(origins), len(origins)
        augmentation = recipe.augmentation
        self._cropping = Cropping(recipe.training.crop, augmentation.scale, augmentation.category_limit)
        self._vary = variations(augmentation)
        self._places = _places(origins) if recipe.training.balance else []

    def __len__(self) -> int:
        return self._steps * (self._recipe.training.batch // self._share.processes)

    def __getitem__(self, index: int) -> Item:
        try:
            return self._draw(self._share.place(index, self._recipe.training.batch))
        except RsfuseError as error:
            return error

    def _draw(self, place: int) -> Batch:
        recipe = self._recipe
        chance = np.random.default_rng(np.random.SeedSequence([recipe.training.seed, self._stretch, place]))
        with seeded(int(chance.integers(2**62))):
            example = self._balanced(chance) if self._places else self._example(self._next_tile(place))
            if chance.random() < recipe.augmentation.mix:
                other = self._balanced(chance) if self._places else self._example(int(chance.integers(self._count)))
                example = mix(example, other)
        return _plain(example)

    def _next_tile(self, place: int) -> int:
        """Every tile once in random order before any comes again, from stretch to stretch."""
        drawn = self._stretch * self._steps * self._recipe.training.batch + place
        passed, at = divmod(drawn, self._count)
        return int(tile_order(self._recipe.training.seed, passed, self._count)[at])

    def _balanced(self, chance: np.random.Generator) -> Example:
        """An example of a class of a place; place first: what is bare in one city is not what is bare in another."""
        tiles, pixels = self._places[chance.integers(len(self._places))]
        wanted = int(chance.choice(np.flatnonzero(pixels.sum(0))))
        return self._example(int(chance.choice(tiles, p=pixels[:, wanted] / pixels[:, wanted].sum())), wanted)

    def _example(self, number: int, wanted: int | None = None) -> Example:
        tile = self._tiles[number]
        cut = self._cropping.draw(tile.labels, wanted)
        to_crop = ToCrop(self._recipe.training.crop, cut.side)
        anchor = self._recipe.augmentation.anchor
        moved = between(-anchor, anchor) if anchor else 0.0
        return self._vary(to_crop(tile.example(cut.window, moved)))


class ValidationSamples(Dataset[Item]):
    """Every tile of a split once, cut into squares of the training crop; what is left over at the edges is not used.

    A sample that cannot be read is an error in its place: `raise_broken` raises it.

    Args:
        origins: the tiles.
        crop: side of the squares in pixels.
        share: of several processes, each has its part, and all together have every square once.

    Raises:
        TileSetError: if the tiles are smaller than a square, or there are fewer squares than processes.
    """

    def __init__(self, origins: Sequence[Source], crop: int, *, share: Share = Share()) -> None:
        places = [
            (number, Window(left, top, crop, crop))
            for number, origin in enumerate(origins)
            for top in range(0, origin.tile.window[3] - crop + 1, crop)
            for left in range(0, origin.tile.window[2] - crop + 1, crop)
        ]
        if not places:
            raise TileSetError(
                f"tiles of {origins[0].tile.window[2]} px are smaller than the recipe's crop of {crop} px",
                hint="cut larger tiles, or --set training.crop=...",
            )
        self._places = share.own(places, f"validation squares of {crop} px")
        self._tiles = DecodedTiles(origins, keep_bytes=0)  # the squares of a tile follow each other

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Item:
        number, window = self._places[index]
        try:
            return _plain(self._tiles[number].example(window))
        except RsfuseError as error:
            return error


def collate(items: Sequence[Any]) -> Any:
    """A batch of samples; or, if one of them could not be read, the error.

    An error that is raised in a worker of torch's comes out as its kind with another text and no hint; one that is
    handed over comes out as it is.
    """
    broken = [item for item in items if isinstance(item, RsfuseError)]
    return broken[0] if broken else default_collate(list(items))


def raise_broken(batch: object) -> None:
    """Raise what `collate` has handed over instead of a batch.

    Raises:
        RsfuseError: naming the file that could not be read.
    """
    if isinstance(batch, RsfuseError):
        raise batch


def class_pixels(origins: Sequence[Source], legend: Legend) -> NDArray[np.int64]:
    """Labelled pixels of each tile and class, (tiles, K); counted now where nobody has."""
    return np.array([[each.pixels.get(code, 0) for code in legend.codes] for each in origins], np.int64)


@lru_cache(4)
def tile_order(seed: int, passed: int, count: int) -> NDArray[np.int64]:
    """The order of tiles, (count,), in one pass over all of them: a function of the seed and the number of the pass."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(passed,))).permutation(count)


def _plain(example: Example) -> Batch:
    """The example as plain tensors; labels as 64-bit integers."""
    optical, sar, labels = (each.as_subclass(Tensor) for each in example)
    return optical, sar, labels.long()


def _places(origins: Sequence[Source]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each place that has labels, the numbers of its tiles (n,) and their pixels of each class (n, K)."""
    pixels = class_pixels(origins, origins[0].tiles.legend)
    names = np.array([origin.tiles.place_of(origin.tile) for origin in origins])
    numbers = [np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())]
    found = [(tiles, pixels[tiles]) for tiles in numbers if pixels[tiles].any()]
    if not found:
        raise TileSetError(
            f"none of the {len(origins)} training tiles has a labelled pixel, so there is no class to balance",
            hint="check the labels: rsfuse info TILES; or --set training.balance=false",
        )
    return found
