"""The steps of CF2N against their equations in numpy: float64, explicit loops where a library would hide something."""

import numpy as np
import pytest
import torch

from rsfuse_models.cf2n import CF2N
from rsfuse_models.layers.cross_spectral import (
    CrossSpectralFusion,
    FrequencyAttention,
    FrequencySelection,
    SpectralAttention,
    dynamic_depthwise,
    high_pass,
    unit_kernel,
)
from rsfuse_models.layers.detail import DetailReconstruction, HierarchicalReconstruction, ResidualBlock, WeightedFusion
from rsfuse_models.layers.interpolation import interpolate_continued
from rsfuse_models.layers.wavelet import high_frequency, inverse_haar


def make_maps(*shape, count=1):
    generator = torch.Generator().manual_seed(2)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


# the equations, of one sample (C, H, W)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def arrays(module):
    return {key: value.double().numpy() for key, value in module.state_dict().items()}


def conv(state, name, x):
    """Any square kernel, zeros around the map."""
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    side, (_, height, width) = weight.shape[-1], x.shape
    padded = np.pad(x, [(0, 0)] + [(side // 2, side // 2)] * 2)
    total = np.zeros((len(weight), height, width))
    for dy in range(side):
        for dx in range(side):
            total += np.einsum("oc,chw->ohw", weight[:, :, dy, dx], padded[:, dy : dy + height, dx : dx + width])
    return total + bias[:, None, None]


def residual_block(state, prefix, x):
    x = conv(state, f"{prefix}enter", x)
    return x + conv(state, f"{prefix}refine.2", leaky(conv(state, f"{prefix}refine.0", x)))


def weighted_fusion(state, prefix, u, v):
    a = sigmoid(conv(state, f"{prefix}gate", np.concatenate([u, v])))
    return conv(state, f"{prefix}mix", np.concatenate([a * u + (1 - a) * v, abs(u - v)])) + (u + v) / 2


def haar_bands(x):
    a, b, c, d = x[:, ::2, ::2], x[:, ::2, 1::2], x[:, 1::2, ::2], x[:, 1::2, 1::2]
    return [(a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]


def haar_image(low, rows, columns, both):
    channels, height, width = low.shape
    image = np.zeros((channels, 2 * height, 2 * width))
    for y, sy in enumerate((1, -1)):
        for x, sx in enumerate((1, -1)):
            image[:, y::2, x::2] = (low + sy * rows + sx * columns + sy * sx * both) / 2
    return image


def reconstruct(state, prefix, bands):
    low, rows, columns, both = bands
    context = weighted_fusion(state, f"{prefix}directions.", rows, columns)
    context = weighted_fusion(state, f"{prefix}details.", both, context)
    context = weighted_fusion(state, f"{prefix}levels.", context, low)
    shares = np.split(conv(state, f"{prefix}share", context), 4)
    return conv(
        state, f"{prefix}project", haar_image(*(band + share for band, share in zip(bands, shares, strict=True)))
    )


def fd2r(state, prefix, pan, ms):
    pairs = enumerate(zip(haar_bands(pan), haar_bands(ms), strict=True))
    fused = [weighted_fusion(state, f"{prefix}fusions.{index}.", *pair) for index, pair in pairs]
    return residual_block(state, f"{prefix}encode.", reconstruct(state, f"{prefix}reconstruct.", fused))


def split(x):
    low = np.repeat(np.repeat(haar_bands(x)[0] / 2, 2, axis=1), 2, axis=2)
    return abs(x - low), low


def cells(x, side):
    """Means over side x side cells that may overlap, as adaptive pooling has them."""
    _, height, width = x.shape
    pooled = np.zeros((len(x), side, side))
    for i in range(side):
        for j in range(side):
            top, bottom = i * height // side, -(-(i + 1) * height // side)
            left, right = j * width // side, -(-(j + 1) * width // side)
            pooled[:, i, j] = x[:, top:bottom, left:right].mean((1, 2))
    return pooled


def recentre(scores):
    taps = sigmoid(scores)
    taps = taps - taps.mean((1, 2), keepdims=True)
    taps[:, taps.shape[1] // 2, taps.shape[2] // 2] += 1
    return taps


def filter_by(x, kernels):
    """Loops over channels, pixels and taps; beyond the edge lies the edge pixel."""
    channels, height, width = x.shape
    half, result = kernels.shape[-1] // 2, np.zeros_like(x)
    for c, y, z in np.ndindex(channels, height, width):
        for i, j in np.ndindex(*kernels.shape[1:]):
            row, column = min(max(y + i - half, 0), height - 1), min(max(z + j - half, 0), width - 1)
            result[c, y, z] += kernels[c, i, j] * x[c, row, column]
    return result


def frequency_kernel(state, prefix, x, side=3):
    high, low = split(residual_block(state, f"{prefix}enter.", x))
    planes = np.stack([high.mean(0), low.mean(0)])
    return recentre(conv(state, f"{prefix}score", cells(planes, side)))


def spectral_factors(state, prefix, x):
    high, low = (part.mean((1, 2), keepdims=True) for part in split(conv(state, f"{prefix}enter", x)))
    return 2 * sigmoid(weighted_fusion(state, f"{prefix}fuse.", high, low))


def selected_kernel(state, prefix, x, side=3):
    first = conv(state, f"{prefix}first", x)
    second = conv(state, f"{prefix}second", first)
    high, low = split(np.concatenate([first, second]))
    gates = sigmoid(conv(state, f"{prefix}gates", np.stack([high.mean(0), low.mean(0)])))
    gated = cells(gates[0] * first, side), cells(gates[1] * second, side)
    return recentre(weighted_fusion(state, f"{prefix}fuse.", *gated))


def cross_fusion(state, prefix, detail, spectral):
    factors = spectral_factors(state, f"{prefix}spectral.", spectral)
    middle = filter_by(detail, frequency_kernel(state, f"{prefix}frequency.", detail) * factors)
    return filter_by(middle, selected_kernel(state, f"{prefix}selection.", middle) * factors)


def around(x):
    """Mean of the 5 x 5 pixels around each, of those that exist."""
    means = np.zeros_like(x)
    for c, i, j in np.ndindex(*x.shape):
        means[c, i, j] = x[c, max(i - 2, 0) : i + 3, max(j - 2, 0) : j + 3].mean()
    return means


def check(module, oracle, *maps):
    """The module on a batch, and the oracle on each of its samples."""
    with torch.no_grad():
        made = module(*maps).double().numpy()
    for index, ours in enumerate(made):
        expected = oracle(arrays(module), *(image[index].double().numpy() for image in maps))
        np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_a_residual_block_skips_its_second_half():
    torch.manual_seed(0)
    check(ResidualBlock(2, 5), lambda state, x: residual_block(state, "", x), *make_maps(2, 2, 5, 6))


@pytest.mark.parametrize(("kernel", "size"), [(3, (4, 5)), (1, (1, 1))])
def test_weighted_fusion_is_its_equation(kernel, size):
    torch.manual_seed(0)
    module = WeightedFusion(5, kernel=kernel)
    check(module, lambda state, u, v: weighted_fusion(state, "", u, v), *make_maps(2, 5, *size, count=2))


def test_weighted_fusion_of_a_map_with_itself_has_nothing_unique():
    torch.manual_seed(0)
    fusion, (u,) = WeightedFusion(4), make_maps(1, 4, 5, 5)
    with torch.no_grad():
        before = fusion(u, u)
        fusion.mix.weight[:, 4:] *= 100  # what reads |u - v|
        fusion.gate.weight *= 100  # the share, which no longer matters
        torch.testing.assert_close(fusion(u, u), before)


def test_bands_are_joined_level_by_level_before_the_inversion():
    torch.manual_seed(0)
    module = HierarchicalReconstruction(4, 3)
    check(module, lambda state, *bands: reconstruct(state, "", bands), *make_maps(2, 4, 3, 4, count=4))


def test_detail_is_reconstructed_band_by_band():
    torch.manual_seed(0)
    module = DetailReconstruction(4, 3)
    check(module, lambda state, pan, ms: fd2r(state, "", pan, ms), *make_maps(2, 4, 6, 8, count=2))


def test_the_attentions_are_their_equations():
    torch.manual_seed(0)
    maps = make_maps(2, 4, 8, 10)
    check(FrequencyAttention(4, kernel=3), lambda state, x: frequency_kernel(state, "", x), *maps)
    check(SpectralAttention(4), lambda state, x: spectral_factors(state, "", x), *maps)
    check(FrequencySelection(4, kernel=5), lambda state, x: selected_kernel(state, "", x, 5), *maps)


def test_cross_fusion_filters_twice_with_the_product_of_both_attentions():
    torch.manual_seed(0)
    module = CrossSpectralFusion(4, kernel=3)
    check(module, lambda state, *maps: cross_fusion(state, "", *maps), *make_maps(2, 4, 6, 8, count=2))


def test_the_network_is_its_figure_step_by_step():
    network = CF2N(bands=3, ratio=2, channels=4, stages=2)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in network.parameters():  # biases, too, and what starts at 0
            weight.copy_(0.2 * torch.randn(weight.shape, generator=generator))

    def oracle(state, pan, ms):
        lms = interpolate_continued(torch.from_numpy(ms)[None], 2)[0].numpy()
        spectral = residual_block(state, "ms_head.", lms)
        features = fd2r(state, "detail.", residual_block(state, "pan_head.", pan), spectral)
        for stage in range(2):
            edges = [
                residual_block(state, f"injections.{stage}.{name}.", image - around(image))
                for name, image in (("pan", pan), ("ms", lms))
            ]
            features = features + weighted_fusion(state, f"injections.{stage}.fuse.", *edges)
            features = cross_fusion(state, f"fusions.{stage}.", features, spectral)
        return lms + conv(state, "project", features)

    check(network, oracle, torch.rand(2, 1, 8, 10, generator=generator), torch.rand(2, 3, 4, 5, generator=generator))


def test_bands_are_inverted_as_they_are_at_the_start():
    torch.manual_seed(0)
    module = CF2N(bands=4, channels=6).detail.reconstruct
    bands = make_maps(2, 6, 3, 4, count=4)
    torch.testing.assert_close(module(*bands), module.project(inverse_haar(torch.cat(bands, dim=1))))


@pytest.mark.parametrize("side", [3, 5])
def test_each_sample_and_channel_is_filtered_by_its_own_kernel(side):
    features, kernels = make_maps(3, 4, 5, 7)[0], make_maps(3, 4, side, side)[0]
    filtered = dynamic_depthwise(features, kernels)
    for ours, x, kernel in zip(filtered, features, kernels, strict=True):
        np.testing.assert_allclose(ours.numpy(), filter_by(x.double().numpy(), kernel.double().numpy()), atol=1e-5)


def test_kernels_sum_to_one_and_even_scores_change_nothing():
    (scores,) = make_maps(2, 3, 5, 5)
    torch.testing.assert_close(unit_kernel(scores).sum((-2, -1)), torch.ones(2, 3))
    (features,) = make_maps(2, 3, 6, 6)
    torch.testing.assert_close(dynamic_depthwise(features, unit_kernel(torch.full((2, 3, 5, 5), 0.7))), features)


def test_the_high_pass_takes_away_the_mean_of_the_pixels_around():
    (image,) = make_maps(1, 2, 6, 7)
    x = image[0].double().numpy()
    np.testing.assert_allclose(high_pass(image)[0].numpy(), x - around(x), atol=1e-6)


def test_detail_outlives_the_stages_at_the_start():
    torch.manual_seed(0)
    network = CF2N(bands=4)
    passed = []
    for fuse in network.fusions:
        fuse.register_forward_hook(lambda _, given, made: passed.append((given[0], made)))
    with torch.no_grad():
        network(torch.rand(1, 1, 32, 24), torch.rand(1, 4, 8, 6))
    for given, made in passed:
        assert 0.7 < made.std() / given.std() < 1.4
        assert 0.7 < high_frequency(made).std() / high_frequency(given).std() < 1.4
    assert 0.5 < passed[-1][1].std() / passed[0][0].std() < 4
