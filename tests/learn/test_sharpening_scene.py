"""CF2N learns from a scene of the user's own: what the recipe leaves open is that of its patches."""

import h5py
import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from rsfuse.errors import TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.fitting.fit import fit
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.fitting.sharpening import Sharpening
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.samples import Share
from rsfuse.learn.sharpening_samples import SharpeningTraining, patch_sources
from rsfuse.raster.sharpening.patches import SharpeningSet
from rsfuse.raster.sharpening.scene import PanMsScene
from rsfuse.raster.sharpening.wald import WaldSettings, write_wald_set
from rsfuse.raster.sharpening.wald_plan import WaldCover
from rsfuse.raster.tiling.scene_splits import SplitRule

CPU = FitMeans(device="cpu")
SMALL = "network.channels=6", "network.stages=1", "training.crop=16", "training.batch=4", "training.halo=4"
SHORT = "training.steps=3", "training.validate_every=3", "schedule.warmup=1"
SPLIT = SplitRule(by="blocks", shares=Shares(0.2, 0))


def write(path, pixels, step, names=None):
    profile = {"driver": "GTiff", "count": len(pixels), "dtype": pixels.dtype, "crs": "EPSG:32650"}
    height, width = pixels.shape[1:]
    place = Affine(step, 0, 500_000, 0, -step, 4_000_000)
    with rasterio.open(path, "w", transform=place, height=height, width=width, **profile) as file:
        file.write(pixels)
        file.descriptions = names or tuple(f"pan {band}" for band in range(len(pixels)))
    return path


def cut(folder, *, ratio=2, names=("blue", "green", "nir"), rule=SPLIT):
    """A set from a scene of 96 px with blocks of land, the largest number 700."""
    chance, side, bands = np.random.default_rng(0), 96, len(names)
    fine = np.kron(chance.integers(50, 700, (24, 24)), np.ones((4 * ratio, 4 * ratio)))
    fine[0, 0] = 700
    levels = np.linspace(0.5, 0.9, bands)[:, None, None]
    ms = fine.reshape(side, ratio, side, ratio).mean((1, 3)) * levels
    folder.mkdir(parents=True)
    pan = write(folder / "pan.tif", fine[None].astype(np.uint16), 1)
    with PanMsScene(pan, write(folder / "ms.tif", ms.astype(np.uint16), ratio, names)) as scene:
        write_wald_set(scene, "gf1", folder / "set", WaldSettings(WaldCover(16), rule))
    return SharpeningSet(folder / "set")


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    return cut(tmp_path_factory.mktemp("scene") / "scene")


def recipe(*settings):
    return load_recipe("cf2n_scene", [*SMALL, *SHORT, *settings])


def test_bands_ratio_and_divisor_are_those_of_the_patches_and_stand_in_the_bundle(patches, tmp_path):
    open_recipe = recipe()
    assert open_recipe.inputs.ms is None
    assert open_recipe.inputs.divisor is None
    report = fit(Sharpening(open_recipe, [patches], CPU), tmp_path / "run", CPU)
    assert report.step == 3
    bundle = SharpeningBundle.open(tmp_path / "run")
    manifest = bundle.manifest
    assert (manifest.inputs.ms, manifest.inputs.divisor, manifest.maximum) == (("blue", "green", "nir"), 1023, 1023)
    assert (manifest.ratio, manifest.sensors) == (2, ("gf1",))
    count = len(patches.select("train"))
    assert manifest.trained_on == (f"gf1: pan.tif + ms.tif ({count} patches)",)
    assert "blue, green, nir" in bundle.card
    with torch.inference_mode():
        assert bundle.network()(torch.rand(1, 1, 16, 16), torch.rand(1, 3, 8, 8)).shape == (1, 3, 16, 16)


def test_what_a_recipe_says_is_held_against_the_patches(patches):
    settled = Sharpening(recipe("inputs.divisor=2047"), [patches], CPU).recipe
    assert settled.inputs.divisor == 2047
    assert settled.inputs.ms == ("blue", "green", "nir")
    assert settled.augmentation.flips
    with pytest.raises(TileSetError, match=r"has 3 bands .*, the recipe takes 2"):
        Sharpening(recipe("inputs.ms=[blue, nir]"), [patches], CPU)
    with pytest.raises(TileSetError, match=r"inputs would end at 2\.01"):
        Sharpening(recipe("inputs.divisor=510"), [patches], CPU)


def test_scenes_of_one_sensor_are_learnt_together(patches, tmp_path):
    other = cut(tmp_path / "other", rule=SplitRule(by="none"))
    found = Sharpening(recipe(), [patches, other], CPU).found()
    assert found["train"] == len(patches.select("train")) + 36


def test_a_set_without_validation_says_how_to_come_by_it(tmp_path):
    alone = cut(tmp_path / "alone", rule=SplitRule(by="none"))
    with pytest.raises(TileSetError, match="has patches for 'val'") as caught:
        Sharpening(recipe(), [alone], CPU)
    assert "rsfuse tile --wald PAN MS" in caught.value.hint
    assert "--val" in caught.value.hint


def counted(folder):
    """A set of one patch, each number of which says where it lies, in all three images."""
    patches = cut(folder, rule=SplitRule(by="none"))
    coarse = np.arange(64, dtype=np.float32).reshape(8, 8)
    fine = coarse.repeat(2, 0).repeat(2, 1)
    above = np.array([100, 200, 300])[:, None, None]
    with h5py.File(folder / "set/train.h5", "r+") as file:
        file["ms"][:], file["gt"][:], file["pan"][:] = coarse, fine + above, fine
    return patches


def drawn(patches, *settings, count=80):
    chosen = recipe(*settings).settled(patches.header.bands, 1)
    samples = SharpeningTraining(chosen, patch_sources([patches], "train"), 0, count // 4, share=Share())
    return [samples[index] for index in range(count)]


def test_all_eight_moves_come_and_move_the_three_images_alike(tmp_path):
    patches, corners = counted(tmp_path / "scene"), set()
    for pan, ms, reference in drawn(patches):
        torch.testing.assert_close(reference, pan + torch.tensor([100.0, 200, 300])[:, None, None])
        torch.testing.assert_close(ms, pan[:, ::2, ::2].expand(3, -1, -1))
        corners.add((int(ms[0, 0, 0]), int(ms[0, 0, -1])))
    ends = {(0, 7), (7, 0), (0, 56), (56, 0), (7, 63), (63, 7), (56, 63), (63, 56)}
    assert corners == ends


@pytest.mark.parametrize(
    ("settings", "corners"),
    [
        (("augmentation.flips=false",), {(0, 7), (7, 63), (63, 56), (56, 0)}),
        (("augmentation.quarter_turns=false",), {(0, 7), (7, 0), (56, 63), (63, 56)}),
        (("augmentation.flips=false", "augmentation.quarter_turns=false"), {(0, 7)}),
    ],
)
def test_each_kind_of_move_can_be_left_out(tmp_path, settings, corners):
    patches = counted(tmp_path / "scene")
    assert {(int(ms[0, 0, 0]), int(ms[0, 0, -1])) for _, ms, _ in drawn(patches, *settings)} == corners


@pytest.mark.parametrize("sensor", ["wv3", "qb", "gf2"])
def test_published_recipes_move_nothing(sensor):
    augmentation = load_recipe(f"cf2n_{sensor}").augmentation
    assert (augmentation.flips, augmentation.quarter_turns) == (False, False)
