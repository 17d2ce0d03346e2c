"""Fit: a subject in, a bundle out."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import lightning as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from rsfuse.learn.allocation import keep_freed_memory
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.resuming import earlier_run
from rsfuse.learn.fitting.subject import Subject
from rsfuse.learn.fitting.trainer import create_trainer, run
from rsfuse.learn.fitting.watchers import CHECKPOINTS, watchers
from rsfuse.raster.disk import writing


@dataclass(frozen=True)
class FitReport:
    """What came out of a run.

    Args:
        folder: the bundle.
        step: after which its weights were taken.
        scores: of these weights on the validation samples.
        seconds: the run took.
    """

    folder: Path
    step: int
    scores: dict[str, float]
    seconds: float


def fit(subject: Subject, folder: Path, means: FitMeans) -> FitReport | None:
    """Train a network, and leave a bundle of the weights that were best on the validation samples.

    Where several processes share the work, the first one saves and reports; the others get None.

    Raises:
        BundleError: if the device is not there.
        TileSetError, SceneError: if a tile cannot be read.
        RecipeError: if a run that is to be gone on with had another recipe.
        OutputError: if there is none, though the folder is not empty; or if the folder cannot be written.
    """
    start, recipe = time.monotonic(), subject.recipe
    keep_freed_memory()
    earlier = earlier_run(folder, recipe) if means.resume else None
    pl.seed_everything(recipe.training.seed, verbose=False)
    module = subject.module()
    best, watching = watchers(recipe.training, type(module), folder)
    trainer = create_trainer(recipe, subject.data.length, folder, means, watching)
    if earlier is None and means.first:
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # or a later --resume would take up the older run
    with writing(folder):
        run(trainer, module, subject.data, earlier)
        return _save_best(subject, best, folder, start) if means.first else None


def _save_best(subject: Subject, best: ModelCheckpoint, folder: Path, start: float) -> FitReport:
    kept = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    weights = {name.removeprefix("network."): value for name, value in kept["state_dict"].items() if "network." in name}
    scores = {name: round(float(score), 4) for name, score in kept["scores"].items()}
    subject.save(weights, scores, folder)
    return FitReport(folder, int(kept["global_step"]), scores, time.monotonic() - start)
