"""Fitting: from a recipe and tiles to a bundle, on Lightning."""

from __future__ import annotations

import logging
import math
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback, EMAWeightAveraging, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader

from rsfuse.errors import TileSetError
from rsfuse.learn.bundle import Bundle, BundleManifest, PatchSize, build_network, save_bundle
from rsfuse.learn.card import bundle_card
from rsfuse.learn.losses import TrainingLoss
from rsfuse.learn.predictor import choose_device
from rsfuse.learn.recipe import Recipe, Training
from rsfuse.learn.samples import Batch, Source, TrainingSamples, ValidationSamples, class_pixels, sources
from rsfuse.metrics import Confusion
from rsfuse.raster.manifest import Manifest
from rsfuse.raster.statistics import SceneStatistics, merge_statistics
from rsfuse.raster.tiles import TileSet

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class FitMeans:
    """What a run has to work with; nothing of it changes what is learnt.

    Args:
        device: "auto", "cpu", "cuda" or "cuda:1".
        workers: processes that read and vary samples beside the training.
        resume: go on from the last checkpoint in the output folder.
        callbacks: Lightning callbacks, such as a progress bar.
    """

    device: str = "auto"
    workers: int = 0
    resume: bool = False
    callbacks: Sequence[Callback] = ()


@dataclass(frozen=True)
class FitReport:
    """What came out of a run: the bundle, where it was best on the validation tiles, how long it took."""

    bundle: Bundle
    step: int
    miou: float
    oa: float
    seconds: float


def fit(recipe: Recipe, tile_sets: Sequence[TileSet], folder: Path, means: FitMeans) -> FitReport:
    """Train a network as a recipe says, and leave a bundle of the weights with the best validation mIoU.

    Raises:
        TileSetError: if tiles are missing or do not fit the recipe or each other.
    """
    start = time.monotonic()
    check_legends(tile_sets)
    tiles = FitTiles(recipe, tile_sets, means.workers)
    pl.seed_everything(recipe.training.seed, verbose=False)
    classes = len(tiles.legend)
    network = build_network(recipe.network, recipe.inputs, classes)
    loss = TrainingLoss(recipe.loss, torch.from_numpy(class_pixels(tiles.training, tiles.legend).sum(0)))
    best = ModelCheckpoint(folder / CHECKPOINTS, "best", monitor="val/miou", mode="max", save_last=True)
    trainer = _trainer(recipe.training, folder, means, [best])
    last = folder / CHECKPOINTS / "last.ckpt"
    if not means.resume:
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)  # or a later --resume would take up the older run
    _run(trainer, Fitting(recipe.training, network, loss, classes), tiles, last if last.is_file() else None)
    kept = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
    bundle = _save(recipe, tiles, kept, folder)
    scores = bundle.manifest.scores
    return FitReport(bundle, int(kept["global_step"]), scores["miou"], scores["oa"], time.monotonic() - start)


def check_legends(tile_sets: Sequence[TileSet]) -> None:
    """Refuse tile sets that do not mean the same by their codes.

    Raises:
        TileSetError: naming the two that differ.
    """
    first = tile_sets[0]
    for other in tile_sets[1:]:
        if other.legend.to_dict() != first.legend.to_dict():
            raise TileSetError(
                f"{first.folder} and {other.folder} have different legends ({first.legend}; {other.legend})",
                hint="cut both with the same --legend",
            )


def _save(recipe: Recipe, tiles: FitTiles, kept: dict[str, Any], folder: Path) -> Bundle:
    manifests = [each.manifest for each in tiles.tile_sets]
    manifest = BundleManifest(
        description=recipe.description,
        network=recipe.network,
        inputs=recipe.inputs,
        statistics=tiles.statistics,
        legend=tiles.legend.to_dict(),
        patch=PatchSize(size=recipe.training.crop, halo=recipe.training.halo),
        gsd_m=round(_mean_gsd(manifests), 3),
        trained_on=tuple(name for each in manifests for name in each.told_scenes),
        scores={name: round(float(value), 4) for name, value in kept["scores"].items()},
    )
    weights = {name.removeprefix("network."): value for name, value in kept["state_dict"].items() if "network." in name}
    return save_bundle(folder, manifest, weights, storage=recipe.storage, card=bundle_card(folder.name, manifest))


def _mean_gsd(manifests: Sequence[Manifest]) -> float:
    """Of the sets that know theirs; NaN where none does."""
    known = [each.gsd_m for each in manifests if not math.isnan(each.gsd_m)]
    return sum(known) / len(known) if known else math.nan


class FitTiles(pl.LightningDataModule):
    """The tiles of a run as loaders; one epoch of Lightning's is one stretch between two validations."""

    def __init__(self, recipe: Recipe, tile_sets: Sequence[TileSet], workers: int) -> None:
        super().__init__()
        fixed = recipe.inputs.scaling.kind == "fixed-percentiles"
        self.statistics: SceneStatistics | None = (
            merge_statistics([each.manifest.statistics for each in tile_sets if each.select("train")])
            if fixed
            else None
        )
        self.training: list[Source] = sources(recipe, tile_sets, "train", self.statistics)
        self._validation = ValidationSamples(sources(recipe, tile_sets, "val", self.statistics), recipe.training.crop)
        self.tile_sets, self.legend = tile_sets, tile_sets[0].legend
        self._recipe, self._workers = recipe, workers

    def train_dataloader(self) -> DataLoader[Batch]:
        """The next stretch."""
        assert self.trainer is not None
        return self._loader(TrainingSamples(self._recipe, self.training, self.trainer.current_epoch))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Every validation tile, once."""
        return self._loader(self._validation)

    def _loader(self, samples: TrainingSamples | ValidationSamples) -> DataLoader[Batch]:
        return DataLoader(
            samples, self._recipe.training.batch, num_workers=self._workers, pin_memory=torch.cuda.is_available()
        )


class Fitting(pl.LightningModule):
    """A network in training: its loss, its optimiser, its score on the validation tiles."""

    def __init__(self, recipe: Training, network: nn.Module, loss: TrainingLoss, classes: int) -> None:
        super().__init__()
        self.network, self.loss = network.to(memory_format=torch.channels_last), loss
        self._recipe, self._classes = recipe, classes
        self._confusion = Confusion.empty(classes)

    def on_train_epoch_start(self) -> None:
        """Make chance inside the network (dropout, stochastic depth) a function of seed and stretch, like samples."""
        stretch = np.random.SeedSequence([self._recipe.seed, self.current_epoch])
        torch.manual_seed(int(stretch.generate_state(1)[0]))

    def training_step(self, batch: Batch) -> Tensor:
        """The loss of one batch."""
        optical, sar, labels = batch
        terms: dict[str, Tensor] = self.loss(self.network.forward_training(optical, sar), labels)  # type: ignore[operator]
        self.log_dict({f"train/{name}": term for name, term in terms.items()}, prog_bar=False)
        self.log("loss", terms["loss"].detach(), prog_bar=True, logger=False)
        return terms["loss"]

    def on_validation_epoch_start(self) -> None:
        """Forget the last validation."""
        self._confusion = Confusion.empty(self._classes)

    def validation_step(self, batch: Batch) -> None:
        """Count one batch."""
        optical, sar, labels = batch
        mapped = self.network(optical, sar).argmax(1).byte()
        self._confusion += Confusion.of(labels.byte().cpu().numpy(), mapped.cpu().numpy(), self._classes)

    def on_validation_epoch_end(self) -> None:
        """Score all batches together."""
        self.log_dict({"val/miou": self._confusion.miou, "val/oa": self._confusion.oa}, prog_bar=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the scores of these very weights beside them."""
        checkpoint["scores"] = {"miou": self._confusion.miou, "oa": self._confusion.oa}

    def configure_optimizers(self) -> Any:
        """AdamW; encoders at their own rate; linear warm-up, then a cosine to 0 over all steps."""
        recipe = self._recipe
        named = list(self.network.named_parameters())
        groups: list[dict[str, Any]] = [
            {"params": [weight for name, weight in named if "encoder" in name], "lr": recipe.lr * recipe.encoder_lr},
            {"params": [weight for name, weight in named if "encoder" not in name]},
        ]
        optimiser = torch.optim.AdamW(groups, lr=recipe.lr, weight_decay=recipe.weight_decay)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(recipe.steps - recipe.warmup, 1))
        schedule: torch.optim.lr_scheduler.LRScheduler = cosine
        if recipe.warmup:
            rise = torch.optim.lr_scheduler.LinearLR(optimiser, 1e-3, total_iters=recipe.warmup)
            schedule = torch.optim.lr_scheduler.SequentialLR(optimiser, [rise, cosine], [recipe.warmup])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _run(trainer: pl.Trainer, fitting: Fitting, tiles: FitTiles, checkpoint: Path | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lightning's advice on workers and log intervals is not the user's business
        try:
            trainer.fit(fitting, datamodule=tiles, ckpt_path=checkpoint)
        except SystemExit as stop:  # what Lightning makes of Control-C
            raise KeyboardInterrupt from stop


def _trainer(recipe: Training, folder: Path, means: FitMeans, callbacks: list[Callback]) -> pl.Trainer:
    if recipe.average:
        callbacks = [*callbacks, EMAWeightAveraging(decay=recipe.average)]
    device = choose_device(means.device)
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index or 0] if device.type == "cuda" else 1,
        max_steps=recipe.steps,
        max_epochs=-1,  # steps alone count: a run resumed at the end of its last epoch but one would stop there
        reload_dataloaders_every_n_epochs=1,
        gradient_clip_val=recipe.clip or None,
        num_sanity_val_steps=0,
        log_every_n_steps=min(10, recipe.validate_every),
        callbacks=[*means.callbacks, *callbacks],
        logger=[CSVLogger(folder, "logs", ""), TensorBoardLogger(str(folder), "logs", "")],
        enable_progress_bar=any(isinstance(each, ProgressBar) for each in means.callbacks),
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
