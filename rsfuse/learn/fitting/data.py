"""The samples of a run as loaders: one epoch of Lightning's is one stretch between two validations."""

from __future__ import annotations

import multiprocessing
from abc import abstractmethod
from multiprocessing.context import BaseContext
from typing import Any

import lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.training import Training
from rsfuse.learn.samples import Share, collate, raise_broken


class FitData(pl.LightningDataModule):
    """The samples of a run. A subclass says which; this shares them out among processes, parts and workers.

    Args:
        training: batch, and how long to train.
        means: how many share the work.
        tiles: how many there are to train on.
    """

    def __init__(self, training: Training, means: FitMeans, tiles: int) -> None:
        super().__init__()
        self.length = Length.of(training, tiles)
        self._at_once, self._means = means.samples_at_once(training.batch), means

    @abstractmethod
    def training_samples(self, stretch: int, share: Share) -> Dataset[Any]:
        """What is learnt from in one stretch."""

    @abstractmethod
    def validation_samples(self, share: Share) -> Dataset[Any]:
        """What is judged by."""

    def check_validation(self) -> None:
        """Refuse what could not be shared out for validation now, not after the first stretch.

        Raises:
            TileSetError: as the samples do.
        """
        devices, nodes = self._means.processes
        self.validation_samples(Share(processes=devices * nodes))

    def train_dataloader(self) -> DataLoader[Any]:
        """The next stretch; the last one may be shorter, and ends in a validation all the same."""
        assert self.trainer is not None
        stretch, share = self.trainer.current_epoch, self._share()
        steps = min(self.length.stretch, self.length.steps - stretch * self.length.stretch)
        samples = self.training_samples(stretch, share)
        return self._loader(Subset(samples, range(steps * share.parts * self._at_once)))

    def val_dataloader(self) -> DataLoader[Any]:
        """Every validation sample, once over all processes."""
        return self._loader(self.validation_samples(self._share()))

    def on_before_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        """Stop where a worker could not read a tile."""
        raise_broken(batch)
        return batch

    def _share(self) -> Share:
        assert self.trainer is not None
        return Share(self.trainer.global_rank, self.trainer.world_size, self._means.accumulate)

    def _loader(self, samples: Dataset[Any]) -> DataLoader[Any]:
        return DataLoader(
            samples,
            self._at_once,
            num_workers=self._means.workers,
            multiprocessing_context=_fresh_processes() if self._means.workers else None,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
        )


def _fresh_processes() -> BaseContext:
    """Processes that do not inherit this one's state.

    A fork inherits the locks of GDAL and PROJ as they happen to be, and now and then waits for one forever. A server
    that has imported what workers need, and used nothing of it, forks them as fast.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rsfuse.learn.samples", "rsfuse.learn.sharpening_samples"])
    return context
