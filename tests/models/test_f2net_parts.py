"""The branches, the fusion and the alignment of F2Net by their equations."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rsfuse_models.f2net.branches import Alignment, shrink
from rsfuse_models.f2net.deeplab import DeepLabBranch, ResidualBlock
from rsfuse_models.f2net.vit import GRID, Attention, ViTBranch
from rsfuse_models.f2net.vss import Downsample, PatchEmbedding, VSSBlock, VSSBranch
from rsfuse_models.layers.hff import HybridFusion, PlainFusion, build_fusion


def state(module):
    return {key: value.detach().double().numpy() for key, value in module.state_dict().items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# --- the high-frequency branch


def test_the_patch_embedding_reads_rows_4i_minus_3_to_4i_plus_3():
    torch.manual_seed(0)
    embedding = PatchEmbedding(2, 8)
    image = torch.randn(1, 2, 24, 8)
    assert embedding(image).shape == (1, 6, 2, 8)
    for row in range(24):
        changed = image.clone()
        changed[:, :, row] += 1
        felt = (embedding(changed) != embedding(image)).any(-1).any(-1)[0].nonzero()[:, 0].tolist()
        assert felt == [i for i in range(6) if 4 * i - 3 <= row <= 4 * i + 3]


def test_downsampling_is_a_convolution_of_stride_2_and_a_norm_over_channels():
    torch.manual_seed(0)
    layer = Downsample(3, 4)
    features = torch.randn(1, 5, 6, 3)
    weights = state(layer)
    around = np.pad(features.double().numpy(), ((0, 0), (1, 1), (1, 1), (0, 0)))
    with torch.no_grad():
        halved = layer(features).numpy()
    assert halved.shape == (1, 3, 3, 4)
    for row, column in np.ndindex(3, 3):
        window = around[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        raw = np.einsum("oirc,rci->o", weights["convolution.weight"], window) + weights["convolution.bias"]
        np.testing.assert_allclose(halved[0, row, column], (raw - raw.mean()) / (raw.var() + 1e-5) ** 0.5, atol=1e-5)


def test_a_block_adds_the_scans_and_then_a_perceptron():
    torch.manual_seed(0)
    block = VSSBlock(16, state=4, chunk=4, drop_path=0.0)
    x = torch.randn(2, 3, 4, 16)
    x1 = x + block.mix(F.layer_norm(x, [16]))
    hidden = F.gelu(F.linear(F.layer_norm(x1, [16]), block.perceptron[1].weight, block.perceptron[1].bias))
    assert hidden.shape[-1] == 64
    expected = x1 + F.linear(hidden, block.perceptron[3].weight, block.perceptron[3].bias)
    torch.testing.assert_close(block(x), expected)


def test_stochastic_depth_rises_linearly_to_its_last_block():
    branch = VSSBranch(4, depths=(1, 2), dims=(8, 16), state=2, chunk=4, drop_path=0.2)
    rates = [block.drop_path.drop_prob for stage in branch.stages for block in stage]
    assert rates == pytest.approx([0, 0.1, 0.2])


def test_linear_layers_begin_small_but_for_those_that_steer_a_scan():
    torch.manual_seed(0)
    mixer = VSSBranch(4, depths=(1,), dims=(64,), state=16, chunk=4).stages[0][0].mix
    assert mixer.project_in.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert mixer.scans[0].project.weight.std().item() == pytest.approx((3 * 64) ** -0.5, rel=0.05)


# --- the low-frequency branches


def test_the_residual_network_has_the_strides_and_dilations_of_output_stride_8():
    branch = DeepLabBranch(8)
    stem = [(conv[0].out_channels, conv[0].stride[0]) for conv in branch.stem[:3]]
    assert stem == [(32, 2), (32, 1), (64, 1)]
    layers = [
        [(conv.out_channels, conv.stride[0], conv.dilation[0]) for conv in layer.modules() if is_wide(conv)]
        for layer in branch.layers
    ]
    assert layers == [
        [(64, 1, 1)] * 4,
        [(128, 2, 1)] + [(128, 1, 1)] * 3,
        [(256, 1, 2)] * 4,
        [(512, 1, 4)] * 4,
    ]
    assert [view[0].dilation[0] for view in branch.pooling.views] == [12, 24, 36]


def is_wide(module):
    return isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3)


@pytest.mark.parametrize(("channels", "stride", "dilation"), [(4, 1, 1), (6, 1, 2), (6, 2, 1)])
def test_a_residual_block_is_two_convolutions_beside_a_shortcut(channels, stride, dilation):
    torch.manual_seed(0)
    block = ResidualBlock(4, channels, stride=stride, dilation=dilation).eval()
    x = torch.randn(1, 4, 8, 8)
    keep = (1 + 1e-5) ** -0.5  # batch norm with mean 0 and variance 1
    hidden = (F.conv2d(x, block.body[0].weight, stride=stride, padding=dilation, dilation=dilation) * keep).relu()
    hidden = F.conv2d(hidden, block.body[3].weight, padding=dilation, dilation=dilation) * keep
    plain = stride == 1 and channels == 4
    shortcut = x if plain else F.conv2d(x, block.shortcut[0].weight, stride=stride) * keep
    torch.testing.assert_close(block(x), (hidden + shortcut).relu())


def make_attention(height, width, *, keys=None):
    torch.manual_seed(0)
    return Attention(12, heads=3, keys=keys), 3 * torch.randn(2, height, width, 12)


def average(values, size, axis):
    """Means of windows i n / m to (i + 1) n / m, widened to whole places."""
    length = values.shape[axis]
    windows = [range(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
    return np.stack([values.take(window, axis).mean(axis) for window in windows], axis)


def attend_by_hand(attention, tokens, keys):
    """Project all tokens, average keys and values to at most `keys` a side, then one head and query after the other."""
    weights = state(attention)
    parts = tokens.double().numpy() @ weights["project_in.weight"].T + weights["project_in.bias"]
    query, key, value = np.split(parts, 3, axis=-1)
    for axis in (1, 2):
        key, value = (average(each, min(keys, each.shape[axis]), axis) for each in (key, value))
    mixed = np.zeros(query.shape)
    for sample, row, column, head in np.ndindex(*query.shape[:3], 3):
        own = slice(4 * head, 4 * head + 4)
        share = np.exp(key[sample, ..., own] @ query[sample, row, column, own] / 2)  # root of 4 channels per head
        mixed[sample, row, column, own] = np.tensordot(share / share.sum(), value[sample, ..., own], 2)
    return mixed @ weights["project_out.weight"].T + weights["project_out.bias"]


def test_attention_is_the_softmax_of_scaled_products():
    attention, tokens = make_attention(3, 5)
    with torch.no_grad():
        np.testing.assert_allclose(attention(tokens).numpy(), attend_by_hand(attention, tokens, 5), atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8), (7, 5), (5, 3), (2, 9), (9, 4), (1, 6)])
def test_beyond_the_limit_tokens_look_at_averages_of_keys_and_values(size):
    attention, tokens = make_attention(*size, keys=4)
    expected = attend_by_hand(attention, tokens, 4)
    with torch.no_grad():
        np.testing.assert_allclose(attention(tokens).numpy(), expected, atol=1e-5)
    assert np.abs(expected - attend_by_hand(attention, tokens, 9)).max() > 0.01


@pytest.mark.parametrize("size", [(4, 4), (1, 4), (4, 3), (2, 1)])
def test_up_to_the_limit_attention_is_exact(size):
    limited, tokens = make_attention(*size, keys=4)
    exact, _ = make_attention(*size)
    assert torch.equal(limited(tokens), exact(tokens))


def test_keys_of_nothing_are_refused():
    with pytest.raises(ValueError, match="0 keys a side leave nothing to look at"):
        Attention(12, heads=3, keys=0)


def test_without_blocks_the_transformer_is_patches_plus_positions():
    torch.manual_seed(0)
    branch = ViTBranch(2, layers=0, dim=6)
    low = torch.randn(1, 2, 8 * GRID, 8)
    with torch.no_grad():
        branch.positions.copy_(torch.arange(float(GRID))[:, None].expand(1, 6, GRID, GRID))  # the row it stands for
        features = branch(low)
        patches = features - torch.arange(float(GRID))[:, None]
    weight, bias = branch.embedding.weight.detach(), branch.embedding.bias.detach()
    for row in (0, 1, GRID - 1):
        window = low[0, :, 8 * row : 8 * row + 8]
        expected = (weight * window).sum((1, 2, 3)) + bias
        torch.testing.assert_close(patches[0, :, row, 0], expected, atol=1e-4, rtol=1e-4)


def test_positions_of_a_smaller_map_are_bicubic_between_the_learnt_ones():
    torch.manual_seed(0)
    branch = ViTBranch(1, layers=0, dim=2)
    torch.nn.init.zeros_(branch.embedding.weight)
    torch.nn.init.zeros_(branch.embedding.bias)
    with torch.no_grad():
        positions = branch(torch.zeros(1, 1, 8 * GRID // 2, 8 * GRID // 2))[0].double().numpy()
    taps = np.array([-3, 19, 19, -3]) / 32  # cubic convolution with a = -3/4, half way between two places
    grid = branch.positions[0].detach().double().numpy()
    for row, column in ((1, 1), (5, 20), (30, 30)):
        window = grid[:, 2 * row - 1 : 2 * row + 3, 2 * column - 1 : 2 * column + 3]
        np.testing.assert_allclose(positions[:, row, column], np.einsum("crs,r,s->c", window, taps, taps), atol=1e-6)


def test_shrinking_by_two_weighs_four_pixels_by_their_distance():
    low = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    taps = np.array([1, 3, 3, 1]) / 8
    small = shrink(low, 2)
    for row, column in np.ndindex(2, 2):  # inside; at the border the taps that are left share the weight
        window = low[0, 0, 2 * row + 1 : 2 * row + 5, 2 * column + 1 : 2 * column + 5].numpy()
        assert small[0, 0, row + 1, column + 1].item() == pytest.approx(taps @ window @ taps, abs=1e-6)
    assert shrink(low, 1) is low


# --- fusion and alignment


def test_hff_is_the_paper_equation_by_equation():
    torch.manual_seed(0)
    fusion = HybridFusion(12, 20, 6)
    a, b = torch.randn(2, 12, 6, 8), torch.randn(2, 20, 3, 4)
    weights = state(fusion)

    def perceptron(name, x):
        hidden = np.maximum(x @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"], 0)
        return hidden @ weights[f"{name}.2.weight"].T + weights[f"{name}.2.bias"]

    def mix(name, x):
        return (
            np.einsum("oc,chw->ohw", weights[f"{name}.weight"][:, :, 0, 0], x) + weights[f"{name}.bias"][:, None, None]
        )

    with torch.no_grad():
        fused = fusion(a, b)
    large = F.interpolate(b, size=(6, 8), mode="bilinear", align_corners=False).double().numpy()
    for sample in range(2):
        map_a, map_b = a[sample].double().numpy(), large[sample]
        own_a = sigmoid(perceptron("attention_a.perceptron", map_a.mean((1, 2))))
        own_b = sigmoid(perceptron("attention_b.perceptron", map_b.mean((1, 2))))
        both = sigmoid(np.outer(own_a, own_b))
        weight_a = [sigmoid(perceptron("query_a", row)[0] + own) for row, own in zip(both, own_a, strict=True)]
        weight_b = [sigmoid(perceptron("query_b", row)[0] + own) for row, own in zip(both.T, own_b, strict=True)]
        expected = mix("mix_a", map_a * np.array(weight_a)[:, None, None])
        expected = expected + mix("mix_b", map_b * np.array(weight_b)[:, None, None])
        np.testing.assert_allclose(fused[sample].numpy(), expected, atol=1e-5)


def test_the_hidden_layers_of_hff_have_a_quarter_of_the_channels_and_8_at_least():
    fusion = HybridFusion(12, 64, 6)
    hidden = [layer[0].out_features for layer in (fusion.attention_a.perceptron, fusion.attention_b.perceptron)]
    assert hidden == [8, 16]
    assert [fusion.query_a[0].out_features, fusion.query_b[0].out_features] == [16, 8]


def test_plain_fusions_concatenate_or_add():
    a, b = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 2, 2)
    assert torch.equal(PlainFusion(4, 4, 4, fusion="add")(a, b), a + b)
    joined = PlainFusion(4, 4, 3, fusion="concat")
    expected = torch.einsum("oc,bchw->bohw", joined.mix.weight[:, :, 0, 0], torch.cat([a, b], 1))
    torch.testing.assert_close(joined(a, b), expected + joined.mix.bias[:, None, None])
    with pytest.raises(ValueError, match="no fusion is called 'sum'"):
        build_fusion("sum", 4, 4, 4)


def test_alignment_is_the_mean_of_both_divergences_at_each_place():
    torch.manual_seed(0)
    alignment = Alignment(3, 5, 4)
    a, b = torch.randn(2, 3, 2, 3), torch.randn(2, 5, 2, 3)
    with torch.no_grad():
        p, q = (x.softmax(1).double().numpy() for x in (alignment.project_a(a), alignment.project_b(b)))
    terms = [
        sum(p[s, k, r, c] * np.log(p[s, k, r, c] / q[s, k, r, c]) for k in range(4)) / 2
        + sum(q[s, k, r, c] * np.log(q[s, k, r, c] / p[s, k, r, c]) for k in range(4)) / 2
        for s, r, c in np.ndindex(2, 2, 3)
    ]
    assert alignment(a, b).item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_maps_that_say_the_same_are_aligned():
    torch.manual_seed(0)
    alignment = Alignment(3, 3, 4)
    alignment.project_b.load_state_dict(alignment.project_a.state_dict())
    a = torch.randn(2, 3, 2, 3)
    assert alignment(a, a).item() == 0
