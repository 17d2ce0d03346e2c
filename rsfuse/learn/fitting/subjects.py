"""Which subject a recipe teaches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsfuse.learn.fitting.land_cover import LandCover
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.sharpening import Sharpening
from rsfuse.learn.fitting.subject import Subject
from rsfuse.learn.recipes.recipe import AnyRecipe, SharpeningRecipe
from rsfuse.raster.sharpening.patches import SharpeningSet
from rsfuse.raster.tiles import TileSet


def subject_of(recipe: AnyRecipe, tiles: Sequence[Path], means: FitMeans) -> Subject:
    """What a recipe teaches from folders that `rsfuse tile` made.

    Raises:
        TileSetError: if a folder is no set of the kind that the recipe learns from, or does not fit it.
        RecipeError: if the batch cannot be shared out.
    """
    if isinstance(recipe, SharpeningRecipe):
        return Sharpening(recipe, [SharpeningSet(each) for each in tiles], means)
    return LandCover(recipe, [TileSet(each) for each in tiles], means)
