"""What is read is never written over, no output replaces another, and a folder is a folder."""

import json

import pytest


@pytest.fixture
def scene(raster, tmp_path):
    (tmp_path / "sar").mkdir()
    return raster("a.tif", side=100), raster("sar/one.tif", bands=1, side=100)


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(result, *words):
    assert result.exit_code == 2, result.output
    assert all(word in result.stderr for word in words), result.stderr
    assert "hint:" in result.stderr


WRITTEN_OVER = [
    (["a.tif", "-o", "a.tif", "--dry-run"], ["a.tif would be written as the map", "a raster that is mapped"]),
    (["a.tif", "-o", "a.tif"], ["a.tif would be written as the map", "a raster that is mapped"]),
    (["a.tif", "--sar", "sar/one.tif", "-o", "./sar/one.tif"], ["one.tif would be written as the map"]),
    (["a.tif", "-o", "link.tif"], ["link.tif would be written as the map", "a.tif"]),
    (["a.vrt", "-o", "a.tif"], ["a.tif would be written as the map", "a raster that is mapped"]),
    (["a.tif", "-o", "bundle/weights.safetensors"], ["part of the bundle bundle"]),
    (["a.tif", "--crop", "aoi.gpkg", "--polygons", "aoi.gpkg"], ["as its polygons", "the file of the area"]),
    (["a.tif", "a_landcover.tif", "-o", "."], ["a_landcover.tif would be written as the map"]),
]


@pytest.mark.parametrize(("arguments", "words"), WRITTEN_OVER)
def test_what_is_read_is_not_written_over_even_with_overwrite(
    rsfuse, scene, raster, bundle, tmp_path, arguments, words
):
    (tmp_path / "link.tif").symlink_to("a.tif")
    raster("a_landcover.tif", side=100)
    (tmp_path / "aoi.gpkg").write_text("anything")
    (tmp_path / "a.vrt").write_text(
        '<VRTDataset rasterXSize="100" rasterYSize="100"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    before = files(tmp_path)
    result = rsfuse("predict", *arguments, "--bundle", bundle, "--overwrite")
    refused(result, *words)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "o.json", "--stac", "--dry-run"], "o.json would be the map and its STAC item"),
        (["-o", "o.json", "--stac"], "o.json would be the map and its STAC item"),
        (["-o", "p.gpkg", "--polygons", "./p.gpkg"], "p.gpkg would be the map and its polygons"),
        (["-o", "p", "--confidence", "--polygons", "p_confidence"], "its layer of confidence and its polygons"),
    ],
)
def test_outputs_that_would_replace_each_other_are_refused(rsfuse, scene, bundle, tmp_path, arguments, words):
    before = files(tmp_path)
    refused(rsfuse("predict", "a.tif", *arguments, "--bundle", bundle, "--overwrite"), words)
    assert files(tmp_path) == before


def test_a_slash_at_the_end_says_folder_even_for_one_scene(rsfuse, scene, bundle, tmp_path):
    assert rsfuse("predict", "a.tif", "--bundle", bundle, "-o", "maps/", "--polygons", "p.gpkg").exit_code == 0
    assert (tmp_path / "maps" / "a_landcover.tif").is_file()
    assert (tmp_path / "p.gpkg").is_file()


def test_one_scene_with_a_folder_of_sar_goes_into_a_folder_and_names_what_it_found(rsfuse, scene, bundle, tmp_path):
    result = rsfuse("predict", "a.tif", "--sar-dir", "sar", "--bundle", bundle, "-o", "maps", "--json")
    told = json.loads(result.stdout)["scenes"]
    assert [each["sar"] for each in told] == ["sar/one.tif"]
    assert "a.tif + sar/one.tif" in result.stderr
    assert (tmp_path / "maps" / "a_landcover.tif").is_file()


def test_a_list_of_one_scene_goes_into_a_folder_but_a_name_of_a_map_is_kept(rsfuse, scene, bundle, tmp_path):
    (tmp_path / "list.csv").write_text("optical\na.tif\n")
    assert rsfuse("predict", "list.csv", "--bundle", bundle, "-o", "maps").exit_code == 0
    assert (tmp_path / "maps" / "a_landcover.tif").is_file()
    assert rsfuse("predict", "list.csv", "--bundle", bundle, "-o", "mine.tif").exit_code == 0
    assert (tmp_path / "mine.tif").is_file()


def test_several_scenes_do_not_fit_into_one_file(rsfuse, scene, raster, bundle, tmp_path):
    raster("b.tif", side=100)
    (tmp_path / "taken").write_text("")
    many = ("predict", "a.tif", "b.tif", "--bundle", bundle)
    refused(rsfuse(*many, "-o", "taken"), "taken is a file, not a folder", "maps/")
    refused(rsfuse(*many, "-o", "map.tif"), "map.tif names one file, and there are maps of 2 scenes")
    refused(rsfuse(*many, "-o", "taken/maps"), "taken/maps cannot be made")


def test_a_plan_makes_no_folder(rsfuse, scene, raster, bundle, tmp_path):
    raster("b.tif", side=100)
    result = rsfuse("predict", "a.tif", "b.tif", "--bundle", bundle, "-o", "maps", "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert not (tmp_path / "maps").exists()
