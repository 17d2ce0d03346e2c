"""The attention of MFAFNet and its cross fusion, against numpy by loops over images and heads."""

from math import erf

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from rsfuse_models.layers.cross_fusion import CrossFusion
from rsfuse_models.layers.transposed_attention import (
    GatedFeedForward,
    LowFrequencyBlock,
    SpatialAttention,
    TransposedAttention,
)


def make_map(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def state_of(module):
    return {key: value.double().numpy() for key, value in module.state_dict().items()}


def dense(weight, x):
    return np.einsum("oc,bchw->bohw", weight[:, :, 0, 0], x)


def depthwise(weight, x):
    padded, out = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), np.zeros_like(x)
    for v, u in np.ndindex(3, 3):
        out += weight[None, :, 0, v, u, None, None] * padded[..., v : v + x.shape[-2], u : u + x.shape[-1]]
    return out


def softmax(x, axis):
    power = np.exp(x - x.max(axis, keepdims=True))
    return power / power.sum(axis, keepdims=True)


def layer_norm(x, weight, bias):
    centred = x - x.mean(1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-6)
    return normed * weight[:, None, None] + bias[:, None, None]


def attend(module, features, one_head):
    """Any attention of one image and one head after the other; `one_head` takes q, k, v of (d, N) and the head."""
    state, x = state_of(module), features.double().numpy()
    channels, heads = x.shape[1], module.project.heads
    parts = depthwise(state["project.convolve.1.weight"], dense(state["project.convolve.0.weight"], x))
    query, key, value = (parts[:, start : start + channels] for start in (0, channels, 2 * channels))
    out, d = np.zeros_like(x), channels // heads
    for image, head in np.ndindex(len(x), heads):
        own = slice(head * d, (head + 1) * d)
        q, k, v = (part[image, own].reshape(d, -1) for part in (query, key, value))
        out[image, own] = one_head(q, k, v, head).reshape(d, *x.shape[-2:])
    return dense(state["mix.weight"], out)


# float32 anywhere on the way would leave errors of 1e-7
PRECISIONS = [(torch.float32, 1e-5), (torch.float64, 1e-12)]


@pytest.mark.parametrize(("dtype", "error"), PRECISIONS)
@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
@pytest.mark.parametrize("heads", [1, 3])
def test_transposed_attention_weighs_channels_by_the_angles_between_them(size, heads, dtype, error):
    torch.manual_seed(0)
    module, features = TransposedAttention(6, heads=heads).to(dtype), make_map(2, 6, *size).to(dtype)
    torch.nn.init.uniform_(module.temperature, 1, 4)

    def one_head(q, k, v, head):
        cosines = np.array([[a @ b / np.sqrt((a @ a + 1e-6) * (b @ b + 1e-6)) for b in k] for a in q])
        return softmax(module.temperature[head].item() * cosines, 1) @ v

    with torch.no_grad():
        np.testing.assert_allclose(module(features).numpy(), attend(module, features, one_head), atol=error)


@pytest.mark.parametrize(("dtype", "error"), PRECISIONS)
@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
@pytest.mark.parametrize("heads", [1, 3])
def test_spatial_attention_weighs_places(size, heads, dtype, error):
    torch.manual_seed(0)
    module, features = SpatialAttention(6, heads=heads).to(dtype), 5 * make_map(2, 6, *size).to(dtype)

    def one_head(q, k, v, head):
        return v @ softmax(q.T @ k / np.sqrt(len(q)), 1).T

    with torch.no_grad():
        np.testing.assert_allclose(module(features).numpy(), attend(module, features, one_head), atol=error)


def test_spatial_attention_takes_a_kernel_that_never_writes_all_weights_down():
    module, features = SpatialAttention(16, heads=2), make_map(1, 16, 6, 7)
    expected = module(features)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):  # refuses what it does not take
        torch.testing.assert_close(module(features), expected)


def test_a_blank_map_has_finite_gradients():
    torch.manual_seed(0)
    module, features = TransposedAttention(4, heads=2), torch.zeros(1, 4, 3, 3, requires_grad=True)
    module(features + 1e-9).sum().backward()
    assert features.grad.abs().max() < 1e3


def test_the_feed_forward_network_gates_one_half_by_the_other():
    torch.manual_seed(0)
    module, features = GatedFeedForward(3), 3 * make_map(2, 3, 4, 5)
    state = state_of(module)
    both = depthwise(state["widen.1.weight"], dense(state["widen.0.weight"], features.double().numpy()))
    gate, content = both[:, :6], both[:, 6:]
    gate = gate * (1 + np.vectorize(erf)(gate / np.sqrt(2))) / 2
    with torch.no_grad():
        np.testing.assert_allclose(module(features).numpy(), dense(state["narrow.weight"], gate * content), atol=1e-5)


@pytest.mark.parametrize("attention", ["transposed", "spatial"])
def test_a_low_frequency_block_normalises_before_each_part_and_adds_it(attention):
    torch.manual_seed(0)
    block, features = LowFrequencyBlock(6, heads=2, attention=attention), make_map(2, 6, 4, 5)
    for norm in (block.attention_norm, block.feed_forward_norm):
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.uniform_(norm.bias, -1, 1)

    def normed(norm, x):
        numbers = layer_norm(x.double().numpy(), *(state_of(norm)[name] for name in ("weight", "bias")))
        return torch.from_numpy(numbers).float()

    with torch.no_grad():
        middle = features + block.attention(normed(block.attention_norm, features))
        expected = middle + block.feed_forward(normed(block.feed_forward_norm, middle))
        torch.testing.assert_close(block(features), expected, atol=1e-5, rtol=1e-5)


def fuse(module, optical, sar):
    """The fusion block by loops over images and heads, places as rows like the equations have them."""
    state, heads = state_of(module), module.heads
    maps = {"optical": optical.double().numpy(), "sar": sar.double().numpy()}
    query, readings = dense(state["query.weight"], np.concatenate(list(maps.values()), axis=1)), []
    for sensor, x in maps.items():
        channels, d = x.shape[1], x.shape[1] // heads
        both = dense(state[f"{sensor}.project.weight"], x)
        key, value, out = both[:, :channels], both[:, channels:], np.zeros_like(x)
        for image, head in np.ndindex(len(x), heads):
            own = slice(head * d, (head + 1) * d)
            q, k, v = (part[image, own].reshape(d, -1).T for part in (query, key, value))  # (N, d)
            context = softmax(state[f"{sensor}.scale"][head, 0, 0] * (k.T @ v) / len(k), 0)
            out[image, own] = (q @ context).T.reshape(d, *x.shape[-2:])
        readings.append(layer_norm(x + out, state[f"{sensor}.norm.weight"], state[f"{sensor}.norm.bias"]))
    return dense(state["mix.weight"], np.concatenate(readings, axis=1))


@pytest.mark.parametrize(("dtype", "error"), PRECISIONS)
@pytest.mark.parametrize("size", [(1, 1), (4, 5)])
@pytest.mark.parametrize("heads", [1, 2])
def test_cross_fusion_is_its_equations(size, heads, dtype, error):
    torch.manual_seed(0)
    module = CrossFusion(6, heads=heads).to(dtype)
    assert module.sar.scale.flatten().tolist() == pytest.approx([np.sqrt(6 / heads)] * heads)
    for name, weight in module.named_parameters():
        if "norm" in name or "scale" in name:
            torch.nn.init.uniform_(weight, 0.5, 3)
    optical, sar = (make_map(2, 6, *size, seed=seed).to(dtype) * 3 for seed in (1, 2))
    with torch.no_grad():
        np.testing.assert_allclose(module(optical, sar).numpy(), fuse(module, optical, sar), atol=error)


def test_cross_fusion_of_a_tile_repeated_is_the_fusion_repeated():
    torch.manual_seed(0)
    module, maps = CrossFusion(8, heads=2), [5 * make_map(1, 8, 4, 4, seed=seed) for seed in (1, 2)]
    with torch.no_grad():
        once, repeated = module(*maps), module(*(each.repeat(1, 1, 3, 2) for each in maps))
    torch.testing.assert_close(repeated, once.repeat(1, 1, 3, 2), atol=1e-4, rtol=1e-4)


def test_cross_fusion_of_large_values_stays_finite_in_half_precision():
    torch.manual_seed(0)
    module = CrossFusion(8, heads=2)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.float16):
        fused = module(make_map(1, 8, 64, 64, seed=1) * 1e3, make_map(1, 8, 64, 64, seed=2) * 1e3)
    assert fused.isfinite().all()


def test_cross_fusion_refuses_heads_that_do_not_divide():
    with pytest.raises(ValueError, match="4 heads do not divide 6 channels"):
        CrossFusion(6, heads=4)
