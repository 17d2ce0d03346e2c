"""Train, or plan to: a recipe and folders of tiles in, a bundle out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rsfuse.errors import OutputError
from rsfuse.learn.fitting.fit import FitReport, fit
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.plan import TrainingPlan, plan_training
from rsfuse.learn.fitting.subjects import subject_of
from rsfuse.learn.fitting.watchers import last_checkpoint
from rsfuse.learn.recipes.recipe import AnyRecipe


def plan(recipe: AnyRecipe, tiles: Sequence[Path], means: FitMeans) -> TrainingPlan:
    """What `train` would do.

    Raises:
        TileSetError: if tiles are missing or do not fit.
        RecipeError: if the batch cannot be shared out, or the network cannot be built.
    """
    return plan_training(subject_of(recipe, tiles, means), means)


def train(
    recipe: AnyRecipe, tiles: Sequence[Path], folder: Path, means: FitMeans, *, overwrite: bool = False
) -> FitReport | None:
    """Train a network; the folder becomes its bundle. Of several processes, all but the first get None.

    Raises:
        OutputError: if the folder holds something already and is neither resumed nor overwritten, or cannot be written.
        TileSetError: if tiles are missing or do not fit.
        RecipeError: if the batch cannot be shared out over the processes, or a resumed run had another recipe.
        KeyboardInterrupt: on Control-C; its text says how to go on.
    """
    if folder.is_file():
        raise OutputError(f"{folder} is a file", hint="choose another --out")
    free = overwrite or means.resume or not means.first  # the others start when the first writes already
    if not free and folder.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty", hint="choose another --out, or add --resume or --overwrite")
    try:
        return fit(subject_of(recipe, tiles, means), folder, means)
    except KeyboardInterrupt as stop:
        kept = last_checkpoint(folder).is_file()
        how = "add --resume to go on from the last validation" if kept else "there was no checkpoint yet to go on from"
        raise KeyboardInterrupt(f"interrupted: {how}") from stop
