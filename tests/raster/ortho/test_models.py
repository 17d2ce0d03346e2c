from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.rpc import RPC

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.opening import open_raster, quiet
from rsfuse.raster.ortho.models import GcpModel, GridModel, between, model_of

LONLAT, UTM = CRS.from_epsg(4326), CRS.from_epsg(32650)
TURNED = Affine(9.5, 2.0, 500_000, 1.5, -10.5, 4_400_000)


def points_at(columns, rows, ground, height=0.0):
    """Control points at all crossings of some columns and rows, where a function says."""
    return [
        GroundControlPoint(row=float(row), col=float(column), x=float(x), y=float(y), z=height)
        for row in rows
        for column in columns
        for x, y in [ground(column, row)]
    ]


def bent(column, row):
    """A place on the ground that no plane knows."""
    x, y = TURNED * (column, row)
    return x + 40 * np.sin(column / 300) * np.cos(row / 200), y + 60 * (row / 500) ** 2


def anywhere(count, width=1000, height=800):
    generator = np.random.default_rng(5)
    return generator.uniform(0, width, count), generator.uniform(0, height, count), np.zeros(count)


def text_rpc(shape=(60, 80)):
    """Polynomials that place an image of some shape near 117 degrees east and 40 north."""
    one = [1.0] + [0.0] * 19
    line, sample = [0.0] * 20, [0.0] * 20
    line[2], line[3], sample[1], sample[3] = -1.0, 0.02, 1.0, 0.03
    return RPC(
        err_bias=1.0, err_rand=0.5, height_off=100.0, height_scale=500.0, lat_off=40.0, lat_scale=0.01, long_off=117.0,
        long_scale=0.01, line_off=shape[0] / 2, line_scale=shape[0] / 2, samp_off=shape[1] / 2,
        samp_scale=shape[1] / 2, line_num_coeff=line, line_den_coeff=one, samp_num_coeff=sample, samp_den_coeff=one,
    )  # fmt: skip


def write(path, **profile):
    with (
        quiet(),
        rasterio.open(path, "w", driver="GTiff", height=60, width=80, count=1, dtype="uint8", **profile) as file,
    ):
        file.write(np.ones((1, 60, 80), np.uint8))
    return path


def told_by(path):
    with open_raster(path) as file:
        return model_of(file)


def test_a_grid_places_pixels_as_its_transform_says():
    model = GridModel(Grid(UTM, TURNED, (800, 1000)))
    columns, rows, heights = anywhere(50)
    x, y = model.to_ground(columns, rows, heights)
    assert (x[7], y[7]) == pytest.approx(TURNED * (columns[7], rows[7]), abs=1e-9)
    back = model.to_image(x, y, heights)
    np.testing.assert_allclose(back, (columns, rows), atol=1e-6)


def test_a_place_a_turn_farther_is_the_same_pixel_of_a_grid_in_degrees():
    model = GridModel(Grid(LONLAT, Affine(0.01, 0, 175, 0, -0.01, 10), (100, 1000)))
    columns, rows = model.to_image(np.array([-179.5, 180.5]), np.array([9.5, 9.5]), np.zeros(2))
    np.testing.assert_allclose(columns, 550, atol=1e-9)
    np.testing.assert_allclose(rows, 50, atol=1e-9)


@pytest.mark.parametrize(
    "made",
    [
        lambda: GridModel(Grid(UTM, TURNED, (800, 1000))),
        lambda: GcpModel(points_at(range(0, 1001, 200), range(0, 801, 200), bent), UTM),
        lambda: GcpModel(points_at((0, 1000), (0, 800), bent), UTM),
    ],
    ids=["grid", "spline", "plane"],
)
def test_blocks_that_became_pixels_lie_where_they_lay(made):
    model = made()
    columns, rows, heights = anywhere(50)
    x, y = model.to_ground(columns, rows, heights)
    smaller = model.reduced(2, 4).reduced(3, 1)
    np.testing.assert_allclose(smaller.to_ground(columns / 4, rows / 6, heights), (x, y), rtol=0, atol=1e-6)
    across, down = model.to_image(x, y, heights)
    np.testing.assert_allclose(smaller.to_image(x, y, heights), (across / 4, down / 6), atol=1e-6)
    assert smaller.crs == model.crs
    assert not smaller.heeds_height


@pytest.mark.parametrize("columns", [(0, 1000), range(0, 1001, 200)], ids=["plane", "spline"])
def test_control_points_of_a_plane_give_it_back(columns):
    model = GcpModel(points_at(columns, (0, 400, 800)[:: 2 if len(columns) == 2 else 1], lambda *at: TURNED * at), UTM)
    across, down, heights = anywhere(50)
    x, y = TURNED * (across, down)
    np.testing.assert_allclose(model.to_image(x, y, heights), (across, down), atol=1e-6)
    np.testing.assert_allclose(model.to_ground(across, down, heights), (x, y), rtol=0, atol=1e-5)


def test_few_control_points_are_missed_by_as_little_as_a_plane_can():
    points = points_at((0, 1000), (0, 800), lambda *at: TURNED * at)
    points[0] = GroundControlPoint(row=0, col=0, x=points[0].x + 8, y=points[0].y - 4, z=0)
    x, y = GcpModel(points, UTM).to_ground(np.array([0.0, 1000]), np.array([0.0, 800]), np.zeros(2))
    # the twist of four corners is beyond a plane, and shared out among them
    np.testing.assert_allclose(x - [points[0].x, points[3].x], [-2, -2], atol=1e-6)
    np.testing.assert_allclose(y - [points[0].y, points[3].y], [1, 1], atol=1e-6)


def test_a_spline_goes_through_its_control_points():
    points = points_at(range(0, 1001, 100), range(0, 801, 100), bent)
    model = GcpModel(points, UTM)
    x, y = np.array([(point.x, point.y) for point in points]).T
    at = np.array([(point.col, point.row) for point in points]).T
    np.testing.assert_allclose(model.to_image(x, y, np.zeros_like(x)), at, atol=1e-6)


@pytest.mark.skipif(shutil.which("gdaltransform") is None, reason="needs gdaltransform")
def test_a_spline_is_that_of_gdal(tmp_path):
    points = points_at(range(0, 1001, 200), range(0, 801, 200), bent)
    path = write(tmp_path / "scan.tif", gcps=points, crs=UTM)
    columns, rows, heights = anywhere(30)
    x, y = TURNED * (columns, rows)
    given = "".join(f"{at[0]!r} {at[1]!r}\n" for at in zip(x.tolist(), y.tolist(), strict=True))
    told = subprocess.run(
        ["gdaltransform", "-tps", "-i", "-output_xy", str(path)],
        input=given,
        text=True,
        capture_output=True,
        check=True,
    )
    theirs = np.array([line.split() for line in told.stdout.splitlines()], float).T
    np.testing.assert_allclose(told_by(path).to_image(x, y, heights), theirs, atol=1e-4)


@pytest.mark.parametrize("columns", [(0, 1000), range(0, 1001, 200)], ids=["plane", "spline"])
def test_control_points_may_lie_on_both_sides_of_the_180th_meridian(columns):
    def ground(column, row):
        longitude = 179.9 + column / 5000
        return longitude - 360 * (longitude > 180), 10 - row / 5000

    model = GcpModel(points_at(columns, (0, 800), ground), LONLAT)
    across, down = model.to_image(np.array([179.95, -179.95, 180.05]), np.full(3, 9.9), np.zeros(3))
    np.testing.assert_allclose(across, [250, 750, 750], atol=1e-6)
    np.testing.assert_allclose(down, 500, atol=1e-6)


def test_threads_share_a_spline():
    model = GcpModel(points_at(range(0, 1001, 100), range(0, 801, 100), bent), UTM)
    columns, rows, heights = anywhere(2000)
    x, y = TURNED * (columns, rows)
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(model.to_image, x, y, heights) for _ in range(8)]
    alone = model.to_image(x, y, heights)
    assert all(np.array_equal(one.result(), alone) for one in found)


def test_a_point_finds_its_pixel_whoever_asks_along():
    model = GcpModel(points_at(range(0, 1001, 100), range(0, 801, 100), bent), UTM)
    columns, rows, heights = anywhere(60)
    x, y = TURNED * (columns, rows)
    whole = model.to_image(x.reshape(6, 10), y.reshape(6, 10), heights.reshape(6, 10))
    assert np.array_equal(
        np.array(whole)[:, 2:4, 3:8], model.to_image(*np.array((x, y)).reshape(2, 6, 10)[:, 2:4, 3:8], heights)
    )


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (points_at((0, 9), (0,), bent), "2 control points are too few"),
        (points_at((0, 9), (0,), bent) * 4, "2 control points are too few"),
        (points_at(range(9), (5,), bent), "9 control points lie on one line in the image"),
        (points_at(range(3), range(3), lambda c, r: (c + r, c + r)), "lie on one line on the ground"),
        (points_at((0, 9), (0, 9), bent) + points_at((0,), (0,), lambda c, r: (7, 7)), "share a place in the image"),
    ],
    ids=["two", "two repeated", "line", "line on the ground", "contradiction"],
)
def test_control_points_that_tie_nothing_are_refused(points, said):
    with pytest.raises(SceneError, match=said):
        GcpModel(points, UTM)


def test_a_file_is_placed_by_what_it_has(tmp_path):
    grid = told_by(write(tmp_path / "grid.tif", crs=UTM, transform=TURNED, rpcs=text_rpc()))
    assert grid == GridModel(Grid(UTM, TURNED, (60, 80)))
    assert isinstance(told_by(write(tmp_path / "rpc.tif", rpcs=text_rpc())), RationalModel)
    assert isinstance(told_by(write(tmp_path / "crs.tif", crs=LONLAT, rpcs=text_rpc())), RationalModel)
    gcps = points_at((0, 40, 80), (0, 60), bent)
    assert isinstance(told_by(write(tmp_path / "gcps.tif", gcps=gcps, crs=UTM)), GcpModel)
    assert told_by(write(tmp_path / "nothing.tif")) is None


def test_a_refusal_names_the_file(tmp_path):
    path = write(tmp_path / "line.tif", gcps=points_at(range(0, 80, 10), (5,), bent), crs=UTM)
    with pytest.raises(SceneError, match=r"line\.tif: all 8 control points lie on one line"):
        told_by(path)


@pytest.mark.parametrize("ending", [".rpc", ".RPB"])
def test_polynomials_may_lie_beside_a_file(tmp_path, ending):
    path = write(tmp_path / "scene.tif")
    rpc = text_rpc()
    lines = [f"{key} = {value};" for key, value in (
        ("errBias", 1.0), ("errRand", 0.5), ("lineOffset", rpc.line_off), ("sampOffset", rpc.samp_off),
        ("latOffset", 40.0), ("longOffset", 117.0), ("heightOffset", 100.0), ("lineScale", rpc.line_scale),
        ("sampScale", rpc.samp_scale), ("latScale", 0.01), ("longScale", 0.01), ("heightScale", 500.0),
    )]  # fmt: skip
    for name, numbers in (
        ("lineNumCoef", rpc.line_num_coeff), ("lineDenCoef", rpc.line_den_coeff),
        ("sampNumCoef", rpc.samp_num_coeff), ("sampDenCoef", rpc.samp_den_coeff),
    ):  # fmt: skip
        lines.append(f"{name} = (\n" + ",\n".join(f"\t\t\t{number:.12E}" for number in numbers) + ");")
    text = 'satId = "GF3";\nbandId = "P";\nSpecId = "RPC00B";\nBEGIN_GROUP = IMAGE\n\t' + "\n\t".join(lines)
    path.with_suffix(ending).write_text(text + "\nEND_GROUP = IMAGE\nEND;\n")
    model = told_by(path)
    columns, rows = model.to_image(np.array([117.0]), np.array([40.0]), np.array([100.0]))
    assert (columns.item(), rows.item()) == pytest.approx((40.5, 30.5))


def test_points_without_a_place_do_not_spoil_the_others():
    x, y = np.array([[117.0, 117.1], [np.nan, 500.0]]), np.array([[40.0, 40.1], [40.0, 400.0]])
    there = np.array(between(LONLAT, UTM)(x, y))
    assert np.isnan(there[:, 1]).all()
    np.testing.assert_allclose(between(UTM, LONLAT)(*there[:, :1]), [x[:1], y[:1]], atol=1e-9)
