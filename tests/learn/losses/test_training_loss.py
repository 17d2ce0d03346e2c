"""The loss of a step is the weighted sum that the recipe says, term by term."""

import re
from typing import get_args

import pytest
import torch
from torch.nn import functional as F

from rsfuse.errors import RecipeError
from rsfuse.learn.losses.overlap import Dice
from rsfuse.learn.losses.pixelwise import Focal
from rsfuse.learn.losses.training_loss import TrainingLoss
from rsfuse.learn.recipes.loss import Loss, Term
from rsfuse_models import TrainingOutput
from rsfuse_models.losses import gradient_balance

LABELS = torch.tensor([[[0, 1], [1, 255]]])
ALL_TERMS = dict.fromkeys(get_args(Term), 0.5)


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


def test_terms_are_told_by_name_weighted_and_add_up_to_the_loss():
    scores = logits(0).requires_grad_()
    output = TrainingOutput(scores, {"stage2": logits(1)}, {"mmd": torch.tensor(3.0)})
    recipe = {"terms": {"focal": 0.5, "dice": 2.0}, "auxiliary": 0.4, "penalties": {"mmd": 0.1}}
    told = loss_of(output, **recipe)
    focal, dice = Focal(torch.ones(2)), Dice()
    expected = {
        "focal": 0.5 * focal(scores, LABELS),
        "dice": 2 * dice(scores, LABELS),
        "stage2": 0.4 * (0.5 * focal(logits(1), LABELS) + 2 * dice(logits(1), LABELS)),
        "mmd": torch.tensor(0.3),
    }
    assert list(told) == ["loss", *expected]
    for name, term in expected.items():
        torch.testing.assert_close(told[name], term.detach())
        assert not told[name].requires_grad
    torch.testing.assert_close(told["loss"], sum(expected.values()))
    assert told["loss"].requires_grad


def test_cross_entropy_alone_goes_by_its_own_name():
    assert set(loss_of(TrainingOutput(logits(0)))) == {"loss", "cross-entropy"}


def test_settings_of_the_recipe_reach_their_terms():
    settings = {
        "cross-entropy": ({"label_smoothing": 0.3}, {"class_weights": "inverse"}),
        "focal": ({"focal_gamma": 0.5}, {"class_weights": "inverse"}),
        "ohem": ({"ohem_share": 1.0}, {"ohem_probability": 0.99}, {"class_weights": "inverse"}),
    }
    for term, changes in settings.items():
        fixed = {"terms": {term: 1.0}, "ohem_probability": 0.05, "ohem_share": 0.01}
        before = loss_of(TrainingOutput(logits(0)), **fixed)["loss"]
        for change in changes:
            assert loss_of(TrainingOutput(logits(0)), **fixed | change)["loss"] != before, (term, change)


def test_the_tolerance_of_the_recipe_reaches_the_boundary_loss():
    columns = torch.arange(12).expand(1, 12, 12)
    output = TrainingOutput(100.0 * F.one_hot((columns >= 8).long(), 2).movedim(-1, 1))
    losses = [
        TrainingLoss(Loss(terms={"boundary": 1.0}, boundary_px=far), torch.ones(2))(output, (columns >= 6).long())
        for far in (1, 2)
    ]
    assert losses[0]["loss"] > 0.1
    assert losses[1]["loss"] < 1e-5


def test_a_head_or_penalty_without_a_weight_is_refused_by_name():
    with pytest.raises(RecipeError, match="auxiliary head 'sar', which the recipe gives no weight"):
        loss_of(TrainingOutput(logits(0), {"stage2": logits(1), "sar": logits(2)}), auxiliary={"stage2": 0.4})
    with pytest.raises(RecipeError, match="penalty 'mmd', which the recipe gives no weight"):
        loss_of(TrainingOutput(logits(0), {}, {"mmd": torch.tensor(1.0)}))
    weight = torch.nn.Parameter(torch.tensor(2.0))
    with pytest.raises(RecipeError, match="penalty 'gradient_balance', which the recipe gives no weight"):
        loss_of(TrainingOutput(logits(0) * weight, branches={"a": [weight], "b": [weight]}))


@pytest.mark.parametrize(
    ("weights", "told", "hint"),
    [
        (
            {"penalties": {"amplitude": 0.1, "amplitud": 5}},
            "penalty 'amplitud', .* returns 'amplitude'$",
            "did you mean 'amplitude'.*--set 'loss.penalties={amplitude: 0.1}'",
        ),
        ({"penalties": {"amplitud": 0}}, "penalty 'amplitud', .* returns 'amplitude'$", "did you mean 'amplitude'"),
        ({"penalties": {"amplitude": 0.1, "gradient_balance": 0.1}}, "'gradient_balance', .* 'amplitude'$", "^correct"),
        (
            {"penalties": {"amplitude": 0.1}, "auxiliary": {"stage1": 0.4, "optcal": 5, "optical": 0}},
            "auxiliary head 'optcal', .* returns 'stage1', 'optical'$",
            "did you mean 'optical'.*--set 'loss.auxiliary={stage1: 0.4, optical: 0}'",
        ),
    ],
)
def test_a_weight_of_what_the_network_does_not_return_is_told_with_the_nearest_name(weights, told, hint):
    output = TrainingOutput(logits(0), {"stage1": logits(1), "optical": logits(2)}, {"amplitude": torch.tensor(3.0)})
    with pytest.raises(RecipeError, match=told) as caught:
        loss_of(output, **weights)
    assert re.search(hint, caught.value.hint)


def test_a_weight_of_zero_leaves_out_what_the_network_returns():
    output = TrainingOutput(logits(0), {"stage1": logits(1)}, {"amplitude": torch.tensor(3.0)})
    told = loss_of(output, penalties={"amplitude": 0}, auxiliary={"stage1": 0})
    torch.testing.assert_close(told["loss"], cross_entropy(logits(0)))


def test_a_network_that_returns_nothing_beside_its_scores_is_said_to():
    with pytest.raises(RecipeError, match=r"returns none$") as caught:
        loss_of(TrainingOutput(logits(0)), penalties={"mmd": 0.1})
    assert "--set 'loss.penalties={}'" in caught.value.hint


def test_branches_are_balanced_by_the_gradient_of_the_loss_of_the_main_head():
    first, second = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(0.5))
    scores = logits(0) * first + logits(1) * second**2
    output = TrainingOutput(scores, {"stage2": 7 * scores}, branches={"a": [first], "b": [second]})
    terms = loss_of(output, terms={"cross-entropy": 0.7, "dice": 1.5}, penalties={"gradient_balance": 0.1})
    main = 0.7 * cross_entropy(scores) + 1.5 * Dice()(scores, LABELS)
    expected = 0.1 * gradient_balance(main, output.branches)
    torch.testing.assert_close(terms["gradient_balance"], expected.detach())
    torch.testing.assert_close(terms["loss"], main + terms["stage2"] + expected)
    assert expected > 0


@pytest.mark.parametrize("term", get_args(Term))
def test_the_balance_of_branches_can_be_learnt_whatever_the_term(term):
    first, second = torch.nn.Parameter(torch.tensor(2.0)), torch.nn.Parameter(torch.tensor(0.5))
    columns = torch.arange(8).expand(1, 8, 8)
    chance = torch.Generator().manual_seed(0)
    scores = torch.randn(1, 2, 8, 8, generator=chance) * first + torch.randn(1, 2, 8, 8, generator=chance) * second
    output = TrainingOutput(scores, branches={"a": [first], "b": [second]})
    recipe = Loss(terms={term: 1.0}, penalties={"gradient_balance": 1.0})
    told = TrainingLoss(recipe, torch.tensor([5, 3]))(output, (columns > 3).long())
    gradients = torch.autograd.grad(told["loss"], (first, second), retain_graph=True)
    alone = torch.autograd.grad(TrainingLoss(recipe, torch.ones(2))._terms[term](scores, (columns > 3).long()), first)
    assert all(gradient.isfinite() for gradient in gradients)
    assert gradients[0] != alone[0]


def test_nothing_is_balanced_where_nothing_learns_or_the_weight_is_zero():
    weight = torch.nn.Parameter(torch.tensor(2.0))
    with torch.no_grad():
        asleep = TrainingOutput(logits(0) * weight, branches={"a": [weight], "b": [weight]})
    awake = TrainingOutput(logits(0) * weight, branches={"a": [weight], "b": [weight]})
    assert "gradient_balance" not in loss_of(asleep, penalties={"gradient_balance": 0.1})
    assert "gradient_balance" not in loss_of(awake, penalties={"gradient_balance": 0})


def test_autocast_does_not_blur_the_loss():
    scores = logits(0).bfloat16()
    plain = loss_of(TrainingOutput(scores.float()), terms=ALL_TERMS)
    with torch.autocast("cpu", torch.bfloat16):
        blurred = loss_of(TrainingOutput(scores), terms=ALL_TERMS)
    assert blurred.keys() == plain.keys()
    assert all(torch.equal(blurred[name], plain[name]) for name in plain)


def test_autocast_does_not_blur_the_balance_of_branches():
    chance = torch.Generator().manual_seed(0)
    first, second = (torch.nn.Parameter(torch.randn(8, 8, generator=chance)) for _ in range(2))
    scores = (torch.randn(1, 8, generator=chance) @ first @ second).reshape(1, 2, 2, 2)
    output = TrainingOutput(scores, branches={"a": [first], "b": [second]})
    plain = loss_of(output, penalties={"gradient_balance": 1.0})
    with torch.autocast("cpu", torch.bfloat16):
        blurred = loss_of(output, penalties={"gradient_balance": 1.0})
    assert torch.equal(blurred["gradient_balance"], plain["gradient_balance"])


def test_a_batch_without_labels_trains_nothing_and_breaks_nothing():
    scores = logits(0).requires_grad_()
    loss = TrainingLoss(Loss(terms=ALL_TERMS), torch.tensor([5, 3]))
    told = loss(TrainingOutput(scores, {"stage2": 2 * scores}), torch.full_like(LABELS, 255))
    told["loss"].backward()
    assert {name: value.item() for name, value in told.items()} == dict.fromkeys(["loss", *ALL_TERMS, "stage2"], 0)
    assert scores.grad.eq(0).all()


def test_class_weights_move_with_the_loss_and_stay_out_of_checkpoints():
    loss = TrainingLoss(Loss(class_weights="inverse"), torch.tensor([5, 3]))
    assert {buffer.device.type for buffer in loss.to("meta").buffers()} == {"meta"}
    assert loss.state_dict() == {}
