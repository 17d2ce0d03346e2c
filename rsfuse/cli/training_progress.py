"""How training is shown: one bar over the whole run on a terminal, a line for each validation elsewhere."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback

from rsfuse.cli import show

FIGURES = ("loss", "val/miou", "val/oa", "val/ergas")
"""Shown where a run has them."""


def training_callbacks() -> list[Callback]:
    """What shows a run of Lightning: nothing, a bar or lines, by whether anybody wants to see it and how."""
    if show.is_quiet():
        return []
    return [TrainingBar() if show.has_terminal() else TrainingLines()]


class TrainingBar(Callback):
    """Steps, loss, scores, rate and time left of the whole run, on standard error."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Draw it."""
        self._showing = show.progress("training", "steps")
        self._update = self._showing.__enter__()

    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        """Move it on."""
        self._update(trainer.global_step, trainer.max_steps, figures(trainer))

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Show the new scores."""
        self._update(trainer.global_step, trainer.max_steps, figures(trainer))

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Let go of the terminal."""
        self._showing.__exit__(None, None, None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Let go of the terminal before the error is told."""
        if hasattr(self, "_showing"):
            self._showing.__exit__(None, None, None)


class TrainingLines(Callback):
    """One line after each validation: step, loss, scores, rate, time left."""

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Where the clock starts: a resumed run has done steps already, at a rate that nobody knows."""
        self._clock = show.Clock(trainer.global_step)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how far it is."""
        done, total = trainer.global_step, trainer.max_steps
        show.note(f"step {done} of {total}: {figures(trainer)}; {self._clock.told(done, total)}")


def figures(trainer: Any) -> str:
    """Loss and scores, as far as there are any."""
    metrics = trainer.callback_metrics
    return ", ".join(f"{name.removeprefix('val/')} {float(metrics[name]):.4f}" for name in FIGURES if name in metrics)
