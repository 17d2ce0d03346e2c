"""Losses of single papers against closed forms and NumPy."""

import numpy as np
import pytest
import torch

from rsfuse_models.losses import gradient_balance, mean_discrepancy


def test_branches_of_equal_gradients_are_balanced():
    weights = {name: [torch.ones(3, requires_grad=True)] for name in "abc"}
    loss = sum((2 * weight).sum() for (weight,) in weights.values())
    assert gradient_balance(loss, weights).item() == pytest.approx(0, abs=1e-6)


def test_balance_is_the_distance_of_gradient_norms_from_their_mean():
    first, second, third = (torch.full((2,), 1.0, requires_grad=True) for _ in range(3))
    loss = 3 * first.sum() + 4 * second[0] + third.square().sum()  # norms 3 sqrt 2, 4, 2 sqrt 2
    norms = np.array([3 * np.sqrt(2), 4, 2 * np.sqrt(2)])
    balance = gradient_balance(loss, {"a": [first], "b": [second], "c": [third]})
    assert balance.item() == pytest.approx(np.abs(norms - norms.mean()).sum(), rel=1e-5)


def test_balance_can_be_learnt_from_itself():
    first, second = (torch.tensor([value], dtype=torch.float64, requires_grad=True) for value in (1.0, 2.0))
    shared = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)

    def balance(first, second, shared):
        return gradient_balance((shared * first).pow(3).sum() + second.pow(2).sum(), {"a": [first], "b": [second]})

    assert torch.autograd.gradcheck(balance, (first, second, shared))
    balance(first, second, shared).backward()
    assert shared.grad is not None
    assert shared.grad.abs() > 0


def test_equal_features_have_no_discrepancy():
    features = torch.randn(4, 6, 5, 5)
    assert mean_discrepancy(features, features.clone()).item() == pytest.approx(0, abs=1e-6)


def test_features_of_one_distribution_come_near_and_of_two_do_not():
    generator = torch.Generator().manual_seed(0)
    first, second = (1 + torch.randn(2000, 8, 2, 2, generator=generator) for _ in range(2))
    assert mean_discrepancy(first, second) < 0.05
    assert mean_discrepancy(first, -second) > 1


def test_discrepancy_agrees_with_numpy():
    optical, sar = torch.randn(3, 4, 2, 5), torch.randn(3, 4, 2, 5)
    means = [each.numpy().mean((2, 3)) for each in (optical, sar)]
    units = [(mean / np.linalg.norm(mean, axis=1, keepdims=True)).mean(0) for mean in means]
    assert mean_discrepancy(optical, sar).item() == pytest.approx(np.linalg.norm(units[0] - units[1]), rel=1e-4)


def test_discrepancy_has_a_gradient_even_at_zero():
    features = torch.randn(2, 3, 2, 2, requires_grad=True)
    mean_discrepancy(features, features.detach().clone()).backward()
    assert features.grad.isfinite().all()
