"""How training is shown: Lightning's Rich bar on a terminal, a line for each validation elsewhere."""

from __future__ import annotations

import math
import time
from typing import Any

from lightning.pytorch.callbacks import Callback, RichProgressBar

from rsfuse.cli import show


def training_callbacks() -> list[Callback]:
    """What shows a run of Lightning: nothing, a bar or lines, by whether anybody wants to see it and how."""
    if show.is_quiet():
        return []
    return [TrainingBar()] if show.has_terminal() else [TrainingLines()]


class TrainingBar(RichProgressBar):
    """Loss, validation scores, rate and time left of each stretch between two validations, on standard error."""

    def __init__(self) -> None:
        super().__init__(console_kwargs={"stderr": True})

    def _get_train_description(self, current_epoch: int) -> str:
        stretches = math.ceil(self.trainer.max_steps / max(int(self.trainer.num_training_batches), 1))
        return f"stretch {current_epoch + 1} of {stretches}"


class TrainingLines(Callback):
    """One line after each validation: step, loss, scores, time left."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how far it is."""
        spent = time.monotonic() - self._start
        left = spent / max(trainer.global_step, 1) * (trainer.max_steps - trainer.global_step)
        metrics = trainer.callback_metrics
        scores = ", ".join(
            f"{name} {float(metrics[name]):.4f}" for name in ("loss", "val/miou", "val/oa") if name in metrics
        )
        show.note(f"step {trainer.global_step} of {trainer.max_steps}: {scores}; {left:.0f} s left")
