"""Lightning's trainer as a recipe and the means at hand want it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.module import FittingModule
from rsfuse.learn.predictor import choose_device
from rsfuse.learn.recipes.recipe import AnyRecipe
from rsfuse.learn.recipes.training import Training

CHECKPOINTS, LAST = "checkpoints", "last"
PRECISIONS: dict[str, Any] = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


def create_trainer(
    recipe: AnyRecipe, length: Length, folder: Path, means: FitMeans, watching: Sequence[Callback]
) -> pl.Trainer:
    """A trainer.

    Args:
        recipe: precision, clipping.
        length: of the run.
        folder: for the logs.
        means: devices, processes, parts, callbacks.
        watching: see `watchers`.

    Raises:
        BundleError: if the device is not there.
    """
    training = recipe.training
    device = choose_device(means.device)
    devices, nodes = means.processes
    shared = devices * nodes > 1
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index or 0] if device.type == "cuda" and not shared else devices,
        num_nodes=nodes,
        strategy="ddp" if shared else "auto",
        precision=_precision(training, device),
        sync_batchnorm=training.sync_batchnorm and shared and device.type == "cuda",
        accumulate_grad_batches=means.accumulate,
        max_steps=length.steps,
        max_epochs=-1,  # steps alone count: a run resumed at the end of its last epoch but one would stop there
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=recipe.optimizer.clip or None,
        num_sanity_val_steps=0,
        log_every_n_steps=min(10, length.stretch),
        callbacks=[*means.callbacks, *watching],
        logger=[CSVLogger(folder, "logs", ""), TensorBoardLogger(str(folder), "logs", "")],
        enable_progress_bar=False,  # a callback of ours shows it
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _precision(recipe: Training, device: torch.device) -> Any:
    half_on_cpu = recipe.precision == "float16" and device.type == "cpu"  # which has no products of float16
    return PRECISIONS["bfloat16" if half_on_cpu else recipe.precision]


def watchers(recipe: Training, module: type[FittingModule], folder: Path) -> tuple[ModelCheckpoint, list[Callback]]:
    """What keeps the best and the last weights; and with it all that watches: averaging, stopping early."""
    watched: dict[str, Any] = {"monitor": f"val/{module.judged_by}", "mode": "max" if module.more_is_better else "min"}
    best = ModelCheckpoint(folder / CHECKPOINTS, "best", **watched)
    callbacks: list[Callback] = [best]
    if recipe.patience:
        callbacks.append(EarlyStopping(patience=recipe.patience, check_finite=False, **watched))
    if recipe.average:
        callbacks.append(EMAWeightAveraging(decay=recipe.average))
    # a callback of its own, behind the others: `save_last` saves where the score is the best so far, and there alone
    callbacks.append(ModelCheckpoint(folder / CHECKPOINTS, LAST, enable_version_counter=False))
    return best, callbacks


def run(trainer: pl.Trainer, module: FittingModule, data: pl.LightningDataModule, checkpoint: Path | None) -> None:
    """Train, from a checkpoint if there is one.

    Raises:
        KeyboardInterrupt: on Control-C.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers and log intervals is not the user's business
        try:
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint)
        except SystemExit as stop:  # what Lightning makes of Control-C
            raise KeyboardInterrupt from stop
