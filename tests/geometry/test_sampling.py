"""Values between pixels: those of gdalwarp, the same bits whatever part of the image was read."""

import numpy as np
import pytest
from affine import Affine
from rasterio import warp
from rasterio.crs import CRS
from rasterio.enums import Resampling
from scipy import ndimage

from rsfuse.geometry.sampling import Part, sample, with_neighbours

KERNELS = ["nearest", "bilinear", "cubic"]
SHAPE = 80, 90
random = np.random.default_rng(0)
PIXELS = (random.random((2, *SHAPE)) * 100 + 1).astype("f4")
VALID = random.random(SHAPE) > 0.03
VALID[20:40, 30:50] = VALID[:10, :7] = False
TURNED = Affine.translation(5.3, -4.1) * Affine.rotation(17) * Affine.scale(0.9)


def places(turn=TURNED, height=110, width=120):
    """Columns and rows of an image that is turned, and sticks out of the other on all sides."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return turn * (columns, rows)


def of_whole(kernel, valid=None, pixels=PIXELS, turn=TURNED):
    return sample(Part(pixels, valid, (0, 0), SHAPE), *places(turn), kernel)


def of_gdal(kernel, pixels, nodata):
    crs = CRS.from_epsg(32650)
    warped = np.full((2, 110, 120), -9, "f4")
    warp.reproject(
        *(pixels, warped),
        **{"src_crs": crs, "dst_crs": crs, "src_transform": Affine.identity(), "dst_transform": TURNED},
        **{"src_nodata": nodata, "dst_nodata": -9, "resampling": Resampling[kernel], "tolerance": 0},
        **{"XSCALE": "1", "YSCALE": "1"},  # or else it guesses that the image shrinks, and widens the kernel
    )
    return warped, warped[0] != -9


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("valid", [None, VALID])
def test_is_what_gdal_makes_of_it(kernel, valid):
    values, found = of_whole(kernel, valid)
    expected, gdal_found = of_gdal(kernel, PIXELS if valid is None else np.where(VALID, PIXELS, -1), -1)
    np.testing.assert_array_equal(found, gdal_found)
    np.testing.assert_allclose(values[:, found], expected[:, found], atol=1e-4)
    assert (values[:, ~found] == 0).all()


def test_bilinear_is_what_scipy_makes_of_it():
    values, found = of_whole("bilinear")
    columns, rows = places()
    expected = ndimage.map_coordinates(PIXELS[0].astype(float), (rows - 0.5, columns - 0.5), order=1, mode="nearest")
    np.testing.assert_allclose(values[0][found], expected[found], atol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("valid", [None, VALID])
def test_the_part_that_was_read_does_not_show(kernel, valid):
    values, found = of_whole(kernel, valid)
    columns, rows = places()
    for top, left in ((0, 0), (31, 17), (50, 60)):
        here = np.s_[top : top + 23, left : left + 29]
        spans = tuple(
            (int(np.floor(along[here].min())), int(np.floor(along[here].max())) + 1) for along in (rows, columns)
        )
        read = with_neighbours(spans, SHAPE, kernel)
        cut = tuple(slice(*span) for span in read)
        part = Part(PIXELS[:, *cut], None if valid is None else valid[cut], (read[0][0], read[1][0]), SHAPE)
        part_values, part_found = sample(part, columns[here], rows[here], kernel)
        np.testing.assert_array_equal(part_found, found[here])
        np.testing.assert_array_equal(part_values, values[:, *here])


@pytest.mark.parametrize("kernel", KERNELS)
def test_holes_elsewhere_do_not_show(kernel):
    values, _ = of_whole(kernel)
    masked, found = of_whole(kernel, VALID)
    columns, rows = places()
    widened = ndimage.binary_erosion(VALID, iterations=1, structure=np.ones((7, 7)), border_value=1)
    clear = found & widened[rows.astype(int).clip(0, 79), columns.astype(int).clip(0, 89)]
    assert 0.1 < clear.sum() / found.sum() < 0.9
    np.testing.assert_array_equal(masked[:, clear], values[:, clear])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("filling", [np.nan, np.inf, -1e38])
def test_what_stands_where_there_are_no_data_does_not_show(kernel, filling):
    values, found = of_whole(kernel, VALID)
    filled, filled_found = of_whole(kernel, VALID, np.where(VALID, PIXELS, filling).astype("f4"))
    np.testing.assert_array_equal(filled_found, found)
    np.testing.assert_array_equal(filled, values)


@pytest.mark.parametrize("kernel", KERNELS)
def test_integers_are_sampled_as_they_are(kernel):
    whole = PIXELS.astype("u2")
    np.testing.assert_array_equal(of_whole(kernel, pixels=whole)[0], of_whole(kernel, pixels=whole.astype("f4"))[0])


@pytest.mark.parametrize("kernel", ["bilinear", "cubic"])
def test_where_all_pixels_are_the_same_so_is_what_lies_between(kernel):
    values, found = of_whole(kernel, pixels=np.full((2, *SHAPE), 1013.7, "f4"))
    inner = ndimage.binary_erosion(found, iterations=3)
    assert (values[:, inner] == np.float32(1013.7)).all()


def test_cubic_goes_through_a_parabola():
    rows, columns = np.indices(SHAPE)
    curved = (0.3 * (columns - 40.0) ** 2 - 0.2 * (rows - 30.0) ** 2 + 0.1 * rows * columns)[None]
    column, row = np.array([[20.25, 33.8, 60.0]]), np.array([[50.1, 41.5, 22.9]])
    values, _ = sample(Part(curved.astype("f4"), None, (0, 0), SHAPE), column, row, "cubic")
    across, down = column - 0.5, row - 0.5
    expected = 0.3 * (across - 40) ** 2 - 0.2 * (down - 30) ** 2 + 0.1 * across * down
    np.testing.assert_allclose(values[0], expected, atol=1e-3)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_middle_of_a_pixel_is_the_pixel(kernel):
    rows, columns = np.mgrid[:80, :90] + 0.5
    values, found = sample(Part(PIXELS, VALID, (0, 0), SHAPE), columns, rows, kernel)
    np.testing.assert_array_equal(found, VALID)
    np.testing.assert_allclose(values[:, found], PIXELS[:, VALID], rtol=1e-6)


def test_the_image_ends_at_the_outer_edges_of_its_pixels():
    columns = np.array([[-1e-9, 0, 45, 90, 90 + 1e-9, np.nan, np.inf, 45, 45, 45]])
    rows = np.array([[40, 40, 40, 40, 40, 40, 40, 0, 80, -np.inf]])
    expected = [[False, True, True, True, False, False, False, True, True, False]]
    for kernel in KERNELS:
        np.testing.assert_array_equal(sample(Part(PIXELS, None, (0, 0), SHAPE), columns, rows, kernel)[1], expected)
    nowhere, found = sample(Part(PIXELS, None, (0, 0), SHAPE), columns[:, :1], rows[:, :1], "cubic")
    assert not found.any()
    assert not nowhere.any()


def test_one_pixel_with_data_is_enough_for_the_places_in_it():
    valid = np.zeros(SHAPE, bool)
    valid[7, 9] = True
    for kernel in KERNELS:
        columns, rows = np.meshgrid(np.arange(8.6, 11, 0.25), np.arange(6.6, 9, 0.25))
        values, found = sample(Part(PIXELS, valid, (0, 0), SHAPE), columns, rows, kernel)
        np.testing.assert_array_equal(found, (np.floor(columns) == 9) & (np.floor(rows) == 7))
        np.testing.assert_allclose(values[0][found], PIXELS[0, 7, 9], rtol=1e-6)


@pytest.mark.parametrize(("kernel", "least"), [("nearest", 30), ("bilinear", 29), ("cubic", 28)])
def test_a_part_without_the_neighbours_is_refused(kernel, least):
    rows, columns = np.full((1, 1), 40.2), np.full((1, 1), 30.2)
    assert with_neighbours(((40, 41), (30, 31)), SHAPE, kernel)[1][0] == least
    for start in (least, least + 1 + (kernel == "nearest")):
        part = Part(PIXELS[:, 30:50, start:60], None, (30, start), SHAPE)
        if start == least:
            sample(part, columns, rows, kernel)
        else:
            with pytest.raises(ValueError, match=f"{kernel} needs pixels"):
                sample(part, columns, rows, kernel)


@pytest.mark.parametrize(("kernel", "past"), [("nearest", 31), ("bilinear", 32), ("cubic", 33)])
def test_nor_is_one_without_those_on_the_other_side(kernel, past):
    rows, columns = np.full((1, 1), 40.8), np.full((1, 1), 30.8)
    sample(Part(PIXELS[:, 30:50, 20:past], None, (30, 20), SHAPE), columns, rows, kernel)
    with pytest.raises(ValueError, match="axis 1"):
        sample(Part(PIXELS[:, 30:50, 20 : past - 1], None, (30, 20), SHAPE), columns, rows, kernel)
    with pytest.raises(ValueError, match="axis 0"):
        sample(Part(PIXELS[:, 20 : past + 9, 20:50], None, (20, 20), SHAPE), columns, rows, kernel)


def test_what_to_read_is_cut_to_the_image():
    assert with_neighbours(((-3, 5), (85, 95)), SHAPE, "cubic") == ((0, 7), (83, 90))
    (first, past), _ = with_neighbours(((200, 220), (3, 5)), SHAPE, "bilinear")
    assert first == past
