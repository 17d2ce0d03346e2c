"""The loss of a training step: cross-entropy of every head, and the penalties that a network returns."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rsfuse.errors import RecipeError
from rsfuse.learn.recipe import Loss
from rsfuse.legend import NODATA
from rsfuse_models import TrainingOutput
from rsfuse_models.losses import gradient_balance


class TrainingLoss(nn.Module):
    """L = CE + sum of a_h * CE of auxiliary head h + sum of w_p * penalty p (PAD eq. 19 to 21 for its own terms).

    Args:
        recipe: the weights.
        class_pixels: (K,) labelled training pixels of each class.
    """

    def __init__(self, recipe: Loss, class_pixels: Tensor) -> None:
        super().__init__()
        self._recipe = recipe
        self.register_buffer("weights", _class_weights(recipe, class_pixels), persistent=False)

    def forward(self, output: TrainingOutput, labels: Tensor) -> dict[str, Tensor]:
        """Each term by name, weighted, and their sum as "loss"; labels (B, H, W), 255 counts nowhere.

        Raises:
            RecipeError: if the network returns a penalty, or an auxiliary head, without a weight.
        """
        terms = {"segmentation": self._cross_entropy(output.scores, labels)}
        for name, scores in output.auxiliary.items():
            terms[name] = self._auxiliary_weight(name) * self._cross_entropy(scores, labels)
        for name, penalty in output.penalties.items():
            terms[name] = self._weight_of(name) * penalty
        if output.branches and self._weight_of("gradient_balance") and output.scores.requires_grad:
            balance = gradient_balance(terms["segmentation"], output.branches)
            terms["gradient_balance"] = self._weight_of("gradient_balance") * balance
        return {
            "loss": torch.stack(list(terms.values())).sum(),
            **{name: term.detach() for name, term in terms.items()},
        }

    def _auxiliary_weight(self, head: str) -> float:
        weights = self._recipe.auxiliary
        if isinstance(weights, float):
            return weights
        if head not in weights:
            raise RecipeError(
                f"the network has an auxiliary head {head!r} that the recipe gives no weight",
                hint=f"--set loss.auxiliary.{head}=0.4, or 0 to leave it out",
            )
        return weights[head]

    def _weight_of(self, penalty: str) -> float:
        if penalty not in self._recipe.penalties:
            raise RecipeError(
                f"the network returns a penalty {penalty!r} that the recipe gives no weight",
                hint=f"--set loss.penalties.{penalty}=0.1, or 0 to leave it out",
            )
        return self._recipe.penalties[penalty]

    def _cross_entropy(self, scores: Tensor, labels: Tensor) -> Tensor:
        # summed and divided here: the mean of a batch without labels would be 0 / 0
        total = functional.cross_entropy(
            scores.float(),
            labels,
            weight=self.get_buffer("weights"),
            ignore_index=NODATA,
            label_smoothing=self._recipe.label_smoothing,
            reduction="sum",
        )
        return total / (labels != NODATA).sum().clamp(min=1)


def _class_weights(recipe: Loss, pixels: Tensor) -> Tensor:
    if recipe.class_weights == "none":
        return torch.ones(len(pixels))
    present = pixels > 0
    weights = torch.where(present, pixels.double().clamp(min=1).rsqrt(), 0)
    return (weights / weights[present].mean()).float()
