"""The whole image at once, several networks together, and memory that is known before."""

import numpy as np
import pytest
import rasterio
import torch
import yaml
from rasterio.windows import Window
from safetensors.torch import load_file, save_file

from rsfuse.errors import BundleError, SceneError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.inference.predictor import probabilities
from rsfuse.learn.inference.room import with_overhead
from rsfuse.learn.inference.scene_run import SceneRun
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.runtimes.memory import forward_bytes
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.crop import Crop
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, plan, predict

HEIGHT, WIDTH = 150, 130


@pytest.fixture
def paths(write_raster):
    pixels = np.random.default_rng(0).integers(1, 250, (4, HEIGHT, WIDTH), np.uint8)
    return write_raster("scene.tif", pixels[:3]), write_raster("sar.tif", pixels[3:])


@pytest.fixture
def changed(small_bundle, tmp_path):
    """A function that gives the small bundle with other weights, and other words in its manifest."""

    def make(name, seed=None, **words):
        folder = tmp_path / name
        folder.mkdir()
        for path in small_bundle.folder.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        told = yaml.safe_load((folder / "bundle.yaml").read_text())
        (folder / "bundle.yaml").write_text(yaml.safe_dump({**told, **words}))
        if seed is not None:
            torch.manual_seed(seed)
            weights = load_file(folder / "weights.safetensors")
            for key, value in weights.items():
                weights[key] = value + 0.02 * torch.randn_like(value) if value.is_floating_point() else value
            save_file(weights, folder / "weights.safetensors")
        return Bundle.open(folder)

    return make


def run(paths, predictor, path, **settings):
    with Scene(*paths) as scene:
        return predict(scene, predictor, path, PredictSettings(overwrite=True, **settings))


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def at_once(paths, predictor, window):
    """Probabilities of one look at a window."""
    with Scene(*paths) as scene:
        scaler = Scaler(predictor.inputs[0], scene.statistics())
        return probabilities(predictor, [scene.read(window)], scaler)[0]


def test_the_whole_image_is_mapped_as_one_look_at_it_gives(paths, small_bundle, tmp_path):
    predictor = EagerPredictor(small_bundle, device="cpu", whole=True)
    report = run(paths, predictor, tmp_path / "map.tif", probabilities="float16")
    assert report.patches == 1
    scores = at_once(paths, predictor, Window(0, 0, WIDTH, HEIGHT))
    np.testing.assert_allclose(read(tmp_path / "map_probabilities.tif"), scores, atol=1e-3)
    assert (read(tmp_path / "map.tif")[0] == scores.argmax(0)).mean() > 0.999


def test_of_a_crop_the_network_sees_the_crop(paths, small_bundle, tmp_path):
    predictor = EagerPredictor(small_bundle, device="cpu", whole=True)
    run(paths, predictor, tmp_path / "map.tif", crop=Crop(pixels=(20, 40, 64, 96)), probabilities="float16")
    scores = at_once(paths, predictor, Window(20, 40, 64, 96))
    np.testing.assert_allclose(read(tmp_path / "map_probabilities.tif"), scores, atol=1e-3)


def test_an_image_that_does_not_fit_is_told_with_the_largest_side_that_does(paths, small_bundle, tmp_path, monkeypatch):
    predictor = EagerPredictor(small_bundle, device="cpu", whole=True)
    free = with_overhead(forward_bytes(predictor.network, (3, 1), (100, 100)))
    monkeypatch.setattr(EagerPredictor, "free_bytes", lambda self: free)
    with pytest.raises(SceneError, match=r"150 x 130 px at once need about .* GB are free on cpu") as told:
        run(paths, predictor, tmp_path / "map.tif")
    side = int(told.value.hint.split("largest square that fits is ")[1].split(" px")[0])
    assert 80 < side <= 104  # what the network pads 100 to
    run(paths, predictor, tmp_path / "map.tif", crop=Crop(pixels=(0, 0, side, side)))


def test_of_memory_that_is_given_the_largest_side_is_told_as_well(paths, small_bundle, tmp_path):
    predictor = EagerPredictor(small_bundle, device="cpu", whole=True)
    with pytest.raises(SceneError, match=r"150 x 130 px at once need about .* 0.0 GB are left of") as told:
        run(paths, predictor, tmp_path / "map.tif", max_memory=1)
    assert "largest square that fits is 0 px wide" in told.value.hint


def test_several_networks_are_averaged(paths, small_bundle, changed, tmp_path):
    predictors = [EagerPredictor(each, device="cpu") for each in (small_bundle, changed("other", seed=1))]
    run(paths, predictors, tmp_path / "map.tif", probabilities="float16", crop=Crop(pixels=(0, 0, 64, 64)))
    patch = Window(0, 0, 64, 64)
    scores = [at_once(paths, each, patch) for each in predictors]
    assert np.abs(scores[0] - scores[1]).max() > 0.01
    mapped, inner = read(tmp_path / "map_probabilities.tif"), np.s_[:, :40, :40]  # beyond, the next patch is blended in
    np.testing.assert_allclose(mapped[inner], np.mean(scores, 0)[inner], atol=1e-3)


def test_networks_of_other_classes_are_not_averaged(paths, small_bundle, changed, tmp_path):
    classes = [{"code": 7, "name": "moss", "color": "#010203"}, *small_bundle.legend.to_dict()["classes"][1:]]
    other = changed("other", legend={"classes": classes})
    with pytest.raises(BundleError, match="cannot be averaged"):
        run(paths, [EagerPredictor(each, device="cpu") for each in (small_bundle, other)], tmp_path / "map.tif")


def test_several_anchors_are_averaged_where_training_moved_them(paths, changed, tmp_path):
    predictor = EagerPredictor(changed("moved", anchor=1.0), device="cpu", looks=("anchors",))
    toward = [inputs.scaling.toward_median for inputs in predictor.inputs]
    assert toward == [0, 0.5, 1]  # the recipe's own is 0.5: less than the low percentile there is not, nor more than 1
    run(paths, predictor, tmp_path / "map.tif", probabilities="float16", crop=Crop(pixels=(0, 0, 64, 64)))
    with Scene(*paths) as scene:
        sample, statistics = scene.read(Window(0, 0, 64, 64)), scene.statistics()
    each = [probabilities(predictor, [sample], Scaler(inputs, statistics))[0] for inputs in predictor.inputs]
    inner = np.s_[:, :40, :40]
    np.testing.assert_allclose(read(tmp_path / "map_probabilities.tif")[inner], np.mean(each, 0)[inner], atol=1e-3)


def test_a_network_that_was_trained_with_one_anchor_refuses_several(small_bundle):
    with pytest.raises(BundleError, match="one anchor") as told:
        EagerPredictor(small_bundle, device="cpu", looks=("anchors",))
    assert "augmentation.anchor" in told.value.hint


def test_too_little_memory_is_told_with_what_is_needed_for_what(paths, small_bundle):
    lacking = r"1 MB do not suffice for a map 130 px wide: .* MB"
    with Scene(*paths) as scene, pytest.raises(SceneError, match=lacking) as told:
        SceneRun(scene, [EagerPredictor(small_bundle, device="cpu")], PredictSettings(max_memory=10**6))
    assert "--crop" in told.value.hint


def test_a_tight_memory_makes_the_batch_smaller(paths, small_bundle):
    predictor = [EagerPredictor(small_bundle, device="cpu")]
    with Scene(*paths) as scene:  # 34 patches of 64 px side by side
        less = SceneRun(scene, predictor, PredictSettings(overlap=62, batch_size=24)).needs().total
        tight = SceneRun(scene, predictor, PredictSettings(overlap=62, batch_size=64, max_memory=less))
        assert tight.batch_size == 17
        assert tight.needs().total <= less


@pytest.mark.parametrize(("whole", "batch"), [(False, 3), (True, 1)])
def test_a_batch_is_never_larger_than_there_are_patches_side_by_side(paths, small_bundle, whole, batch):
    predictor = EagerPredictor(small_bundle, device="cpu", whole=whole)
    with Scene(*paths) as scene:
        planned = plan(scene, predictor, PredictSettings(batch_size=10**6))
        just = SceneRun(scene, [predictor], PredictSettings(batch_size=batch)).needs()
    assert planned.batch_size == batch
    assert planned.needs.network == just.network


def test_a_plan_times_a_smaller_batch_where_memory_does_not_suffice(paths, small_bundle, monkeypatch):
    def timed(predictor, size, batch):
        if batch > 2:
            raise MemoryError(f"{batch} patches")
        return 5.0 * batch

    monkeypatch.setattr("rsfuse.tasks.predict.seconds_of_pass", timed)
    with Scene(*paths) as scene:
        settings = PredictSettings(overlap=48, batch_size=5)  # 6 columns
        planned = plan(scene, EagerPredictor(small_bundle, device="cpu"), settings)
    assert planned.batch_size == 5
    assert planned.seconds == 5.0 * planned.patches
