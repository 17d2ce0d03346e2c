"""A network in training, whatever it learns: its optimizer, its chance, its scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import lightning as pl
import numpy as np
import torch
from torch import Tensor, nn

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.optimizers import create_optimizer, create_schedule
from rsfuse.learn.recipes.recipe import AnyRecipe


class FittingModule(pl.LightningModule):
    """A network in training. A subclass says what its loss is and how it is judged.

    Args:
        recipe: how it is trained.
        network: what is trained.
        length: of the run.

    Attributes:
        judged_by: which score chooses the weights that are kept.
        more_is_better: whether the highest or the lowest is best.
        scores: of the last validation, by name.
    """

    judged_by: ClassVar[str]
    more_is_better: ClassVar[bool]

    def __init__(self, recipe: AnyRecipe, network: nn.Module, length: Length) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.scores: dict[str, float] = {}
        self._recipe, self._length = recipe, length

    def on_train_epoch_start(self) -> None:
        """Make chance inside the network (dropout, stochastic depth) a function of seed, stretch and process."""
        stretch = np.random.SeedSequence([self._recipe.training.seed, self.current_epoch, self.global_rank])
        torch.manual_seed(int(stretch.generate_state(1)[0]))

    def tell_losses(self, terms: dict[str, Tensor]) -> Tensor:
        """Log the terms of a loss; the one called "loss" is their sum, and comes back."""
        self._log({f"train/{name}": term for name, term in terms.items()}, self.global_step + 1, prog_bar=False)
        self.log("loss", terms["loss"].detach(), prog_bar=True, logger=False)
        return terms["loss"]

    def tell_scores(self, scores: dict[str, float]) -> None:
        """Keep and log the scores of a validation."""
        self.scores = scores
        self._log({f"val/{name}": score for name, score in scores.items()}, self.global_step, prog_bar=True)

    def _log(self, values: Mapping[str, float | Tensor], step: int, *, prog_bar: bool) -> None:
        self.log_dict(dict(values), prog_bar=prog_bar)
        self.log("step", float(step))  # Lightning's own count is one too many wherever a run was resumed

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the scores of these very weights beside them, and what they were trained by."""
        checkpoint["scores"] = self.scores
        checkpoint["recipe"] = self._recipe.model_dump(mode="json")

    def configure_optimizers(self) -> Any:
        """As the recipe says; the schedule moves on with every step."""
        optimizer = create_optimizer(self._recipe.optimizer, self.network)
        schedule = create_schedule(self._recipe.schedule, optimizer, self._length)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
