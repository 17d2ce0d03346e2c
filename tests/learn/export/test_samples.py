"""The patches that a graph is compared on are those that prediction would show a network, spread over what there is."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.windows import Window

from rsfuse.errors import BundleError, GridMismatchError, SceneError, TileSetError
from rsfuse.geometry.plan import spread
from rsfuse.learn.bundles.land_cover import BundleManifest
from rsfuse.learn.bundles.sharpening import SharpeningBundle, SharpeningManifest
from rsfuse.learn.export.inputs import graph_inputs, graph_patch
from rsfuse.learn.export.land_cover import scene_samples, tile_samples
from rsfuse.learn.export.noise import noise_samples
from rsfuse.learn.export.samples import fullest
from rsfuse.learn.export.sharpening import pair_samples, set_samples
from rsfuse.learn.scaling import Scaler
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Bands, Scene
from rsfuse.raster.sharpening.patches import SharpeningSet, write_sharpening_set

DIVISOR, BANDS = 1023, ("blue", "green", "red", "nir")


@pytest.fixture(scope="module")
def bundle(save_untrained, tmp_path_factory):
    """Red, green, blue + VH, patches of 64 px with a halo of 8; every scene is scaled by its own statistics."""
    return save_untrained(tmp_path_factory.mktemp("bundles") / "small")[0]


def changed(bundle, **manifest):
    values = bundle.manifest.model_dump() | manifest
    return type(bundle)(bundle.folder, type(bundle.manifest)(**values))


@pytest.fixture(scope="module")
def sharpener():
    """The manifest alone: samples ask no weights."""
    manifest = SharpeningManifest(
        description="a test's",
        network={"name": "cf2n"},
        inputs={"ms": BANDS, "divisor": DIVISOR},
        ratio=4,
        maximum=DIVISOR,
        patch={"size": 16, "halo": 2},
        sensors=("gf2",),
        trained_on=("nothing",),
        scores={},
    )
    return SharpeningBundle(Path("cf2n-gf2"), manifest)


@pytest.fixture(scope="module")
def patches(tmp_path_factory):
    """Two patches to train on, one to judge by, of 16 panchromatic pixels, and one of full resolution of 32."""
    root, chance = tmp_path_factory.mktemp("gf2"), np.random.default_rng(0)
    for name, count, side in (
        ("train_gf2", 2, 16),
        ("test_gf2_multiExm1", 1, 16),
        ("test_gf2_OrigScale_multiExm1", 1, 32),
    ):
        held = {"ms": (count, 4, side // 4, side // 4), "lms": (count, 4, side, side), "pan": (count, 1, side, side)}
        with h5py.File(root / f"{name}.h5", "w") as file:
            for key, shape in (held if "Orig" in name else held | {"gt": (count, 4, side, side)}).items():
                file[key] = chance.uniform(1, 1000, shape)
    write_sharpening_set(root, root / "set")
    return root / "set"


def write(path, pixels, gsd_m=10.0, nodata=0):
    place = {"crs": "EPSG:32650", "transform": Affine(gsd_m, 0, 5e5, 0, -gsd_m, 4e6), "nodata": nodata}
    size = {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2], "dtype": pixels.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **place) as file:
        file.write(pixels)
    return path


@given(st.integers(1, 50), st.integers(1, 9))
def test_what_is_spread_begins_and_ends_with_the_ends_and_comes_once(length, count):
    found = spread(range(length), count)
    assert len(found) == len(set(found)) == min(length, count)
    assert found[0] == 0
    assert found == sorted(found)
    assert count == 1 or found[-1] == length - 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(1, 9))
def test_no_place_with_more_data_is_left_out_for_one_with_less(data, count):
    found = fullest(range(len(data)), data, count)
    assert all(data[place] for place in found)
    assert len(found) == min(count, sum(map(bool, data)))
    least = sorted(data, reverse=True)[: len(found)]
    assert not found or min(data[place] for place in found) >= min(least)


def test_tiles_are_those_that_validate_where_none_judges_scaled_by_their_scene(bundle, tiles):
    samples = tile_samples(bundle, tiles.folder, 64)
    assert samples.told == "val tiles of tiles"
    assert len(samples.patches) == len(tiles.select("val")) == 4
    for patch, entry in zip(samples.patches, tiles.select("val"), strict=True):
        expected = tiles.read(entry)
        scaler = Scaler(bundle.manifest.inputs, tiles.statistics_of(entry))
        for image, scaled in zip(patch.images, scaler(expected.sample), strict=True):
            np.testing.assert_array_equal(image, scaled)
        np.testing.assert_array_equal(patch.labels, tiles.legend.to_index(expected.labels))
        assert patch.valid.all()


def test_statistics_of_the_bundle_come_first(bundle, tiles):
    own = tiles.manifest.statistics
    brighter = own.model_copy(
        update={"optical": tuple(band.model_copy(update={"mean": band.mean + 50}) for band in own.optical)}
    )
    inputs = bundle.manifest.inputs.model_dump() | {"scaling": {"kind": "fixed-moments"}}
    darker = tile_samples(changed(bundle, inputs=inputs, statistics=brighter.model_dump()), tiles.folder, 64)
    plain = tile_samples(changed(bundle, inputs=inputs), tiles.folder, 64)
    for low, high in zip(darker.patches, plain.patches, strict=True):
        assert (low.images[0] < high.images[0]).all()
        np.testing.assert_allclose(low.images[1], high.images[1], atol=0.01)


def test_large_tiles_are_cut_and_around_small_ones_there_is_no_data(bundle, tiles):
    cut = tile_samples(bundle, tiles.folder, 32).patches
    assert len(cut) == 8
    assert {each.valid.shape for each in cut} == {(32, 32)}
    whole = tile_samples(bundle, tiles.folder, 64).patches[0]
    np.testing.assert_array_equal(cut[0].images[0], whole.images[0][:, :32, :32])

    padded = tile_samples(bundle, tiles.folder, 80).patches[0]
    assert [image.shape for image in padded.images] == [(3, 80, 80), (1, 80, 80)]
    np.testing.assert_array_equal(padded.images[0][:, :64, :64], whole.images[0])
    assert not padded.images[0][:, 64:].any()
    assert padded.valid.sum() == 64 * 64
    assert (padded.labels[64:] == 255).all()


def test_labels_of_other_classes_are_no_labels(bundle, tiles):
    other = changed(bundle, legend=LEGENDS["ddhr"].to_dict())
    assert {patch.labels is None for patch in tile_samples(other, tiles.folder, 64).patches} == {True}


def test_tiles_of_other_bands_are_refused(bundle, tiles):
    inputs = bundle.manifest.inputs.model_dump() | {"optical": ("red", "green")}
    with pytest.raises(TileSetError, match="3 optical bands, bundle small takes 2"):
        tile_samples(changed(bundle, inputs=inputs), tiles.folder, 64)


def test_patches_of_a_scene_are_where_there_is_data(bundle, tmp_path):
    chance = np.random.default_rng(0)
    optical, sar = chance.integers(1, 255, (3, 200, 300), np.uint8), chance.integers(1, 255, (1, 200, 300), np.uint8)
    optical[:, :, :100] = 0
    paths = write(tmp_path / "optical.tif", optical), write(tmp_path / "sar.tif", sar)
    samples = scene_samples(bundle, *paths, 64)
    assert samples.told == "optical.tif and sar.tif"
    assert len(samples.patches) == 8
    assert all(patch.valid.all() for patch in samples.patches)
    with Scene(*paths) as scene:
        scaler = Scaler(bundle.manifest.inputs, scene.statistics())
        last, _ = scaler(scene.read(Window(300 - 64, 200 - 64, 64, 64)))
    np.testing.assert_array_equal(samples.patches[-1].images[0], last)


def test_a_scene_may_be_smaller_than_a_patch(bundle, tmp_path):
    pixels = np.random.default_rng(0).integers(1, 255, (3, 40, 50), np.uint8)
    (patch,) = scene_samples(bundle, write(tmp_path / "optical.tif", pixels), None, 64).patches
    assert [image.shape for image in patch.images] == [(3, 64, 64), (1, 64, 64)]
    assert patch.valid.sum() == 40 * 50
    assert patch.labels is None


def test_bands_of_a_scene_can_be_chosen(bundle, tmp_path):
    four = np.random.default_rng(0).integers(1, 255, (4, 80, 80), np.uint8)
    path, chosen = write(tmp_path / "four.tif", four), write(tmp_path / "chosen.tif", four[[2, 1, 0]])
    found = scene_samples(bundle, path, None, 64, bands=Bands((3, 2, 1)))
    expected = scene_samples(bundle, chosen, None, 64)
    for one, other in zip(found.patches, expected.patches, strict=True):
        np.testing.assert_array_equal(one.images[0], other.images[0])


def test_scenes_that_cannot_be_mapped_are_refused(bundle, tmp_path):
    two = write(tmp_path / "two.tif", np.ones((2, 80, 80), np.uint8))
    with pytest.raises(BundleError, match="2 bands"):
        scene_samples(bundle, two, None, 64)
    holed = np.random.default_rng(0).integers(1, 255, (3, 80, 80), np.uint8)
    elsewhere = np.ones((1, 80, 80), np.uint8)
    holed[:, :, 40:], elsewhere[:, :, :40] = 0, 0
    with pytest.raises(SceneError, match=r"none of the 4 parts of holed\.tif and sar\.tif"):
        scene_samples(bundle, write(tmp_path / "holed.tif", holed), write(tmp_path / "sar.tif", elsewhere), 64)


def test_noise_is_the_same_each_time_and_looks_like_scaled_pixels(bundle):
    first, again = noise_samples(bundle, 64), noise_samples(bundle, 64)
    assert first.told == "noise"
    for one, other in zip(first.patches, again.patches, strict=True):
        optical, sar = one.images
        np.testing.assert_array_equal(optical, other.images[0])
        assert (optical.shape, sar.shape, optical.dtype) == ((3, 64, 64), (1, 64, 64), np.float32)
        assert 0.3 < optical[:, one.valid].std() < 2
        assert np.abs(optical).max() <= bundle.manifest.inputs.scaling.limit
        assert (optical[:, ~one.valid] == 0).all()
        assert 0 < (~one.valid).mean() < 0.5
        steps = np.abs(np.diff(optical[:, :, :48])).mean()
        assert steps < np.abs(optical[:, :, :24] - optical[:, :, 24:48]).mean()  # smooth: neighbours are alike


@pytest.mark.parametrize(("sensors", "unseen"), [("optical", 1), ("sar", 0)])
def test_a_sensor_that_the_network_is_not_to_see_is_zero_in_noise(bundle, sensors, unseen):
    inputs = bundle.manifest.inputs.model_dump() | {"sensors": sensors}
    images = noise_samples(changed(bundle, inputs=inputs), 64).patches[0].images
    assert (images[unseen] == 0).all()
    assert images[1 - unseen].any()


def test_noise_for_sharpening_is_one_ground_seen_twice(sharpener):
    pan, ms = noise_samples(sharpener, 16).patches[0].images
    assert (pan.shape, ms.shape, ms.dtype) == ((1, 16, 16), (4, 4, 4), np.float32)
    assert 0 < pan.min() <= pan.max() <= 1
    np.testing.assert_allclose(pan.reshape(4, 4, 4, 4).mean((1, 3)), ms.mean(0), rtol=1e-5)


def test_patches_that_judge_are_divided_and_no_others(sharpener, patches):
    samples = set_samples(sharpener, patches, 16)
    assert samples.told == "test patches of set"
    with SharpeningSet(patches) as held:
        (entry,) = held.select("test")
        expected = held.read(entry)
    (patch,) = samples.patches
    for image, raw in zip(patch.images, (expected.pan, expected.ms), strict=True):
        np.testing.assert_array_equal(image, raw / np.float32(DIVISOR))


def test_small_patches_for_sharpening_go_on_as_they_end(sharpener, patches):
    (patch,) = set_samples(sharpener, patches, 24).patches
    pan, ms = patch.images
    assert (pan.shape, ms.shape) == ((1, 24, 24), (4, 6, 6))
    assert (pan[:, 16:, :16] == pan[:, 15:16, :16]).all()
    assert (ms[:, 4:, :4] == ms[:, 3:4, :4]).all()
    assert patch.valid.sum() == 16 * 16


def test_patches_for_another_sensor_are_refused(sharpener, patches):
    with pytest.raises(TileSetError, match="4 bands at ratio 4, bundle cf2n-gf2 sharpens 4 at ratio 2"):
        set_samples(changed(sharpener, ratio=2), patches, 16)


def test_pairs_are_read_in_step_and_holes_filled(sharpener, tmp_path):
    chance = np.random.default_rng(0)
    pan, ms = chance.integers(300, 900, (1, 64, 96), np.uint16), chance.integers(300, 900, (4, 16, 24), np.uint16)
    pan[:, 10, 10] = 0
    paths = write(tmp_path / "pan.tif", pan, 1.0), write(tmp_path / "ms.tif", ms, 4.0)
    samples = pair_samples(sharpener, *paths, 64)
    assert samples.told == "pan.tif and ms.tif"
    first = samples.patches[0]
    np.testing.assert_allclose(first.images[1], ms[:, :, :16] / DIVISOR, rtol=1e-6)
    assert not first.valid[10, 10]
    assert first.images[0][0, 10, 10] > 0.2  # of a neighbour
    with pytest.raises(GridMismatchError):
        pair_samples(sharpener, paths[0], paths[0], 64)


def test_a_graph_has_the_inputs_of_its_network(bundle, sharpener):
    assert graph_inputs(bundle, 96) == (("optical", 3, 96, 96), ("sar", 1, 96, 96))
    assert graph_inputs(sharpener, 32) == (("pan", 1, 32, 32), ("ms", 4, 8, 8))


def test_patches_of_a_graph_are_whole_multispectral_pixels_and_larger_than_their_halos(bundle, sharpener):
    assert graph_patch(bundle, None).model_dump() == {"size": 64, "halo": 8}
    assert graph_patch(bundle, 50).size == 50
    assert graph_patch(sharpener, 50).size == 52
    assert isinstance(bundle.manifest, BundleManifest)
    with pytest.raises(BundleError, match="halo of 8 px") as caught:
        graph_patch(bundle, 16)
    assert "--patch 17" in caught.value.hint
