"""A SAR raster moved: its coordinates alone, or its pixels; held against GDAL's warp and against what is known."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import MaskFlags
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from rsfuse.errors import RsfuseError
from rsfuse.geometry.correction import Correction
from rsfuse.geometry.shift_field import AffineField
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.raster.registration.realign import write_aligned

SIDE = 600
PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
LINEAR, OFFSET = np.array([[0.004, -0.01], [0.01, 0.002]]), np.array([3.25, -5.5])


def smooth(seed=0):
    return ndimage.gaussian_filter(np.random.default_rng(seed).uniform(50, 5000, (SIDE, SIDE)), 3).astype("f4")


def same(dx, dy):
    return Correction("shift", AffineField(np.zeros((2, 2)), np.array([dx, dy])), {})


def affine(linear=LINEAR, offset=OFFSET):
    return Correction("affine", AffineField(linear, offset), {})


@pytest.fixture
def optical(write_raster):
    return write_raster("optical.tif", smooth().clip(0, 255).astype("u1")[None])


@pytest.fixture
def align(optical, tmp_path):
    def run(sar, correction):
        with Overlay(optical, sar) as overlay:
            write_aligned(overlay, correction, tmp_path / "aligned.tif", lambda done, total: None)
        return tmp_path / "aligned.tif"

    return run


def test_a_shift_moves_coordinates_and_no_pixel(align, write_raster):
    values = np.random.default_rng(0).integers(0, 60_000, (2, SIDE, SIDE)).astype("u2")
    sar = write_raster("sar.tif", values, nodata=7)
    with rasterio.open(sar, "r+") as file:
        file.descriptions, file.units = ("HH", "HV"), ("DN", "DN")
    with rasterio.open(align(sar, same(3.25, -1.5))) as file:
        np.testing.assert_array_equal(file.read(), values)
        assert file.transform.almost_equals(PLACE * Affine.translation(-3.25, 1.5), 1e-9)
        assert (file.nodata, file.descriptions, file.units) == (7, ("HH", "HV"), ("DN", "DN"))
        assert file.tags()["RSFUSE_COREG"] == "shift"
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"


def test_a_shift_is_told_in_pixels_of_the_coarser_grid_whatever_the_crs(align, write_raster):
    fine = PLACE * Affine.scale(0.5)
    sar = write_raster("sar.tif", np.ones((1, 2 * SIDE, 2 * SIDE), "f4"), transform=fine)
    with rasterio.open(align(sar, same(3, -1))) as file:
        assert file.transform.almost_equals(fine * Affine.translation(-6, 2), 1e-9)
    degrees = Affine(5e-5, 0, -51.2053, 0, -5e-5, -30.0150)
    sar = write_raster("far.tif", np.ones((1, 1100, 1280), "f4"), crs="EPSG:4326", transform=degrees)
    with rasterio.open(align(sar, same(100, 0))) as file:  # a kilometre to the west
        metres = (degrees.c - file.transform.c) * 111_320 * np.cos(np.radians(30.04))
        assert metres == pytest.approx(1000, rel=0.005)
        assert file.crs.to_epsg() == 4326


def test_an_affine_field_is_that_of_gdals_warp(align, write_raster):
    values = smooth()
    sar = write_raster("sar.tif", values[None], nodata=0)
    with rasterio.open(align(sar, affine())) as file:
        ours, mask = file.read(1), file.read_masks(1) > 0
        assert file.transform == PLACE
        assert file.tags()["RSFUSE_COREG"] == "affine"
    # pixel p of the result shows p + d(p) of the file: that file lies where the inverse takes its corners
    there = Affine(1 + LINEAR[0, 0], LINEAR[0, 1], OFFSET[0], LINEAR[1, 0], 1 + LINEAR[1, 1], OFFSET[1])
    theirs = np.zeros_like(values)
    places = {"src_transform": PLACE * ~there, "src_crs": "EPSG:32722", "dst_transform": PLACE, "dst_crs": "EPSG:32722"}
    reproject(values, theirs, src_nodata=0, dst_nodata=0, resampling=Resampling.bilinear, tolerance=1e-4, **places)
    np.testing.assert_allclose(ours[mask], theirs[mask], rtol=2e-4)
    assert (mask != (theirs > 0)).mean() < 0.002


def test_what_lay_aside_lies_well(align, write_raster):
    ground = smooth(3)
    rows, columns = np.indices((SIDE, SIDE)) + 0.5
    there = np.linalg.inv(np.eye(2) + LINEAR)
    x, y = np.tensordot(there, np.stack([columns - OFFSET[0], rows - OFFSET[1]]), 1)
    seen = ndimage.map_coordinates(ground, [y - 0.5, x - 0.5], order=3)  # q shows what lies at p, where q = p + d(p)
    with rasterio.open(align(write_raster("sar.tif", seen[None]), affine())) as file:
        inner = np.s_[30:-30, 30:-30]
        away, before = (np.abs(each - ground)[inner] for each in (file.read(1), seen))
    assert np.percentile(away, 99) < 0.05 * np.percentile(before, 99)


def test_decibels_are_mixed_in_power(align, write_raster):
    values = np.where(np.indices((SIDE, SIDE))[1] % 2, 20.0, 0.0)[None].astype("f4") - 30
    correction = affine(np.zeros((2, 2)), np.array([0.5, 0.0]))
    with rasterio.open(align(write_raster("sar.tif", values), correction)) as file:
        inner = file.read(1)[10:-10, 10:-10]
    np.testing.assert_allclose(inner, 10 * np.log10((1 + 100) / 2) - 30, atol=1e-3)
    with rasterio.open(align(write_raster("power.tif", values + 31), correction)) as file:
        np.testing.assert_allclose(file.read(1)[10:-10, 10:-10], 11, atol=1e-3)


@pytest.mark.parametrize(
    ("dtype", "nodata", "flags"),
    [("u1", None, MaskFlags.per_dataset), ("u2", 0, MaskFlags.nodata), ("f4", None, MaskFlags.nodata)],
)
def test_what_comes_from_beyond_the_edge_is_no_data(align, write_raster, dtype, nodata, flags):
    values = smooth().clip(1, 250).astype(dtype)[None]
    sar = write_raster("sar.tif", values, **({} if nodata is None else {"nodata": nodata}))
    with rasterio.open(align(sar, affine(np.zeros((2, 2)), np.array([20.0, -8.0])))) as file:
        assert file.dtypes == (np.dtype(dtype).name,)
        assert flags in file.mask_flag_enums[0]
        valid = file.read_masks(1) > 0
        np.testing.assert_array_equal(file.read(1)[8:, :-20], values[0, :-8, 20:])
    expected = np.zeros_like(valid)
    expected[8:, :-20] = True
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_without_coordinates_pixels_move(write_raster, tmp_path):
    values = smooth().clip(1, 250).astype("u1")[None]
    bare = {"crs": None, "transform": None}
    one, other = write_raster("a.tif", values, **bare), write_raster("b.tif", values, **bare)
    with Overlay(one, other) as overlay:
        write_aligned(overlay, same(5, 3), tmp_path / "aligned.tif", lambda done, total: None)
    with rasterio.open(tmp_path / "aligned.tif") as file:
        np.testing.assert_array_equal(file.read(1)[:-3, :-5], values[0, 3:, 5:])


def test_a_truncated_file_leaves_nothing_behind(optical, write_raster, tmp_path):
    sar = write_raster("sar.tif", smooth()[None])
    with Overlay(optical, sar) as overlay:
        content = sar.read_bytes()
        sar.write_bytes(content[: len(content) // 2])
        before = set(tmp_path.iterdir())
        with pytest.raises(RsfuseError):
            write_aligned(overlay, affine(), tmp_path / "aligned.tif", lambda done, total: None)
    assert set(tmp_path.iterdir()) == before
