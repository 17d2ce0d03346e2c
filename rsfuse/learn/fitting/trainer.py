"""Lightning's trainer as a recipe and the means at hand want it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.resuming import LOGS, Earlier, keep_rows
from rsfuse.learn.recipes.recipe import AnyRecipe
from rsfuse.learn.recipes.training import Training
from rsfuse.learn.runtimes.eager import choose_device

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
        watching: what keeps weights and stops early.

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
        logger=[CSVLogger(folder, LOGS, ""), TensorBoardLogger(str(folder), LOGS, "")],
        enable_progress_bar=False,  # a callback of ours shows it
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def _precision(recipe: Training, device: torch.device) -> Any:
    half_on_cpu = recipe.precision == "float16" and device.type == "cpu"  # which has no products of float16
    return PRECISIONS["bfloat16" if half_on_cpu else recipe.precision]


def run(trainer: pl.Trainer, module: pl.LightningModule, data: pl.LightningDataModule, earlier: Earlier | None) -> None:
    """Train, from the start or from where an earlier run was broken off.

    Raises:
        KeyboardInterrupt: on Control-C.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers and log intervals is not the user's business
        for logger in trainer.loggers:
            if earlier and isinstance(logger, CSVLogger):
                keep_rows(logger, earlier.steps)
        try:
            trainer.fit(module, datamodule=data, ckpt_path=earlier.path if earlier else None)
        except SystemExit as stop:  # what Lightning makes of Control-C
            raise KeyboardInterrupt from stop
