"""`rsfuse mosaic`: what it prints, what it writes, and how it ends."""

import json
import shutil

import numpy as np
import pytest
import rasterio
from affine import Affine

from rsfuse.legends import LEGENDS
from rsfuse.raster.painted import paint

LEGEND = LEGENDS["whu-opt-sar"]


@pytest.fixture
def maps(raster):
    """Two maps side by side that overlap by 20 of 100 columns, one of class 10 and one of class 20."""
    paths = []
    for number, code in enumerate((10, 20)):
        place = Affine(10, 0, 500_000 + 800 * number, 0, -10, 4_000_000)
        values = np.full((1, 100, 100), code, np.uint8)
        paths.append(raster(f"map{number}.tif", side=100, values=values, transform=place))
        with rasterio.open(paths[-1], "r+") as file:
            paint(file, LEGEND)
    return paths


def read(path):
    with rasterio.open(path) as file:
        return file.read()


def test_maps_become_one_and_it_is_told_what_was_done(rsfuse, maps, tmp_path):
    done = rsfuse("mosaic", *maps, "-o", "region.tif", "-q")
    assert done.exit_code == 0, done.stderr
    assert "2 maps by rule edge: 100 x 180 px, EPSG:32650" in done.stdout
    assert "written: region.tif" in done.stdout
    assert (read(tmp_path / "region.tif") == np.where(np.arange(180) < 90, 10, 20)).mean() > 0.9


def test_programs_get_a_document(rsfuse, maps, tmp_path):
    options = "--rule", "last", "--sources", "scenes.gpkg", "--json", "-q"
    done = rsfuse("mosaic", *maps, "-o", "region.tif", *options)
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    wanted = {"inputs": 2, "kind": "map", "rule": "last", "crs": "EPSG:32650", "width": 180, "height": 100}
    assert wanted.items() <= told.items()
    assert told["output"] == "region.tif"
    assert told["legend"] == LEGEND.to_dict()
    assert (read(tmp_path / "region.tif") == np.where(np.arange(180) < 80, 10, 20)).all()
    assert (tmp_path / "scenes.gpkg").is_file()


def test_the_grid_may_be_asked_for(rsfuse, maps, raster, tmp_path):
    done = rsfuse("mosaic", *maps, "-o", "region.tif", "--crs", "EPSG:4326", "--resolution", 0.0002, "--json", "-q")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["crs"], told["width"]) == ("EPSG:4326", pytest.approx(1800 / 90_100 / 0.0002, abs=2))
    like = raster("like.tif", side=50, transform=Affine(20, 0, 500_000, 0, -20, 4_100_000))
    done = rsfuse("mosaic", *maps, "-o", "coarse.tif", "--like", like, "--json", "-q")
    assert (json.loads(done.stdout)["width"], json.loads(done.stdout)["height"]) == (90, 50)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--like", "map0.tif", "--crs", "EPSG:4326"), "give one or the others"),
        (("--crs", "EPSG:nothing"), "EPSG:nothing is no CRS"),
        (("--resolution", 0), "a pixel has a size"),
        (("--legend", "dubai"), "has another legend than --legend"),
        (("--rule", "confidence"), "predict them with --confidence"),
        (("--sources", "scenes.shp"), "name it scenes.gpkg"),
        (("--sources", "region.tif"), "would be the mosaic and the polygons of scenes"),
        (("-o", "map1.tif", "--overwrite"), "it is a raster of the mosaic"),
        (("-o", "nowhere/region.tif"), "there is no folder nowhere"),
        (("-o", "region.vrt", "--rule", "edge"), "no rule edge"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(rsfuse, maps, tmp_path, options, told):
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = rsfuse("mosaic", *maps, "-o", "region.tif", *options)
    assert done.exit_code == 2
    assert told in done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(shutil.which("gdalbuildvrt") is None, reason="needs gdalbuildvrt")
def test_a_virtual_mosaic_is_written_where_the_name_asks_for_one(rsfuse, maps, tmp_path):
    done = rsfuse("mosaic", *maps, "-o", "region.vrt", "-q")
    assert done.exit_code == 0, done.stderr
    assert "by rule first" in done.stdout
    assert (read(tmp_path / "region.vrt") == np.where(np.arange(180) < 100, 10, 20)).all()


def test_rasters_without_a_legend_are_images_unless_one_is_named(rsfuse, raster):
    paths = [raster(f"{number}.tif", bands=1, side=60) for number in (1, 2)]
    assert "2 images by rule feather" in rsfuse("mosaic", *paths, "-o", "image.tif", "-q").stdout
    done = rsfuse("mosaic", *paths, "-o", "map.tif", "-q", "--legend", "whu-opt-sar")
    assert done.exit_code == 2
    assert "is not in the legend" in done.stderr
