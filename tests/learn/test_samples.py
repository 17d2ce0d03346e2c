"""Training samples are random, balanced where asked, and a function of recipe, stretch and place."""

import pickle
from collections import Counter

import numpy as np
import pytest
import torch
from rasterio.windows import Window
from torch.utils.data import DataLoader

from rsfuse.errors import TileSetError
from rsfuse.geometry.split import Shares
from rsfuse.learn import samples as samples_module
from rsfuse.learn.recipes.augmentation import NO_AUGMENTATION, Augmentation
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.samples import (
    Share,
    TrainingSamples,
    ValidationSamples,
    class_pixels,
    collate,
    sources,
    tile_order,
)
from rsfuse.learn.sources import DecodedTiles
from rsfuse.legends import LEGENDS
from rsfuse.raster.tiles import TileSet
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.tasks.tile import TileSettings, tile


@pytest.fixture(scope="module")
def recipe():
    """Crops of 32 px, all that ships varied, unbalanced."""
    settings = "training.crop=32", "training.batch=4", "training.balance=false", "augmentation.clouds=0.3"
    return load_recipe("pad_sentinel-10m", settings)


def changed(recipe, augmentation=NO_AUGMENTATION, **training):
    update = {"training": recipe.training.model_copy(update=training), "augmentation": augmentation}
    return recipe.model_copy(update=update)


def of(recipe, tiles, stretch=0, steps=5, **share):
    tile_sets = tiles if isinstance(tiles, list) else [tiles]
    return TrainingSamples(recipe, sources(recipe, tile_sets, "train", None), stretch, steps, **share)


def alike(one, other):
    return all(torch.equal(*pair) for pair in zip(one, other, strict=True))


@pytest.fixture
def reads(monkeypatch):
    """How often each tile is read from its files, from now on."""
    counted, read = Counter(), TileSet.read

    def counting(self, tile, window=None):
        counted[tile.name] += 1
        return read(self, tile, window)

    monkeypatch.setattr(TileSet, "read", counting)
    return counted


@pytest.mark.parametrize("balance", [False, True])
def test_a_sample_depends_on_recipe_stretch_and_place_alone(recipe, tiles, balance):
    chosen = changed(recipe, recipe.augmentation, balance=balance)
    first = of(chosen, tiles, 3)[7]
    samples = of(chosen, tiles, 3)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert [samples[place] for place in (9, 2, 7)]  # in any order, on any state of the generator
    assert alike(first, samples[7])
    assert torch.equal(torch.get_rng_state(), before)
    for other in (of(chosen, tiles, 4)[7], samples[8], of(changed(chosen, recipe.augmentation, seed=1), tiles, 3)[7]):
        assert not alike(first, other)


def test_workers_draw_what_one_process_draws(recipe, tiles):
    samples = of(recipe, tiles)
    alone = [collate([samples[at] for at in range(place, place + 4)]) for place in range(0, 20, 4)]
    beside = list(DataLoader(samples, 4, num_workers=2, collate_fn=collate))
    assert all(alike(one, other) for one, other in zip(alone, beside, strict=True))


def test_samples_travel_to_other_processes_without_the_tiles_in_memory(recipe, tiles):
    samples = of(recipe, tiles)
    size, first = len(pickle.dumps(samples)), samples[0]
    assert len(pickle.dumps(samples)) == size
    assert alike(pickle.loads(pickle.dumps(samples))[0], first)


def test_a_stretch_holds_the_samples_of_its_steps(recipe, tiles):
    samples = of(recipe, tiles, steps=7)
    assert len(samples) == 7 * 4
    optical, sar, labels = samples[0]
    assert [type(each) for each in (optical, sar, labels)] == [torch.Tensor] * 3
    assert (optical.shape, sar.shape, labels.shape) == ((3, 32, 32), (1, 32, 32), (32, 32))
    assert (optical.dtype, sar.dtype, labels.dtype) == (torch.float32, torch.float32, torch.int64)
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 4, 255}


def test_pixels_of_a_sample_are_those_of_its_tile(recipe, tiles):
    plain = changed(recipe, crop=64)  # as large as a tile
    samples, origins = of(plain, tiles), sources(plain, [tiles], "train", None)
    drawn = [samples[place] for place in range(len(origins))]
    for origin in origins:
        read = tiles.read(origin.tile)
        optical, sar = origin.scaler(read.sample)
        labels = np.where(read.sample.valid, tiles.legend.to_index(read.labels), 255)
        whole = torch.from_numpy(optical), torch.from_numpy(sar), torch.from_numpy(labels).long()
        assert sum(alike(whole, each) for each in drawn) == 1


def numbers_drawn(recipe, tiles, monkeypatch, stretches, steps):
    """Numbers of the tiles in the order in which the stretches of one run use them."""
    numbers, get = [], DecodedTiles.__getitem__
    monkeypatch.setattr(DecodedTiles, "__getitem__", lambda self, number: numbers.append(number) or get(self, number))
    for stretch in range(stretches):
        samples = of(recipe, tiles, stretch, steps)
        for place in range(len(samples)):
            samples[place]
    return numbers


def test_every_tile_comes_once_before_any_comes_again(recipe, tiles, monkeypatch):
    numbers = numbers_drawn(changed(recipe), tiles, monkeypatch, 3, 4)  # 48 samples, 16 a stretch, of 12 tiles
    passes = [numbers[at : at + 12] for at in range(0, 48, 12)]
    assert all(sorted(each) == list(range(12)) for each in passes)
    assert len({tuple(each) for each in passes}) == 4
    assert numbers != numbers_drawn(changed(recipe, seed=7), tiles, monkeypatch, 3, 4)


def test_the_order_of_a_pass_is_random_and_evenly_so():
    orders = np.array([tile_order(3, passed, 5) for passed in range(400)])
    assert (np.sort(orders, axis=1) == np.arange(5)).all()
    counts = np.array([np.bincount(column, minlength=5) for column in orders.T])
    assert counts.min() > 400 / 5 * 0.6
    assert counts.max() < 400 / 5 * 1.4


def test_training_decodes_a_tile_once_per_use(recipe, tiles, reads):
    samples = of(changed(recipe), tiles, steps=3)
    for place in range(12):
        samples[place]
    assert set(reads.values()) == {1}
    assert len(reads) == 12


def test_the_looks_for_a_class_are_crops_of_one_decode(recipe, tiles, reads):
    samples = of(changed(recipe, balance=True), tiles)
    samples[0]
    assert list(reads.values()) == [1]


def test_validation_decodes_a_tile_once(recipe, tiles, reads):
    samples = ValidationSamples(sources(recipe, [tiles], "val", None), 32)
    for place in range(len(samples)):
        samples[place]
    assert list(reads.values()) == [1] * 4


def test_only_so_many_tiles_stay_in_memory(recipe, tiles, reads):
    origins = sources(recipe, [tiles], "train", None)
    decoded = DecodedTiles(origins, keep_bytes=2 * origins[0].decode().bytes)
    reads.clear()
    for number in (0, 1, 0, 1, 2, 1, 0):
        decoded[number]
    assert [reads[origins[number].tile.name] for number in range(3)] == [2, 1, 1]


def test_validation_sees_every_pixel_of_its_tiles_once(recipe, tiles):
    samples = ValidationSamples(sources(recipe, [tiles], "val", None), 32)
    assert len(samples) == 4 * 4
    seen = torch.stack([samples[place][2] for place in range(len(samples))])
    whole = np.concatenate([tiles.read(each).labels.ravel() for each in tiles.select("val")])
    assert torch.bincount(seen.flatten(), minlength=256).tolist() == np.bincount(whole, minlength=256).tolist()


def test_a_crop_larger_than_the_tiles_is_told_in_validation_and_filled_up_in_training(recipe, tiles):
    with pytest.raises(TileSetError, match="64 px are smaller than the recipe's crop of 128 px"):
        ValidationSamples(sources(recipe, [tiles], "val", None), 128)
    optical, _, labels = of(changed(recipe, crop=128), tiles)[0]
    assert optical[:, :64, :64].any()
    assert not optical[:, 64:].any()
    assert (labels[:, 64:] == 255).all()


def test_a_split_without_tiles_is_told(recipe, tiles):
    with pytest.raises(TileSetError, match="'test'"):
        sources(recipe, [tiles], "test", None)


def test_things_are_shown_as_large_as_the_scale_says(recipe, tiles, monkeypatch):
    sides, to_crop = [], samples_module.ToCrop
    monkeypatch.setattr(samples_module, "ToCrop", lambda crop, side: sides.append(side) or to_crop(crop, side))
    samples = of(changed(recipe, Augmentation(scale=(0.8, 2.0))), tiles, steps=25)
    shapes = {tuple(samples[place][0].shape) for place in range(100)}
    assert shapes == {(3, 32, 32)}
    assert (min(sides), max(sides)) == pytest.approx((16, 40), abs=1)


def test_balance_shows_a_rare_class_of_a_small_scene_as_often_as_any_other(recipe, rare_tiles, tiles):
    def share_with_water(balance):
        samples = of(changed(recipe, balance=balance), [tiles, rare_tiles], steps=50)
        crops = [samples[place] for place in range(len(samples))]
        rare = [labels for optical, _, labels in crops if optical.max() < -0.5]  # the scene with the rare class is dark
        return sum(bool((labels == 0).any()) for labels in rare) / len(crops)

    assert share_with_water(balance=False) < 0.03
    assert share_with_water(balance=True) > 0.06


def test_samples_are_mixed_as_often_as_the_recipe_says(recipe, tiles):
    def drawn(mix):
        samples = of(changed(recipe, NO_AUGMENTATION.model_copy(update={"mix": mix})), tiles, steps=12)
        return [samples[place][2] for place in range(len(samples))]

    same = [torch.equal(*pair) for pair in zip(drawn(0.0), drawn(0.5), strict=True)]
    assert 0.3 < sum(same) / len(same) < 0.75


def test_windows_of_scenes_that_nobody_has_counted_train_like_copies_of_them(recipe, tiles, labelled_scene, tmp_path):
    dataset = own_dataset(*([labelled_scene[each]] for each in ("optical", "sar", "labels")), LEGENDS["sentinel-5"])
    rule = SplitRule("random", Shares(0.25))
    tile(dataset, tmp_path / "windows", TileSettings(size=64, rule=rule, copy=False, survey=False, workers=1))
    windows, balanced = TileSet(tmp_path / "windows"), changed(recipe, balance=True)
    copies, read = of(balanced, tiles), of(balanced, windows)
    assert all(alike(copies[place], read[place]) for place in range(6))


def test_pixels_of_classes_are_counted_once_where_nobody_has(recipe, tiles, labelled_scene, tmp_path, reads):
    dataset = own_dataset(*([labelled_scene[each]] for each in ("optical", "sar", "labels")), LEGENDS["sentinel-5"])
    rule = SplitRule("random", Shares(0.25))
    tile(dataset, tmp_path / "windows", TileSettings(size=64, rule=rule, copy=False, survey=False, workers=1))
    origins = sources(recipe, [TileSet(tmp_path / "windows")], "train", None)
    reads.clear()
    counts = [class_pixels(origins, tiles.legend) for _ in range(2)]
    assert set(reads.values()) == {1}
    expected = [np.bincount(tiles.read(each).labels.ravel(), minlength=256)[:5] for each in tiles.select("train")]
    assert (counts[0] == np.array(expected)).all()
    assert (counts[1] == counts[0]).all()


SHARES = [(1, 1), (2, 1), (4, 1), (1, 3), (2, 3), (3, 4)]


@pytest.mark.parametrize(("processes", "parts"), SHARES)
def test_processes_and_parts_together_draw_the_batch_of_each_step(recipe, tiles, processes, parts):
    """By the loaders that each process would have, of the numbers of samples in place of samples."""
    batch, steps = 12, 3
    chosen = changed(recipe, batch=batch)
    drawn = [[] for _ in range(steps)]
    for rank in range(processes):
        share = Share(rank, processes, parts)
        samples = of(chosen, tiles, steps=steps, share=share)
        assert len(samples) == steps * batch // processes
        places = [share.place(index, batch) for index in range(len(samples))]
        loaded = [part.tolist() for part in DataLoader(places, share.at_once(batch))]
        assert len(loaded) == steps * parts
        for number, part in enumerate(loaded):
            drawn[number // parts].extend(part)
    assert [sorted(each) for each in drawn] == [list(range(at, at + batch)) for at in range(0, steps * batch, batch)]


def test_what_a_process_draws_is_what_one_alone_would_have_drawn_there(recipe, tiles):
    whole = of(recipe, tiles, 2, 3)
    for rank in range(2):
        share = Share(rank, 2, 2)
        part = of(recipe, tiles, 2, 3, share=share)
        assert all(alike(part[index], whole[share.place(index, 4)]) for index in range(len(part)))


def test_a_batch_that_cannot_be_shared_out_is_refused(recipe, tiles):
    with pytest.raises(ValueError, match="4 samples cannot be shared by 2 processes of 3 parts"):
        of(recipe, tiles, share=Share(0, 2, 3))


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 16])
def test_processes_together_validate_every_square_once(recipe, tiles, processes):
    origins = sources(recipe, [tiles], "val", None)
    whole = ValidationSamples(origins, 32)
    found = {}
    for rank in range(processes):
        part = ValidationSamples(origins, 32, share=Share(rank, processes))
        places = range(len(whole))[rank::processes]
        assert len(part) == len(places)
        found |= {place: part[index] for index, place in enumerate(places)}
    assert sorted(found) == list(range(16))
    assert all(alike(found[place], whole[place]) for place in found)


def test_more_processes_than_squares_are_refused_in_every_one_of_them(recipe, tiles):
    origins = sources(recipe, [tiles], "val", None)
    for rank in range(17):
        with pytest.raises(TileSetError, match="17 processes cannot share 16 validation squares of 32 px") as caught:
            ValidationSamples(origins, 32, share=Share(rank, 17))
        assert "fewer --devices" in caught.value.hint


def test_an_example_is_not_tied_to_the_tile_in_memory(recipe, tiles):
    decoded = sources(recipe, [tiles], "val", None)[0].decode()
    before = decoded.example(Window(0, 0, 64, 64))
    for each in decoded.example(Window(0, 0, 64, 64)):
        each.zero_()
    assert alike(before, decoded.example(Window(0, 0, 64, 64)))


def test_the_anchor_moves_all_bands_of_a_sample_together_and_stays_where_it_is_without(recipe, tiles):
    plain = recipe.inputs.scaling.model_copy(update={"optical_curve": 0.0, "limit": 99.0, "toward_median": 0.5})
    straight = recipe.model_copy(update={"inputs": recipe.inputs.model_copy(update={"scaling": plain})})
    still = of(changed(straight), tiles)
    moved = of(changed(straight, NO_AUGMENTATION.model_copy(update={"anchor": 0.5})), tiles)
    (origin,) = {id(each.scaler.statistics): each for each in sources(straight, [tiles], "train", None)}.values()
    bands = (*origin.scaler.statistics.optical, *origin.scaler.statistics.sar)
    shares = []
    for number in range(8):
        whole, other = (torch.cat(each[number][:2]).double() for each in (still, moved))
        low, median, high = (np.array([band.percentiles[at] for band in bands])[:, None, None] for at in (2, 50, 98))
        middle = (low + median) / 2
        pixels = (whole.numpy() + 1) / 2 * (high - middle) + middle
        unit = (other.numpy() + 1) / 2  # (pixel - anchor) / (high - anchor)
        far = np.abs(1 - unit) > 0.1
        anchors = (pixels - unit * high) / np.where(far, 1 - unit, 1)
        shares_of_pixels = np.where(far, (anchors - low) / (median - low), np.nan)
        share = np.nanmedian(shares_of_pixels, axis=(1, 2))
        assert share == pytest.approx(np.full(len(bands), share[0]), abs=1e-3)
        shares.append(share[0])
    assert min(shares) >= -1e-3
    assert max(shares) <= 1 + 1e-3
    assert max(shares) - min(shares) > 0.3
