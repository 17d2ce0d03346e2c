"""What every term of a loss owes to training, whatever it measures."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from rsfuse.learn.losses.terms import create_terms
from rsfuse.learn.recipes.loss import Loss, Term

NAMES = get_args(Term)
each_term = pytest.mark.parametrize("name", NAMES)


def term_of(name, *, pixels=(5, 3, 9, 4), **recipe):
    return create_terms(Loss(terms={name: 1.0}, boundary_px=1, **recipe), torch.tensor(pixels))[name]


def blobs(classes=3):
    """Labels (2, 12, 12) of areas wide enough to have outlines."""
    rows = torch.arange(12) // 5
    return ((rows[:, None] + rows) % classes).expand(2, -1, -1).clone()


def logits_of(labels, classes=3):
    return 100.0 * F.one_hot(labels.where(labels != 255, 0), classes).movedim(-1, 1) - 50


def slope(term, scores, labels):
    scores = scores.clone().requires_grad_()
    loss = term(scores, labels)
    (gradient,) = torch.autograd.grad(loss, scores)
    return loss.detach(), gradient


@each_term
def test_a_batch_without_labels_costs_nothing_and_moves_nothing(name, draw):
    scores, labels = draw(0)
    loss, gradient = slope(term_of(name), scores, torch.full_like(labels, 255))
    assert loss == 0
    assert gradient.eq(0).all()


@each_term
@given(seed=st.integers(0, 10_000), unlabelled=st.sampled_from([0.1, 0.6, 0.95]))
def test_scores_without_a_label_change_nothing_and_are_not_moved(draw, name, seed, unlabelled):
    scores, labels = draw(seed, unlabelled=unlabelled)
    others, _ = draw(seed + 1)
    nowhere = (labels == 255)[:, None]
    loss, gradient = slope(term_of(name), scores, labels)
    torch.testing.assert_close(term_of(name)(torch.where(nowhere, 9 * others, scores), labels), loss)
    assert gradient.masked_select(nowhere).eq(0).all()
    assert gradient.isfinite().all()


@each_term
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_confident_scores_right_or_wrong_have_finite_gradients(name, gamma, draw):
    scores, labels = draw(1)
    for confident in (50.0 * scores.sign(), logits_of(labels, 4), -logits_of(labels, 4)):
        loss, gradient = slope(term_of(name, focal_gamma=gamma), confident, labels)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@each_term
def test_equal_scores_have_finite_gradients(name, draw):
    scores, labels = draw(1)
    loss, gradient = slope(term_of(name), torch.zeros_like(scores), labels)
    assert loss > 0
    assert gradient.isfinite().all()


@each_term
@pytest.mark.parametrize("unlabelled", [0.0, 0.1])
def test_a_perfect_prediction_costs_nothing(name, unlabelled):
    labels = blobs()
    labels[torch.rand(labels.shape, generator=torch.Generator().manual_seed(0)) < unlabelled] = 255
    assert term_of(name, pixels=(1, 2, 3))(logits_of(labels), labels).item() == pytest.approx(0, abs=1e-5)


@each_term
def test_a_better_prediction_costs_less(name):
    labels = blobs()
    right, wrong = logits_of(labels) / 20, logits_of((labels + 1) % 3) / 20
    term = term_of(name, pixels=(1, 2, 3))
    losses = torch.stack([term(share * right + (1 - share) * wrong, labels) for share in torch.linspace(0.55, 1, 7)])
    assert losses.diff().lt(0).all()


@each_term
def test_gradients_are_those_of_small_differences(name, draw):
    scores, labels = draw(4, classes=3)
    double = scores[:1, :, :4, :4].double().requires_grad_()
    term = term_of(name, pixels=(1, 2, 3), class_weights="inverse").double()
    # Lovasz is in float32 whatever it is given, so its differences are coarser
    exact = {"eps": 1e-3, "atol": 1e-3} if name == "lovasz" else {"eps": 1e-7, "atol": 1e-6}
    loss = term(double, labels[:1, :4, :4])
    assert torch.autograd.grad(loss, double)[0].abs().max() > 0.01
    assert torch.autograd.gradcheck(lambda given: term(given, labels[:1, :4, :4]).double(), double, **exact)


@each_term
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(name, kind, draw):
    scores, labels = draw(5)
    halved = scores.to(kind)
    loss, gradient = slope(term_of(name), halved, labels)
    assert loss.dtype == torch.float32
    assert torch.equal(loss, term_of(name)(halved.float(), labels))
    assert gradient.dtype == kind


@each_term
def test_a_batch_of_one_class_has_finite_gradients_and_does_not_punish_being_right(name):
    labels = torch.zeros(1, 6, 6, dtype=torch.int64)
    sure, unsure = logits_of(labels, 4), logits_of(labels, 4) / 50
    loss, gradient = slope(term_of(name), unsure, labels)
    assert gradient.isfinite().all()
    assert term_of(name)(sure, labels) <= loss


@each_term
def test_two_classes_are_enough(name, draw):
    scores, labels = draw(6, classes=2)
    loss, gradient = slope(term_of(name, pixels=(7, 3)), scores, labels)
    assert 0 < loss < 10
    assert gradient.abs().sum() > 0


@each_term
def test_the_order_of_samples_changes_nothing(name, draw):
    scores, labels = draw(7)
    torch.testing.assert_close(term_of(name)(scores.flip(0), labels.flip(0)), term_of(name)(scores, labels))


@each_term
def test_memory_laid_out_by_channels_changes_nothing(name, draw):
    scores, labels = draw(8)
    elsewhere = scores.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(term_of(name)(elsewhere, labels), term_of(name)(scores, labels))


@pytest.mark.parametrize("name", ["cross-entropy", "ohem", "focal"])
def test_class_weights_of_the_training_pixels_are_those_of_the_term(name, draw):
    scores, labels = draw(9)
    only_first = term_of(name, pixels=(5, 0, 0, 0), class_weights="inverse", ohem_share=1.0)
    everything = term_of(name, ohem_share=1.0)
    seen = labels.where(labels == 0, 255)
    expected = everything(scores, seen) * (labels == 0).sum() / (labels != 255).sum()
    torch.testing.assert_close(only_first(scores, labels), expected)
