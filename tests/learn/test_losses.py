"""The loss of a step is the weighted sum that the recipe says, term by term."""

import pytest
import torch
from torch.nn import functional as F

from rsfuse.errors import RecipeError
from rsfuse.learn.losses import TrainingLoss
from rsfuse.learn.recipe import Loss
from rsfuse_models import TrainingOutput
from rsfuse_models.losses import gradient_balance

LABELS = torch.tensor([[[0, 1], [1, 255]]])


def logits(seed, *, scale=1.0):
    return scale * torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(seed))


def loss_of(output, **recipe):
    return TrainingLoss(Loss(**recipe), torch.tensor([5, 3]))(output, LABELS)


def cross_entropy(scores):
    return F.cross_entropy(scores, LABELS, ignore_index=255)


def test_heads_weigh_alike_or_each_as_its_name_says():
    output = TrainingOutput(logits(0), {"stage2": logits(1), "sar": logits(2)})
    alike = loss_of(output, auxiliary=0.5)["loss"]
    torch.testing.assert_close(
        alike, cross_entropy(logits(0)) + 0.5 * (cross_entropy(logits(1)) + cross_entropy(logits(2)))
    )
    each = loss_of(output, auxiliary={"stage2": 0.4, "sar": 0.3})["loss"]
    torch.testing.assert_close(
        each, cross_entropy(logits(0)) + 0.4 * cross_entropy(logits(1)) + 0.3 * cross_entropy(logits(2))
    )


def test_a_head_or_penalty_without_a_weight_is_refused_by_name():
    with pytest.raises(RecipeError, match="'sar'"):
        loss_of(TrainingOutput(logits(0), {"sar": logits(2)}), auxiliary={"stage2": 0.4})
    with pytest.raises(RecipeError, match="'mmd'"):
        loss_of(TrainingOutput(logits(0), {}, {"mmd": torch.tensor(1.0)}))


def test_branches_are_balanced_by_the_gradient_of_the_segmentation_loss():
    first, second = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(0.5))
    output = TrainingOutput(logits(0) * first + logits(1) * second**2, branches={"a": [first], "b": [second]})
    terms = loss_of(output, penalties={"gradient_balance": 0.1})
    segmentation = cross_entropy(output.scores)
    expected = 0.1 * gradient_balance(segmentation, output.branches)
    torch.testing.assert_close(terms["gradient_balance"], expected.detach())
    torch.testing.assert_close(terms["loss"], segmentation + expected)
    assert expected > 0


def test_nothing_is_balanced_where_nothing_learns_or_the_weight_is_zero():
    weight = torch.nn.Parameter(torch.tensor(2.0))
    with torch.no_grad():
        asleep = TrainingOutput(logits(0) * weight, branches={"a": [weight], "b": [weight]})
    awake = TrainingOutput(logits(0) * weight, branches={"a": [weight], "b": [weight]})
    assert "gradient_balance" not in loss_of(asleep, penalties={"gradient_balance": 0.1})
    assert "gradient_balance" not in loss_of(awake, penalties={"gradient_balance": 0})
