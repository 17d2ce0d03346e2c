"""An export is a bundle for onnxruntime that says what torch says, or there is none."""

import stat
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import load, numpy_helper, save
from torch import nn

from rsfuse.errors import BundleError, OutputError, SceneError, TileSetError
from rsfuse.learn.bundles import land_cover as bundles
from rsfuse.learn.bundles import sharpening as sharpening_bundles
from rsfuse.learn.bundles.land_cover import Bundle, save_bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle, SharpeningManifest, save_sharpening_bundle
from rsfuse.learn.export.noise import noise_samples
from rsfuse.tasks import export as module
from rsfuse.tasks.export import ExportSettings, Images, export
from rsfuse_models import FusionNetwork, SharpeningNetwork

BANDS, SIDE = ("blue", "green", "red"), 200


class Pixelwise(FusionNetwork):
    """Looks at no other pixel: a graph of it is written in a second."""

    def __init__(self, optical_channels, sar_channels, num_classes):
        super().__init__(optical_channels=optical_channels, sar_channels=sar_channels, multiple=16)
        torch.manual_seed(0)
        self.mix = nn.Conv2d(optical_channels + sar_channels, num_classes, 1)

    def score(self, optical, sar):
        return self.mix(torch.cat([optical, sar], 1))

    def score_training(self, optical, sar):
        raise NotImplementedError


class Sum(SharpeningNetwork):
    """Half of the pan and half of the nearest ms."""

    def __init__(self, bands, ratio):
        super().__init__(bands=bands, ratio=ratio, multiple=1)
        self.gain = nn.Parameter(torch.full((1, bands, 1, 1), 0.5))

    def sharpen(self, pan, ms):
        near = ms.repeat_interleave(self.ratio, -1).repeat_interleave(self.ratio, -2)
        return self.gain * (near + pan)


@pytest.fixture(scope="module", autouse=True)
def _small_networks():
    """What the bundles of this file are of, whatever they say."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            bundles,
            "build_network",
            lambda _, inputs, classes: Pixelwise(len(inputs.optical), len(inputs.sar), classes),
        )
        patched.setattr(sharpening_bundles, "build_sharpener", lambda _, bands, ratio: Sum(bands, ratio))
        yield


@pytest.fixture(scope="module")
def bundle(small_bundle, tmp_path_factory):
    """Red, green, blue + VH, patches of 64 px with a halo of 8."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    weights = Pixelwise(3, 1, len(small_bundle.legend)).state_dict()
    return save_bundle(folder, small_bundle.manifest, weights, storage="float32", card="# small\n")


@pytest.fixture(scope="module")
def exported(bundle, tmp_path_factory):
    """Report on that bundle in patches of 32 px, compared on noise."""
    return export(bundle.folder, tmp_path_factory.mktemp("exported") / "onnx", ExportSettings(patch=32))


@pytest.fixture
def sharpener(tmp_path):
    """Folder of a bundle for patches of 30 px, at ratio 4."""
    manifest = SharpeningManifest(
        description="a test's",
        network={"name": "cf2n"},
        inputs={"ms": BANDS, "divisor": 1023},
        ratio=4,
        maximum=1023,
        patch={"size": 30, "halo": 8},
        sensors=("gf2",),
        trained_on=("nothing",),
        scores={},
    )
    weights = Sum(len(BANDS), 4).state_dict()
    return save_sharpening_bundle(tmp_path / "cf2n", manifest, weights, storage="float32").folder


@pytest.fixture
def scene(write_raster):
    chance = np.random.default_rng(0)
    optical, sar = (chance.integers(1, 250, (count, SIDE, SIDE), np.uint8) for count in (3, 1))
    return Images(scene=write_raster("optical.tif", optical), sar=write_raster("sar.tif", sar))


def spoiled(monkeypatch, by):
    """Let graphs come out with every number of their last weights changed."""
    real = module.write_graph

    def write(network, inputs, path, precision):
        opset = real(network, inputs, path, precision)
        graph = load(path)
        weights = [each for each in graph.graph.initializer if each.dims and each.data_type == 1]
        for each in weights:
            each.CopyFrom(numpy_helper.from_array(by(numpy_helper.to_array(each)).astype(np.float32), each.name))
        save(graph, path)
        return opset

    monkeypatch.setattr(module, "write_graph", write)


def test_the_graph_gives_the_scores_of_the_network(bundle, exported):
    session = onnxruntime.InferenceSession(exported.output / "network.onnx", providers=["CPUExecutionProvider"])
    patches = noise_samples(bundle, 32).patches[:3]
    images = [np.stack([patch.images[each] for patch in patches]) for each in (0, 1)]
    scores, probabilities = session.run(["scores", "probabilities"], dict(zip(("optical", "sar"), images, strict=True)))
    with torch.inference_mode():
        expected = bundle.network()(*map(torch.from_numpy, images))
    np.testing.assert_allclose(scores, expected, atol=1e-3 * float(expected.abs().max()))
    np.testing.assert_allclose(probabilities, expected.softmax(1), atol=1e-4)


def test_what_is_left_is_a_bundle_with_the_same_manifest_and_card(bundle, exported):
    found = Bundle.open(exported.output)
    assert sorted(path.name for path in exported.output.iterdir()) == ["bundle.yaml", "card.md", "network.onnx"]
    changed = {"onnx": found.manifest.onnx, "patch": bundle.manifest.patch.model_copy(update={"size": 32})}
    assert found.manifest == bundle.manifest.model_copy(update=changed)
    assert found.card.startswith(bundle.card)
    assert "## Exported for onnxruntime" in found.card
    told = found.manifest.onnx
    assert (told.precision, told.agreement.samples, told.agreement.patches) == ("float32", "noise", 8)
    assert told.agreement.largest_error == exported.measured.largest_error < 1e-3
    assert told.patch_bytes > 4 * 4 * 32 * 32
    assert stat.S_IMODE(exported.output.stat().st_mode) & 0o055 == 0o055


def test_the_report_has_what_it_took(exported):
    told = exported.to_dict()
    assert (told["bundle"], told["network"], told["patch"], told["padded"]) == ("small", "pad", 32, 32)
    assert told["graph_mb"] == pytest.approx((exported.output / "network.onnx").stat().st_size / 1e6, abs=1e-3)
    assert told["differing"] == exported.measured.differing <= 0.001
    assert (told["miou"], exported.is_real) == (None, False)


def test_a_scene_can_be_what_they_are_compared_on(bundle, scene, tmp_path):
    report = export(bundle.folder, tmp_path / "onnx", ExportSettings(patch=40, images=scene))
    assert report.is_real
    assert report.exported.agreement.samples == "optical.tif and sar.tif"
    assert report.padded > report.patch.size == 40


def test_a_network_that_sharpens_is_exported_in_whole_multispectral_pixels(sharpener, tmp_path):
    report = export(sharpener, tmp_path / "onnx")
    found = SharpeningBundle.open(tmp_path / "onnx")
    assert found.manifest.patch.size == report.patch.size == 32
    assert found.manifest.onnx.patch_bytes is None
    session = onnxruntime.InferenceSession(found.weights, providers=["CPUExecutionProvider"])
    assert [each.shape[1:] for each in session.get_inputs()] == [[1, 32, 32], [3, 8, 8]]
    pan, ms = (each[None] for each in noise_samples(found, 32).patches[0].images)
    with torch.inference_mode():
        expected = SharpeningBundle.open(sharpener).network()(*map(torch.from_numpy, (pan, ms)))
    np.testing.assert_allclose(session.run(["sharp"], {"pan": pan, "ms": ms})[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("by", "tolerance", "told"),
    [
        (lambda weights: weights[::-1], 0.001, "another class"),
        (lambda weights: weights * 1.01, 1.0, "its largest error is"),
        (lambda weights: weights * np.nan, 1.0, "its largest error is nan"),
    ],
)
def test_a_graph_that_says_something_else_is_refused_and_nothing_is_left(
    bundle, tmp_path, monkeypatch, by, tolerance, told
):
    spoiled(monkeypatch, by)
    with pytest.raises(BundleError, match=told) as caught:
        export(bundle.folder, tmp_path / "onnx", ExportSettings(patch=32, tolerance=tolerance))
    assert "8 patches of noise" in str(caught.value)
    assert "keep the bundle of torch" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_loss_within_the_tolerance_is_told_and_beyond_it_refused(bundle, tmp_path, monkeypatch):
    """Whatever the writer does for float16: here it turns the classes round."""
    spoiled(monkeypatch, lambda weights: weights[::-1])
    settings = ExportSettings(precision="float16", patch=32)
    monkeypatch.setattr(module, "write_graph", _as_float32(module.write_graph))
    with pytest.raises(BundleError, match=r"in float16 gives .* another class") as caught:
        export(bundle.folder, tmp_path / "onnx", settings)
    assert "--tolerance 0.01, or keep --precision float32" in caught.value.hint
    report = export(bundle.folder, tmp_path / "onnx", replace(settings, tolerance=1.0))
    assert report.measured.differing > 0.01
    assert Bundle.open(tmp_path / "onnx").manifest.onnx.agreement.differing == report.measured.differing


def _as_float32(write):
    return lambda network, inputs, path, precision: write(network, inputs, path, "float32")


def test_an_exported_bundle_is_not_exported_again(exported, tmp_path):
    with pytest.raises(BundleError, match="is exported already"):
        export(exported.output, tmp_path / "again")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_replaced_on_request_only_and_only_if_it_is_an_exported_bundle(
    bundle, exported, tmp_path, monkeypatch
):
    folder, settings = tmp_path / "onnx", ExportSettings(patch=32, overwrite=True)
    folder.mkdir()
    (folder / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"it holds thesis\.txt") as caught:
        export(bundle.folder, folder, settings)
    assert "--overwrite" not in caught.value.hint
    (folder / "thesis.txt").unlink()
    for path in exported.output.iterdir():
        (folder / path.name).write_bytes(b"old")
    with pytest.raises(OutputError, match="is not empty") as caught:
        export(bundle.folder, folder, replace(settings, overwrite=False))
    assert "--overwrite" in caught.value.hint

    with monkeypatch.context() as patched:
        spoiled(patched, lambda weights: weights * 2)
        with pytest.raises(BundleError, match="gives"):
            export(bundle.folder, folder, settings)
    assert {path.read_bytes() for path in folder.iterdir()} == {b"old"}
    export(bundle.folder, folder, settings)
    assert Bundle.open(folder).manifest.onnx is not None
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_a_bundle_is_never_exported_over_itself(bundle):
    before = sorted(bundle.folder.iterdir())
    with pytest.raises(OutputError, match="is not empty"):
        export(bundle.folder, bundle.folder, ExportSettings(overwrite=True))
    assert sorted(bundle.folder.iterdir()) == before


def test_patches_that_memory_does_not_suffice_for_are_refused_with_what_they_need(bundle, tmp_path):
    with pytest.raises(BundleError, match=r"patches of 1000000 px need about [\d,]+\.\d GB") as caught:
        export(bundle.folder, tmp_path / "onnx", ExportSettings(patch=10**6))
    assert caught.value.hint == "choose a smaller --patch"
    assert not (tmp_path / "onnx").exists()


def test_places_that_cannot_be_are_told_before_the_work(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_graph", None)
    (tmp_path / "file").touch()
    for name, told in (("file", "is a file"), ("no/onnx", "there is no folder")):
        with pytest.raises(OutputError, match=told):
            export(bundle.folder, tmp_path / name)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (Images(tiles="tiles", scene="optical.tif"), "--tiles and of a scene"),
        (Images(scene="optical.tif", ms="ms.tif"), "--ms is for sharpening"),
    ],
)
def test_images_of_two_kinds_are_refused(bundle, tmp_path, images, told):
    with pytest.raises(BundleError, match=told):
        export(bundle.folder, tmp_path / "onnx", ExportSettings(images=images))


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (Images(scene="pan.tif"), "one of them is named"),
        (Images(ms="ms.tif"), "one of them is named"),
        (Images(scene="pan.tif", sar="sar.tif"), "--sar is for land cover"),
    ],
)
def test_sharpening_wants_a_pair(sharpener, tmp_path, images, told):
    with pytest.raises(BundleError, match=told):
        export(sharpener, tmp_path / "onnx", ExportSettings(images=images))


def test_images_that_are_not_there_are_told_and_nothing_is_left(bundle, tmp_path):
    for images, kind in (
        (Images(scene=tmp_path / "no.tif"), SceneError),
        (Images(tiles=tmp_path / "no"), TileSetError),
    ):
        with pytest.raises(kind):
            export(bundle.folder, tmp_path / "onnx", ExportSettings(images=images))
    assert not list(tmp_path.iterdir())
