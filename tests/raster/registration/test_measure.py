"""Tiles of two files: what was moved is found, on whatever grids they lie."""

import numpy as np
import pytest
from affine import Affine
from rasterio.warp import Resampling, calculate_default_transform, reproject
from scipy import ndimage

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.registration import Registration, TileState
from rsfuse.raster.registration.measure import Search, measure
from rsfuse.raster.registration.overlay import Overlay

SIDE = 700
UTM = "EPSG:32722"
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
SEARCH = Search(tiles=120)


def fields(seed=0):
    """Plots with straight borders."""
    chance = np.random.default_rng(seed)
    rows, columns = np.indices((SIDE, SIDE))
    points = chance.uniform(-40, SIDE + 40, (900, 2))
    nearest = np.zeros((SIDE, SIDE), int)
    for top in range(0, SIDE, 50):  # few points at a time
        near = np.flatnonzero(np.abs(points[:, 0] - top - 25) < 125)
        there = (rows[top : top + 50, :, None] - points[near, 0]) ** 2
        there = there + (columns[top : top + 50, :, None] - points[near, 1]) ** 2
        nearest[top : top + 50] = near[there.argmin(-1)]
    return ndimage.gaussian_filter(chance.uniform(40, 200, 900)[nearest], 0.7)


def radar(image, dx=0.0, dy=0.0):
    moved = ndimage.shift(image, (dy, dx), order=3, mode="reflect")
    return (np.abs(moved - 120) + 20) * np.random.default_rng(1).gamma(10, 0.1, image.shape)


@pytest.fixture(scope="module")
def ground():
    return fields()


@pytest.fixture
def optical(write_raster, ground):
    return write_raster("optical.tif", ground.astype("u1")[None])


def look(optical, sar, search=SEARCH):
    with Overlay(optical, sar) as overlay:
        return Registration(measure(overlay, search, lambda done, total: None)), overlay.grid


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (5.4, -3.7), (-60, 48), (37.5, 61)])
def test_a_shift_is_found_up_to_64_pixels(optical, write_raster, ground, dx, dy):
    sar = write_raster("sar.tif", radar(ground, dx, dy).astype("f4")[None])
    found, _ = look(optical, sar)
    assert found.median == pytest.approx((dx, dy), abs=0.2)
    errors = np.hypot(*(found.tiles.shifts[found.tiles.is_accepted] - (dx, dy)).T)
    assert np.median(errors) < 0.35
    assert (errors < 1.5).mean() > 0.95
    assert len(errors) > 60
    assert found.verdict().outcome == ("pass" if (dx, dy) == (0, 0) else "fail")


def test_swapped_rasters_are_shifted_the_other_way(optical, write_raster, ground):
    sar = write_raster("sar.tif", radar(ground, 21.3, -8.6).astype("f4")[None])
    (there, _), (back, _) = look(optical, sar), look(sar, optical)
    both = there.tiles.is_accepted & back.tiles.is_accepted
    sums = (there.tiles.shifts + back.tiles.shifts)[both]
    assert both.sum() > 60
    assert np.add(there.median, back.median) == pytest.approx((0, 0), abs=0.1)
    assert np.median(sums, 0) == pytest.approx((0, 0), abs=0.1)
    assert np.quantile(np.abs(sums), 0.95) < 0.4  # the two templates of a tile have speckle of their own


@pytest.mark.parametrize("method", ["phase", "mutual-information"])
def test_other_methods_begin_where_orientations_say(optical, write_raster, ground, method):
    moved = ndimage.shift(ground, (-31.4, 42.7), order=3, mode="reflect") + 20  # more than they search themselves
    sar = write_raster("sar.tif", moved.astype("f4")[None])
    found, _ = look(optical, sar, Search(tiles=25, method=method))
    assert found.median == pytest.approx((42.7, -31.4), abs=0.2)
    assert found.tiles.is_accepted.sum() > 12
    default, _ = look(optical, sar, Search(tiles=25))
    np.testing.assert_array_equal(found.tiles.places, default.tiles.places)
    assert (found.tiles.peaks != default.tiles.peaks)[found.tiles.is_accepted].all()


def test_a_wrong_geotransform_is_a_shift(optical, write_raster, ground):
    moved = PLACE * Affine.translation(4, -2)  # 4 columns to the right, 2 rows up
    found, grid = look(optical, write_raster("sar.tif", radar(ground).astype("f4")[None], transform=moved))
    assert found.median == pytest.approx((4, -2), abs=0.2)
    assert grid.shape == (SIDE - 2, SIDE - 4)


def test_the_coarser_grid_counts_and_shifts_are_its_pixels(optical, write_raster, ground):
    half = radar(ground, 6, 4).reshape(SIDE // 2, 2, SIDE // 2, 2).mean((1, 3))
    found, grid = look(optical, write_raster("sar.tif", half.astype("f4")[None], transform=PLACE * Affine.scale(2)))
    assert grid.shape == (SIDE // 2, SIDE // 2)
    assert found.median == pytest.approx((3, 2), abs=0.2)


def test_another_projection_is_brought_to_the_grid(optical, write_raster, ground):
    source = radar(ground, 3, -2).astype("f4")
    bounds = PLACE.c, PLACE.f - 10 * SIDE, PLACE.c + 10 * SIDE, PLACE.f
    transform, width, height = calculate_default_transform(UTM, "EPSG:4326", SIDE, SIDE, *bounds)
    target = np.full((height, width), np.nan, "f4")
    how = {"src_transform": PLACE, "src_crs": UTM, "dst_transform": transform, "dst_crs": "EPSG:4326"}
    reproject(source, target, resampling=Resampling.bilinear, dst_nodata=np.nan, **how)
    sar = write_raster("sar.tif", target[None], crs="EPSG:4326", transform=transform, nodata=np.nan)
    found, _ = look(optical, sar)
    assert found.median == pytest.approx((3, -2), abs=0.3)


def test_what_has_no_data_and_what_has_no_texture_is_left_out_and_counted(write_raster, ground):
    still = ground.copy()
    still[:, :200] = 80 + 0.2 * np.random.default_rng(0).normal(size=(SIDE, 200))  # water
    sar = radar(still)
    still[:, 550:] = 0
    optical = write_raster("optical.tif", still.astype("f4")[None], nodata=0)
    found, _ = look(optical, write_raster("sar.tif", sar.astype("f4")[None]))
    tiles = found.tiles
    assert tiles.count(TileState.FLAT) > 10
    assert tiles.count(TileState.EMPTY) > 10
    left = tiles.places[tiles.states == TileState.FLAT][:, 0]
    assert (left < 200).all()
    assert (tiles.places[tiles.states == TileState.EMPTY][:, 0] > 550 - 64).all()
    assert np.isnan(tiles.shifts[tiles.states == TileState.EMPTY]).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_places_say_nothing(optical, write_raster, seed):
    found, _ = look(optical, write_raster("sar.tif", radar(fields(seed)).astype("f4")[None]))
    assert found.tiles.is_accepted.sum() <= 1
    assert found.verdict().outcome == "inconclusive"


def test_rasters_of_other_places_are_refused(optical, write_raster, ground):
    there = PLACE * Affine.translation(10 * SIDE, 0)
    with pytest.raises(GridMismatchError):
        look(optical, write_raster("sar.tif", radar(ground).astype("f4")[None], transform=there))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_rasters_without_coordinates_coincide_if_they_are_alike(write_raster, ground):
    optical = write_raster("a.tif", ground.astype("u1")[None], crs=None, transform=None)
    sar = write_raster("b.tif", radar(ground, 3, 2).astype("f4")[None], crs=None, transform=None)
    found, _ = look(optical, sar)
    assert found.median == pytest.approx((3, 2), abs=0.2)
    small = write_raster("c.tif", radar(ground).astype("f4")[None, 50:], crs=None, transform=None)
    with pytest.raises(GridMismatchError, match="has no CRS"):
        look(optical, small)
