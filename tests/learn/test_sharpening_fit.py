"""CF2N learns to sharpen from patches, is judged as the field does, and comes back from its bundle."""

import math

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch.utils.data import default_collate

from rsfuse.errors import BundleError, RecipeError, TileSetError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle, open_any_bundle
from rsfuse.learn.fitting.fit import fit
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.plan import plan_training
from rsfuse.learn.fitting.sharpening import Sharpening, SharpeningModule
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.samples import Share
from rsfuse.learn.sharpening_samples import SharpeningValidation
from rsfuse.metrics.sharpening import Fidelity
from rsfuse.raster.datasets.pancollection import SENSORS
from rsfuse.raster.sharpening.patches import SharpeningSet, write_sharpening_set
from rsfuse.tasks.info import info

CPU = FitMeans(device="cpu")
SMALL = "network.channels=6", "network.stages=1", "training.crop=16", "training.batch=4", "training.halo=4"
SHORT = "training.epochs=2", "training.validate_every=1"
COUNTS = {"train": 8, "valid": 3}


def ground(sensor, count, side, seed):
    """Blocks of land, the same in all bands but for their level: what pan shows and ms has lost."""
    random, bands, top = np.random.default_rng(seed), len(SENSORS[sensor].bands), SENSORS[sensor].maximum
    rows, columns = random.integers(0, 2, (2, count, 1, side, 1)).cumsum(-2)
    blocks = np.take(random.random((64, 64)), rows * 64 + columns.swapaxes(-1, -2))
    levels = np.linspace(0.4, 0.7, bands).reshape(-1, 1, 1)
    return top * blocks * levels + 0.05 * top


def write(root, sensor, side=16, **counts):
    root.mkdir(parents=True)
    for seed, (split, count) in enumerate((COUNTS | counts).items()):
        gt = ground(sensor, count, side, seed)
        ms = gt.reshape(count, -1, side // 4, 4, side // 4, 4).mean((3, 5))
        held = {"gt": gt, "ms": ms, "lms": ms.repeat(4, -1).repeat(4, -2), "pan": gt.mean(1, keepdims=True)}
        with h5py.File(root / f"{split}_{sensor}.h5", "w") as file:
            for key, values in held.items():
                file[key] = values
    write_sharpening_set(root, root / "set")
    return SharpeningSet(root / "set")


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """PanCollection in miniature, by sensor."""
    folder = tmp_path_factory.mktemp("pancollection")
    return {sensor: write(folder / sensor, sensor) for sensor in ("wv3", "qb", "gf2")}


def recipe(sensor="gf2", *settings):
    return load_recipe(f"cf2n_{sensor}", [*SMALL, *SHORT, *settings])


def learn(patches, folder, *settings, sensor="gf2", means=CPU):
    return fit(Sharpening(recipe(sensor, *settings), [patches], means), folder, means)


@pytest.fixture(scope="module")
def fitted(sets, tmp_path_factory):
    """Four steps on GF-2, undisturbed."""
    return learn(sets["gf2"], tmp_path_factory.mktemp("fit") / "run")


def weights(folder):
    return SharpeningBundle.open(folder).network().state_dict()


def judged(patches, sharpen):
    """Mean ERGAS, SAM and PSNR of the validation patches, in digital numbers; `sharpen` takes and gives tensors."""
    found = []
    for entry in patches.select("val"):
        sample, top = patches.read(entry), patches.header.maximum
        pan, ms = (torch.from_numpy(each)[None] / top for each in (sample.pan, sample.ms))
        with torch.inference_mode():
            sharp = sharpen(pan, ms)[0].numpy() * top
        fidelity = Fidelity.of(sample.reference, sharp)
        found.append((fidelity.ergas(4), fidelity.sam, fidelity.psnr(top)))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("sensor", ["wv3", "qb", "gf2"])
def test_every_recipe_takes_a_step_and_is_as_published(sets, tmp_path, sensor):
    published = load_recipe(f"cf2n_{sensor}")
    assert (published.training.epochs, published.training.batch, published.training.seed) == (600, 32, 42)
    assert (published.optimizer.name, published.optimizer.lr, published.optimizer.betas) == ("adam", 3e-4, (0.9, 0.999))
    assert (published.schedule.name, published.schedule.milestones, published.schedule.gamma) == (
        "multistep",
        (100,),
        0.9,
    )
    assert published.inputs.divisor == SENSORS[sensor].maximum
    report = learn(sets[sensor], tmp_path / "run", "training.epochs=1", "training.batch=8", sensor=sensor)
    assert report.step == 1
    bundle = SharpeningBundle.open(tmp_path / "run")
    assert bundle.manifest.inputs.ms == SENSORS[sensor].bands
    assert all(math.isfinite(score) for score in bundle.manifest.scores.values())


def test_the_network_learns_and_beats_interpolation(sets, tmp_path):
    length = "training.epochs=10", "training.validate_every=10", "optimizer.lr=0.01"
    report = learn(sets["qb"], tmp_path / "run", *length, sensor="qb")
    bicubic = judged(sets["qb"], lambda _, ms: F.interpolate(ms, scale_factor=4, mode="bicubic"))
    untrained = judged(sets["qb"], Sharpening(recipe("qb"), [sets["qb"]], CPU).network().eval())  # it interpolates
    assert report.scores["ergas"] < 0.75 * min(bicubic[0], untrained[0])
    assert report.scores["psnr"] > max(bicubic[2], untrained[2])
    losses = np.genfromtxt(next((tmp_path / "run").rglob("metrics.csv")), delimiter=",", names=True)["trainloss"]
    losses = losses[~np.isnan(losses)]
    assert losses[-1] < 0.75 * losses[0]


def test_the_bundle_comes_back_and_gives_the_same_numbers(fitted, sets):
    bundle = SharpeningBundle.open(fitted.folder)
    found = judged(sets["gf2"], bundle.network())
    assert list(fitted.scores) == ["ergas", "sam", "psnr"]
    assert list(fitted.scores.values()) == pytest.approx(found, rel=1e-4)
    assert list(bundle.manifest.scores.values()) == pytest.approx(found, abs=1e-3)
    manifest = bundle.manifest
    assert (manifest.ratio, manifest.maximum, manifest.inputs.divisor, manifest.patch.size) == (4, 1023, 1023, 256)
    assert (manifest.sensors, manifest.trained_on) == (("gf2",), ("Gaofen-2: train_gf2.h5 (8 patches)",))
    assert manifest.network == recipe().network


def test_the_card_says_what_the_network_takes_and_how_good_it_is(fitted):
    card = SharpeningBundle.open(fitted.folder).card
    assert all(told in card for told in ("blue, green, red, nir", "4 x 4", "Gaofen-2: train_gf2.h5", "| 1023 |"))
    assert f"ergas {fitted.scores['ergas']:.4f}" in card


def test_a_divisor_above_the_largest_number_is_taken_and_told(sets, tmp_path):
    report = learn(sets["gf2"], tmp_path / "run", "inputs.divisor=2047")  # as CF2N's own code divides GF-2
    assert "2047; the sensor's largest is 1023" in SharpeningBundle.open(tmp_path / "run").card
    bicubic = judged(sets["gf2"], lambda _, ms: F.interpolate(ms, scale_factor=4, mode="bicubic"))
    assert report.scores["psnr"] == pytest.approx(bicubic[2], abs=3)  # of 1023: of 2047 it were 6 dB more


def test_a_bundle_is_told_apart_from_those_that_map(fitted):
    with pytest.raises(BundleError, match="is a bundle for sharpening, one for land cover is needed"):
        Bundle.open(fitted.folder)
    with pytest.raises(BundleError, match="is a bundle for land cover, one for sharpening is needed"):
        SharpeningBundle.open("demo")
    assert isinstance(open_any_bundle(fitted.folder), SharpeningBundle)
    assert isinstance(open_any_bundle("demo"), Bundle)


def test_info_knows_a_bundle_for_sharpening(fitted):
    told = info(str(fitted.folder))
    assert (told["kind"], told["purpose"], told["ratio"]) == ("bundle", "sharpening", 4)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(fitted, sets, tmp_path):
    learn(sets["gf2"], tmp_path / "again")
    learn(sets["gf2"], tmp_path / "other", "training.seed=7")
    one, again, other = (weights(folder) for folder in (fitted.folder, tmp_path / "again", tmp_path / "other"))
    assert all(torch.equal(value, again[name]) for name, value in one.items())
    assert not all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_resumed_run_ends_with_the_weights_of_an_undisturbed_one(sets, tmp_path, monkeypatch):
    length = "training.epochs=4", "schedule.milestones=[2]"
    learn(sets["gf2"], tmp_path / "whole", *length)
    step = SharpeningModule.training_step

    def stop_at_five(self, batch):
        if self.trainer.global_step == 5:
            raise RuntimeError("power cut")
        return step(self, batch)

    monkeypatch.setattr(SharpeningModule, "training_step", stop_at_five)
    with pytest.raises(RuntimeError, match="power cut"):
        learn(sets["gf2"], tmp_path / "cut", *length)
    monkeypatch.setattr(SharpeningModule, "training_step", step)
    learn(sets["gf2"], tmp_path / "cut", *length, means=FitMeans(device="cpu", resume=True))
    whole, cut = (torch.load(tmp_path / run / "checkpoints/last.ckpt", weights_only=True) for run in ("whole", "cut"))
    assert whole["global_step"] == cut["global_step"] == 8
    assert all(torch.equal(value, cut["state_dict"][name]) for name, value in whole["state_dict"].items())
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_a_batch_in_two_parts_teaches_what_the_whole_batch_does(fitted, sets, tmp_path):
    learn(sets["gf2"], tmp_path / "run", means=FitMeans(device="cpu", accumulate=2))
    parts = weights(tmp_path / "run")
    for name, value in weights(fitted.folder).items():
        torch.testing.assert_close(parts[name], value, rtol=1e-3, atol=1e-4)


def test_scores_are_means_over_the_patches_of_all_processes(sets, monkeypatch):
    subject, gathered, told = Sharpening(recipe("qb"), [sets["qb"]], CPU), [], []
    samples = SharpeningValidation(subject.validation, 2047, share=Share())
    module = subject.module().eval()

    def all_gather(totals):
        gathered.append(totals)
        return torch.stack(gathered)

    monkeypatch.setattr(module, "all_gather", all_gather)
    monkeypatch.setattr(module, "tell_scores", told.append)
    for part in ((0, 1), (2,)):  # the first process has two patches, the second, which gathers from both, one
        module.on_validation_epoch_start()
        with torch.inference_mode():
            module.validation_step(default_collate([samples[index] for index in part]))
        module.on_validation_epoch_end()
    assert list(told[1].values()) == pytest.approx(judged(sets["qb"], module.network), rel=1e-4)
    assert told[0]["ergas"] != pytest.approx(told[1]["ergas"], rel=1e-3)


def test_the_plan_of_a_run_is_known_before_it(sets):
    plan = plan_training(Sharpening(recipe("wv3"), [sets["wv3"]], CPU), CPU)
    assert (plan.network, plan.steps, plan.tiles) == ("cf2n", 4, {"train": 8, "val": 3})
    assert plan.memory is not None
    assert plan.memory.activations > 0


def test_a_patch_without_an_ergas_does_not_spoil_the_mean_of_the_others(sets, tmp_path):
    patches = write(tmp_path / "qb", "qb")
    with h5py.File(tmp_path / "qb/valid_qb.h5", "r+") as file:
        for key in ("gt", "ms", "lms", "pan"):
            file[key][1] = 0
    report = learn(patches, tmp_path / "run", sensor="qb")
    network = SharpeningBundle.open(tmp_path / "run").network()
    found = [judged_one(patches, entry, network) for entry in patches.select("val")]
    assert math.isnan(found[1])
    assert report.scores["ergas"] == pytest.approx((found[0] + found[2]) / 2, rel=1e-4)


def judged_one(patches, entry, network):
    sample = patches.read(entry)
    with torch.inference_mode():
        sharp = network(*(torch.from_numpy(each)[None] / 2047 for each in (sample.pan, sample.ms)))[0]
    return Fidelity.of(sample.reference / 2047, sharp.numpy()).ergas(4)


@pytest.mark.parametrize(
    ("settings", "kind", "told", "hint"),
    [
        (["inputs.ms=[blue, green, red]"], TileSetError, r"has 4 bands .*, the recipe takes 3", "inputs.ms=[blue, g"),
        (["inputs.ms=[red, green, blue, nir]"], TileSetError, r"\(blue, green, red, nir\).*\(red, green", "inputs.ms"),
        (["network.ratio=2"], TileSetError, "is of ratio 4, the network of the recipe of ratio 2", "network.ratio=4"),
        (["inputs.divisor=255"], TileSetError, "up to 1023, the recipe divides them by 255", "inputs.divisor=1023"),
        (["training.crop=64"], TileSetError, r"train_gf2_00000 is 16 x 16 .* crop of 64", "training.crop=16"),
        (["training.crop=10"], RecipeError, "a crop of 10 .* is 2.5 multispectral", "training.crop=12"),
        (["training.balance=true"], RecipeError, "none", "training.balance=false"),
        (["training.batch=9"], TileSetError, "8 training tiles do not fill one batch of 9", "training.batch"),
        (["network.kernel=2"], RecipeError, "'cf2n' cannot be built", "network section"),
    ],
)
def test_what_does_not_fit_is_told_with_the_numbers(sets, settings, kind, told, hint):
    with pytest.raises(kind, match=told) as caught:
        Sharpening(recipe("gf2", *settings), [sets["gf2"]], CPU).module()
    assert hint in caught.value.hint


def test_sets_that_do_not_agree_are_told(sets):
    with pytest.raises(TileSetError, match=r"up to 2047; .* up to 1023"):
        Sharpening(recipe("qb"), [sets["qb"], sets["gf2"]], CPU)


def test_sets_that_agree_are_learnt_together(sets, tmp_path):
    other = write(tmp_path / "qb", "qb", train=4)
    assert Sharpening(recipe("qb"), [sets["qb"], other], CPU).found() == {"train": 12, "val": 6}
    larger = write(tmp_path / "larger", "qb", side=32)
    with pytest.raises(TileSetError, match=r"of 2 sizes \(16 x 16, 32 x 32\)"):
        Sharpening(recipe("qb"), [sets["qb"], larger], CPU)


@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_set_without_a_split_says_which_file_is_missing(sets, tmp_path, split):
    write(tmp_path / "gf2", "gf2")
    (tmp_path / f"gf2/{split}_gf2.h5").unlink()
    write_sharpening_set(tmp_path / "gf2", tmp_path / "gf2/set", overwrite=True)
    with pytest.raises(TileSetError, match="has patches for") as caught:
        Sharpening(recipe("gf2"), [SharpeningSet(tmp_path / "gf2/set")], CPU)
    assert f"{split}_gf2.h5" in caught.value.hint
