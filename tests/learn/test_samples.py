"""Training samples are random, balanced where asked, and a function of seed, stretch and place."""

import numpy as np
import pytest
import torch

from rsfuse.errors import TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.learn.fit import FitMeans, fit
from rsfuse.learn.recipe import Augmentation
from rsfuse.learn.samples import TrainingSamples, ValidationSamples, sources
from rsfuse.legends import LEGENDS
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile


def changed(recipe, **training):
    quiet = Augmentation(flips=False)
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=training), "augmentation": quiet})


def test_a_sample_depends_on_seed_stretch_and_place_alone(recipe, tiles):
    origins = sources(recipe, [tiles], "train", None)
    first, again = (TrainingSamples(recipe, origins, 3)[7] for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for other in (TrainingSamples(recipe, origins, 4)[7], TrainingSamples(recipe, origins, 3)[8]):
        assert not torch.equal(first[0], other[0])


def test_a_stretch_holds_as_many_samples_as_lie_between_two_validations(recipe, tiles):
    samples = TrainingSamples(recipe, sources(recipe, [tiles], "train", None), 0)
    assert len(samples) == recipe.training.validate_every * recipe.training.batch
    optical, sar, labels = samples[0]
    assert optical.shape == (3, 32, 32)
    assert sar.shape == (1, 32, 32)
    assert labels.shape == (32, 32)
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 4, 255}


def test_validation_sees_every_pixel_of_its_tiles_once(recipe, tiles):
    samples = ValidationSamples(sources(recipe, [tiles], "val", None), 32)
    assert len(samples) == 4 * 4
    seen = torch.stack([samples[place][2] for place in range(len(samples))])
    whole = np.concatenate([tiles.read(each).labels.ravel() for each in tiles.select("val")])
    assert torch.bincount(seen.flatten(), minlength=256).tolist() == np.bincount(whole, minlength=256).tolist()


def test_a_crop_larger_than_the_tiles_is_told(recipe, tiles):
    with pytest.raises(TileSetError, match="64 px are smaller than the recipe's crop of 128 px"):
        ValidationSamples(sources(recipe, [tiles], "val", None), 128)


def test_a_split_without_tiles_is_told(recipe, tiles):
    with pytest.raises(TileSetError, match="'test'"):
        sources(recipe, [tiles], "test", None)


def test_balance_shows_a_rare_class_of_a_small_scene_as_often_as_any_other(recipe, rare_tiles, tiles):
    def share_with_water(balance):
        chosen = changed(recipe, balance=balance, validate_every=50)
        samples = TrainingSamples(chosen, sources(chosen, [tiles, rare_tiles], "train", None), 0)
        crops = [samples[place] for place in range(len(samples))]
        rare = [labels for optical, _, labels in crops if optical.max() < -0.5]  # the scene with the rare class is dark
        return sum(bool((labels == 0).any()) for labels in rare) / len(crops)

    assert share_with_water(balance=False) < 0.03
    assert share_with_water(balance=True) > 0.1


def test_windows_of_scenes_that_nobody_has_counted_train_like_copies_of_them(recipe, tiles, labelled_scene, tmp_path):
    dataset = own_dataset(*([labelled_scene[each]] for each in ("optical", "sar", "labels")), LEGENDS["sentinel-5"])
    rule = SplitRule("random", Shares(0.25))
    tile(dataset, tmp_path / "windows", TileSettings(size=64, rule=rule, copy=False, survey=False, workers=1))
    windows, balanced = TileSet(tmp_path / "windows"), changed(recipe, balance=True)
    samples = [TrainingSamples(balanced, sources(balanced, [each], "train", None), 0) for each in (tiles, windows)]
    for place in range(6):
        one, two = (each[place] for each in samples)
        assert all(torch.equal(*pair) for pair in zip(one, two, strict=True))
    report = fit(changed(recipe, steps=5), [windows], tmp_path / "fit", FitMeans(device="cpu"))
    assert report.step == 5
