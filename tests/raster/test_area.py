"""Area: which part of a scene bounds and polygons leave."""

import math
import pickle

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from hypothesis import assume, given
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely import Polygon, box

from rsfuse.errors import GridMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.raster.area import crop

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
GRID = Grid(CRS.from_string("EPSG:32722"), PLACE, (40, 60))


@pytest.fixture
def draw(tmp_path):
    """A function from shapes in pixels to the path of a file."""

    def make(*shapes):
        on_map = [shapely.transform(shape, lambda at: np.stack(PLACE * (at[:, 0], at[:, 1]), 1)) for shape in shapes]
        pyogrio.raw.write(
            tmp_path / "crop.gpkg", shapely.to_wkb(np.array([*on_map, None], object)[:-1]), [], [],
            geometry_type="Polygon", crs="EPSG:32722",
        )  # fmt: skip
        return tmp_path / "crop.gpkg"

    return make


def test_without_bounds_or_polygons_it_is_all_of_the_scene():
    area = crop(GRID)
    assert area.window == Window(0, 0, 60, 40)
    assert area.mask(area.window) is None


QUARTERS = st.integers(-80, 320)


@given(xs=st.tuples(QUARTERS, QUARTERS), ys=st.tuples(QUARTERS, QUARTERS))
def test_bounds_take_every_pixel_that_they_cut(xs, ys):
    assume(xs[0] != xs[1] and ys[0] != ys[1])
    left, right, top, bottom = min(xs) / 4, max(xs) / 4, min(ys) / 4, max(ys) / 4
    bounds = (480_000 + 10 * left, 6_680_000 - 10 * bottom, 480_000 + 10 * right, 6_680_000 - 10 * top)
    columns = [column for column in range(60) if column + 1 > left and column < right]
    rows = [row for row in range(40) if row + 1 > top and row < bottom]
    if columns and rows:
        assert crop(GRID, bounds=bounds).window == Window(columns[0], rows[0], len(columns), len(rows))
    else:
        with pytest.raises(GridMismatchError, match="nothing of the scene"):
            crop(GRID, bounds=bounds)


def test_bounds_on_edges_of_pixels_take_none_beyond():
    place = Affine(0.1, 0, 0.3, 0, -0.1, 0.7)  # none of these is a float
    window = crop(Grid(GRID.crs, place, (40, 60)), bounds=(0.6, -2.3, 3.1, 0.1)).window
    assert window == Window(3, 6, 25, 24)


def test_bounds_of_a_turned_scene_enclose_what_they_cut():
    place = PLACE * Affine.rotation(90)  # rows lead west, columns south
    window = crop(Grid(GRID.crs, place, (40, 60)), bounds=(479_850, 6_679_700, 479_950, 6_679_900)).window
    assert window == Window(10, 5, 20, 10)


def test_bounds_of_a_scene_without_a_crs_are_in_its_own_units():
    window = crop(Grid(None, Affine.identity(), (40, 60)), bounds=(5, 10, 15.5, 12)).window
    assert window == Window(5, 10, 11, 2)


def test_bounds_beside_the_scene_are_told_with_both():
    with pytest.raises(GridMismatchError) as caught:
        crop(GRID, bounds=(-51.25, -30.1, -51.2, -30.0))
    assert "left -51.25, bottom -30.1, right -51.2 and top -30" in str(caught.value)
    assert "left 480000, bottom 6679600, right 480600, top 6680000 (EPSG:32722)" in str(caught.value)
    for strange in ((5.0, 0.0, 4.0, 1.0), (0.0, 5.0, 4.0, 1.0), (0.0, 0.0, math.nan, 1.0), (0.0, 0.0, math.inf, 1.0)):
        with pytest.raises(GridMismatchError, match="enclose nothing"):
            crop(GRID, bounds=strange)


def test_polygons_leave_their_envelope_and_the_pixels_whose_centres_they_hold(draw):
    shapes = [Polygon([(5.2, 3.1), (30.7, 8.3), (12.4, 33.6)]), box(40.3, 20.2, 75, 30.8), box(200, 0, 300, 10)]
    area = crop(GRID, polygons=draw(*shapes))
    assert area.window == Window(5, 3, 55, 31)
    columns, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(40) + 0.5)
    expected = np.any([shapely.contains_xy(shape, columns, rows) for shape in shapes], axis=0)
    for same in (area, pickle.loads(pickle.dumps(area))):
        np.testing.assert_array_equal(same.mask(Window(0, 0, 60, 40)), expected)
        over = same.mask(Window(-3, 5, 70, 10))
        np.testing.assert_array_equal(over, np.pad(expected[5:15], ((0, 0), (3, 7))))
    assert expected.any()


def test_polygons_elsewhere_and_files_that_are_none_are_told(draw, tmp_path):
    with pytest.raises(GridMismatchError, match=r"no polygon of .*crop\.gpkg lies in the scene"):
        crop(GRID, polygons=draw(box(200, 0, 300, 10)))
    with pytest.raises(SceneError, match="does not exist"):
        crop(GRID, polygons=tmp_path / "none.gpkg")


def test_bounds_and_polygons_at_once_are_a_mistake_of_the_programmer(draw):
    with pytest.raises(ValueError, match="not by both"):
        crop(GRID, bounds=(0, 0, 1, 1), polygons=draw(box(0, 0, 9, 9)))


def test_polygons_between_the_centres_of_pixels_are_told_with_their_size(draw):
    with pytest.raises(
        GridMismatchError, match=r"centre in the 2 polygons of .*: 0\.09 px of area.*column 4\.6, row 7"
    ):
        crop(GRID, polygons=draw(box(4.6, 7.6, 4.8, 7.85), box(20.6, 30.0, 20.8, 30.2)))
    assert crop(GRID, polygons=draw(box(4.6, 7.6, 4.8, 7.85), box(20.4, 30.4, 20.8, 30.6))).burner is not None
