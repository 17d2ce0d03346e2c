"""What a run would be: sizes, steps and memory, before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from rsfuse.learn.bundles.land_cover import check_weights
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.subject import Subject
from rsfuse.learn.runtimes.eager import choose_device

FLOAT = 4  # bytes of a weight; autocast keeps them in float32


@dataclass(frozen=True)
class TrainingMemory:
    """What one process holds on its device at the fullest moment of a step, in MB, as far as a plan can tell.

    Args:
        weights: and their moving average.
        gradients: of the weights.
        optimizer: its moments.
        activations: kept between the forward and the backward pass, in float32.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """All together; what kernels need for themselves comes on top."""
        return self.weights + self.gradients + self.optimizer + self.activations


@dataclass(frozen=True)
class TrainingPlan:
    """What a run would be.

    Args:
        network: its name.
        parameters: weights that learn.
        steps: of the optimizer.
        validations: how often the weights are judged.
        batch: samples of a step.
        at_once: samples that each process takes through the network at once.
        tiles: how many each split has.
        epochs: how often each training tile is drawn, on average.
        device: where it would run.
        processes: how many share the work.
        memory: None where it cannot be told without running.
    """

    network: str
    parameters: int
    steps: int
    validations: int
    batch: int
    at_once: int
    tiles: dict[str, int]
    epochs: float
    device: str
    processes: int
    memory: TrainingMemory | None


def plan_training(subject: Subject, means: FitMeans) -> TrainingPlan:
    """Work out a run without running it.

    Raises:
        BundleError: if the device is not there.
        RecipeError: if the network cannot be built, or does not return what the loss of the recipe weighs.
    """
    recipe, length = subject.recipe, subject.data.length
    at_once = means.samples_at_once(recipe.training.batch)
    devices, nodes = means.processes
    tiles = subject.found()
    check_weights(recipe.network)  # a plan does not read them
    with torch.device("meta"):  # shapes without numbers: no memory, no time
        network = subject.network(fresh=True).train()
    parameters = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    activations = _activations(subject, network, at_once)
    return TrainingPlan(
        network=str(recipe.network["name"]),
        parameters=parameters,
        steps=length.steps,
        validations=-(-length.steps // length.stretch),
        batch=recipe.training.batch,
        at_once=at_once,
        tiles=tiles,
        epochs=length.steps * recipe.training.batch / tiles["train"],
        device=str(choose_device(means.device)),
        processes=devices * nodes,
        memory=None if activations is None else _memory(subject, parameters, activations),
    )


def _memory(subject: Subject, parameters: int, activations: int) -> TrainingMemory:
    weights = parameters * FLOAT / 1e6
    copies = 2 if subject.recipe.training.average else 1
    moments = 1 if subject.recipe.optimizer.name == "sgd" else 2
    return TrainingMemory(copies * weights, weights, moments * weights, activations / 1e6)


def _activations(subject: Subject, network: nn.Module, at_once: int) -> int | None:
    """Bytes that autograd keeps of one forward pass, each storage once; None if the network looks at numbers."""
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage()  # held, or another would take its number
        return tensor

    try:
        with (
            FakeTensorMode(allow_non_fake_inputs=True),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            network.to_empty(device="cpu")  # not meta: it has no spectra
            own = {weight.untyped_storage()._cdata for weight in network.parameters()}
            scores = subject.forward(network, at_once)
    except (RuntimeError, NotImplementedError, ValueError):
        return None
    del scores  # it held what was kept
    return sum(int(storage.nbytes()) for number, storage in kept.items() if number not in own)
