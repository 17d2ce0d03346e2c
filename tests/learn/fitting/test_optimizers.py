"""Learning rates and weight decay: who gets which, and how they go over the steps."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, MultiStepLR, PolynomialLR, SequentialLR

from rsfuse.learn.fitting.length import Length
from rsfuse.learn.fitting.optimizers import create_optimizer, create_schedule, parameter_groups
from rsfuse.learn.recipes.training import Optimizer, Schedule
from rsfuse_models.layers.encoders import Encoder


class Network(nn.Module):
    """An encoder of four stages, and a head."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder("test_convnext", 3)
        self.head = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


@pytest.fixture(scope="module")
def network():
    return Network()


def rates(network, recipe):
    """Learning rate of every weight by name."""
    names = {weight: name for name, weight in network.named_parameters()}
    groups = parameter_groups(recipe, network)
    return {names[weight]: group["lr"] for group in groups for weight in group["params"]}


def decays(network, recipe):
    names = {weight: name for name, weight in network.named_parameters()}
    groups = parameter_groups(recipe, network)
    return {names[weight]: group["weight_decay"] for group in groups for weight in group["params"]}


def test_every_weight_is_in_one_group(network):
    groups = parameter_groups(Optimizer(lr=1.0, layer_decay=0.5, decay_norms=False), network)
    held = [weight for group in groups for weight in group["params"]]
    assert len(held) == len(set(held)) == len(list(network.parameters()))


def test_the_published_rule_of_stages_is_reached(network):
    # lr x 0.9 ** (num_layers + 1 - id), num_layers 6, id 0 for the stem, k + 1 for stage k, num_layers + 1 for the rest
    told = rates(network, Optimizer(lr=1e-4, encoder_lr=0.9**3, layer_decay=0.9))
    for name, rate in told.items():
        number = network.encoder.stage_of(name.removeprefix("encoder.")) if name.startswith("encoder.") else 7
        assert rate == pytest.approx(1e-4 * 0.9 ** (7 - number)), name
    assert len({round(rate, 12) for rate in told.values()}) == 6


def test_norms_and_biases_keep_their_size_where_the_recipe_says_so(network):
    free = decays(network, Optimizer(lr=1.0, weight_decay=0.1, decay_norms=False))
    shapes = dict(network.named_parameters())
    assert {decay for name, decay in free.items() if shapes[name].ndim == 1} == {0.0}
    assert {decay for name, decay in free.items() if shapes[name].ndim > 1} == {0.1}
    assert set(decays(network, Optimizer(lr=1.0, weight_decay=0.1)).values()) == {0.1}


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_the_optimizer_is_the_one_named(network, name, kind):
    optimizer = create_optimizer(Optimizer(name=name, lr=0.1, momentum=0.8, betas=(0.5, 0.6)), network)
    assert type(optimizer) is kind
    assert optimizer.defaults.get("momentum", 0.8) == 0.8
    assert optimizer.defaults.get("betas", (0.5, 0.6)) == (0.5, 0.6)


STEPS, WARMUP = 40, 5


def after_warmup(make):
    """A schedule of torch's behind torch's linear warm-up from a tenth."""

    def build(optimizer):
        rise = LinearLR(optimizer, 0.1, total_iters=WARMUP)
        return SequentialLR(optimizer, [rise, make(optimizer)], [WARMUP])

    return build


WARM = {"warmup": WARMUP, "warmup_from": 0.1}


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
@pytest.mark.parametrize(
    ("recipe", "oracle"),
    [
        ({"name": "cosine"}, partial(CosineAnnealingLR, T_max=STEPS)),
        ({"name": "cosine", "lowest": 0.02}, partial(CosineAnnealingLR, T_max=STEPS, eta_min=0.02)),
        ({"name": "cosine", **WARM}, after_warmup(partial(CosineAnnealingLR, T_max=STEPS - WARMUP))),
        ({"name": "poly", "power": 0.9}, partial(PolynomialLR, total_iters=STEPS, power=0.9)),
        ({"name": "poly", **WARM}, after_warmup(partial(PolynomialLR, total_iters=STEPS - WARMUP, power=1.0))),
        (
            {"name": "multistep", "milestones": (10, 20), "gamma": 0.3},
            partial(MultiStepLR, milestones=[10, 20], gamma=0.3),
        ),
    ],
)
def test_schedules_go_as_those_of_torch(recipe, oracle):
    ours, theirs = (torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5) for _ in range(2))
    schedule, wanted = create_schedule(Schedule(**recipe), ours, Length(STEPS, 10)), oracle(theirs)
    for step in range(STEPS):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-9), step
        for each, moved in ((ours, schedule), (theirs, wanted)):
            each.step()
            moved.step()


def test_milestones_count_epochs_where_training_does():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = create_schedule(Schedule(name="multistep", milestones=(2,)), optimizer, Length(30, 10, unit=10))
    told = []
    for _ in range(30):
        told.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert told == pytest.approx([1.0] * 20 + [0.1] * 10)


def test_the_lowest_rate_keeps_the_ratio_of_the_groups():
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = torch.optim.SGD(groups)
    schedule = create_schedule(Schedule(name="poly", lowest=0.2), optimizer, Length(4, 4))
    for _ in range(4):
        optimizer.step()
        schedule.step()
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.02])
    assert math.isclose(sum(group["lr"] for group in optimizer.param_groups), 0.22)
