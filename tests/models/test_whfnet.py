"""WHFNet part by part against its published configuration."""

import numpy as np
import pytest
import pywt
import torch
from torch.nn import functional as F

from rsfuse_models.whfnet import (
    HighFrequencyEncoder,
    HighFrequencyImage,
    Interaction,
    Interactor,
    SpatialFrequencyFusion,
    WHFNet,
    eight_bit,
)

SMALL = {"optical_encoder": "test_resnet", "sar_encoder": "test_resnet", "channels": 8, "aux_channels": 8}


def millions(module):
    return sum(weight.numel() for weight in module.parameters()) / 1e6


def small(**options):
    torch.manual_seed(0)
    return WHFNet(optical_channels=3, sar_channels=1, num_classes=5, **SMALL, **options)


def published(image, *, sar):
    """The front end as the paper's code does it: PyWavelets on one sample, per band to 8 bit."""
    if sar:
        image = np.log1p(np.abs(image) + 1e-6)
    approximation, details = pywt.dwt2(image, "haar")
    high = pywt.idwt2((np.zeros_like(approximation), details), "haar")
    low, top = high.min((-2, -1), keepdims=True), high.max((-2, -1), keepdims=True)
    return ((high - low) / np.where(top > low, top - low, 1) * 255).astype(np.uint8)


@pytest.mark.parametrize("sar", [False, True])
def test_the_front_end_of_the_paper_is_matched_to_one_grey_level(sar):
    image = torch.randn(2, 3, 16, 24, dtype=torch.float64)
    ours = HighFrequencyImage(wavelet="haar", compress=sar, input_range="paper")(image).numpy()
    difference = np.abs(ours - published(image.numpy(), sar=sar).astype(float))
    assert difference.max() <= 1  # a value on the brink of two levels
    assert (difference > 0).mean() < 0.01


def test_eight_bit_takes_each_band_of_each_sample_by_itself_and_a_flat_one_to_zero():
    image = torch.stack([torch.arange(4.0).reshape(1, 2, 2), torch.full((1, 2, 2), 7.0)])
    torch.testing.assert_close(eight_bit(image), torch.tensor([[[[0.0, 85], [170, 255]]], [[[0.0, 0], [0, 0]]]]))


@pytest.mark.parametrize(
    ("input_range", "offset", "same"),
    [("fixed", 0, True), ("fixed", 6, True), ("fixed", 3, False), ("paper", 0, False)],
)
def test_a_fixed_range_depends_on_no_crop_that_begins_at_even_pixels(input_range, offset, same):
    image = torch.randn(1, 2, 32, 32)
    image[..., 30:, 30:] *= 50
    front = HighFrequencyImage(wavelet="haar", compress=True, input_range=input_range)
    here = np.s_[..., offset : offset + 16, offset : offset + 16]
    assert torch.allclose(front(image)[here], front(image[here]), atol=1e-6) == same


def test_the_gradient_of_a_nearly_flat_band_is_that_of_its_stretch():
    image = torch.tensor([[[[0.5, 0.5], [0.5, 0.6]]]], requires_grad=True)
    eight_bit(image).sum().backward()
    torch.testing.assert_close(image.grad, torch.full((1, 1, 2, 2), 2550.0), rtol=1e-3, atol=0)


def test_a_fixed_range_keeps_the_sign_of_standardised_sar():
    image = torch.tensor([[[[1.0, -1.0], [1.0, -1.0]]]])
    high = HighFrequencyImage(wavelet="haar", compress=True, input_range="fixed")(image)
    torch.testing.assert_close(high, np.log(2) * image, atol=1e-5, rtol=0)


def test_high_frequency_maps_lie_at_the_strides_of_the_encoders():
    maps = HighFrequencyEncoder(3, (8, 12, 16, 20))(torch.randn(2, 3, 64, 96))
    assert [tuple(each.shape) for each in maps] == [(2, 8, 16, 24), (2, 12, 8, 12), (2, 16, 4, 6), (2, 20, 2, 3)]


def test_calibration_follows_its_four_steps():
    torch.manual_seed(0)
    block = SpatialFrequencyFusion(4).eval()
    s, q = torch.randn(1, 4, 6, 6), torch.randn(1, 4, 6, 6)
    weights = dict(block.named_parameters())

    def conv(name, x, **options):
        return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], padding="same", **options)

    s1, q1 = conv("spatial", s), conv("frequency", q)
    w = conv("calibrate.2", F.leaky_relu(conv("calibrate.0", s1 - q1), 0.1)).sigmoid()
    both = torch.cat([s1 + w * q1, q1], dim=1)
    normal = conv("mix.0", both, groups=8) / np.sqrt(1 + 1e-5)  # fresh running statistics: mean 0, variance 1
    torch.testing.assert_close(block(s, q), conv("mix.2", normal) + s)


def test_the_interactor_treats_the_sensors_apart_and_adds_them():
    torch.manual_seed(0)
    block = Interactor(4).eval()
    optical, sar, optical_high, sar_high = torch.randn(4, 1, 4, 8, 8)
    stage = block(optical, sar, optical_high, sar_high)
    torch.testing.assert_close(stage.fused, stage.optical + stage.sar)
    torch.testing.assert_close(block(optical, sar + 1, optical_high, sar_high - 1).optical, stage.optical)


def test_the_published_size():
    network = WHFNet(optical_channels=3, sar_channels=3, num_classes=7)
    assert millions(network) == pytest.approx(144.5, rel=0.01)
    assert [round(millions(each), 2) for each in network.interactors] == [0.84, 3.34, 13.32, 53.18]
    assert millions(network.optical_encoder) == pytest.approx(27.58, rel=0.01)
    assert millions(network.sar_encoder) == pytest.approx(27.87, rel=0.01)
    assert millions(network.optical_high) + millions(network.sar_high) == pytest.approx(6.99, rel=0.01)
    assert millions(network.head) == pytest.approx(9.22, rel=0.01)
    training_only = millions(network.auxiliary_head) + millions(network.structural_heads)
    assert training_only == pytest.approx(2.2, rel=0.01)


@pytest.fixture(scope="module")
def published_kinds():
    """Swin and ConvNeXt, untrained, narrow heads."""
    torch.manual_seed(0)
    options = {"channels": 16, "aux_channels": 8, "optical_drop_path": 0.0, "sar_drop_path": 0.0, "dropout": 0.0}
    return WHFNet(optical_channels=3, sar_channels=1, num_classes=5, **options)


def test_the_published_encoders_learn_and_no_sample_depends_on_its_neighbour(published_kinds):
    optical, sar = torch.randn(2, 3, 65, 96), torch.randn(2, 1, 65, 96)
    output = published_kinds.train().forward_training(optical, sar)
    (output.scores.logsumexp(1).mean() + sum(each.logsumexp(1).mean() for each in output.auxiliary.values())).backward()
    idle = [key for key, weight in published_kinds.named_parameters() if weight.grad is None]
    assert not idle
    published_kinds.eval()
    with torch.no_grad():
        alone, together = published_kinds(optical[:1], sar[:1]), published_kinds(optical, sar)[:1]
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_published_encoders_stay_finite_in_half_precision_where_windows_are_padded(published_kinds, dtype):
    optical, sar = torch.randn(1, 3, 96, 96), torch.randn(1, 1, 96, 96)
    published_kinds.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=dtype):
        assert published_kinds(optical, sar).isfinite().all()


def test_windows_can_have_the_published_side():
    network = WHFNet(optical_channels=3, sar_channels=1, num_classes=5, optical_window=4, channels=8, aux_channels=8)
    blocks = [module for module in network.optical_encoder.modules() if hasattr(module, "window_area")]
    assert {module.window_size for module in blocks} == {(4, 4)}


def test_the_structural_heads_see_one_sensor_each():
    network = small().eval()
    optical, sar = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        before, after = network.forward_training(optical, sar), network.forward_training(optical, sar.flip(-1))
    assert set(before.auxiliary) == {"stage2", *Interaction._fields}
    torch.testing.assert_close(before.auxiliary["optical"], after.auxiliary["optical"])
    assert not torch.allclose(before.auxiliary["sar"], after.auxiliary["sar"])


def test_without_the_interactor_features_are_added_and_nothing_else_is_there():
    network = small(fusion="sum").eval()
    optical, sar = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    sums = [sum(pair) for pair in zip(network.optical_encoder(optical), network.sar_encoder(sar), strict=True)]
    expected = F.interpolate(network.head(sums), size=(64, 64), mode="bilinear")
    torch.testing.assert_close(network(optical, sar), expected)
    assert set(network.forward_training(optical, sar).auxiliary) == {"stage2"}
    assert not any("interactor" in name or "high" in name for name, _ in network.named_parameters())


@pytest.mark.parametrize("input_range", ["fixed", "paper"])
@pytest.mark.parametrize("wavelet", ["haar", "db2"])
def test_every_front_end_runs_and_learns(input_range, wavelet):
    network = small(input_range=input_range, wavelet=wavelet)
    network.forward_training(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 64, 64)).scores.sum().backward()
    assert network.optical_high[1][0][0].weight.grad.abs().sum() > 0


def test_encoders_that_do_not_add_up_are_refused_with_both():
    with pytest.raises(ValueError, match=r"convnextv2_atto.*test_resnet"):
        WHFNet(
            optical_channels=3,
            sar_channels=1,
            num_classes=5,
            optical_encoder="convnextv2_atto",
            sar_encoder="test_resnet",
        )
