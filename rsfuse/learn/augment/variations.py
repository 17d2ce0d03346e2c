"""From the augmentation section of a recipe to one transform."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torchvision.transforms import v2

from rsfuse.learn.augment.clouds import Clouds
from rsfuse.learn.augment.dropping import DropSensor
from rsfuse.learn.augment.example import Example, Optical, Sar
from rsfuse.learn.augment.moves import QuarterTurns, Shift
from rsfuse.learn.augment.radiometry import Detail, Radiometry, Saturation
from rsfuse.learn.augment.speckle import Speckle
from rsfuse.learn.augment.variation import Variation
from rsfuse.learn.recipes.augmentation import Augmentation


def variations(recipe: Augmentation) -> Callable[[Example], Example]:
    """All that a recipe varies, but for crops and mixing, as one transform of crops; the sides of a crop stay.

    Chance is that of torch's generator.
    """
    varied: Callable[[Example], Example] = v2.Compose(
        [v2.Identity(), *_moves(recipe), *_optical(recipe), *_sar(recipe), *_both(recipe)]
    )
    return varied


def _moves(recipe: Augmentation) -> Iterator[v2.Transform]:
    if recipe.flips:
        yield from (v2.RandomHorizontalFlip(0.5), v2.RandomVerticalFlip(0.5))
    if recipe.quarter_turns:
        yield QuarterTurns()


def _optical(recipe: Augmentation) -> Iterator[Variation]:
    if recipe.optical_gain or recipe.optical_offset or recipe.optical_gamma:
        yield Radiometry(Optical, recipe.optical_gain, recipe.optical_offset, recipe.optical_gamma)
    if recipe.optical_saturation:
        yield Saturation(recipe.optical_saturation)
    if recipe.optical_detail:
        yield Detail(recipe.optical_detail)
    if recipe.clouds:
        yield Clouds(recipe.clouds)


def _sar(recipe: Augmentation) -> Iterator[Variation]:
    if recipe.shift_px:
        yield Shift(recipe.shift_px)
    if recipe.sar_gain or recipe.sar_offset or recipe.sar_gamma:
        yield Radiometry(Sar, recipe.sar_gain, recipe.sar_offset, recipe.sar_gamma)
    if recipe.speckle:
        yield Speckle(recipe.speckle)


def _both(recipe: Augmentation) -> Iterator[Variation]:
    if recipe.drop_optical or recipe.drop_sar:
        yield DropSensor(recipe.drop_optical, recipe.drop_sar)
