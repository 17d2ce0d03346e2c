"""What watches a run: keeps the best and the last weights, averages them, stops where nothing is gained.

Lightning's callbacks, each with what a run of ours asks of it beyond.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint

from rsfuse.learn.fitting.module import FittingModule
from rsfuse.learn.recipes.training import Training

CHECKPOINTS, BEST, LAST = "checkpoints", "best", "last"


def last_checkpoint(folder: Path) -> Path:
    """Where a run in a folder leaves what it can be gone on with from."""
    return folder / CHECKPOINTS / f"{LAST}.ckpt"


def watchers(recipe: Training, module: type[FittingModule], folder: Path) -> tuple[ModelCheckpoint, list[Callback]]:
    """What keeps the best weights; and with it all that watches."""
    watched: dict[str, Any] = {"monitor": f"val/{module.judged_by}", "mode": "max" if module.more_is_better else "min"}
    best = Keeper(folder / CHECKPOINTS, BEST, **watched)
    callbacks: list[Callback] = [best]
    if recipe.patience:
        callbacks.append(Patience(patience=recipe.patience, check_finite=False, strict=False, **watched))
    if recipe.average:
        callbacks.append(Average(decay=recipe.average))
    # a callback of its own, behind the others: `save_last` saves where the score is the best so far, and there alone
    callbacks.append(Keeper(folder / CHECKPOINTS, LAST))
    return best, callbacks


class Keeper(ModelCheckpoint):
    """Keeps weights under one name, in a run that may be moved to another folder before it is gone on with."""

    def __init__(self, folder: Path, name: str, **watched: Any) -> None:
        super().__init__(folder, name, enable_version_counter=False, **watched)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the state of the run, with the checkpoints where they are now."""
        super().load_state_dict(
            state_dict
            | {name: self._here(state_dict[name]) for name in ("best_model_path", "kth_best_model_path")}
            | {"dirpath": self.dirpath}
            | {"best_k_models": {self._here(path): score for path, score in state_dict["best_k_models"].items()}}
        )

    def _here(self, path: str) -> str:
        assert self.dirpath is not None
        return str(Path(self.dirpath) / Path(path).name) if path else path


class Patience(EarlyStopping):
    """Stops a run without a better score, also one that had stopped already; with the patience of its recipe now."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Stop at once if the run that is gone on with had."""
        trainer.should_stop = self.wait_count >= self.patience

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the count, and keep the patience."""
        super().load_state_dict(state_dict | {"patience": self.patience})


class Average(EMAWeightAveraging):
    """Averages weights on the device that trains them: Lightning's own are on the CPU, and copied there every step."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Make the averaged network."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)
