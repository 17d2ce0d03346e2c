"""Which stage of an encoder a parameter belongs to."""

import pytest
import torch

from rsfuse_models import create_network
from rsfuse_models.layers.encoders import Encoder

FAMILIES = [
    ("convnextv2_atto", 4),
    ("resnet18", 4),
    ("swinv2_tiny_window8_256", 4),
    ("tf_efficientnet_lite0", 7),
    ("mobilenetv3_small_050", 6),
    ("regnetx_002", 4),
    ("maxvit_rmlp_pico_rw_256", 4),
    ("regnetz_b16", 4),  # ends in a convolution behind its stages
    ("caformer_s18", 4),  # does not tell its stages itself
    ("mvitv2_tiny", 4),  # names levels by modules that it does not have
]


def touched(encoder, side):
    """Parameters that the map of each level depends on."""
    named = dict(encoder.named_parameters())
    for features in encoder(torch.randn(1, 2, side, side)):
        found = torch.autograd.grad(features.sum(), named.values(), allow_unused=True, retain_graph=True)
        yield {name for name, gradient in zip(named, found, strict=True) if gradient is not None}


@pytest.mark.parametrize(("name", "depth"), FAMILIES)
def test_what_a_level_adds_to_the_one_before_it_lies_in_the_stages_between(name, depth):
    side = 256 if name.startswith("maxvit") else 64
    encoder = Encoder(name, 2)
    assert encoder.depth == depth
    seen, last = set(), -1
    for level, now in enumerate(touched(encoder, side)):
        own = {parameter for parameter in now - seen if parameter.startswith("trunk.")}
        stages = {encoder.stage_of(parameter) for parameter in own}
        end = encoder.stage_of(f"norms.{level}.weight")
        assert stages == set(range(last + 1, end + 1))
        seen, last = seen | now, end
    assert last == depth


@pytest.mark.parametrize(
    ("name", "stages", "examples"),
    [
        (
            "convnextv2_atto",
            None,
            {
                "trunk.stem_0.weight": 0,
                "trunk.stages_0.blocks.0.conv_dw.weight": 1,
                "trunk.stages_2.downsample.1.weight": 3,
                "trunk.stages_3.blocks.1.mlp.fc2.bias": 4,
                "norms.3.bias": 4,
            },
        ),
        ("resnet18", None, {"trunk.bn1.weight": 0, "trunk.layer2.0.downsample.0.weight": 2, "norms.0.weight": 1}),
        ("resnet18", (0, 2), {"trunk.conv1.weight": 0, "norms.0.weight": 0, "norms.1.weight": 2}),
        (
            "swinv2_tiny_window8_256",
            None,
            {"trunk.patch_embed.proj.weight": 0, "trunk.layers_1.downsample.reduction.weight": 2},
        ),
        (
            "tf_efficientnet_lite0",
            (1, 2, 3),
            {"trunk.bn1.bias": 0, "trunk.blocks.0.0.conv_dw.weight": 1, "norms.2.weight": 5},
        ),
    ],
)
def test_stages_count_from_one_and_the_stem_is_zero(name, stages, examples):
    encoder = Encoder(name, 1, stages=stages)
    assert {parameter: encoder.stage_of(parameter) for parameter in examples} == examples


def test_an_encoder_cut_short_is_as_deep_as_what_is_left():
    assert Encoder("resnet18", 3, stages=(1, 2)).depth == 2
    assert Encoder("tf_efficientnet_lite0", 3, stages=(1, 2, 3)).depth == 5


def test_every_parameter_of_the_encoders_of_a_network_has_a_stage():
    network = create_network("pad", optical_channels=3, sar_channels=2, num_classes=3, encoder="test_resnet")
    for encoder in (network.optical_encoder, network.sar_encoder):
        stages = [encoder.stage_of(name) for name, _ in encoder.named_parameters()]
        assert set(stages) == {0, 1, 2, 3, 4}


def test_a_parameter_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"'test_resnet' has no parameter 'trunk\.layer9\.weight'"):
        Encoder("test_resnet", 3).stage_of("trunk.layer9.weight")
