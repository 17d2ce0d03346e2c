from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.opening import quiet
from rsfuse.raster.ortho.models import GcpModel, GridModel
from rsfuse.raster.ortho.target import (
    Footprint,
    check_reach,
    coarsened,
    default_gsd,
    grid_like,
    natural_gsd,
    snapped_grid,
    source_coarseness,
    utm_of,
)

LONLAT, UTM, MERCATOR = CRS.from_epsg(4326), CRS.from_epsg(32650), CRS.from_epsg(3857)
SHAPE = (300, 200)
TURNED = Affine.translation(500_003, 4_400_007) * Affine.rotation(20) * Affine.scale(8, -8)


def footprint(transform, crs=UTM, shape=SHAPE):
    return Footprint.of(GridModel(Grid(crs, transform, shape)), shape, 0)


def askance():
    """Polynomials of an image of 300 x 200 px, 8 m each, shifted 0.25 px to the right by each metre of height."""
    one, line, sample = [1.0] + [0.0] * 19, [0.0] * 20, [0.0] * 20
    line[2], sample[1], sample[3] = -1.0, 1.0, 0.25 * 500 / 100
    return RationalModel(
        RPC(
            err_bias=None, err_rand=None, height_off=0.0, height_scale=500.0, lat_off=40.0, lat_scale=1200 / 111_033,
            long_off=117.0, long_scale=800 / 85_394, line_off=149.5, line_scale=150.0, samp_off=99.5, samp_scale=100.0,
            line_num_coeff=line, line_den_coeff=one, samp_num_coeff=sample, samp_den_coeff=one,
        )
    )  # fmt: skip


def on_gsd(value, gsd):
    return value / gsd == pytest.approx(round(value / gsd), abs=1e-6)


def test_a_snapped_grid_holds_the_image_with_less_than_a_pixel_to_spare():
    grid = snapped_grid([footprint(TURNED)], UTM, 7.5)
    box, edge = Grid(UTM, TURNED, SHAPE).bounds, grid.bounds
    assert all(on_gsd(value, 7.5) for value in edge)
    for outer, inner in zip((*edge[:2], -edge[2], -edge[3]), (*box[:2], -box[2], -box[3]), strict=True):
        assert inner - 7.5 < outer <= inner
    assert grid.transform[:2] == (7.5, 0)
    assert grid.transform[3:5] == (0, -7.5)


@pytest.mark.skipif(shutil.which("gdalwarp") is None, reason="needs gdalwarp")
@pytest.mark.parametrize(("crs", "gsd"), [("EPSG:32650", 10), ("EPSG:4326", 0.0001), ("EPSG:3857", 12.5)])
def test_a_snapped_grid_has_the_corner_of_gdalwarps(tmp_path, crs, gsd):
    path, warped = tmp_path / "turned.tif", tmp_path / "warped.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=300, width=200, count=1, dtype="uint8", crs=UTM, transform=TURNED
    ) as file:
        file.write(np.ones((1, *SHAPE), np.uint8))
    command = ["gdalwarp", "-q", "-tap", "-tr", str(gsd), str(gsd), "-t_srs", crs, str(path), str(warped)]
    subprocess.run(command, check=True)
    theirs, ours = grid_like(warped), snapped_grid([footprint(TURNED)], CRS.from_string(crs), gsd)
    assert ours.transform.almost_equals(theirs.transform, 1e-9)
    # gdalwarp rounds up to whole pixels twice, before and after it snaps
    assert all(0 <= their - our <= 1 for our, their in zip(ours.shape, theirs.shape, strict=True))


@pytest.mark.parametrize("tenths", [*range(1171, 1176), *range(-1175, -1170)])
def test_an_image_on_the_pixels_of_the_grid_gets_no_pixel_more(tenths):
    transform = Affine(0.1, 0, tenths / 10, 0, -0.1, 40.1)  # no multiple of 0.1 is one in binary
    grid = snapped_grid([footprint(transform, LONLAT, (30, 20))], LONLAT, 0.1)
    assert grid.shape == (30, 20)
    assert Grid(LONLAT, transform, (30, 20)).matches(grid, 1e-6)


def test_two_heights_of_a_slanting_image_widen_its_grid():
    model = askance()
    low, high = Footprint.of(model, SHAPE, 0), Footprint.of(model, SHAPE, 400)
    one, both = snapped_grid([low], UTM, 8), snapped_grid([low, high], UTM, 8)
    assert both.height == one.height
    assert both.width - one.width == pytest.approx(100, abs=1)
    assert both.bounds.right == one.bounds.right


def test_an_image_across_the_180th_meridian_has_a_grid_there():
    def ground(column, row):
        longitude = 179.9 + column / 1000
        return longitude - 360 * (longitude > 180), 10 - row / 1000

    at = [(column, row) for column in (0, 100, 200) for row in (0, 150, 300)]
    gcps = [GroundControlPoint(row=row, col=column, x=x, y=y) for column, row in at for x, y in [ground(column, row)]]
    outline = Footprint.of(GcpModel(gcps, LONLAT), SHAPE, 0)
    assert snapped_grid([outline], LONLAT, 0.001).shape == SHAPE
    assert outline.lonlat == pytest.approx((180, 9.85), abs=1e-6) or outline.lonlat[0] == pytest.approx(-180)
    east = footprint(Affine(0.001, 0, -180.05, 0, -0.001, 10), LONLAT)  # the same, told from the other side
    both = snapped_grid([outline, east], LONLAT, 0.001)
    assert both.shape == (300, 250)
    fiji = CRS.from_epsg(3460)
    assert max(snapped_grid([outline], fiji, 100).shape) < 350
    # half of the image, in grids that end there
    for left in (179.0, -181.0):
        there = Grid(LONLAT, Affine(0.01, 0, left, 0, -0.01, 10), (100, 100))
        assert check_reach(Path("a"), [outline], there) == pytest.approx(0.1 * 0.3, rel=0.01)


def test_a_grid_beyond_all_scenes_is_refused():
    with pytest.raises(SceneError, match=r"GSD of 0\.0001 makes a grid of \d+ x \d+ px in EPSG:32650"):
        snapped_grid([footprint(TURNED)], UTM, 0.0001)


def test_a_crs_that_is_not_valid_there_is_refused():
    pole = footprint(Affine(0.001, 0, 10, 0, -0.001, 90.5), LONLAT)
    with pytest.raises(GridMismatchError, match="EPSG:3857 is not valid at lon 10"):
        snapped_grid([pole], MERCATOR, 10)


def test_an_image_that_its_model_places_nowhere_is_refused():
    class Nowhere(GridModel):
        def to_ground(self, column, row, height):
            return column * np.nan, row * np.nan

    with pytest.raises(SceneError, match=r"300 x 200 px\) has no place on the ground at 12 m"):
        Footprint.of(Nowhere(Grid(UTM, TURNED, SHAPE)), SHAPE, 12)


def test_the_share_of_a_grid_that_an_image_covers_is_told():
    grid = Grid(UTM, Affine(10, 0, 500_000, 0, -10, 4_400_000), (200, 200))
    quarter, beside = Affine(10, 0, 499_000, 0, -10, 4_401_000), Affine(10, 0, 501_500, 0, -10, 4_402_000)
    parts = [footprint(quarter, shape=(200, 200)), footprint(beside, shape=(300, 50))]
    assert check_reach(Path("a"), parts[:1], grid) == pytest.approx(0.25)
    assert check_reach(Path("a"), parts, grid) == pytest.approx(0.25 + 0.125)
    lonlat = snapped_grid(parts[:1], LONLAT, 0.0001)
    assert check_reach(Path("a"), parts[:1], lonlat) == pytest.approx(1, abs=0.03)


def test_a_grid_of_another_place_is_refused_with_both_places():
    grid = Grid(UTM, Affine(10, 0, 600_000, 0, -10, 4_400_000), (200, 200))
    said = r"scene/a\.tiff lies elsewhere: it covers lon 117\.0.* to 117\.0.*, lat 39\.7.*, the grid lon 118\.1"
    with pytest.raises(GridMismatchError, match=said):
        check_reach(Path("scene/a.tiff"), [footprint(TURNED)], grid)


def test_a_grid_is_that_of_another_raster(tmp_path):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "height": 300, "width": 200, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=UTM, transform=TURNED, **profile):
        pass
    assert grid_like(path) == Grid(UTM, TURNED, SHAPE)
    with quiet(), rasterio.open(path, "w", **profile):
        pass
    with pytest.raises(SceneError, match=r"a\.tif has no CRS"):
        grid_like(path)


@pytest.mark.parametrize(
    ("lon", "lat", "code"),
    [
        (116.4, 39.9, 32650),
        (-95.9, 41.3, 32615),
        (147.3, -42.9, 32755),
        (-180, 0, 32601),
        (180, 1, 32601),
        (179.99, -1, 32760),
        (6, 60, 32632),
        (20, 84.01, 5041),
        (20, -80.01, 5042),
        (20, 84, 32634),
    ],
)
def test_a_place_has_its_zone(lon, lat, code):
    assert utm_of(lon, lat).to_epsg() == code


def test_the_middle_of_an_image_is_told():
    lon, lat = footprint(Affine(10, 0, 499_000, 0, -10, 4_429_700)).lonlat
    assert (lon, lat) == pytest.approx((117.0, 40.0), abs=0.01)


def test_larger_pixels_begin_where_the_finer_do_and_cover_them():
    grid = Grid(UTM, TURNED, (301, 200))
    wide = coarsened(grid, 4)
    assert wide.shape == (76, 50)
    assert wide.transform * (0, 0) == grid.transform * (0, 0)
    assert wide.transform * (50, 25) == pytest.approx(grid.transform * (200, 100))


@pytest.mark.parametrize("degrees", [0, 20, 90])
def test_the_natural_gsd_is_the_side_of_a_pixel_however_it_is_turned(degrees):
    transform = Affine.translation(500_000, 4_400_000) * Affine.rotation(degrees) * Affine.scale(8, -8)
    model = GridModel(Grid(UTM, transform, SHAPE))
    assert natural_gsd(model, SHAPE, UTM, 0) == pytest.approx((8, 8))
    x, y = natural_gsd(model, SHAPE, LONLAT, 0)
    assert (x * 85_700, y * 111_030) == pytest.approx((8, 8), rel=0.01)


def test_long_pixels_keep_their_sides():
    transform = Affine(3, 0, 500_000, 0, -12, 4_400_000)
    model = GridModel(Grid(UTM, transform, SHAPE))
    assert natural_gsd(model, SHAPE, UTM, 0) == pytest.approx((3, 12))
    assert default_gsd((3, 12), UTM) == 6


def test_degrees_do_not_jump_in_an_image_on_the_180th_meridian():
    model = GridModel(Grid(CRS.from_epsg(32760), Affine(8, 0, 833_178, 0, -8, 9_999_000), SHAPE))
    assert abs(Footprint.of(model, SHAPE, 0).lonlat[0]) == pytest.approx(180, abs=0.01)
    assert natural_gsd(model, SHAPE, LONLAT, 0) == pytest.approx((8 / 111_320, 8 / 110_600), rel=0.01)


def test_a_default_gsd_is_round():
    assert default_gsd((2.14, 2.08), UTM) == 2.1
    assert default_gsd((2.14, 2.08), UTM, 2) == 2
    assert default_gsd((2.4e-5, 1.83e-5), LONLAT) == 1.8e-5
    assert default_gsd((2.4e-5, 1.83e-5), LONLAT, 2) == 1.8e-5
    assert default_gsd((9, 9), CRS.from_epsg(2263), 2) == pytest.approx(2 / 0.3048006)  # US survey feet


def test_coarseness_counts_pixels_of_the_image_in_one_of_the_grid():
    model = GridModel(Grid(UTM, Affine(3, 0, 500_000, 0, -12, 4_400_000), SHAPE))
    grid = Grid(UTM, Affine(24, 0, 400_000, 0, -24, 4_500_000), (9, 9))  # lies elsewhere: the image's centre decides
    assert source_coarseness(grid, model, SHAPE, 0) == pytest.approx((2, 8))
    assert source_coarseness(grid, model.reduced(2, 8), (150, 25), 0) == pytest.approx((1, 1))
    turned = Grid(UTM, Affine(0, 24, 400_000, 24, 0, 4_500_000), (9, 9))
    assert source_coarseness(turned, model, SHAPE, 0) == pytest.approx((2, 8))
    lonlat = Grid(LONLAT, Affine(16 / 85_394, 0, 110, 0, -16 / 111_033, 50), (9, 9))
    assert source_coarseness(lonlat, askance(), SHAPE, 300) == pytest.approx((2, 2), rel=1e-6)
