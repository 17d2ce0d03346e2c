"""Watches a run of training: time in steps, between them, and before the first of a stretch."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch.callbacks import Callback


class Watch(Callback):
    """Adds up the time in steps and between them."""

    def __init__(self) -> None:
        self.waiting = self.working = 0.0
        self.first: list[float] = []
        self._begun, self._ended = 0.0, time.perf_counter()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The first stretch has its loader already."""
        self._ended = time.perf_counter()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """The next stretch begins."""
        self._ended = time.perf_counter()

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """A step begins."""
        self._begun = time.perf_counter()
        if batch_idx:
            self.waiting += self._begun - self._ended
        else:
            self.first.append(self._begun - self._ended)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """It ends."""
        self._ended = time.perf_counter()
        self.working += self._ended - self._begun if batch_idx else 0.0
