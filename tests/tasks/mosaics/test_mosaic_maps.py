"""Mosaics of maps, held against gdalwarp and against rules spelt out pixel by pixel."""

import json

import numpy as np
import pytest
import rasterio

from rsfuse.errors import GridMismatchError, LegendMismatchError, SceneError
from rsfuse.legend import LandClass, Legend
from rsfuse.legends import LEGENDS
from rsfuse.tasks.mosaic import MosaicSettings, mosaic

LEGEND = LEGENDS["whu-opt-sar"]
UTM = "EPSG:32650"


def beside(path, what):
    return path.with_name(f"{path.stem}_{what}.tif")


@pytest.mark.parametrize("rule", ["first", "last"])
def test_of_one_lattice_the_pixels_are_those_of_gdalwarp(maps, tmp_path, rule, read, warped):
    done = mosaic(maps, tmp_path / "region.tif", MosaicSettings(rule=rule))
    ordered = maps[::-1] if rule == "first" else maps
    np.testing.assert_array_equal(read(tmp_path / "region.tif"), warped(ordered, tmp_path / "gdal.tif"))
    assert done.design.region.grid.shape == (464, 534)
    with rasterio.open(tmp_path / "region.tif") as ours, rasterio.open(tmp_path / "gdal.tif") as theirs:
        assert (ours.crs, ours.transform, ours.nodata) == (theirs.crs, theirs.transform, theirs.nodata)


def test_other_crs_and_resolutions_take_the_nearest_code_as_gdalwarp_does(write, codes, tmp_path, read, warped):
    paths = [
        write("utm.tif", codes((200, 240), 0)),
        write("coarse.tif", codes((90, 80), 1), 100.3, 50.8, gsd=25.0),
        write("fine.tif", codes((300, 300), 2), -30.2, -20.9, gsd=4.0),
    ]
    lonlat = tmp_path / "lonlat.tif"
    warped([write("other.tif", codes((150, 150), 3), 200, 120)], lonlat, "-t_srs", "EPSG:4326")
    with rasterio.open(lonlat, "r+") as file:
        file.update_tags(1, LEGEND=json.dumps(LEGEND.to_dict()))
    paths.append(lonlat)
    done = mosaic(paths, tmp_path / "region.tif", MosaicSettings(rule="first"))
    grid = done.design.region.grid
    extent = "-te", *map(repr, grid.bounds), "-ts", str(grid.width), str(grid.height), "-t_srs", UTM, "-et", "0"
    ours, theirs = read(tmp_path / "region.tif"), warped(paths[::-1], tmp_path / "gdal.tif", *extent)
    # where a pixel lies just between two, the last bit decides
    assert (ours != theirs).mean() < 2e-3
    assert set(np.unique(ours)) <= {*LEGEND.codes, 255}


def test_the_majority_is_that_of_all_maps_and_of_equals_the_first(maps, tmp_path, read, on_one_grid):
    done = mosaic(maps, tmp_path / "region.tif", MosaicSettings(rule="majority"))
    stack = on_one_grid(maps, done.design.region.grid)
    expected = np.full(stack.shape[1:], 255)
    for row, column in np.ndindex(expected.shape):
        votes = [code for code in stack[:, row, column].tolist() if code != 255]
        if votes:
            expected[row, column] = max(votes, key=votes.count)
    np.testing.assert_array_equal(read(tmp_path / "region.tif")[0], expected)
    assert (np.sum(stack != 255, axis=0) > 2).any()


def test_the_surest_map_wins_without_being_asked_where_all_tell_how_sure_they_are(
    maps, write, tmp_path, read, on_one_grid
):
    layers = []
    for number, path in enumerate(maps):
        shape = read(path).shape[1:]
        sure = np.random.default_rng(number).integers(0, 255, shape).astype(np.uint8)
        with rasterio.open(path) as file:
            corner = (file.transform.c - 500_000) / 10, (4_000_000 - file.transform.f) / 10
        layers.append(write(beside(path, "confidence").name, sure, *corner, legend=None, nodata=255))
    done = mosaic(maps, tmp_path / "region.tif")
    assert done.design.rule == "confidence"
    stack, sure = (on_one_grid(each, done.design.region.grid) for each in (maps, layers))
    weight = np.where(stack == 255, -1, sure.astype(int))
    expected = np.take_along_axis(stack, weight.argmax(0)[None], 0)
    np.testing.assert_array_equal(read(tmp_path / "region.tif"), expected)


def test_confidence_is_that_of_each_pixel_and_never_mixed(write, tmp_path, read):
    steady = write("steady.tif", np.full((60, 60), 10, np.uint8))
    write("steady_confidence.tif", np.full((60, 60), 200, np.uint8), legend=None, nodata=255)
    chequered = write("chequered.tif", np.full((20, 20), 20, np.uint8), gsd=30.0)
    sure = np.where(np.indices((20, 20)).sum(0) % 2, 254, 0).astype(np.uint8)
    write("chequered_confidence.tif", sure, gsd=30.0, legend=None, nodata=255)
    mosaic([steady, chequered], tmp_path / "region.tif", MosaicSettings(rule="confidence"))
    expected = np.where(sure, 20, 10).repeat(3, 0).repeat(3, 1)
    np.testing.assert_array_equal(read(tmp_path / "region.tif")[0], expected)


def test_without_confidence_the_map_in_whose_data_a_pixel_lies_deepest_wins(write, tmp_path, read):
    left = write("left.tif", np.full((100, 120), 10, np.uint8))
    right = write("right.tif", np.full((100, 120), 20, np.uint8), 60)
    done = mosaic([left, right], tmp_path / "region.tif")
    assert done.design.rule == "edge"
    pixels = read(tmp_path / "region.tif")[0]
    middle = pixels[50]
    assert (middle[:90] == 10).all()
    assert (middle[90:] == 20).all()
    # in the corners both are as deep as they are far from the upper edge: the first has it
    assert (pixels[0] == np.where(np.arange(180) < 120, 10, 20)).all()


def test_feathered_maps_take_the_class_that_is_most_probable_on_the_mean(write, tmp_path, read):
    legend = Legend((LandClass(1, "land", (0, 255, 0)), LandClass(2, "water", (0, 0, 255))))
    turned = Legend(legend.classes[::-1])
    left = write("left.tif", np.full((60, 100), 1, np.uint8), legend=legend)
    right = write("right.tif", np.full((60, 100), 2, np.uint8), 50, legend=turned)
    # 0.6 for land and 0.4 for water; 0.9 for water, which its map counts first, and 0.1 for land
    write("left_probabilities.tif", np.full((2, 60, 100), [[[152]], [[102]]], np.uint8), legend=None, nodata=255)
    sure = np.full((2, 60, 100), [[[0.9]], [[0.1]]], np.float32)
    write("right_probabilities.tif", sure, 50, legend=None, nodata=np.nan)
    mosaic([left, right], tmp_path / "region.tif", MosaicSettings(rule="feather"))
    row = read(tmp_path / "region.tif")[0, 30]
    # land weighs 0.2 more in the left, water 0.8 more in the right: water begins where the left is 4 times as deep
    depth = np.minimum(np.arange(150) + 0.5, 30.0), np.minimum(99.5 - np.arange(150), 30.0), np.arange(150) - 49.5
    left_depth, right_depth = np.minimum(depth[0], depth[1]), np.minimum(depth[2], 30.0)
    expected = np.where(np.arange(150) < 50, 1, np.where(0.2 * left_depth >= 0.8 * right_depth, 1, 2))
    expected[100:] = 2
    assert (row != expected).sum() <= 1  # 152 is not quite 0.6 of 254


def test_legends_that_differ_are_refused_with_the_entries(maps, write, tmp_path):
    water = LEGEND.classes[3]
    other = Legend(
        tuple(LandClass(each.code, "lake", each.color) if each == water else each for each in LEGEND.classes[:-1])
    )
    odd = write("odd.tif", np.full((50, 50), 10, np.uint8), legend=other)
    with pytest.raises(LegendMismatchError) as caught:
        mosaic([*maps, odd], tmp_path / "region.tif")
    told = str(caught.value)
    assert f"{water.code} {water.name} #" in told
    assert f"{water.code} lake #" in told
    assert f"{LEGEND.classes[-1].name} #" in told
    assert "no code" in told
    assert LEGEND.classes[0].name not in told.replace("odd.tif", "")
    assert not (tmp_path / "region.tif").exists()


def test_the_order_of_the_classes_is_no_difference(maps, write, tmp_path):
    turned = write("turned.tif", np.full((50, 50), 10, np.uint8), legend=Legend(LEGEND.classes[::-1]))
    mosaic([*maps, turned], tmp_path / "region.tif", MosaicSettings(rule="first"))


def test_maps_that_do_not_say_what_they_mean_need_a_legend(maps, write, tmp_path, read):
    silent = write("silent.tif", np.full((500, 600), 20, np.uint8), -40, 0, legend=None)
    with pytest.raises(LegendMismatchError, match=r"silent.tif does not say"):
        mosaic([*maps, silent], tmp_path / "region.tif")
    mosaic([*maps, silent], tmp_path / "region.tif", MosaicSettings(rule="first", legend=LEGEND))
    assert (read(tmp_path / "region.tif")[0, :, :540] != 255).mean() > 0.99
    strange = write("strange.tif", np.full((50, 50), 77, np.uint8), legend=None)
    with pytest.raises(LegendMismatchError, match=r"strange.tif: code 77"):
        mosaic([strange], tmp_path / "other.tif", MosaicSettings(legend=LEGEND))


def test_a_number_that_a_map_declares_as_no_data_never_wins(write, tmp_path, read):
    odd = write("odd.tif", np.tile(np.array([[0, 20]], np.uint8), (50, 25)), nodata=0)
    whole = write("whole.tif", np.full((50, 40), 10, np.uint8))
    mosaic([odd, whole], tmp_path / "region.tif", MosaicSettings(rule="first"))
    expected = np.where(np.arange(50) % 2, 20, np.where(np.arange(50) < 40, 10, 255))
    assert (read(tmp_path / "region.tif")[0] == expected).all()


def test_maps_of_wider_integers_are_maps_and_fractions_are_not(write, tmp_path, read):
    wide = write("wide.tif", np.full((50, 60), 20, np.int16), legend=None, nodata=-1)
    mosaic([wide], tmp_path / "region.tif", MosaicSettings(legend=LEGEND))
    assert (read(tmp_path / "region.tif") == 20).all()
    fractions = write("fractions.tif", np.full((50, 60), 20, np.float32), legend=None)
    with pytest.raises(SceneError, match=r"1 band\(s\) of float32"):
        mosaic([fractions], tmp_path / "other.tif", MosaicSettings(legend=LEGEND))


def test_a_raster_without_a_place_is_refused(maps, write, tmp_path):
    lost = write("lost.tif", np.full((50, 50), 10, np.uint8), crs=None)
    with pytest.raises(GridMismatchError, match=r"lost.tif has no CRS"):
        mosaic([*maps, lost], tmp_path / "region.tif")


@pytest.mark.parametrize(("rule", "told"), [("confidence", "confidence"), ("feather", "probabilities")])
def test_maps_that_lack_what_a_rule_needs_are_told(maps, tmp_path, rule, told):
    with pytest.raises(SceneError, match=f"5 of 5 maps have no layer of {told} beside them"):
        mosaic(maps, tmp_path / "region.tif", MosaicSettings(rule=rule))
