"""The loss of a training step: the terms of every head, and the penalties that a network returns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rsfuse.errors import RecipeError
from rsfuse.learn.losses.terms import create_terms
from rsfuse.learn.recipes.loss import Loss
from rsfuse_models import TrainingOutput
from rsfuse_models.losses import gradient_balance


class TrainingLoss(nn.Module):
    """S + sum of a_h * S of auxiliary head h + sum of w_p * penalty p, where S is the weighted sum of the terms.

    Terms are always in float32, also under autocast. Cross-entropy and focal loss are means over the labelled
    pixels of all processes that train together; the other terms are of each process's own batch.

    Args:
        recipe: terms and weights.
        class_pixels: (K,) labelled training pixels of each class.

    Raises:
        TileSetError: if class weights are asked for and no pixel is labelled.
    """

    def __init__(self, recipe: Loss, class_pixels: Tensor) -> None:
        super().__init__()
        self._recipe = recipe
        self._terms = create_terms(recipe, class_pixels)

    def forward(self, output: TrainingOutput, labels: Tensor) -> dict[str, Tensor]:
        """Each term by name, weighted and detached, and their sum as "loss"; labels (B, H, W), 255 counts nowhere.

        The terms of the main head go by their own names, an auxiliary head and a penalty by theirs.

        Raises:
            RecipeError: if the network returns a penalty, or an auxiliary head, without a weight.
        """
        with torch.autocast(output.scores.device.type, enabled=False):
            terms = self._terms_of(output.scores, labels)
            main = _sum(terms)
            for head, scores in output.auxiliary.items():
                terms[head] = self._auxiliary_weight(head) * _sum(self._terms_of(scores, labels))
            for name, penalty in output.penalties.items():
                terms[name] = self._weight_of(name) * penalty
            if output.branches and self._weight_of("gradient_balance") and output.scores.requires_grad:
                balance = gradient_balance(main, output.branches)
                terms["gradient_balance"] = self._weight_of("gradient_balance") * balance
            return {"loss": _sum(terms), **{name: term.detach() for name, term in terms.items()}}

    def _terms_of(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {name: weight * self._terms[name](scores, labels) for name, weight in self._recipe.terms.items()}

    def _auxiliary_weight(self, head: str) -> float:
        weights = self._recipe.auxiliary
        if not isinstance(weights, dict):
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


def _sum(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
