"""Train: a recipe and folders of tiles in, a bundle out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsfuse.errors import OutputError
from rsfuse.learn.fit import FitMeans, FitReport, fit
from rsfuse.learn.recipe import Recipe
from rsfuse.raster.tiles import TileSet


def train(
    recipe: Recipe, tiles: Sequence[Path], folder: Path, means: FitMeans, *, overwrite: bool = False
) -> FitReport:
    """Train a network; the folder becomes its bundle.

    Raises:
        OutputError: if the folder holds something already and is neither resumed nor overwritten.
        TileSetError: if tiles are missing or do not fit.
    """
    if folder.exists() and any(folder.iterdir()) and not (overwrite or means.resume):
        raise OutputError(f"{folder} is not empty", hint="choose another --out, or add --resume or --overwrite")
    return fit(recipe, [TileSet(each) for each in tiles], folder, means)
