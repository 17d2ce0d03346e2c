"""Where a map lies, as its STAC item tells it: outlines beside those of GDAL and shapely."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform, transform_bounds
from shapely.geometry import LinearRing, Point, shape

from rsfuse.geometry.grid import Grid
from rsfuse.legends import LEGENDS
from rsfuse.raster.map_layer import Layer
from rsfuse.reports.stac import ModelRun, map_item

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
GRID = Grid(CRS.from_epsg(32722), PLACE, (30, 40))


@pytest.fixture
def make(tmp_path):
    weights, output = tmp_path / "weights.safetensors", tmp_path / "map.tif"
    weights.touch()
    output.touch()
    run = ModelRun("a bundle", "pad", "", ("red",), (), 64, 8, {}, weights, "0" * 64, "cpu", 1.0)
    layers = [Layer(output, legend=LEGENDS["sentinel-5"])]
    return lambda grid: map_item(layers, grid, runs=[run], sources=[], when=datetime(2026, 3, 4, tzinfo=UTC))


GRIDS = {
    "UTM": GRID,
    "large UTM": Grid(CRS.from_epsg(32722), PLACE * Affine.scale(40), (500, 700)),
    "turned": replace(GRID, transform=PLACE * Affine.rotation(30)),
    "south up": replace(GRID, transform=Affine(10, 0, 480_000, 0, 10, 6_680_000)),
    "Mercator": Grid(CRS.from_epsg(3857), Affine(100, 0, 1_000_000, 0, -100, 6_000_000), (300, 200)),
    "degrees": Grid(CRS.from_epsg(4326), Affine(1e-3, 0, 10, 0, -2e-3, 50), (100, 200)),
    "LAEA": Grid(CRS.from_epsg(3035), Affine(1000, 0, 2_700_000, 0, -1000, 4_300_000), (900, 900)),
}


@pytest.fixture(params=list(GRIDS))
def grid(request):
    return GRIDS[request.param]


def lonlat(grid, places):
    xs, ys = zip(*(grid.transform * place for place in places), strict=True)
    return list(zip(*transform(grid.crs, "EPSG:4326", xs, ys), strict=True))


def test_the_geometry_contains_the_raster_and_follows_its_edges(make, grid):
    outline = shape(make(grid)["geometry"])
    height, width = grid.shape
    size = max(outline.bounds[2] - outline.bounds[0], outline.bounds[3] - outline.bounds[1])
    assert outline.is_valid
    corners = lonlat(grid, [(0, 0), (width, 0), (width, height), (0, height)])
    for corner in corners:
        assert outline.exterior.distance(Point(corner)) < 2e-7
    for edge in lonlat(grid, [(width * 0.37, 0), (width, height * 0.37), (width * 0.52, height), (0, height * 0.52)]):
        assert outline.exterior.distance(Point(edge)) < 3e-4 * size
    inside = lonlat(grid, [(width / 2, height / 2), (0.5, 0.5), (width - 0.5, height - 0.5)])
    assert all(outline.contains(Point(place)) for place in inside)


def test_the_geometry_is_closed_and_counterclockwise(make, grid):
    (ring,) = make(grid)["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert LinearRing(ring).is_ccw


@pytest.mark.parametrize("name", ["UTM", "large UTM", "Mercator", "degrees", "LAEA"])
def test_the_box_is_that_which_gdal_finds(make, name):
    grid = GRIDS[name]
    box = make(grid)["bbox"]
    expected = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds, densify_pts=200)
    assert box == pytest.approx(expected, abs=1e-3 * (expected[2] - expected[0]))
    assert box == list(shape(make(grid)["geometry"]).bounds)


def test_only_edges_that_bend_have_points_between_the_corners(make):
    corners = {name: len(make(grid)["geometry"]["coordinates"][0]) for name, grid in GRIDS.items()}
    assert corners["Mercator"] == corners["degrees"] == 5
    assert corners["LAEA"] > 20


def test_the_projection_is_that_of_the_raster(make, tmp_path):
    told = make(GRID)["properties"]
    profile = {"driver": "GTiff", "count": 1, "height": 30, "width": 40, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", crs="EPSG:32722", transform=PLACE, **profile) as file:
        assert told["proj:code"] == str(file.crs)
        assert told["proj:shape"] == list(file.shape)
        assert Affine(*told["proj:transform"]) == file.transform
        assert told["proj:bbox"] == list(file.bounds)
    assert told["gsd"] == pytest.approx(10, rel=0.001)


def test_a_crs_without_a_code_is_told_in_full(make):
    crs = CRS.from_string("+proj=laea +lat_0=10 +lon_0=20 +datum=WGS84")
    told = make(Grid(crs, Affine(10, 0, 0, 0, -10, 0), (30, 40)))["properties"]
    assert told["proj:code"] is None
    assert CRS.from_wkt(told["proj:wkt2"]) == crs


def test_without_a_crs_there_is_no_geometry_and_no_box(make):
    item = make(Grid(None, Affine.identity(), (30, 40)))
    assert item["geometry"] is None
    assert "bbox" not in item
    assert item["properties"]["proj:code"] is None
    assert not {"proj:bbox", "proj:wkt2", "gsd"} & set(item["properties"])
    assert item["properties"]["proj:shape"] == [30, 40]


def test_where_the_outline_has_no_longitude_there_is_no_geometry(make):
    local = CRS.from_wkt('LOCAL_CS["quarry",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]')
    item = make(replace(GRID, crs=local))
    assert item["geometry"] is None
    assert "bbox" not in item
