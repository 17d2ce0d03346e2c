"""A plan says what a run would be, without memory or time."""

import pytest
import torch

from rsfuse.learn.fitting.land_cover import LandCover
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.plan import plan_training

CPU = FitMeans(device="cpu")


def planned(recipe, tiles, means=CPU):
    return plan_training(LandCover(recipe, [tiles], means), means)


def test_a_plan_counts_what_is_there(recipe, tiles):
    plan = planned(recipe, tiles)
    assert (plan.steps, plan.validations, plan.batch, plan.at_once) == (10, 2, 4, 4)
    assert plan.tiles == {"train": 12, "val": 4}
    assert plan.epochs == pytest.approx(10 * 4 / 12)
    network = LandCover(recipe, [tiles], CPU).network()
    assert plan.parameters == sum(weight.numel() for weight in network.parameters())


def test_the_memory_of_activations_is_what_autograd_keeps(recipe, tiles):
    subject = LandCover(recipe, [tiles], CPU)
    network = subject.network().train()
    own, kept = {weight.untyped_storage().data_ptr() for weight in network.parameters()}, {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        scores = subject.forward(network, 4)
    expected = sum(storage.nbytes() for place, storage in kept.items() if place not in own) / 1e6
    assert scores.requires_grad
    assert planned(recipe, tiles).memory.activations == pytest.approx(expected, rel=0.01)


def test_half_the_batch_at_once_takes_half_the_activations(recipe, tiles):
    whole, halves = (planned(recipe, tiles, FitMeans(device="cpu", accumulate=parts)).memory for parts in (1, 2))
    assert halves.activations == pytest.approx(whole.activations / 2, rel=0.1)
    assert halves.weights == whole.weights


def test_the_largest_published_network_is_planned_without_its_memory(recipe, tiles):
    large = recipe.model_copy(update={"network": {"name": "pad", "encoder": "convnextv2_large"}})
    plan = planned(large, tiles)
    assert plan.parameters == pytest.approx(440.6e6, rel=0.01)
    assert plan.memory.total > 5 * 4 * 440  # weights, their average, gradients and two moments
