"""What cannot be learnt is refused before the first step, by a plan as by a run."""

import copy

import pytest

from rsfuse.errors import RecipeError, TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.learn.fitting.fit import fit
from rsfuse.learn.fitting.land_cover import LandCover
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.plan import plan_training
from rsfuse.learn.recipes.inputs import MomentScaling, PercentileScaling
from rsfuse.learn.samples import Share
from rsfuse.legends import LEGENDS
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

CPU = FitMeans(device="cpu")
FIXED = [MomentScaling(kind="fixed-moments"), PercentileScaling(kind="fixed-percentiles")]


def changed(recipe, **sections):
    """A recipe with some keys of its sections replaced."""
    parts = {
        name: getattr(recipe, name).model_copy(update=keys) for name, keys in sections.items() if name != "network"
    }
    return recipe.model_copy(update=parts | {"network": recipe.network | sections.get("network", {})})


def planned(recipe, tiles, means=CPU):
    return plan_training(LandCover(recipe, [tiles], means), means)


def refused(kind, recipe, tiles, folder, means=CPU):
    """The error that a plan and a run are refused with alike."""
    told = []
    for attempt in (
        lambda: planned(recipe, tiles, means),
        lambda: fit(LandCover(recipe, [tiles], means), folder, means),
    ):
        with pytest.raises(kind) as caught:
            attempt()
        told.append((str(caught.value), caught.value.hint))
    assert told[0] == told[1]
    return told[0]


@pytest.fixture(scope="module")
def without_sar(labelled_scene, tmp_path_factory):
    """As `tiles`, of optical alone."""
    folder = tmp_path_factory.mktemp("optical") / "tiles"
    dataset = own_dataset([labelled_scene["optical"]], [], [labelled_scene["labels"]], LEGENDS["sentinel-5"])
    tile(dataset, folder, TileSettings(size=64, rule=SplitRule(by="random", shares=Shares(0.25))))
    return TileSet(folder)


@pytest.fixture
def never_trained_on(tiles):
    """The validation tiles of `tiles` alone."""
    alone = copy.copy(tiles)
    alone.manifest = tiles.manifest.model_copy(update={"tiles": tuple(tiles.select("val"))})
    return alone


def test_a_misspelt_penalty_is_refused(recipe, tiles, tmp_path):
    misspelt = changed(recipe, loss={"penalties": {"amplitude": 0.1, "amplitud": 5.0}})
    message, hint = refused(RecipeError, misspelt, tiles, tmp_path)
    assert "'amplitud'" in message
    assert "'amplitude'" in hint


def test_a_penalty_without_a_weight_is_refused(recipe, tiles, tmp_path):
    message, _ = refused(RecipeError, changed(recipe, loss={"penalties": {}}), tiles, tmp_path)
    assert "penalty 'amplitude', which the recipe gives no weight" in message


def test_a_misspelt_head_is_refused(recipe, tiles, tmp_path):
    misspelt = changed(recipe, loss={"auxiliary": {"stage1": 0.4, "stag1": 5.0}})
    message, _ = refused(RecipeError, misspelt, tiles, tmp_path)
    assert "auxiliary head 'stag1'" in message


def test_a_file_of_weights_that_is_gone_is_refused(recipe, tiles, tmp_path):
    gone = changed(recipe, network={"encoder_weights": str(tmp_path / "gone.pth")})
    message, hint = refused(RecipeError, gone, tiles, tmp_path / "run")
    assert str(tmp_path / "gone.pth") in message
    assert "network.encoder_weights" in hint


def one_pixel(recipe, **training):
    network = {"name": "late-fusion", "encoder": "test_resnet", "pretrained": "none", "channels": 8}
    lone = changed(recipe, training={"batch": 1, **training}, loss={"penalties": {}})
    return lone.model_copy(update={"network": network})


def test_one_sample_that_comes_down_to_one_pixel_is_refused(recipe, tiles, tmp_path):
    message, hint = refused(RecipeError, one_pixel(recipe), tiles, tmp_path)
    assert "1 sample of 32 x 32 px" in message
    assert "training.batch" in hint


def test_a_plan_leaves_open_what_other_devices_may_have_to_normalise_by(recipe, tiles):
    assert planned(one_pixel(recipe, sync_batchnorm=True), tiles).memory is None


def test_other_mistakes_of_a_network_are_not_taken_for_too_small_samples(recipe, tiles):
    subject = LandCover(recipe, [tiles], CPU)
    module = subject.module()
    optical, sar, labels = (each[None] for each in subject.data.training_samples(0, Share())[0])
    with pytest.raises(ValueError, match="this network takes 3 and 1"):
        module.training_step((sar, optical, labels))


def test_more_processes_than_validation_squares_are_refused_before_they_start(recipe, tiles, tmp_path):
    many = FitMeans(device="cpu", devices=17)
    of_17 = changed(recipe, training={"batch": 17})
    message, hint = refused(TileSetError, of_17, tiles, tmp_path, many)
    assert "17 processes cannot share 16 validation squares of 32 px" in message
    assert "fewer --devices" in hint


def test_sar_that_no_training_tile_has_is_refused(recipe, without_sar, tmp_path):
    message, hint = refused(TileSetError, recipe, without_sar, tmp_path)
    assert f"SAR ({', '.join(recipe.inputs.sar)})" in message
    assert str(without_sar.folder) in message
    assert "--sar" in hint
    assert "inputs.sensors=optical" in hint


def test_sar_of_validation_tiles_alone_is_not_enough(recipe, without_sar, never_trained_on):
    with pytest.raises(TileSetError, match="any to train on"):
        LandCover(recipe, [without_sar, never_trained_on], CPU)


def test_tiles_without_sar_serve_where_sar_is_not_seen_or_others_have_it(recipe, tiles, without_sar):
    blind = changed(recipe, inputs={"sensors": "optical"})
    assert LandCover(blind, [without_sar], CPU).found() == {"train": 12, "val": 4}
    for order in ([tiles, without_sar], [without_sar, tiles]):
        assert LandCover(recipe, order, CPU).found() == {"train": 24, "val": 8}


@pytest.mark.parametrize("scaling", FIXED, ids=lambda scaling: scaling.kind)
def test_fixed_statistics_of_sar_are_those_of_the_tiles_that_have_it(recipe, tiles, without_sar, scaling):
    fixed = changed(recipe, inputs={"scaling": scaling})
    for order in ([tiles, without_sar], [without_sar, tiles]):
        subject = LandCover(fixed, order, CPU)
        assert subject.statistics.sar == tiles.manifest.statistics.sar
        samples = subject.data.training_samples(0, Share())
        assert samples[0][1].shape == (1, 32, 32)


@pytest.mark.parametrize("scaling", FIXED, ids=lambda scaling: scaling.kind)
def test_tiles_for_training_are_asked_for_whatever_the_scaling(recipe, never_trained_on, scaling):
    with pytest.raises(TileSetError, match="has tiles for 'train'"):
        LandCover(changed(recipe, inputs={"scaling": scaling}), [never_trained_on], CPU)


def test_bands_are_compared_before_they_are_merged(recipe, tiles):
    other = copy.copy(tiles)
    statistics = tiles.manifest.statistics.model_copy(update={"optical": tiles.manifest.statistics.optical[:2]})
    other.manifest = tiles.manifest.model_copy(update={"statistics": statistics})
    with pytest.raises(TileSetError, match="has 2 optical bands, the recipe takes 3"):
        LandCover(changed(recipe, inputs={"scaling": FIXED[0]}), [tiles, other], CPU)
