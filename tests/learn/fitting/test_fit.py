"""Fitting learns, keeps the best weights, and goes on where it was stopped."""

import signal

import pytest
import torch

from rsfuse.errors import BundleError, RecipeError, TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.learn.bundles.land_cover import Bundle, build_network
from rsfuse.learn.fitting.fit import fit as fit_subject
from rsfuse.learn.fitting.land_cover import LandCover, LandCoverModule
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.recipes.training import Schedule
from rsfuse.legends import LEGENDS
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile

CPU = FitMeans(device="cpu")


def fit(recipe, tile_sets, folder, means):
    """Train, and the bundle with what is told of it."""
    return fit_subject(LandCover(recipe, tile_sets, means), folder, means)


def bundle_of(report):
    return Bundle.open(report.folder)


def changed(recipe, lr=None, **training):
    optimizer = recipe.optimizer.model_copy(update={"lr": lr or recipe.optimizer.lr})
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=training), "optimizer": optimizer})


@pytest.fixture(scope="module")
def fitted(recipe, tiles, tmp_path_factory):
    """Ten steps, undisturbed."""
    return fit(recipe, [tiles], tmp_path_factory.mktemp("fit") / "run", CPU)


def weights(report):
    return bundle_of(report).network().state_dict()


def test_a_run_leaves_a_bundle_that_opens(fitted, recipe):
    bundle = Bundle.open(fitted.folder)
    assert bundle.manifest.network == recipe.network
    assert bundle.manifest.scores["miou"] == pytest.approx(fitted.scores["miou"])
    assert bundle.legend.names[0] == "water"
    assert "validation" in bundle.card


def test_a_run_leaves_logs_for_people_and_programs(fitted):
    logs = fitted.folder / "logs"
    assert list(logs.rglob("metrics.csv"))
    assert list(logs.rglob("events.out.tfevents.*"))


def test_training_learns_classes_that_can_be_told_apart(recipe, tiles, tmp_path):
    plain = recipe.model_copy(update={"augmentation": NO_AUGMENTATION})
    learnt = fit(changed(plain, steps=120, validate_every=40, average=0.0, lr=5e-3), [tiles], tmp_path / "run", CPU)
    assert learnt.scores["oa"] > 0.9  # chance is 0.2


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(fitted, recipe, tiles, tmp_path):
    again = fit(recipe, [tiles], tmp_path / "again", CPU)
    other = fit(changed(recipe, seed=7), [tiles], tmp_path / "other", CPU)
    assert all(torch.equal(value, weights(again)[name]) for name, value in weights(fitted).items())
    assert not all(torch.equal(value, weights(other)[name]) for name, value in weights(fitted).items())


def test_a_resumed_run_ends_with_the_weights_of_an_undisturbed_one(recipe, tiles, tmp_path, monkeypatch):
    whole = fit(recipe, [tiles], tmp_path / "whole", CPU)

    step = LandCoverModule.training_step

    def stop_at_seven(self, batch):
        if self.trainer.global_step == 7:
            raise RuntimeError("power cut")
        return step(self, batch)

    monkeypatch.setattr(LandCoverModule, "training_step", stop_at_seven)
    with pytest.raises(RuntimeError, match="power cut"):
        fit(recipe, [tiles], tmp_path / "cut", CPU)
    monkeypatch.setattr(LandCoverModule, "training_step", step)
    resumed = fit(recipe, [tiles], tmp_path / "cut", FitMeans(device="cpu", resume=True))
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())


def test_bad_tiles_do_not_cost_an_older_run_its_checkpoints(fitted, recipe, tiles):
    before = sorted((fitted.folder / "checkpoints").iterdir())
    wrong = load_recipe("pad_sentinel-10m", ["inputs.optical=[red, green, blue, nir]"])
    with pytest.raises(TileSetError):
        fit(wrong, [tiles], fitted.folder, CPU)
    assert sorted((fitted.folder / "checkpoints").iterdir()) == before


def test_a_device_that_is_not_there_is_told(recipe, tiles, tmp_path):
    with pytest.raises(BundleError, match="abacus"):
        fit(recipe, [tiles], tmp_path / "run", FitMeans(device="abacus"))


def test_control_c_is_passed_on(recipe, tiles, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LandCoverModule, "training_step", interrupt)
    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(recipe, [tiles], tmp_path / "run", CPU)
    finally:
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it switched off


def test_float16_storage_halves_the_file_and_hardly_moves_the_weights(fitted, recipe, tiles, tmp_path):
    assert recipe.storage == "float16"
    full = fit(recipe.model_copy(update={"storage": "float32"}), [tiles], tmp_path / "run", CPU)
    sizes = [(each.folder / "weights.safetensors").stat().st_size for each in (fitted, full)]
    assert sizes[0] < 0.65 * sizes[1]
    for name, value in weights(full).items():
        torch.testing.assert_close(weights(fitted)[name], value, rtol=1e-3, atol=1e-4)


def test_bands_that_do_not_fit_are_told_with_both_counts(tiles, tmp_path):
    recipe = load_recipe("pad_sentinel-10m", ["inputs.optical=[red, green, blue, nir]"])
    with pytest.raises(TileSetError, match=r"3 optical bands, the recipe takes 4"):
        fit(recipe, [tiles], tmp_path / "run", CPU)


def test_a_penalty_without_a_weight_is_refused(recipe, tiles, tmp_path):
    forgetful = recipe.model_copy(update={"loss": recipe.loss.model_copy(update={"penalties": {}})})
    with pytest.raises(RecipeError, match="amplitude"):
        fit(forgetful, [tiles], tmp_path / "run", CPU)


@pytest.mark.parametrize("sensors", ["optical", "sar"])
def test_a_network_for_one_sensor_is_blind_to_the_other(recipe, tiles, tmp_path, sensors):
    from rsfuse.learn.inference.predictor import probabilities
    from rsfuse.learn.runtimes.eager import EagerPredictor
    from rsfuse.learn.scaling import Scaler

    alone = recipe.model_copy(update={"inputs": recipe.inputs.model_copy(update={"sensors": sensors})})
    bundle = fit(changed(alone, steps=5), [tiles], tmp_path / "run", CPU)
    bundle = bundle_of(bundle)
    sample = tiles.read(tiles.select("val")[0]).sample
    predictor = EagerPredictor(bundle, device="cpu")
    scaler = Scaler(bundle.manifest.inputs, tiles.manifest.statistics)
    before = probabilities(predictor, [sample], scaler)
    getattr(sample, "sar" if sensors == "optical" else "optical")[:] = 7
    assert (probabilities(predictor, [sample], scaler) == before).all()
    getattr(sample, sensors)[:] = 7
    assert (probabilities(predictor, [sample], scaler) != before).any()


def of_network(recipe, name, loss, **options):
    return recipe.model_copy(
        update={
            "network": {"name": name, **options},
            "loss": recipe.loss.model_copy(update=loss),
            "training": recipe.training.model_copy(update={"steps": 2, "validate_every": 2}),
            "schedule": Schedule(),
        }
    )


RESNETS = {"optical_encoder": "test_resnet", "sar_encoder": "test_resnet", "channels": 8, "aux_channels": 8}
STATE_SPACE = {"width": 8, "groups": 2, "depths": [1, 1, 1, 1], "dims": [8, 16, 24, 32], "state": 8, "short_width": 8}
VISION = {"vit_layers": 1, "vit_dim": 24, "fused": 16}


@pytest.mark.parametrize(
    ("name", "options", "loss"),
    [
        ("early-fusion", {"encoder": "tu-test_resnet"}, {"penalties": {}}),
        ("late-fusion", {"encoder": "test_resnet", "channels": 8, "aux_channels": 8}, {"penalties": {}}),
        ("whfnet", RESNETS, {"auxiliary": {"stage2": 0.4, "optical": 0.3, "sar": 0.3}, "penalties": {}}),
        ("mfafnet", {"widths": [8, 16], "low_shares": [0.25, 0.5], "heads": [1, 2]}, {"penalties": {"mmd": 0.1}}),
        ("f2net", STATE_SPACE | VISION, {"penalties": {"alignment": 0.1, "gradient_balance": 0.1}}),
    ],
)
def test_every_network_is_fitted_and_comes_back_from_its_bundle(name, options, loss, recipe, tiles, tmp_path):
    report = fit(of_network(recipe, name, loss, **options), [tiles], tmp_path / "run", CPU)
    network = Bundle.open(report.folder).network()
    assert network(torch.zeros(1, 3, 40, 40), torch.zeros(1, 1, 40, 40)).isfinite().all()


def test_a_network_that_takes_optical_alone_is_fitted_to_a_scene_without_sar(recipe, labelled_scene, tmp_path):
    settings = TileSettings(size=64, rule=SplitRule(by="random", shares=Shares(0.25)))
    dataset = own_dataset([labelled_scene["optical"]], [], [labelled_scene["labels"]], LEGENDS["sentinel-5"])
    tile(dataset, tmp_path / "tiles", settings)
    penalties = {"penalties": {"alignment": 0.1, "gradient_balance": 0.1}}
    alone = of_network(recipe, "f2net", penalties, **STATE_SPACE, **VISION)
    alone = alone.model_copy(update={"inputs": alone.inputs.model_copy(update={"sar": ()})})
    report = fit(alone, [TileSet(tmp_path / "tiles")], tmp_path / "run", CPU)
    assert bundle_of(report).network().sar_channels == 0


def test_a_network_that_cannot_be_built_is_told_as_a_mistake_of_the_recipe(recipe):
    without_sar = recipe.inputs.model_copy(update={"sar": ()})
    with pytest.raises(RecipeError, match="'pad' cannot be built: an image of 0 channels"):
        build_network(recipe.network, without_sar, 5)
