"""Mosaics of images: feathered without a seam, and without data where none has any."""

import numpy as np
import pytest
import rasterio

from rsfuse.errors import SceneError
from rsfuse.tasks.mosaic import MosaicSettings, mosaic


def test_images_are_feathered_without_a_seam(write, tmp_path, read):
    left = write("left.tif", np.full((2, 100, 120), 1000, np.uint16), legend=None, nodata=0)
    right = write("right.tif", np.full((2, 100, 120), 2000, np.uint16), 60, legend=None, nodata=0)
    done = mosaic([left, right], tmp_path / "region.tif")
    assert done.design.rule == "feather"
    pixels = read(tmp_path / "region.tif")
    assert pixels.dtype == np.uint16
    middle = pixels[0, 50].astype(int)
    assert (middle[:60] == 1000).all()
    assert (middle[120:] == 2000).all()
    assert (np.diff(middle) >= 0).all()
    assert np.diff(middle).max() < 25
    depth = np.arange(60) + 0.5
    ours, theirs = np.minimum(depth[::-1], 50.0), np.minimum(depth, 50.0)  # row 50 lies 49.5 deep
    ours, theirs = np.minimum(ours, 49.5), np.minimum(theirs, 49.5)
    np.testing.assert_array_equal(middle[60:120], np.rint((1000 * ours + 2000 * theirs) / (ours + theirs)))
    np.testing.assert_array_equal(pixels[0], pixels[1])


def test_pixels_without_data_stay_without_where_all_have_none(write, tmp_path, read):
    chance = np.random.default_rng(0)
    first, second = (chance.uniform(1, 2, (80, 90)).astype(np.float32) for _ in range(2))
    first[chance.random(first.shape) < 0.4] = np.nan
    second[chance.random(second.shape) < 0.4] = -9999
    paths = [
        write("first.tif", first, legend=None, nodata=np.nan),
        write("second.tif", second, legend=None, nodata=-9999),
    ]
    mosaic(paths, tmp_path / "region.tif", MosaicSettings(rule="first"))
    with rasterio.open(tmp_path / "region.tif") as file:
        assert np.isnan(file.nodata)
        expected = np.where(np.isnan(first), np.where(second == -9999, np.nan, second), first)
        np.testing.assert_array_equal(file.read(1), expected)


def test_images_without_a_number_for_no_data_get_a_mask(write, tmp_path):
    left = write("left.tif", np.full((3, 60, 60), 0, np.uint8), legend=None)
    right = write("right.tif", np.full((3, 60, 60), 9, np.uint8), 100, legend=None)
    mosaic([left, right], tmp_path / "region.tif")
    with rasterio.open(tmp_path / "region.tif") as file:
        known = file.dataset_mask()[0] > 0
        assert known.tolist() == [True] * 60 + [False] * 40 + [True] * 60


def test_bands_keep_their_names_and_must_be_as_many(write, tmp_path):
    first = write("first.tif", np.ones((2, 50, 50), np.uint16), legend=None)
    with rasterio.open(first, "r+") as file:
        file.descriptions = ("VV", "VH")
    mosaic([first], tmp_path / "region.tif")
    with rasterio.open(tmp_path / "region.tif") as file:
        assert file.descriptions == ("VV", "VH")
    other = write("other.tif", np.ones((3, 50, 50), np.uint16), legend=None)
    with pytest.raises(SceneError, match=r"other.tif has 3 band\(s\), .*first.tif has 2"):
        mosaic([first, other], tmp_path / "again.tif")


def test_images_on_other_grids_are_bilinear(write, tmp_path, read, warped):
    chance = np.random.default_rng(0)
    first = write("first.tif", chance.uniform(0, 1, (60, 70)).astype(np.float32), legend=None, nodata=np.nan)
    second = write(
        "second.tif", chance.uniform(0, 1, (60, 70)).astype(np.float32), 100.4, 0.3, legend=None, nodata=np.nan
    )
    mosaic([first, second], tmp_path / "region.tif", MosaicSettings(rule="first"))
    theirs = warped([second, first], tmp_path / "gdal.tif", "-r", "bilinear", "-tap", "-tr", "10", "10")
    ours = read(tmp_path / "region.tif")
    inside = np.s_[0, 2:58, 102:168]
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-5)


def test_images_have_no_majority(write, tmp_path):
    image = write("image.tif", np.ones((3, 50, 50), np.uint8), legend=None)
    with pytest.raises(SceneError, match="taken for an image"):
        mosaic([image], tmp_path / "region.tif", MosaicSettings(rule="majority"))


def test_whole_numbers_that_are_mixed_on_their_way_to_the_grid_are_rounded(write, tmp_path, read):
    values = np.random.default_rng(0).integers(-300, 300, (60, 70))
    pixels = {}
    for dtype in (np.int16, np.float32):
        first = write(f"{dtype.__name__}1.tif", np.zeros((60, 50), dtype), legend=None, nodata=-999)
        second = write(f"{dtype.__name__}2.tif", values.astype(dtype), 60.4, 0.3, legend=None, nodata=-999)
        mosaic([first, second], tmp_path / "region.tif", MosaicSettings(rule="first", overwrite=True))
        pixels[dtype] = read(tmp_path / "region.tif")
    assert pixels[np.int16].dtype == np.int16
    np.testing.assert_array_equal(pixels[np.int16], np.rint(pixels[np.float32]))
    assert (pixels[np.float32] % 1 != 0).mean() > 0.3
