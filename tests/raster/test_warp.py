"""A SAR on another grid: each window holds what a warp of the whole raster holds there."""

import numpy as np
import pytest
from affine import Affine
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import reproject, transform_bounds
from rasterio.windows import Window
from scipy import ndimage

from rsfuse.geometry.plan import Plan
from rsfuse.raster.scene import Scene

UTM = "EPSG:32722"
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
SHAPE = (150, 210)
LEFT, TOP, RIGHT, BOTTOM = 480_000, 6_680_000, 482_100, 6_678_500


def textured(shape, seed=3):
    """Smooth noise around 100: what a shift of half a pixel changes, but not wildly."""
    return (100 + 200 * ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)).astype(np.float32)


def lonlat_grid(shape, margin=0.0):
    west, south, east, north = transform_bounds(UTM, "EPSG:4326", LEFT, BOTTOM, RIGHT, TOP)
    return from_bounds(west - margin, south - margin, east + margin, north + margin, shape[1], shape[0])


GRIDS = {
    "a quarter pixel aside": ((170, 230), UTM, PLACE * Affine.translation(-5.25, -8.75)),
    "finer by half": ((320, 440), UTM, PLACE * Affine.translation(-2, -2) * Affine.scale(0.5)),
    "coarser": ((60, 80), UTM, PLACE * Affine.translation(-10, -10) * Affine.scale(3.1)),
    "turned": ((400, 400), UTM, PLACE * Affine.translation(100, -120) * Affine.rotation(33)),
    "south up": ((170, 230), UTM, PLACE * Affine.translation(-5, 160) * Affine.scale(1, -1)),
    "lon/lat": ((140, 180), "EPSG:4326", lonlat_grid((140, 180), 1e-3)),
    "another zone": ((140, 190), "EPSG:32721", None),
}


def place(name):
    shape, crs, where = GRIDS[name]
    if where is None:
        west, south, east, north = transform_bounds(UTM, crs, LEFT, BOTTOM, RIGHT, TOP)
        where = from_bounds(west - 100, south - 100, east + 100, north + 100, shape[1], shape[0])
    return shape, crs, where


@pytest.mark.parametrize("name", GRIDS)
def test_windows_of_a_warped_sar_are_parts_of_one_exact_warp(write_raster, noise, name):
    shape, crs, where = place(name)
    sar = textured(shape)
    kernel = 0.5 if name == "finer by half" else 1  # source pixels that bilinear weighs on each side
    whole = np.full(SHAPE, np.nan, np.float32)
    reproject(
        sar, whole, src_crs=crs, src_transform=where, dst_crs=UTM, dst_transform=PLACE,
        dst_nodata=np.nan, src_nodata=np.nan, resampling=Resampling.bilinear, tolerance=0, XSCALE=kernel, YSCALE=kernel,
    )  # fmt: skip
    with Scene(
        write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", sar[None], crs=crs, transform=where)
    ) as scene:
        for patch in Plan.sliding(*SHAPE, size=64, halo=8):
            sample = scene.read(patch.read)
            expected = whole[patch.read.toslices()]
            np.testing.assert_array_equal(sample.valid, np.isfinite(expected))
            # a warp that approximates to 0.01 px is off by a hundredth of what neighbours differ by
            np.testing.assert_allclose(sample.sar[0][sample.valid], expected[sample.valid], atol=0.5)


def test_a_linear_ramp_lies_where_it_belongs(write_raster, noise):
    # x in metres from the left edge, sampled at 7 m; bilinear interpolation of a ramp is exact
    where = PLACE * Affine.translation(-3.3, -3.3) * Affine.scale(0.7)
    columns = np.arange(340)
    ramp = np.tile((where.a * (columns + 0.5) + where.c - 480_000).astype(np.float32), (260, 1))
    with Scene(write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", ramp[None], transform=where)) as scene:
        sample = scene.read(Window(20, 20, 100, 100))
    np.testing.assert_allclose(sample.sar[0], np.tile(10 * (np.arange(20, 120) + 0.5), (100, 1)), atol=0.1)


def test_a_sar_much_finer_than_the_optical_is_averaged_not_picked(write_raster, noise):
    checkers = (np.indices((600, 840)).sum(0) % 2 * 200).astype(np.float32)
    where = PLACE * Affine.scale(0.25)
    with Scene(
        write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", checkers[None], transform=where)
    ) as scene:
        sample = scene.read(Window(0, 0, 100, 100))
    np.testing.assert_allclose(sample.sar, 100, atol=1e-3)


def test_the_phase_of_a_complex_sar_does_not_reach_its_warped_amplitude(write_raster, noise):
    phase = np.random.default_rng(5).uniform(0, 2 * np.pi, (1, 170, 230))
    sar = (100 * np.exp(1j * phase)).astype(np.complex64)
    where = PLACE * Affine.translation(-5.5, -5.5)
    with Scene(write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", sar, transform=where)) as scene:
        sample = scene.read(Window(0, 0, 100, 100))
    np.testing.assert_allclose(sample.sar, 100, rtol=1e-5)


def test_where_the_sar_ends_the_pair_is_not_valid_and_overlap_is_the_share(write_raster, noise):
    half = PLACE * Affine.translation(105, 0)
    with Scene(
        write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", noise((1, *SHAPE)), transform=half)
    ) as scene:
        assert scene.overlap == pytest.approx(0.5)
        sample = scene.read(Window(0, 0, 210, 150))
    np.testing.assert_array_equal(sample.valid[0], np.arange(210) >= 105)
    assert (sample.sar[:, ~sample.valid] == 0).all()
    assert (sample.optical > 0).all()  # the optical is still there to see


def test_zero_without_a_nodata_value_stays_data_in_the_warp(write_raster, noise):
    sar = np.zeros((1, *SHAPE), np.uint8)
    moved = PLACE * Affine.translation(-0.5, -0.5)
    with Scene(write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", sar, transform=moved)) as scene:
        assert scene.read(Window(0, 0, 100, 100)).valid.all()


def test_nodata_0_in_one_of_two_unsigned_bands_stays_data_in_the_warp(write_raster, noise):
    sar = noise((2, *SHAPE), "uint16")
    sar[0, 10:20, 10:20] = 0
    sar[:, 40:50, 40:50] = 0
    moved = PLACE * Affine.translation(-2, -3)
    with Scene(
        write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", sar, nodata=0, transform=moved)
    ) as scene:
        sample = scene.read(Window(0, 0, 200, 140))
    holes = np.zeros((140, 200), bool)
    holes[37:47, 38:48] = True
    np.testing.assert_array_equal(~sample.valid, holes)
    assert (sample.sar[0, 7:17, 8:18] == 0).all()


def test_a_sar_that_differs_by_rounding_is_read_plainly(write_raster, noise):
    nearly = PLACE * Affine.translation(0.001, 0)
    sar = noise((1, *SHAPE), seed=4)
    with Scene(write_raster("a.tif", noise((1, *SHAPE))), write_raster("b.tif", sar, transform=nearly)) as scene:
        np.testing.assert_array_equal(scene.read(Window(0, 0, 210, 150)).sar, sar)
