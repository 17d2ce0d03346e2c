"""Rational polynomials: the same as GDAL's, there and back, on both sides of the date line."""

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.rpc import RPC
from rasterio.transform import RPCTransformer
from rasterio.warp import reproject, transform
from scipy import ndimage

from rsfuse.geometry.grid import Grid
from rsfuse.geometry.lattice import Lattice
from rsfuse.geometry.rational import RationalModel
from rsfuse.geometry.sampling import Part, sample


def rational(longitude=116.5, seed=0, **changed):
    """A synthetic image of 6000 x 5000 pixels, a little turned, with all twenty terms of each polynomial."""
    random = np.random.default_rng(seed)
    columns, rows, across, down = random.normal(0, 3e-4, (4, 20))
    columns[:4] = 0.002, 1.0, 0.12, -0.02
    rows[:4] = -0.001, 0.11, -1.02, 0.015
    across[0] = down[0] = 1
    numbers = {
        "height_off": 400.0,
        "height_scale": 500.0,
        "lat_off": 39.4,
        "lat_scale": 0.15,
        "long_off": longitude,
        "long_scale": 0.19,
        "line_off": 2999.3,
        "line_scale": 3001.0,
        "samp_off": 2500.7,
        "samp_scale": 2502.0,
        "line_num_coeff": rows.tolist(),
        "line_den_coeff": down.tolist(),
        "samp_num_coeff": columns.tolist(),
        "samp_den_coeff": across.tolist(),
    }
    return RationalModel(RPC(**(numbers | changed)))


def points(model, count=500):
    random = np.random.default_rng(1)
    x = model.rpc.long_off + random.uniform(-0.19, 0.19, count)
    return (x + 180) % 360 - 180, random.uniform(39.25, 39.55, count), random.uniform(-100, 900, count)


@pytest.mark.parametrize("longitude", [116.5, 179.95, -179.95])
def test_is_the_same_as_gdals(longitude):
    model = rational(longitude)
    x, y, height = points(model)
    with RPCTransformer(model.rpc, RPC_PIXEL_ERROR_THRESHOLD=1e-7) as gdal:
        rows, columns = gdal.rowcol(x, y, height, op=lambda value: value)
        back = gdal.xy(rows, columns, height, offset="ul")
    np.testing.assert_allclose(model.to_image(x, y, height), (columns, rows), atol=1e-6)
    # a millionth of a pixel is 7e-11 degrees
    np.testing.assert_allclose(model.to_ground(np.array(columns), np.array(rows), height), back, rtol=0, atol=1e-10)


@pytest.mark.parametrize("longitude", [116.5, 179.95])
@pytest.mark.parametrize("height_m", [-100.0, 0.0, 400.0, 2900.0])
def test_there_and_back_is_the_same_place(longitude, height_m):
    model = rational(longitude)
    rows, columns = np.meshgrid(np.linspace(0, 6000, 13), np.linspace(0, 5000, 11), indexing="ij")
    height = np.full_like(rows, height_m)
    there = model.to_ground(columns, rows, height)
    np.testing.assert_allclose(model.to_image(*there, height), (columns, rows), atol=1e-6)


def test_the_middle_of_the_first_pixel_is_at_a_half():
    straight = {"line_num_coeff": [0, 0, -1, 0], "samp_num_coeff": [0, 1, 0, 0]}
    straight |= {"line_den_coeff": [1, 0, 0, 0], "samp_den_coeff": [1, 0, 0, 0]}
    model = rational(line_off=0.0, samp_off=0.0, **{name: [*four, *[0] * 16] for name, four in straight.items()})
    column, row = model.to_image(np.array([116.5]), np.array([39.4]), np.array([0.0]))
    assert (column, row) == (0.5, 0.5)
    assert not model.heeds_height
    assert rational().heeds_height


def test_a_point_does_not_depend_on_those_it_is_asked_with():
    model = rational()
    x, y, height = points(model)
    image = model.to_image(x, y, height)
    ground = model.to_ground(*image, height)
    for one in range(0, 40):
        alone = np.s_[one : one + 1]
        np.testing.assert_array_equal(model.to_image(x[alone], y[alone], height[alone]), np.array(image)[:, alone])
        np.testing.assert_array_equal(
            model.to_ground(image[0][alone], image[1][alone], height[alone]), np.array(ground)[:, alone]
        )


def test_what_lies_far_off_is_not_in_the_image():
    # cubic terms bring the line back into the image far away, as they do in delivered coefficients
    model = rational()
    curved = [*model.rpc.line_num_coeff[:15], 0.09, *model.rpc.line_num_coeff[16:]]
    model = rational(line_num_coeff=curved)
    x, height = np.full(3, 116.5), np.full(3, 400.0)
    y = 39.4 + 0.15 * np.array([0.9, 3.4, 30])
    with RPCTransformer(model.rpc) as gdal:
        ghost = gdal.rowcol(x, y, height)[0][1]
    assert 0 < ghost < 6000
    _, rows = model.to_image(x, y, height)
    np.testing.assert_array_equal(np.isnan(rows), [False, True, True])


def test_a_place_that_no_point_of_the_ground_is_seen_at_has_none():
    x, y = rational().to_ground(np.array([100.0, 1e9, np.nan]), np.array([100.0, 1e9, 5.0]), np.zeros(3))
    np.testing.assert_array_equal(np.isnan(x), [False, True, True])
    np.testing.assert_array_equal(np.isnan(y), [False, True, True])


def test_reduced_is_the_model_of_blocks():
    model = rational()
    columns, rows = model.to_image(*points(model))
    few_columns, few_rows = model.reduced(rows=3, columns=2).to_image(*points(model))
    np.testing.assert_allclose(few_columns, columns / 2, atol=1e-9)
    np.testing.assert_allclose(few_rows, rows / 3, atol=1e-9)


def test_heights_are_those_the_model_was_made_for():
    assert rational().heights == (-100, 900)


def image(rows, columns):
    """Fields and houses, as sharp as images are."""
    noise = np.random.default_rng(2).normal(0, 1, (1, rows, columns))
    return (500 + 2000 * ndimage.gaussian_filter(noise, (0, 1.2, 1.2))).astype("f4")


def laid_by_gdal(pixels, model, grid, kernel, height_m):
    """In strips: along rows it errs by an eighth of a pixel at most, the less the shorter they are."""
    strips = []
    for left in range(0, grid.width, 20):
        strip = np.full((1, grid.height, 20), -1, "f4")
        reproject(
            *(pixels, strip),
            **{"rpcs": model.rpc, "src_crs": model.crs, "dst_crs": grid.crs, "dst_nodata": -1},
            **{"dst_transform": grid.transform * Affine.translation(left, 0), "resampling": Resampling[kernel]},
            **{"RPC_HEIGHT": height_m},
            **{"XSCALE": "1", "YSCALE": "1"},  # or else it guesses that the image shrinks, and widens the kernel
        )
        strips.append(strip)
    return np.concatenate(strips, axis=2)


@pytest.mark.parametrize("kernel", ["nearest", "bilinear", "cubic"])
@pytest.mark.parametrize("height_m", [400.0, 1300.0])
def test_an_image_laid_on_the_ground_is_what_gdal_makes_of_it(kernel, height_m):
    model = rational().reduced(rows=15, columns=15)
    pixels = image(400, 333)
    lonlat, utm = CRS.from_epsg(4326), CRS.from_epsg(32650)
    (left,), (top,) = transform(lonlat, utm, [116.3], [39.56])
    grid = Grid(utm, Affine(80, 0, left, 0, -80, top), (450, 420))

    def to_lonlat(x, y):
        return tuple(np.array(along).reshape(x.shape) for along in transform(utm, lonlat, x.ravel(), y.ravel()))

    lattice = Lattice(grid, model, to_lonlat, height_m, height_m)
    part = Part(pixels, None, (0, 0), pixels.shape[1:])
    values, found = sample(part, *lattice.coordinates((0, 450), (0, 420), None), kernel)
    expected = laid_by_gdal(pixels, model, grid, kernel, height_m)
    both = found & (expected[0] != -1)
    assert 0.3 < both.mean() < 0.9
    assert (found != (expected[0] != -1)).mean() < 1e-4
    difference = np.abs(values - expected)[:, both]
    if kernel == "nearest":
        assert (difference > 0).mean() < 1e-3
    else:
        assert np.quantile(difference, 0.99) < 1e-3 * np.ptp(pixels)
