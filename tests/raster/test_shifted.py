"""A raster a constant shift aside: its windows are those of GDAL's warp, without the warp."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.windows import Window

from rsfuse.geometry.grid import Grid
from rsfuse.raster.aligned import AlignedRaster
from rsfuse.raster.bilinear import between
from rsfuse.raster.native import NativeBands
from rsfuse.raster.shifted import ShiftedBands, constant_shift, shifted
from rsfuse.raster.warped import WarpedBands

UTM = "EPSG:32722"
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
OTHER_PLACES = {"turned": PLACE * Affine.rotation(20), "south up": Affine(0.5, 0.0, 480_000.0, 0.0, 0.5, 6_680_000.0)}
HERE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
SHIFTS = [(0.3, -0.4), (-0.25, 0.5), (-7.9, 3.02), (0.5, 0.5), (4.0, -3.7), (11.98, 0.0), (-20.6, -17.1)]


def grid_beside(shift, shape, place=PLACE, crs=UTM):
    """A grid whose pixel (0, 0) lies so many (rows, columns) into a raster at the place."""
    return Grid(CRS.from_string(crs), place * Affine.translation(shift[1], shift[0]), shape)


def whole(grid):
    return Window(0, 0, grid.width, grid.height)


def both_ways(path, grid, bands=None, *, categorical=False):
    """(pixels, valid) of the whole grid, 0 where not valid, by AlignedRaster and through GDAL's warp."""
    with AlignedRaster(path, grid, bands=bands, categorical=categorical) as raster:
        assert isinstance(raster._source, ShiftedBands)
        fast = raster.read(whole(grid))
    with rasterio.open(path) as file:
        bands = bands or file.indexes
        unsigned = all(file.dtypes[band - 1].startswith("uint") for band in bands)
        native = NativeBands(file, tuple(bands), alpha=(), is_unsigned=unsigned)
        own = Grid(file.crs, file.transform, file.shape)
        with WarpedBands(path, native, own, grid=grid, categorical=categorical) as warped:
            pixels, valid = warped.read(whole(grid), np.float32)
    pixels[:, ~valid] = 0
    return fast, (pixels, valid)


def assert_same(fast, warped):
    np.testing.assert_array_equal(fast[1], warped[1])
    np.testing.assert_allclose(fast[0], warped[0], rtol=1e-6, atol=1e-6 * max(np.abs(warped[0]).max(), 1))


def with_holes(noise, dtype, nodata, *, count, share, together=False):
    pixels = noise((count, 31, 37), dtype)
    holes = np.random.default_rng(9).random((1 if together else count, 31, 37)) < share
    return np.where(holes, np.asarray(nodata, dtype), pixels)


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_without_holes_the_pixels_are_those_of_the_warp_beyond_the_edges_too(write_raster, noise, shift, dtype):
    path = write_raster("a.tif", noise((2, 31, 37), dtype))
    assert_same(*both_ways(path, grid_beside(shift, (45, 29))))


@pytest.mark.parametrize("name", OTHER_PLACES)
def test_rasters_in_any_position_may_be_shifted(write_raster, noise, name):
    place = OTHER_PLACES[name]
    path = write_raster("a.tif", noise((1, 31, 37)), transform=place)
    assert_same(*both_ways(path, grid_beside((3.3, -2.6), (40, 40), place)))


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("share", [0.05, 0.6])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    ("dtype", "nodata"), [("uint8", 0), ("uint16", 7), ("int16", -99), ("float32", -9999.0), ("float32", np.nan)]
)
def test_around_holes_the_pixels_are_those_of_the_warp(write_raster, noise, shift, share, count, dtype, nodata):
    path = write_raster("a.tif", with_holes(noise, dtype, nodata, count=count, share=share), nodata=nodata)
    assert_same(*both_ways(path, grid_beside(shift, (30, 45))))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_holes_of_all_bands_together_are_those_of_the_warp(write_raster, noise, dtype):
    pixels = with_holes(noise, dtype, 0, count=3, share=0.3, together=True)
    assert_same(*both_ways(write_raster("a.tif", pixels, nodata=0), grid_beside((-0.3, 0.6), (30, 36))))


def test_one_of_several_signed_bands_is_read_as_the_warp_reads_it(write_raster, noise):
    path = write_raster("a.tif", with_holes(noise, "int16", -1, count=3, share=0.3), nodata=-1)
    assert_same(*both_ways(path, grid_beside((0.2, 0.3), (31, 37)), bands=(3, 1)))


def test_nan_that_nobody_declared_is_no_data_as_in_the_warp(write_raster, noise):
    pixels = noise((1, 31, 37), "float32")
    pixels[:, 12:15, 20] = np.nan  # not at the edge: there GDAL spoils pixels in which the NaN has no weight
    assert_same(*both_ways(write_raster("a.tif", pixels), grid_beside((0.3, -0.4), (31, 37))))


def test_a_nodata_value_that_no_pixel_can_have_leaves_all_valid(write_raster, noise):
    path = write_raster("a.tif", noise((1, 31, 37), "float64"), nodata=-np.finfo(np.float64).max)
    fast, warped = both_ways(path, grid_beside((1.3, 1.4), (20, 20)))
    assert_same(fast, warped)
    assert fast[1].all()


@pytest.mark.parametrize("shift", SHIFTS)
def test_codes_are_those_of_the_nearest_pixel_as_in_the_warp(write_raster, noise, shift):
    path = write_raster("a.tif", with_holes(noise, "uint8", 0, count=1, share=0.2), nodata=0)
    fast, warped = both_ways(path, grid_beside(shift, (45, 29)), categorical=True)
    np.testing.assert_array_equal(fast[1], warped[1])
    np.testing.assert_array_equal(fast[0], warped[0])


@HERE
@given(
    shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    across=st.integers(1, 39),
    down=st.integers(1, 32),
    holes=st.booleans(),
    dtype=st.sampled_from(["uint8", "float32"]),
)
def test_windows_that_meet_are_bit_for_bit_one_window(write_raster, noise, shift, across, down, holes, dtype):
    pixels = with_holes(noise, dtype, 0, count=2, share=0.1)
    path = write_raster("a.tif", pixels, nodata=0 if holes else None)
    grid = grid_beside(shift, (33, 40))
    with AlignedRaster(path, grid) as raster:
        one, valid = raster.read(whole(grid))
        rows, columns = ((0, down), (down, 33)), ((0, across), (across, 40))
        parts = [[raster.read(Window.from_slices(row, column)) for column in columns] for row in rows]
    np.testing.assert_array_equal(np.block([[part[0] for part in row] for row in parts]), one)
    np.testing.assert_array_equal(np.block([[part[1] for part in row] for row in parts]), valid)


@pytest.mark.parametrize("fractions", [(0.25, 0.7), (0.0, 0.7), (0.25, 0.0), (0.999, 0.5)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_window_longer_than_a_strip_is_mixed_by_the_weights_of_neighbours(fractions, dtype):
    pixels = np.random.default_rng(2).gamma(1, 30, (2, 700, 301)).clip(0, 255).astype(dtype)  # two strips of 350 rows
    pixels[0, ::50, ::50] *= np.float32(1e6) if dtype == "float32" else 1  # corner reflectors
    down, across = fractions
    exact = pixels.astype(np.float64)
    if down:
        exact = (1 - down) * exact[:, :-1] + down * exact[:, 1:]
    if across:
        exact = (1 - across) * exact[:, :, :-1] + across * exact[:, :, 1:]
    np.testing.assert_allclose(between(pixels, down, across), exact, rtol=5e-7)


@pytest.mark.parametrize("shift", [(3.0, -5.0), (3.009, -5.009)])
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_whole_pixels_aside_the_numbers_are_those_of_the_file_in_its_type(write_raster, noise, shift, dtype):
    pixels = noise((2, 31, 37), dtype)
    path = write_raster("a.tif", pixels)
    with AlignedRaster(path, grid_beside(shift, (10, 12))) as raster:
        stored, valid = raster.read_stored(Window(0, 0, 12, 10))
        assert raster.stored_blocks() is None
    assert stored.dtype == dtype
    np.testing.assert_array_equal(valid, np.tile(np.arange(12) >= 5, (10, 1)))
    np.testing.assert_array_equal(stored[:, :, 5:], pixels[:, 3:13, :7])
    assert (stored[:, :, :5] == 0).all()


def test_mixed_numbers_are_float32_also_where_they_are_read_as_stored(write_raster, noise):
    with AlignedRaster(write_raster("a.tif", noise((1, 31, 37))), grid_beside((0.3, 0.4), (20, 20))) as raster:
        stored, _ = raster.read_stored(Window(2, 3, 10, 10))
        np.testing.assert_array_equal(stored, raster.read(Window(2, 3, 10, 10))[0])
    assert stored.dtype == np.float32


def test_a_window_over_the_edge_of_the_grid_is_mirrored_and_not_valid_there(write_raster, noise):
    grid = grid_beside((5.3, 5.4), (20, 20))
    with AlignedRaster(write_raster("a.tif", noise((1, 31, 37))), grid) as raster:
        inside, _ = raster.read(whole(grid))
        over, valid = raster.read(Window(-3, -2, 10, 10))
    np.testing.assert_array_equal(over, np.pad(inside[:, :8, :7], ((0, 0), (2, 0), (3, 0)), mode="reflect"))
    np.testing.assert_array_equal(valid, np.pad(np.ones((8, 7), np.bool_), ((2, 0), (3, 0))))


def test_a_shift_is_constant_up_to_a_hundredth_of_a_pixel_over_the_whole_grid():
    raster = grid_beside((0, 0), (1000, 1000))
    assert constant_shift(grid_beside((3.25, -7.5), (500, 800)), raster) == pytest.approx((3.25, -7.5))
    for growth, is_constant in [(1e-5, True), (5e-5, False)]:  # at the corners 0.007 and 0.035 px from the centre's
        stretched = grid_beside((0.3, 0.4), (1000, 1000), PLACE * Affine.scale(1 + growth))
        assert (constant_shift(stretched, raster) is not None) == is_constant
    assert constant_shift(grid_beside((0, 0), (9, 9), PLACE * Affine.rotation(1)), raster) is None
    assert constant_shift(grid_beside((0, 0), (9, 9), crs="EPSG:32721"), raster) is None


@pytest.mark.parametrize("why", ["mask", "some of the unsigned bands", "one row"])
def test_what_only_the_warp_reads_right_goes_through_the_warp(write_raster, noise, why):
    pixels = noise((2, 1 if why == "one row" else 31, 37))
    mask = np.full(pixels.shape[1:], 255, np.uint8) if why == "mask" else None
    path = write_raster("a.tif", pixels, mask=mask, nodata=None if mask is not None else 0)
    bands = (1,) if why == "some of the unsigned bands" else (1, 2)
    grid = grid_beside((0.3, 0.4), (20, 20))
    with AlignedRaster(path, grid, bands=bands) as raster:
        assert isinstance(raster._source, WarpedBands)
    with rasterio.open(path) as file:
        own = Grid(file.crs, file.transform, file.shape)
        native = NativeBands(file, bands, alpha=(), is_unsigned=True)
        assert shifted(native, own, grid, categorical=True) is not None
