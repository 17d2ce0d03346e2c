"""Encoders that start from a file of weights."""

import inspect
import logging

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from rsfuse_models import NETWORKS, create_network
from rsfuse_models.layers.encoders import Encoder
from rsfuse_models.layers.pretrained import OPTIONS, WEIGHT_FILES, Start, missing_weights, without_pretrained

FAMILIES = ["convnextv2_atto", "test_resnet", "tf_efficientnet_lite0", "mobilenetv3_small_050", "regnetx_002"]
BANDS = {"optical_channels": 3, "sar_channels": 2, "num_classes": 3}


def state_of(name, seed=0, **options):
    torch.manual_seed(seed)
    return timm.create_model(name, pretrained=False, **options).state_dict()


def saved(folder, state, name="weights.safetensors"):
    path = folder / name
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return str(path)


def encoder_of(name, weights, channels=3, **options):
    return Encoder(name, channels, start=Start(weights=weights), **options).eval()


def wrapped(state):
    return {"epoch": 3, "state_dict": {f"module.backbone.{key}": value for key, value in state.items()}}


def headless(state):
    return {key: value for key, value in state.items() if not key.startswith(("head", "fc", "classifier", "conv_head"))}


def of_features(state):
    """In the names of timm's feature encoders."""
    return {key.replace("stages.", "stages_"): value for key, value in headless(state).items()}


@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, dict) for name in FAMILIES), *(("convnextv2_atto", form) for form in (wrapped, headless, of_features))],
)
def test_an_encoder_from_a_file_gives_the_maps_of_the_same_file_in_timm(tmp_path, name, form):
    state = state_of(name)
    plain = saved(tmp_path, state)
    encoder = encoder_of(name, saved(tmp_path, form(state), "other.pth"))
    theirs = timm.create_model(
        name,
        features_only=True,
        pretrained=True,
        pretrained_cfg_overlay={"file": plain},
        out_indices=encoder.stages,
    ).eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for ours, other in zip(encoder.trunk(image), theirs(image), strict=True):
            torch.testing.assert_close(ours, other)


def test_safetensors_and_files_of_torch_say_the_same(tmp_path):
    state = state_of("test_resnet")
    one, two, three = (
        encoder_of("test_resnet", saved(tmp_path, state, name), 5).state_dict()
        for name in ("a.safetensors", "a.pth", "a.bin")
    )
    torch.testing.assert_close(one, two, atol=0, rtol=0)
    torch.testing.assert_close(one, three, atol=0, rtol=0)


def test_an_encoder_cut_short_takes_the_weights_of_the_whole(tmp_path):
    state = state_of("tf_efficientnet_lite0")
    trunk = encoder_of("tf_efficientnet_lite0", saved(tmp_path, state), stages=(0, 1)).trunk
    for name, weight in trunk.state_dict().items():
        torch.testing.assert_close(weight, state[name])


@pytest.mark.parametrize(("stored", "channels"), [(3, 1), (3, 2), (3, 10), (13, 4), (2, 2)])
def test_the_first_convolution_fits_the_bands_and_gives_a_grey_image_the_same_response(tmp_path, stored, channels):
    state = state_of("test_resnet", in_chans=stored)
    encoder = encoder_of("test_resnet", saved(tmp_path, state), channels)
    grey = torch.randn(1, 1, 9, 9)
    expected = F.conv2d(grey.expand(-1, stored, -1, -1), state["conv1.0.weight"])
    weight = encoder.trunk.state_dict()["conv1.0.weight"]
    torch.testing.assert_close(F.conv2d(grey.expand(-1, channels, -1, -1), weight), expected, atol=1e-5, rtol=1e-5)
    assert channels != stored or torch.equal(weight, state["conv1.0.weight"])


def test_a_file_in_the_form_of_its_origin_is_converted_as_timm_converts_it(tmp_path):
    """Swin was published with the halving at the end of a stage, and with masks that nobody needs."""
    name = "swin_tiny_patch4_window7_224"
    state = state_of(name)
    old = {}
    for key, value in state.items():
        for stage in (1, 2, 3):
            key = key.replace(f"layers.{stage}.downsample", f"layers.{stage - 1}.downsample")
        old[key.replace("head.fc", "head")] = value
    old["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    trunk = encoder_of(name, saved(tmp_path, {"model": old}, "old.pth")).trunk
    for key, weight in trunk.state_dict().items():
        torch.testing.assert_close(weight, state[key.replace("layers_", "layers.")], atol=0, rtol=0)


@pytest.mark.filterwarnings("ignore::UserWarning:timm.layers.interpolate")
def test_windows_of_another_side_take_what_timm_makes_of_the_weights(tmp_path):
    name = "swin_tiny_patch4_window7_224"
    path = saved(tmp_path, state_of(name))
    trunk = encoder_of(name, path, window=4).trunk
    options = {"features_only": True, "window_size": 4, "strict_img_size": False, "always_partition": True}
    theirs = timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": path}, **options)
    torch.testing.assert_close(trunk.state_dict(), theirs.state_dict(), atol=0, rtol=0)


def test_a_file_of_a_smaller_encoder_is_told_with_what_is_missing(tmp_path):
    path = saved(tmp_path, state_of("convnextv2_atto", depths=(2, 2, 5, 2)))
    with pytest.raises(
        ValueError, match=r"weights\.safetensors does not fit encoder 'convnextv2_atto': of the enc"
    ) as e:
        encoder_of("convnextv2_atto", path)
    # a block: depthwise convolution, norm, two layers and GRN, a weight and a bias each
    assert "10 are missing in the file (stages.2.blocks.5." in str(e.value)


def test_a_file_of_a_larger_encoder_is_told_with_what_is_left_over(tmp_path):
    state = state_of("convnextv2_atto", depths=(2, 2, 7, 2))
    with pytest.raises(ValueError, match=r"10 of the file's \d+ are not in the encoder \(stages\.2\.blocks\.6\.") as e:
        encoder_of("convnextv2_atto", saved(tmp_path, state))
    assert f"the file's {len(state)} are" in str(e.value)


def test_a_file_of_a_wider_encoder_is_told_with_both_shapes(tmp_path):
    path = saved(tmp_path, state_of("convnextv2_femto"))
    with pytest.raises(
        ValueError, match=r"have another shape \(stem\.0\.weight: \(48, 3, 4, 4\) in the file, \(40, 3, 4"
    ):
        encoder_of("convnextv2_atto", path)


def test_a_file_of_something_else_leaves_the_whole_encoder_missing(tmp_path):
    path = saved(tmp_path, {"decoder.weight": torch.zeros(3)})
    count = len(Encoder("test_resnet", 3).trunk.state_dict())
    norms = sum(name.endswith("num_batches_tracked") for name in Encoder("test_resnet", 3).trunk.state_dict())
    with pytest.raises(ValueError, match=f"of the encoder's {count} tensors {count - norms} are missing"):
        encoder_of("test_resnet", path)


def test_a_decoder_beside_the_encoder_is_left_out_and_told(tmp_path, caplog):
    state = {f"encoder.{key}": value for key, value in state_of("test_resnet").items()}
    path = saved(tmp_path, state | {"decode_head.weight": torch.zeros(3)})
    with caplog.at_level(logging.WARNING):
        encoder = encoder_of("test_resnet", path)
    assert "1 tensors that no encoder has are left out (decode_head.weight)" in caplog.text
    assert torch.equal(encoder.trunk.state_dict()["conv1.0.weight"], state["encoder.conv1.0.weight"])


def test_a_file_that_is_complete_is_taken_without_a_word(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        encoder_of("test_resnet", saved(tmp_path, state_of("test_resnet")), 4)
    assert caplog.text == ""


class Code:
    """What torch would have to execute to read."""


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("none.safetensors", lambda path: None, "there is no file of weights .*none.safetensors"),
        ("dir.pth", lambda path: path.mkdir(), "there is no file of weights .*dir.pth"),
        ("torn.safetensors", lambda path: path.write_bytes(b"torn"), "torn.safetensors cannot be read as weights"),
        ("torn.pth", lambda path: path.write_bytes(b"torn"), "torn.pth cannot be read as weights"),
        ("empty.pth", lambda path: path.write_bytes(b""), "empty.pth cannot be read as weights"),
        ("code.pth", lambda path: torch.save({"state_dict": Code()}, path), "code.pth cannot be read as weights"),
        ("list.pth", lambda path: torch.save([1, 2], path), "list.pth holds something else than tensors with names"),
        ("bare.pth", lambda path: torch.save({"epoch": 3, "best": 0.5}, path), r"holds no tensors .*\(epoch, best\)"),
    ],
)
def test_a_file_that_is_none_of_weights_is_told_with_its_path(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        encoder_of("test_resnet", str(tmp_path / name))


def test_a_file_goes_before_the_weights_that_a_recipe_names(tmp_path):
    path = saved(tmp_path, state_of("test_resnet"))
    one = Encoder("test_resnet", 3, start=Start("imagenet-lite0", path))  # which would refuse a ResNet
    torch.testing.assert_close(one.trunk.state_dict(), encoder_of("test_resnet", path).trunk.state_dict())


def test_a_start_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValueError, match="pretrained is 'imagenet'; choose one of none, imagenet-lite0, timm"):
        Start("imagenet")


@pytest.mark.parametrize("network", ["pad", "late-fusion"])
def test_both_branches_of_a_network_start_from_the_file(tmp_path, network):
    state = state_of("test_resnet")
    built = create_network(network, **BANDS, encoder="test_resnet", encoder_weights=saved(tmp_path, state))
    for encoder in (built.optical_encoder, built.sar_encoder):
        torch.testing.assert_close(encoder.trunk.state_dict()["layer4.0.conv1.weight"], state["layer4.0.conv1.weight"])


def test_each_encoder_of_whfnet_starts_from_a_file_of_its_own(tmp_path):
    optical, sar = state_of("test_resnet", seed=1), state_of("test_resnet", seed=2, in_chans=2)
    built = create_network(
        "whfnet",
        **BANDS,
        optical_encoder="test_resnet",
        sar_encoder="test_resnet",
        optical_encoder_weights=saved(tmp_path, optical, "optical.safetensors"),
        sar_encoder_weights=saved(tmp_path, sar, "sar.pth"),
        optical_drop_path=0.0,
        sar_drop_path=0.0,
    )
    for encoder, state in ((built.optical_encoder, optical), (built.sar_encoder, sar)):
        torch.testing.assert_close(encoder.trunk.state_dict()["conv1.0.weight"], state["conv1.0.weight"])


def test_a_unet_with_an_encoder_of_timm_starts_from_a_file(tmp_path):
    state = state_of("test_resnet")
    built = create_network("early-fusion", **BANDS, encoder="tu-test_resnet", encoder_weights=saved(tmp_path, state))
    filled = built.network.encoder.model.state_dict()
    torch.testing.assert_close(filled["layer4.0.conv1.weight"], state["layer4.0.conv1.weight"])
    assert filled["conv1.0.weight"].shape[1] == 5


def test_a_unet_with_an_encoder_of_the_library_says_that_it_has_no_weights():
    with pytest.raises(ValueError, match=r"'resnet18' is not timm's and starts from chance; .* 'tu-resnet18'"):
        create_network("early-fusion", **BANDS, encoder="resnet18", pretrained="timm")


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_without_pretrained_no_option_about_the_start_of_a_network_is_left(name):
    arguments = inspect.signature(NETWORKS[name]).parameters
    about = {each for each in arguments if "pretrained" in each or each.endswith("encoder_weights")}
    assert about <= set(OPTIONS)
    left = without_pretrained({"name": name, **dict.fromkeys(arguments, "x")})
    assert set(left) == {"name", *arguments} - about


def test_a_network_without_pretrained_does_not_ask_for_the_file():
    options = {"encoder": "test_resnet", "pretrained": "timm", "encoder_weights": "gone.safetensors", "channels": 8}
    with pytest.raises(ValueError, match=r"gone\.safetensors"):
        create_network("pad", **BANDS, **options)
    assert create_network("pad", **BANDS, **without_pretrained(options)).head is not None
    assert options["encoder_weights"] == "gone.safetensors"


@pytest.mark.parametrize("key", WEIGHT_FILES)
def test_files_of_weights_that_are_not_there_are_found_by_their_option(tmp_path, monkeypatch, key):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "there.pth").touch()
    assert missing_weights({"name": "pad", "pretrained": "timm", "encoder": "gone", key: "~/there.pth"}) == {}
    assert missing_weights({key: None}) == {}
    assert missing_weights({key: "~/gone.pth"}) == {key: tmp_path / "gone.pth"}
    assert missing_weights({key: str(tmp_path)}) == {key: tmp_path}
