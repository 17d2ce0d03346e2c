from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import Resampling, reproject, transform

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.opening import quiet
from rsfuse.raster.ortho import heights as heights_module
from rsfuse.raster.ortho.heights import Heights

LONLAT, UTM = CRS.from_epsg(4326), CRS.from_epsg(32650)
GRID = Grid(UTM, Affine(10, 0, 500_000, 0, -10, 4_430_000), (300, 260))
# posts 0.0003 degrees apart, beneath all of the grid
POSTS = Affine(0.0003, 0, 116.99, 0, -0.0003, 40.03)
SIDES = (150, 180)
WINDOWS = (((0, 300), (0, 260)), ((37, 101), (5, 6)), ((128, 300), (64, 259)), ((299, 300), (0, 260)))


def write(path: Path, posts, crs=LONLAT, where=POSTS, **profile):
    height, width = posts.shape
    profile = {"dtype": posts.dtype, "crs": crs, "transform": where} | profile
    with quiet(), rasterio.open(path, "w", driver="GTiff", height=height, width=width, count=1, **profile) as file:
        file.write(posts, 1)
        if "scale" in path.stem:
            file.scales, file.offsets = (0.5,), (-100.0,)
    return path


def hills(seed=3, shape=SIDES):
    steps = np.random.default_rng(seed).normal(size=shape).cumsum(0).cumsum(1)
    return (200 + 40 * steps / np.abs(steps).max()).astype(np.float32)


def plane(x, y):
    return 300 + 2e4 * (x - 117) - 1e4 * (y - 40)


def at_posts(function, where=POSTS, shape=SIDES):
    rows, columns = np.indices(shape) + 0.5
    return function(*(where * (columns, rows))).astype(np.float32)


def centres(grid, crs):
    """x and y of the pixels of a grid in another CRS."""
    rows, columns = np.indices(grid.shape) + 0.5
    x, y = grid.transform * (columns, rows)
    there = transform(grid.crs, crs, x.ravel(), y.ravel())
    return (np.array(axis).reshape(grid.shape) for axis in there)


def everything(heights, grid=GRID):
    return heights.read((0, grid.height), (0, grid.width))


def test_a_constant_height_is_not_read():
    with Heights.constant(12.5) as heights, heights.again() as other:
        assert (other.lowest, other.highest, other.is_constant, other.covered) == (12.5, 12.5, True, 1)
        assert other.read((0, 5), (0, 5)) is None


def test_a_plane_stays_a_plane(tmp_path):
    with Heights.of(write(tmp_path / "dem.tif", at_posts(plane)), GRID, fallback=0) as heights:
        found, truth = everything(heights), plane(*centres(GRID, LONLAT))
        assert found.dtype == np.float32
        # 0.005 px of the posts in x and in y, each worth 6 and 3 m
        np.testing.assert_allclose(found, truth, atol=0.046)
        assert heights.covered == 1
        assert heights.lowest <= found.min() < heights.lowest + 13
        assert heights.highest - 13 < found.max() <= heights.highest


def test_heights_are_those_of_gdal(tmp_path):
    path = write(tmp_path / "dem.tif", hills())
    theirs = np.zeros(GRID.shape, np.float32)
    with rasterio.open(path) as file:
        reproject(
            rasterio.band(file, 1),
            theirs,
            dst_transform=GRID.transform,
            dst_crs=UTM,
            resampling=Resampling.bilinear,
            tolerance=0,
        )
    with Heights.of(path, GRID, fallback=0) as heights:
        np.testing.assert_allclose(everything(heights), theirs, atol=0.02)


def test_on_the_posts_themselves_heights_are_theirs(tmp_path):
    posts = hills(shape=GRID.shape)
    with Heights.of(write(tmp_path / "dem.tif", posts, UTM, GRID.transform), GRID, fallback=0, above=8.25) as heights:
        assert np.array_equal(everything(heights), posts + np.float32(8.25))
        assert (heights.lowest, heights.highest) == (posts.min() + np.float32(8.25), posts.max() + np.float32(8.25))


@pytest.mark.parametrize("most", [1 << 22, 500], ids=["at once", "in parts"])
@pytest.mark.parametrize(("rows", "columns"), WINDOWS)
def test_heights_do_not_depend_on_the_window(tmp_path, monkeypatch, rows, columns, most):
    posts = hills()
    posts[40:50, 60:80] = np.nan
    posts[:, 130:] = np.nan
    path = write(tmp_path / "dem.tif", posts)
    with Heights.of(path, GRID, fallback=33.3) as heights:
        whole = everything(heights)
        monkeypatch.setattr(heights_module, "_MOST_PIXELS", most)
        with heights.again() as other:
            assert np.array_equal(other.read(rows, columns), whole[slice(*rows), slice(*columns)])
    with Heights.of(path, GRID, fallback=33.3) as again:
        assert (again.lowest, again.highest) == (heights.lowest, heights.highest)


@pytest.mark.parametrize(
    ("hole", "dtype", "profile"),
    [
        (np.nan, "float32", {}),
        (np.nan, "float32", {"nodata": np.nan}),
        (-9999, "float32", {"nodata": -9999}),
        (-9999, "int16", {"nodata": -9999}),
        (-32768, "int16", {}),
        (3.4028235e38, "float32", {}),
    ],
    ids=["nan", "said nan", "said", "whole numbers", "not said", "largest"],
)
def test_a_hole_does_not_spread(tmp_path, hole, dtype, profile):
    where, shape = Affine(40, 0, 500_000, 0, -40, 4_430_000), (75, 65)
    posts = np.full(shape, 70, dtype)
    posts[20, 30] = hole
    path = write(tmp_path / "dem.tif", posts, UTM, where, **profile)
    with Heights.of(path, GRID, fallback=-5, above=1) as heights:
        found = everything(heights)
        assert (heights.lowest, heights.highest, heights.covered) == (-5, 71, 1)
    expected = np.full(GRID.shape, 71, np.float32)
    expected[80:84, 120:124] = -5
    assert np.array_equal(found, expected)


def test_beyond_the_posts_all_is_at_the_fallback(tmp_path):
    where, shape = Affine(40, 0, 501_000, 0, -40, 4_429_000), (75, 65)
    with Heights.of(write(tmp_path / "dem.tif", np.full(shape, 70, "uint8"), UTM, where), GRID, fallback=20) as heights:
        assert (heights.lowest, heights.highest) == (20, 70)
        expected = np.full(GRID.shape, 20, np.float32)
        expected[100:, 100:] = 70
        assert np.array_equal(everything(heights), expected)
        assert heights.covered == pytest.approx(200 * 160 / (300 * 260), abs=0.02)


def test_a_flat_model_is_one_height(tmp_path):
    with Heights.of(write(tmp_path / "dem.tif", np.zeros(SIDES, "int16")), GRID, fallback=99, above=-7) as heights:
        assert (heights.lowest, heights.highest, heights.is_constant) == (-7, -7, True)
        assert everything(heights) is None


def test_scaled_numbers_are_heights_in_the_end(tmp_path):
    path = write(tmp_path / "scale.tif", np.full(SIDES, 900, "int16"))
    with Heights.of(path, GRID, fallback=0) as heights:
        assert (heights.lowest, heights.highest) == (350, 350)


def test_the_range_is_that_beneath_the_grid(tmp_path):
    posts = at_posts(plane)
    peak = posts.copy()
    peak[70, 75] = 4000  # beneath the grid, between two pixels that a coarse look would take
    peak[5, 170] = 8000  # not beneath it
    with Heights.of(write(tmp_path / "dem.tif", peak), GRID, fallback=0) as heights:
        assert heights.highest == 4000
        assert everything(heights).max() > 2500


def test_a_vertical_datum_changes_nothing(tmp_path):
    posts, compound = hills(), CRS.from_epsg(9518)  # WGS 84 with heights of EGM2008
    with (
        Heights.of(write(tmp_path / "flat.tif", posts), GRID, fallback=0) as flat,
        Heights.of(write(tmp_path / "compound.tif", posts, compound), GRID, fallback=0) as heights,
    ):
        np.testing.assert_allclose(everything(heights), everything(flat), atol=1e-3)


@pytest.mark.parametrize("left", [-180, 0, 178, -182], ids=["-180 to 180", "0 to 360", "local", "local, other side"])
def test_a_scene_across_the_180th_meridian_has_heights(tmp_path, monkeypatch, left):
    monkeypatch.setattr(heights_module, "_MOST_PIXELS", 2000)
    grid = Grid(CRS.from_epsg(32760), Affine(400, 0, 790_000, 0, -400, 8_140_000), (120, 140))
    x, y = centres(grid, LONLAT)
    assert x.min() < -179.8
    assert x.max() > 179.8
    where, shape = Affine(0.02, 0, left, 0, -0.02, -15), (200, 18_000 if abs(left) % 180 == 0 else 200)

    def slope(x, y):
        return 50 * ((x % 360) - 180).clip(-2, 2) + 10 * (y + 20)

    with Heights.of(write(tmp_path / "dem.tif", at_posts(slope, where, shape), where=where), grid, fallback=-99) as dem:
        assert dem.covered == 1
        assert dem.lowest > -99
        found = everything(dem, grid)
    away = np.abs((x % 360) - 180) > 0.02  # a neighbour on the other side of where a model begins does not count
    np.testing.assert_allclose(found[away], slope(x, y)[away], atol=0.01)
    np.testing.assert_allclose(found[~away], slope(x, y)[~away], atol=1.01)


def test_models_that_cannot_serve_are_refused(tmp_path):
    bare = write(tmp_path / "bare.tif", hills(), crs=None)
    with pytest.raises(SceneError, match=r"bare\.tif has no CRS"):
        Heights.of(bare, GRID, fallback=0)
    far = write(tmp_path / "far.tif", hills(), where=POSTS * Affine.translation(9000, 0))
    with pytest.raises(
        GridMismatchError, match=r"far\.tif lies elsewhere: it covers lon 119\.69.* the scene lon 117\.0"
    ):
        Heights.of(far, GRID, fallback=0)
    path = write(tmp_path / "torn.tif", hills())
    path.write_bytes(path.read_bytes()[:40_000])
    with pytest.raises(SceneError, match=r"torn\.tif cannot be read at row"):
        Heights.of(path, GRID, fallback=0)
