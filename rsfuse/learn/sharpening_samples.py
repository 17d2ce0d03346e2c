"""Samples for sharpening: patches on disk as tensors over the divisor, in training and in validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from rsfuse.errors import RsfuseError, TileSetError
from rsfuse.learn.recipes.augmentation import SharpeningAugmentation
from rsfuse.learn.recipes.recipe import SettledRecipe
from rsfuse.learn.samples import Share, tile_order
from rsfuse.raster.sharpening.manifest import SharpeningEntry, again
from rsfuse.raster.sharpening.patches import SharpeningSample, SharpeningSet

SharpeningBatch = tuple[Tensor, Tensor, Tensor]
"""Panchromatic (N, 1, H, W), multispectral (N, B, h, w) and reference (N, B, H, W), in the unit of the divisor."""

SharpeningItem = SharpeningBatch | RsfuseError
"""One sample, as `SharpeningBatch` without N; or why it could not be read."""


@dataclass(frozen=True)
class PatchSource:
    """One patch of one set."""

    patches: SharpeningSet
    entry: SharpeningEntry

    def read(self) -> SharpeningSample:
        """The patch in digital numbers.

        Raises:
            TileSetError: if its file is gone, has changed or is damaged.
        """
        return self.patches.read(self.entry)


def patch_sources(sets: Sequence[SharpeningSet], split: str) -> list[PatchSource]:
    """Every patch of a split, over all sets.

    Raises:
        TileSetError: if there is none.
    """
    found = [PatchSource(patches, entry) for patches in sets for entry in patches.select(split)]
    if not found:
        raise TileSetError(
            f"none of {', '.join(str(each.folder) for each in sets)} has patches for {split!r}",
            hint=_wanting(sets[0], split),
        )
    return found


def _wanting(patches: SharpeningSet, split: str) -> str:
    """How a set comes by patches for a split, for a hint."""
    header = patches.header
    once_more = again(patches.folder, header.dataset)
    if header.dataset == "wald":
        return f"{once_more}; --val, --test and --split say which patches are for what"
    name = {"train": "train", "val": "valid"}.get(split, split)
    return f"put {name}_{header.sensor}.h5 beside the other files, and {once_more}"


class SharpeningTraining(Dataset[SharpeningItem]):
    """One stretch of training between two validations: every patch once, in random order, before any comes again.

    What is larger than the crop is cropped at random, at whole multispectral pixels. A sample that cannot be read is
    an error in its place: `raise_broken` raises it.

    Args:
        recipe: batch, crop, divisor, augmentation, seed.
        origins: the patches, none smaller than the crop, whose ratio divides the crop.
        stretch: number of the stretch, from 0; a resumed run draws what the undisturbed one would have drawn.
        steps: of every stretch.
        share: which of the samples are this process's; load them in batches of `share.at_once`.

    Raises:
        ValueError: if the batch cannot be shared out evenly.
    """

    def __init__(
        self,
        recipe: SettledRecipe,
        origins: Sequence[PatchSource],
        stretch: int,
        steps: int,
        *,
        share: Share,
    ) -> None:
        share.at_once(recipe.training.batch)
        self._recipe, self._origins, self._share = recipe, origins, share
        self._stretch, self._steps = stretch, steps

    def __len__(self) -> int:
        return self._steps * (self._recipe.training.batch // self._share.processes)

    def __getitem__(self, index: int) -> SharpeningItem:
        training = self._recipe.training
        place = self._share.place(index, training.batch)
        passed, at = divmod(self._stretch * self._steps * training.batch + place, len(self._origins))
        origin = self._origins[tile_order(training.seed, passed, len(self._origins))[at]]
        chance = np.random.default_rng(np.random.SeedSequence([training.seed, self._stretch, place]))
        try:
            sample = _crop(origin.read(), training.crop, chance)
        except RsfuseError as error:
            return error
        return to_tensors(_moved(sample, self._recipe.augmentation, chance), self._recipe.inputs.divisor)


class SharpeningValidation(Dataset[SharpeningItem]):
    """Every patch once, whole. A sample that cannot be read is an error in its place: `raise_broken` raises it.

    Args:
        origins: the patches, all of one size.
        divisor: of digital numbers.
        share: of several processes, each has its part, and all together have every patch once.

    Raises:
        TileSetError: if there are fewer patches than processes.
    """

    def __init__(self, origins: Sequence[PatchSource], divisor: float, *, share: Share) -> None:
        self._origins, self._divisor = share.own(origins, "validation patches"), divisor

    def __len__(self) -> int:
        return len(self._origins)

    def __getitem__(self, index: int) -> SharpeningItem:
        try:
            return to_tensors(self._origins[index].read(), self._divisor)
        except RsfuseError as error:
            return error


def to_tensors(sample: SharpeningSample, divisor: float) -> SharpeningBatch:
    """Panchromatic, multispectral and reference of a patch that has one, over the divisor.

    Raises:
        ValueError: if the patch has no reference.
    """
    if sample.reference is None:
        raise ValueError("a patch of full resolution has no reference to learn from")
    pan, ms, reference = (
        torch.from_numpy(each / np.float32(divisor)) for each in (sample.pan, sample.ms, sample.reference)
    )
    return pan, ms, reference


def _crop(sample: SharpeningSample, side: int, chance: np.random.Generator) -> SharpeningSample:
    """A square of so many panchromatic pixels; all three images begin at the same multispectral pixel."""
    ratio = sample.pan.shape[-1] // sample.ms.shape[-1]
    coarse = side // ratio
    top, left = (int(chance.integers(length - coarse + 1)) for length in sample.ms.shape[-2:])
    fine = np.s_[:, top * ratio : top * ratio + side, left * ratio : left * ratio + side]
    return SharpeningSample(
        ms=sample.ms[:, top : top + coarse, left : left + coarse],
        pan=sample.pan[fine],
        reference=None if sample.reference is None else sample.reference[fine],
    )


def _moved(
    sample: SharpeningSample, augmentation: SharpeningAugmentation, chance: np.random.Generator
) -> SharpeningSample:
    """All three images mirrored and turned alike."""
    turns = int(chance.integers(4)) if augmentation.quarter_turns else 0
    axes = tuple(axis for axis in (-2, -1) if augmentation.flips and chance.integers(2))

    def move(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.rot90(np.flip(image, axes), turns, (-2, -1)))

    reference = None if sample.reference is None else move(sample.reference)
    return SharpeningSample(move(sample.ms), move(sample.pan), reference)
