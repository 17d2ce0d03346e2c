"""Labels: codes of rasters and polygons, what they mean, and what is not known."""

import pickle

import numpy as np
import pyogrio.raw
import pytest
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.windows import Window
from shapely import Point, Polygon, box

from rsfuse.coding import LabelCoding
from rsfuse.errors import GridMismatchError, LegendMismatchError, SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.legend import NODATA
from rsfuse.raster.drawn.burning import BLOCK, Burner
from rsfuse.raster.drawn.polygon_labels import PolygonLabels
from rsfuse.raster.labels import Labels, open_labels
from rsfuse.raster.scene import Scene

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
GRID = Grid(CRS.from_string("EPSG:32722"), PLACE, (60, 90))
HERE = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


# --- rasters of codes


def test_labels_on_another_grid_take_the_nearest_code(write_raster):
    codes = np.random.default_rng(2).choice([0, 4], (1, 40, 40)).astype(np.uint8)
    path = write_raster("labels.tif", codes, transform=PLACE * Affine.scale(3))
    with Scene(write_raster("a.tif", np.ones((1, 120, 130), np.uint8))) as scene, Labels(path, scene.grid) as labels:
        read = labels.read(Window(-5, -5, 140, 130))
    expected = np.full((130, 140), NODATA, np.uint8)
    expected[5:125, 5:125] = codes[0].repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(read, expected)


def test_labels_are_255_where_they_have_no_data(write_raster, noise, whole):
    codes = noise((1, 8, 8), "int32")
    codes[0, 2, 3] = -1
    with Labels(write_raster("labels.tif", codes, nodata=-1)) as labels:
        read = labels.read(whole(labels.grid))
        assert labels.legend is None
    expected = codes[0].copy()
    expected[2, 3] = NODATA
    np.testing.assert_array_equal(read, expected)


def test_label_codes_beyond_a_byte_are_told(write_raster, whole):
    codes = np.full((1, 8, 8), 300, np.uint16)
    with Labels(write_raster("labels.tif", codes)) as labels, pytest.raises(LegendMismatchError, match="code 300"):
        labels.read(whole(labels.grid))


def test_pictures_and_scores_are_no_labels(write_raster, noise):
    picture, coding = write_raster("a.tif", noise((3, 8, 8))), LabelCoding({1: 1})
    with pytest.raises(SceneError, match=r"3 band.* of uint8"):
        Labels(picture)
    scores = write_raster("b.tif", noise((1, 8, 8), "float32"))
    for more in ({}, {"coding": coding}):
        with pytest.raises(SceneError, match=r"1 band.* of float32"):
            Labels(scores, **more)
    with pytest.raises(SceneError, match=r"2 band.* of uint8"):
        Labels(write_raster("c.tif", noise((2, 8, 8))), coding=coding)


def test_labels_of_another_place_are_told(write_raster, noise):
    far = write_raster("far.tif", noise((1, 8, 8)), transform=PLACE * Affine.translation(500, 0))
    with Scene(write_raster("a.tif", noise((1, 8, 8)))) as scene, pytest.raises(GridMismatchError, match="elsewhere"):
        Labels(far, scene.grid)


# --- rasters with a coding


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize("moved", [0, 40])
def test_numbers_of_any_type_become_the_codes_that_they_mean(write_raster, whole, dtype, moved):
    limits = np.iinfo(dtype)
    # a warp passes through float32
    low, high = max(limits.min, -100_000), min(limits.max, 16_777_217 if not moved else 70_000)
    rng = np.random.default_rng(0)
    numbers = rng.choice(np.array([low, 3, 100, high], np.int64), (1, 20, 24)).astype(dtype)
    coding = LabelCoding({int(low): 9, 3: 3, 100: NODATA, int(high): 0})
    path = write_raster("labels.tif", numbers, transform=PLACE * Affine.translation(-moved / 10, 0))
    with Labels(path, Grid(GRID.crs, PLACE, (20, 24 - moved // 10)), coding=coding) as labels:
        read = labels.read(whole(labels.grid))
    expected = [[coding.codes[int(number)] for number in row] for row in numbers[0, :, moved // 10 :]]
    np.testing.assert_array_equal(read, expected)
    assert read.dtype == np.uint8


@pytest.mark.parametrize("moved", [0, 20])
def test_colours_become_codes_and_transparent_pixels_nobody_labelled(write_raster, moved):
    colors = {(255, 0, 0): 1, (0, 255, 0): 2, (0, 0, 0): 0}
    rng = np.random.default_rng(1)
    which = rng.integers(0, 3, (12, 14))
    pixels = np.array(list(colors), np.uint8)[which].transpose(2, 0, 1)
    alpha = rng.choice([0, 255], (1, 12, 14)).astype(np.uint8)
    pixels[0, alpha[0] == 0] = 77  # a colour that nobody knows, where nobody looks
    rgba = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha]
    where = PLACE * Affine.translation(-moved / 10, 0)
    path = write_raster("a.tif", np.concatenate([pixels, alpha]), colorinterp=rgba, photometric="RGB", transform=where)
    grid = Grid(GRID.crs, PLACE, (12, 12))
    with Labels(path, grid, coding=LabelCoding({}, colors)) as labels:
        read = labels.read(Window(-1, 0, 13, 12))
    seen = np.where(alpha[0] == 0, NODATA, np.array([1, 2, 0])[which])[:, moved // 10 :][:, :12]
    np.testing.assert_array_equal(read, np.pad(seen, ((0, 0), (1, 0)), constant_values=NODATA))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_colour_table_is_looked_up_by_colour_where_the_coding_knows_no_numbers(tmp_path, whole):
    numbers = np.random.default_rng(3).integers(0, 3, (9, 11), dtype=np.uint8)
    picture = Image.new("P", (11, 9))
    picture.putdata(numbers.ravel().tolist())
    picture.putpalette([0, 0, 255, 255, 255, 0, 60, 16, 152])
    path = tmp_path / "a.png"
    picture.save(path)
    colors = {(60, 16, 152): 1, (255, 255, 0): 2, (0, 0, 255): 7}
    with Labels(path, coding=LabelCoding({0: NODATA}, colors)) as labels:
        np.testing.assert_array_equal(labels.read(whole(labels.grid)), np.array([7, 2, 1])[numbers])
    del colors[255, 255, 0]
    with Labels(path, coding=LabelCoding({0: NODATA}, colors)) as labels:
        codes, unknown = labels.look(whole(labels.grid))
        np.testing.assert_array_equal(codes, np.array([7, NODATA, 1])[numbers])
        assert unknown == {"#ffff00": int((numbers == 1).sum())}
    with Labels(path, coding=LabelCoding({0: 4, 1: 5, 2: 6})) as labels:
        np.testing.assert_array_equal(labels.read(whole(labels.grid)), numbers + 4)
    with pytest.raises(LegendMismatchError, match=r"a\.png: .*number 1 stands for class 5"):
        Labels(path, coding=LabelCoding({1: 5}, {(255, 255, 0): 2}))


def test_unknown_values_are_counted_by_a_look_and_refused_by_a_read(write_raster):
    numbers = np.full((1, 20, 30), 7, np.int16)
    numbers[0, :2, :5], numbers[0, 3, 3], numbers[0, 10, 10] = 300, -4, -9999
    path = write_raster("labels.tif", numbers, nodata=-9999)
    with Labels(path, coding=LabelCoding({7: 1})) as labels:
        codes, unknown = labels.look(Window(1, 1, 20, 15))
        with pytest.raises(LegendMismatchError) as caught:
            labels.read(Window(1, 1, 20, 15))
        assert (labels.read(Window(15, 0, 15, 20)) == 1).all()
    assert unknown == {"300": 4, "-4": 1}
    np.testing.assert_array_equal(codes, np.where(numbers[0, 1:16, 1:21] == 7, 1, NODATA))
    assert str(caught.value) == f"{path}, 15 x 20 px at row 1, column 1: no class for code 300 (4 px), -4 (1 px)"


def test_of_many_unknown_values_the_most_frequent_are_told(write_raster):
    numbers = np.repeat(np.arange(200), 2)[None, None].astype(np.uint8)
    numbers[0, 0, -3:] = 9
    with (
        Labels(write_raster("labels.tif", numbers), coding=LabelCoding({})) as labels,
        pytest.raises(LegendMismatchError, match=r"code 9 \(5 px\), 0 \(2 px\).* and 191 more \(381 px\)"),
    ):
        labels.read(Window(0, 0, 400, 1))


# --- polygons


@pytest.fixture
def draw(tmp_path):
    """A function from shapes in pixels and what each says to the path of a file."""

    def make(shapes, values, name="a.gpkg", place=PLACE):
        on_map = [shapely.transform(shape, lambda at: np.stack(place * (at[:, 0], at[:, 1]), 1)) for shape in shapes]
        wkb, column = shapely.to_wkb(np.array([*on_map, None], object)[:-1]), np.array(values)
        pyogrio.raw.write(tmp_path / name, wkb, [column], ["class"], geometry_type="Unknown", crs="EPSG:32722")
        return tmp_path / name

    return make


def by_centres(shapes, codes, shape):
    """Codes of the pixels whose centres lie in shapes; the oracle."""
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    expected = np.full(shape, NODATA, np.uint8)
    for each, code in zip(shapes, codes, strict=True):
        expected[shapely.contains_xy(each, columns, rows)] = code
    return expected


def star(rng, size, points):
    """A polygon with spikes, and a hole in its middle."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, points))
    spikes = np.stack([np.cos(angles), np.sin(angles)], 1)
    centre, radius = rng.uniform(0, size, 2), rng.uniform(3, size / 3)
    outer = Polygon(centre + spikes * radius * rng.uniform(0.3, 1, (points, 1)))
    return outer.buffer(0).difference(Point(centre).buffer(radius / 5))


@pytest.mark.parametrize("place", [PLACE, PLACE * Affine.rotation(30)])
def test_pixels_take_the_code_of_the_last_polygon_that_holds_their_centre(draw, place):
    rng = np.random.default_rng(0)
    shapes = [star(rng, 90, 12) for _ in range(25)]
    codes = rng.integers(0, 4, 25)
    path = draw(shapes, [f"class {code}" for code in codes], place=place)
    grid = Grid(GRID.crs, place, GRID.shape)
    coding = LabelCoding({}, names={f"class {code}": code for code in range(3)} | {"class 3": NODATA})
    with open_labels(path, grid, coding=coding) as labels:
        assert isinstance(labels, PolygonLabels)
        read = labels.read(Window(-7, -9, 110, 80))
    codes[codes == 3] = NODATA
    expected = np.full((80, 110), NODATA, np.uint8)
    expected[9:69, 7:97] = by_centres(shapes, codes, GRID.shape)
    np.testing.assert_array_equal(read, expected)


@pytest.fixture(scope="module")
def burned():
    """Polygons across several blocks, with edges through centres of pixels, a burner and all that it burns."""
    rng = np.random.default_rng(1)
    shape = 2 * BLOCK + 100, BLOCK + 70
    rugged = [
        star(rng, 900, 3000),
        Polygon([(-200, -300), *rng.uniform(-1, 1, (4000, 2)).cumsum(0), (900, 2000)]).buffer(1),
    ]
    diagonal = [Polygon([(k * 40 + 0.5, 0.5), (k * 40 + 300.5, 900.5), (k * 40 + 20.5, 1000.5)]) for k in range(12)]
    shapes = [*rugged, *diagonal, *(star(rng, 1000, 9) for _ in range(40))]
    codes = rng.integers(0, 200, len(shapes)).astype(np.uint8)
    burner = Burner(np.array(shapes, object), codes, shape, fill=NODATA)
    return shapes, codes, burner, burner.read(Window(0, 0, shape[1], shape[0]))


@HERE
@given(left=st.integers(-40, 600), top=st.integers(-40, 1200), width=st.integers(1, 600), height=st.integers(1, 600))
def test_a_window_is_that_part_of_the_whole(burned, left, top, width, height):
    _, _, burner, everything = burned
    whole = np.pad(everything, 640, constant_values=NODATA)
    expected = whole[top + 640 :, left + 640 :][:height, :width]
    read = burner.read(Window(left, top, width, height))
    np.testing.assert_array_equal(read[: expected.shape[0], : expected.shape[1]], expected)
    assert read.shape == (height, width)


def test_large_polygons_burn_like_small_ones(burned):
    shapes, codes, burner, everything = burned
    # the diagonals lead through centres, where either answer is right
    rugged = [n for n in range(len(shapes)) if not 2 <= n < 14]
    alone = Burner(np.array([shapes[n] for n in rugged], object), codes[rugged], everything.shape, fill=NODATA)
    read = alone.read(Window(0, 0, *everything.shape[::-1]))
    np.testing.assert_array_equal(read, by_centres([shapes[n] for n in rugged], codes[rugged], everything.shape))
    assert max(shapely.get_num_coordinates(shapes)) > 3000
    copied = pickle.loads(pickle.dumps(burner))
    np.testing.assert_array_equal(copied.read(Window(0, 0, *everything.shape[::-1])), everything)


def test_unknown_attributes_are_known_before_work_starts(draw):
    shapes = [box(0, 0, 10, 10), box(5, 5, 20, 20), box(40, 0, 50, 10), box(45, 40, 80, 50), box(60, 45, 85, 55)]
    path = draw(shapes, np.array(["Water ", "wood", "wood", None, "Rock"], object))
    with PolygonLabels(path, GRID, coding=LabelCoding({}, names={"water": 3, "rock": 4})) as labels:
        assert labels.unknown_polygons == {"wood": 2, "no value": 1}
        with pytest.raises(
            LegendMismatchError, match=r"'class': no class for code wood \(2 polygons\), no value \(1 poly"
        ):
            labels.check()
        codes, unknown = labels.look(Window(0, 0, 30, 30))
        assert unknown == {"wood": 1}
        np.testing.assert_array_equal(codes, by_centres(shapes[:2], [3, NODATA], (30, 30)))
        with pytest.raises(LegendMismatchError, match=r"at row 0, column 0: no class for code wood \(1 polygons\)"):
            labels.read(Window(0, 0, 30, 30))
        assert (labels.read(Window(20, 20, 20, 20)) == NODATA).all()  # beside the wood


def test_numbers_of_polygons_are_codes_whatever_their_type(draw):
    shapes = [box(0, 0, 10, 10), box(20, 0, 30, 10)]
    coding = LabelCoding({}, names={"1": 5, "2": 6})
    for name, values in (("a.gpkg", [1, 2]), ("b.gpkg", [1.0, 2.0]), ("c.gpkg", ["1", "2"])):
        with open_labels(draw(shapes, values, name), GRID, coding=coding, field="class") as labels:
            np.testing.assert_array_equal(labels.read(Window(0, 0, 90, 60)), by_centres(shapes, [5, 6], GRID.shape))


def test_no_polygon_is_where_no_label_is(draw):
    with PolygonLabels(draw([box(10, 10, 20, 20)], ["1"]), GRID, coding=LabelCoding({}, names={"1": 1})) as labels:
        for window, there in (
            ((0, 0, 10, 10), False),
            ((0, 0, 11, 11), True),
            ((19, 19, 5, 5), True),
            ((20, 0, 9, 60), False),
        ):
            assert labels.has_labels(Window(*window)) is there


def test_a_raster_is_opened_as_one(write_raster, noise, whole):
    codes = noise((1, 60, 90))
    with open_labels(write_raster("a.tif", codes), GRID, coding=LabelCoding({n: n for n in range(200)})) as labels:
        assert isinstance(labels, Labels)
        np.testing.assert_array_equal(labels.read(whole(labels.grid)), codes[0])
