"""The loss of a training step: the terms of every head, and the penalties that a network returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from rsfuse.errors import RecipeError, did_you_mean
from rsfuse.learn.losses.terms import create_terms
from rsfuse.learn.recipes.loss import Loss
from rsfuse_models import TrainingOutput
from rsfuse_models.losses import gradient_balance

BALANCE = "gradient_balance"
"""Name of the penalty on branches whose gradients differ; a network returns the branches, not the penalty."""


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
            RecipeError: as `check_names`.
        """
        check_names(self._recipe, output)
        with torch.autocast(output.scores.device.type, enabled=False):
            terms = self._terms_of(output.scores, labels)
            main = _sum(terms)
            for head, scores in output.auxiliary.items():
                terms[head] = self._auxiliary_weight(head) * _sum(self._terms_of(scores, labels))
            for name, penalty in output.penalties.items():
                terms[name] = self._recipe.penalties[name] * penalty
            if output.branches and self._recipe.penalties[BALANCE] and output.scores.requires_grad:
                terms[BALANCE] = self._recipe.penalties[BALANCE] * gradient_balance(main, output.branches)
            return {"loss": _sum(terms), **{name: term.detach() for name, term in terms.items()}}

    def _terms_of(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {name: weight * self._terms[name](scores, labels) for name, weight in self._recipe.terms.items()}

    def _auxiliary_weight(self, head: str) -> float:
        weights = self._recipe.auxiliary
        return weights[head] if isinstance(weights, dict) else weights


def check_names(recipe: Loss, output: TrainingOutput) -> None:
    """Compare what a recipe gives a weight with what a network returns, by name; numbers are not looked at.

    Raises:
        RecipeError: if the network returns a penalty, or an auxiliary head, without a weight, or the recipe names one
            that the network does not return.
    """
    balance = [BALANCE] if output.branches else []
    _check("penalties", "penalty", recipe.penalties, [*output.penalties, *balance])
    if isinstance(recipe.auxiliary, dict):
        _check("auxiliary", "auxiliary head", recipe.auxiliary, list(output.auxiliary))


def _check(key: str, kind: str, weights: Mapping[str, float], returned: Sequence[str]) -> None:
    for name in weights:
        if name not in returned:
            meant = did_you_mean(name, returned)
            there = ", ".join(map(repr, returned)) or "none"
            kept = ", ".join(f"{each}: {weight:g}" for each, weight in weights.items() if each in returned)
            raise RecipeError(
                f"the recipe gives a weight to {kind} {name!r}, which the network does not return; it returns {there}",
                hint=f"{meant} correct the name, or leave it out: --set 'loss.{key}={{{kept}}}'".lstrip(),
            )
    for name in returned:
        if name not in weights:
            raise RecipeError(
                f"the network returns {kind} {name!r}, which the recipe gives no weight",
                hint=f"--set loss.{key}.{name}=0.1, or 0 to leave it out",
            )


def _sum(terms: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
