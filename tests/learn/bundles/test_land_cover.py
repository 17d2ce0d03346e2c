"""Bundles open, run as they were saved, and say what is wrong with them."""

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import constants
from scipy.ndimage import gaussian_filter

from rsfuse.errors import BundleError, RecipeError
from rsfuse.learn.bundles.files import MANIFEST, WEIGHTS, bundle_names
from rsfuse.learn.bundles.land_cover import Bundle, build_network, default_bundle, save_bundle
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import choose_device
from rsfuse.learn.runtimes.waking import wake
from rsfuse.legends import LEGENDS


def test_a_bundle_comes_back_as_it_was_saved(save_untrained, tmp_path):
    bundle, network = save_untrained(tmp_path / "mine")
    again = Bundle.open(tmp_path / "mine")
    assert again.manifest == bundle.manifest
    assert again.card == "# random"
    assert again.legend == LEGENDS["sentinel-5"]
    loaded = again.network()
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())


def test_weights_stored_in_half_precision_run_in_single(save_untrained, tmp_path):
    bundle, _ = save_untrained(tmp_path / "mine", "float16")
    assert {weight.dtype for weight in bundle.network().state_dict().values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize("name", bundle_names())
def test_every_bundle_that_ships_wakes_and_has_a_card(name):
    bundle = Bundle.open(name)
    assert len(bundle.card) > 500
    wake(bundle, device="cpu")


@pytest.mark.parametrize("name", [each for each in bundle_names() if each.endswith("-onnx")])
def test_a_graph_that_ships_says_what_its_bundle_says(name):
    exported, bundle = Bundle.open(name), Bundle.open(name.removesuffix("-onnx"))
    assert exported.manifest.model_copy(update={"onnx": None, "patch": bundle.manifest.patch}) == bundle.manifest
    side, inputs = exported.manifest.patch.size, bundle.manifest.inputs
    fields = np.random.default_rng(0).normal(size=(2, len(inputs.optical) + len(inputs.sar), side, side))
    optical, sar = np.split(gaussian_filter(fields, (0, 0, 3, 3)).astype(np.float32) * 10, [len(inputs.optical)], 1)
    graph, network = (wake(each, device="cpu") for each in (exported, bundle))
    expected = network.score(*map(network.arrays.taken, (optical, sar))).numpy()
    assert len(np.unique(expected.argmax(1))) > 1
    np.testing.assert_allclose(graph.score(optical, sar), expected, atol=1e-4)


@pytest.mark.parametrize(("installed", "name"), [(True, "sentinel-10m"), (False, "sentinel-10m-onnx")])
def test_the_default_is_a_graph_where_torch_is_not_installed(monkeypatch, installed, name):
    monkeypatch.setattr("rsfuse.learn.bundles.land_cover.find_spec", lambda module: object() if installed else None)
    assert default_bundle() == name
    assert name in bundle_names()


def test_an_unknown_bundle_names_those_there_are():
    with pytest.raises(BundleError, match="nonesuch") as caught:
        Bundle.open("nonesuch")
    assert all(name in (caught.value.hint or "") for name in bundle_names())


@pytest.mark.parametrize("text", ["{unclosed", "just words", "version: 1"])
def test_a_manifest_that_is_none_is_refused(save_untrained, tmp_path, text):
    save_untrained(tmp_path / "mine")
    (tmp_path / "mine" / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"bundle\.yaml"):
        Bundle.open(tmp_path / "mine")


def test_a_bundle_of_another_version_is_refused_with_both(save_untrained, tmp_path):
    save_untrained(tmp_path / "mine")
    path = tmp_path / "mine" / MANIFEST
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({**data, "version": 99}), encoding="utf-8")
    with pytest.raises(BundleError, match="version 99"):
        Bundle.open(tmp_path / "mine")


@pytest.mark.parametrize("damage", ["missing", "truncated", "of another network"])
def test_damaged_weights_are_told(save_untrained, tmp_path, damage):
    bundle, network = save_untrained(tmp_path / "mine")
    path = bundle.folder / WEIGHTS
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        weights = {name: value for name, value in network.state_dict().items() if "head" not in name}
        save_bundle(bundle.folder, bundle.manifest, weights, storage="float32", card="")
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        Bundle.open(bundle.folder).network()


def test_a_file_of_weights_that_is_gone_is_told_with_the_option_that_names_it(small_network, tmp_path):
    recipe = load_recipe("pad_sentinel-10m", [*small_network, f"network.encoder_weights={tmp_path}/gone.pth"])
    with pytest.raises(RecipeError, match=f"{tmp_path}/gone.pth, and there is no such file") as caught:
        build_network(recipe.network, recipe.inputs, 5)
    assert "--set network.encoder_weights=FILE" in caught.value.hint


def test_weights_that_cannot_be_downloaded_are_told_with_what_to_do_said_once(small_network, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    recipe = load_recipe("pad_sentinel-10m", [*small_network, "network.pretrained=timm"])
    with pytest.raises(RecipeError, match=r"'pad' cannot be built: .* downloaded from .*test_resnet") as caught:
        build_network(recipe.network, recipe.inputs, 5)
    assert caught.value.hint.startswith("download model.safetensors from there")
    assert caught.value.hint.endswith("or set pretrained to none")
    assert "set pretrained" not in str(caught.value)


def test_a_network_that_cannot_be_built_for_another_reason_keeps_all_of_its_message(small_network):
    recipe = load_recipe("pad_sentinel-10m", [*small_network, "network.aux_stage=9"])
    with pytest.raises(RecipeError, match="aux_stage 9 is not among the 2 fused stages; count from 0") as caught:
        build_network(recipe.network, recipe.inputs, 5)
    assert "network section" in caught.value.hint


def test_a_device_that_is_not_there_is_told():
    with pytest.raises(BundleError, match="abacus") as caught:
        choose_device("abacus")
    assert "--device" in (caught.value.hint or "")
