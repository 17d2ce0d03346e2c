"""Baselines see the bands they are said to see, and nothing else."""

import pytest
import torch
from torch.nn import functional as F

from rsfuse_models import create_network


def build(name, **options):
    torch.manual_seed(0)
    return create_network(name, optical_channels=3, sar_channels=2, num_classes=5, **options).eval()


@pytest.mark.parametrize(
    ("sensors", "moved_by_optical", "moved_by_sar"),
    [("both", True, True), ("optical", True, False), ("sar", False, True)],
)
def test_early_fusion_sees_the_sensors_that_it_is_given(sensors, moved_by_optical, moved_by_sar):
    network = build("early-fusion", encoder="tu-test_resnet", sensors=sensors)
    optical, sar = torch.randn(1, 3, 64, 64), torch.randn(1, 2, 64, 64)
    with torch.no_grad():
        scores = network(optical, sar)
        assert torch.allclose(network(optical.flip(-1), sar), scores) != moved_by_optical
        assert torch.allclose(network(optical, sar.flip(-1)), scores) != moved_by_sar


NAMES = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "upernet",
    "segformer",
)


@pytest.mark.parametrize(("architecture", "side"), [*((name, 70) for name in NAMES), ("pan", 250)])
def test_architectures_of_the_library_learn_from_one_image_of_any_size(architecture, side):
    network = build("early-fusion", architecture=architecture, encoder="resnet18").train()
    output = network.forward_training(torch.randn(1, 3, side, side - 10), torch.randn(1, 2, side, side - 10))
    assert output.scores.shape == (1, 5, side, side - 10)
    output.scores.square().mean().backward()
    assert all(weight.grad is None or weight.grad.isfinite().all() for weight in network.parameters())


def test_what_the_library_does_not_have_is_named():
    with pytest.raises(ValueError, match="'yunet'"):
        build("early-fusion", architecture="yunet")
    with pytest.raises(ValueError, match="'resnet35'"):
        build("early-fusion", encoder="resnet35")
    with pytest.raises(ValueError, match="leaves no band"):
        create_network("early-fusion", optical_channels=3, sar_channels=0, num_classes=5, sensors="sar")


def test_late_fusion_adds_the_maps_of_two_encoders():
    network = build("late-fusion", encoder="test_resnet", channels=8, aux_channels=8)
    optical, sar = torch.randn(1, 3, 64, 64), torch.randn(1, 2, 64, 64)
    sums = [sum(pair) for pair in zip(network.optical_encoder(optical), network.sar_encoder(sar), strict=True)]
    torch.testing.assert_close(network(optical, sar), F.interpolate(network.head(sums), size=(64, 64), mode="bilinear"))


def test_late_fusion_refuses_a_stage_that_is_not_there():
    with pytest.raises(ValueError, match="aux_stage 4"):
        build("late-fusion", encoder="test_resnet", aux_stage=4)
