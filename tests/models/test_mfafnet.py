"""How MFAFNet is put together: wavelets by their energy, who reads what, the alignment penalty by hand."""

import numpy as np
import pytest
import torch

from rsfuse_models.layers.transposed_attention import SpatialAttention, TransposedAttention
from rsfuse_models.mfafnet import DecompositionStage, Level, MFAFNet, Reconstruction

SMALL = {
    "optical_channels": 3,
    "sar_channels": 1,
    "num_classes": 5,
    "widths": (8, 12, 16),
    "low_shares": (0.25, 0.5, 0.75),
    "heads": (1, 2, 4),
    "nodes": 1,
    "dropout": 0.0,
}


def make_network(**changes):
    torch.manual_seed(0)
    return MFAFNet(**(SMALL | changes))


def make_map(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def make_images(height=32, width=48, *, bands=(3, 1)):
    return [make_map(2, count, height, width, seed=count) for count in bands]


def watch(module, seen):
    module.register_forward_hook(lambda _, given, made: seen.append((given, made)))


def test_wavelets_halve_the_image_from_the_first_level_on_and_keep_its_energy():
    network, seen = make_network().eval(), []
    for stage in network.optical_encoder.stages:
        watch(stage.reduce, seen)
        watch(stage, seen)
    optical, _ = make_images()
    with torch.no_grad():
        maps = network.optical_encoder(optical)
    assert [tuple(each.shape) for each in maps] == [(2, 8, 16, 24), (2, 12, 8, 12), (2, 16, 4, 6)]
    for level, finer in enumerate([optical, *maps[:-1]]):
        ((bands,), _), ((given,), made) = seen[2 * level : 2 * level + 2]
        assert given is finer
        assert made is maps[level]
        assert bands.shape[1:] == (4 * finer.shape[1], finer.shape[2] // 2, finer.shape[3] // 2)
        torch.testing.assert_close(bands.square().sum(), finer.square().sum())


def test_a_stage_refines_the_first_channels_as_low_and_the_others_as_high():
    torch.manual_seed(0)
    stage, seen = DecompositionStage(3, Level(8, 2, 1, "transposed"), nodes=1), []
    for part in (stage.reduce, stage.low, stage.high, stage.mix):
        watch(part, seen)
    stage(make_map(2, 3, 8, 6))
    reduced, low, high, ((joined,), _) = seen
    assert reduced[1].min() == 0  # ReLU is the last step of the reduction
    torch.testing.assert_close(low[0][0], reduced[1][:, :2])
    torch.testing.assert_close(high[0][0], reduced[1][:, 2:])
    torch.testing.assert_close(joined, torch.cat([low[1], high[1]], dim=1))


def test_shares_and_kinds_of_attention_go_by_level():
    network = make_network(attention="spatial")
    for encoder in (network.optical_encoder, network.sar_encoder):
        assert [stage.shares for stage in encoder.stages] == [(2, 6), (6, 6), (12, 4)]
        kinds = [type(stage.low.attention) for stage in encoder.stages]
        assert kinds == [TransposedAttention, SpatialAttention, SpatialAttention]
    assert {type(stage.low.attention) for stage in make_network().sar_encoder.stages} == {TransposedAttention}


def test_the_decoder_reads_both_sensors_the_fused_map_and_the_coarser_result():
    network = make_network().eval()
    encoded, fused, refined = [], [], []
    for encoder in (network.optical_encoder, network.sar_encoder):
        watch(encoder, encoded)
    for block, layer in zip(network.fusion, network.decoder, strict=True):
        watch(block, fused)
        watch(layer.refine, refined)
    with torch.no_grad():
        network(*make_images())
    (_, optical), (_, sar) = encoded
    coarser = torch.empty(2, 0, 4, 6)
    for level, ((given,), made) in zip((2, 1, 0), refined, strict=True):
        upsampled = coarser
        if level < 2:
            upsampled = torch.nn.functional.interpolate(coarser, scale_factor=2.0, mode="bilinear")
        torch.testing.assert_close(given, torch.cat([optical[level], sar[level], fused[level][1], upsampled], dim=1))
        assert fused[level][0][0] is optical[level]
        assert fused[level][0][1] is sar[level]
        coarser = made


def test_haar_upsampling_of_an_approximation_alone_repeats_it():
    torch.manual_seed(0)
    layer, seen = Reconstruction(4, 4, upsampling="haar"), []
    torch.nn.init.zeros_(layer.bands.weight)
    with torch.no_grad():
        layer.bands.weight[:4, :, 0, 0] = 2 * torch.eye(4)
    watch(layer.refine, seen)
    finer, coarser = make_map(2, 4, 6, 8), make_map(2, 4, 3, 4, seed=2)
    layer([finer] * 3, coarser)
    torch.testing.assert_close(seen[0][0][0][:, 12:], coarser.repeat_interleave(2, -1).repeat_interleave(2, -2))


@pytest.mark.parametrize("option", [{"upsampling": "haar"}, {"attention": "spatial"}, {"nodes": 2}, {"mmd": False}])
def test_an_option_leaves_no_idle_weights(option):
    network = make_network(**option)
    output = network.forward_training(*make_images(24, 24))
    assert output.scores.shape == (2, 5, 24, 24)
    output.scores.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in network.parameters())


def test_the_penalty_compares_the_coarsest_maps_of_the_two_encoders():
    network, encoded = make_network().eval(), []
    for encoder in (network.optical_encoder, network.sar_encoder):
        watch(encoder, encoded)
    with torch.no_grad():
        penalty = network.forward_training(*make_images()).penalties["mmd"].item()
    means = []
    for _, maps in encoded:
        pooled = maps[-1].double().numpy().mean((2, 3))
        means.append((pooled / np.linalg.norm(pooled, axis=1, keepdims=True)).mean(0))
    assert penalty == pytest.approx(np.linalg.norm(means[0] - means[1]), rel=1e-4)
    assert penalty > 0.1


def test_the_penalty_vanishes_where_sensors_are_the_same_and_is_gone_when_switched_off():
    images = make_images(bands=(2, 2))
    network = make_network(optical_channels=2, sar_channels=2).eval()
    network.sar_encoder.load_state_dict(network.optical_encoder.state_dict())
    with torch.no_grad():
        assert network.forward_training(images[0], images[0]).penalties["mmd"] < 1e-6
        twin = make_network(optical_channels=2, sar_channels=2, mmd=False).eval()
        twin.load_state_dict(network.state_dict())
        output = twin.forward_training(*images)
        assert not output.penalties
        torch.testing.assert_close(output.scores, network.forward_training(*images).scores)


def test_the_penalty_teaches_both_encoders_and_nothing_else():
    network = make_network()
    network.forward_training(*make_images()).penalties["mmd"].backward()
    reached = {key.split(".")[0] for key, weight in network.named_parameters() if weight.grad is not None}
    assert reached == {"optical_encoder", "sar_encoder"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_trains(dtype):
    network = make_network()
    with torch.autocast("cpu", dtype=dtype):
        output = network.forward_training(*make_images(16, 16))
        loss = output.scores.float().square().mean() + output.penalties["mmd"]
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("attention", ["transposed", "spatial"])
def test_in_float64_the_slope_of_the_scores_is_their_gradient(attention):
    network = make_network(attention=attention).double().eval()
    optical, sar = (image.double() for image in make_images(16, 16))
    direction, weights = make_map(*optical.shape, seed=5).double(), make_map(2, 5, 16, 16, seed=6).double()
    optical.requires_grad_()
    scores = network(optical, sar)
    assert scores.dtype == torch.float64
    (gradient,) = torch.autograd.grad((scores * weights).sum(), optical)
    with torch.no_grad():  # float32 on the way would leave nothing of a difference of 1e-7
        ahead, behind = ((network(optical + step * direction, sar) * weights).sum() for step in (1e-7, -1e-7))
    assert (ahead - behind).item() / 2e-7 == pytest.approx((gradient * direction).sum().item(), rel=1e-4)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_sides_divide_by_two_for_each_level(levels):
    sizes = {key: SMALL[key][:levels] for key in ("widths", "low_shares", "heads")}
    network = make_network(**sizes)
    assert network.multiple == 2**levels
    assert network(*make_images(5, 3)).shape == (2, 5, 5, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"heads": (1, 2)}, "3 widths, 3 low_shares and 2 heads"),
        ({"widths": (), "low_shares": (), "heads": ()}, "0 widths"),
        ({"low_shares": (0.0, 0.5, 0.75)}, "0.0 leaves 0 low and 8 high of 8"),
        ({"low_shares": (0.9, 0.5, 0.75)}, "0.9 leaves 7 low and 1 high of 8"),
        ({"heads": (1, 4, 4)}, "4 heads must divide a level's 12 channels and the 6 low"),
        ({"heads": (1, 0, 4)}, "0 heads must divide"),
        ({"nodes": 0}, "nodes is 0"),
        ({"sar_channels": 0}, "3 and 0 channels; MFAFNet fuses two sensors"),
    ],
)
def test_sizes_that_cannot_be_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_network(**wrong)


def test_the_default_has_the_size_that_its_parts_add_up_to():
    with torch.device("meta"):
        network = MFAFNet(optical_channels=3, sar_channels=1, num_classes=7)

    def count(module):
        return sum(weight.numel() for weight in module.parameters())

    widths, heads = (64, 128, 256, 512), (1, 2, 4, 8)
    fusion = sum(8 * c * c + 4 * c + 2 * h for c, h in zip(widths, heads, strict=True))
    inputs = [3 * c + coarser for c, coarser in zip(widths, (*widths[1:], 0), strict=True)]
    decoder = sum(9 * (i + c) * c + 4 * c for i, c in zip(inputs, widths, strict=True))
    assert count(network.fusion) == fusion
    assert count(network.decoder) == decoder
    assert count(network.optical_encoder) - count(network.sar_encoder) == 4 * 2 * 64  # two more bands
    assert count(network) == 23_395_779
