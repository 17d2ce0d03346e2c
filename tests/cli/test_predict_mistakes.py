"""Options that would do nothing, devices and files that are not there: told before the work, without a traceback."""

import json

import pytest

from rsfuse.cli import show


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sar-dir", "sar"], ["--sar-dir sar is given, and no scene", "scenes/*.tif --sar-dir sar"]),
        (["a.tif", "--device", "meta"], ["device 'meta' cannot be used", "--device cpu"]),
        (["a.tif", "--min-area", "50"], ["--min-area 50 does nothing without --polygons"]),
        (["a.tif", "--overlap", "16", "--whole"], ["--overlap 16 does nothing with --whole"]),
        (["a.tif", "--overlap", "17"], ["--overlap 17 is odd", "--overlap 16 or 18"]),
        (["a.tif", "--overlap", "63"], ["--overlap 63 is odd", "--overlap 62\n"]),
        (["a.tif", "--overlap", "64"], ["--overlap 64 leaves nothing of patches of 64 px", "from 0 to 62"]),
        (["--sar", "s.tif", "--optical-bands", "2,1"], ["--optical-bands 2,1 does nothing: there is no optical"]),
        (["a.tif", "--sar-bands", "1"], ["--sar-bands 1 does nothing: there is no SAR raster"]),
        (["missing.csv"], ["missing.csv does not exist", "check the path"]),
        (["a.tif", "--crop", "nothere.gpkg"], ["nothere.gpkg does not exist", "path of the polygons"]),
        (["a.tif", "--crop", "tiny.geojson"], ["no pixel of the scene has its centre in the polygon of tiny.geojson"]),
    ],
)
def test_mistakes_are_told_with_what_to_do(rsfuse, raster, draw, bundle, tmp_path, arguments, words):
    raster("a.tif", side=100)
    raster("s.tif", bands=1, side=100)
    draw("tiny.geojson", ({}, (5.6, 5.6, 5.9, 5.9)))
    result = rsfuse("predict", *arguments, "--bundle", bundle)
    assert result.exit_code == 2, result.output
    assert all(word in result.stderr for word in ["error:", "hint:", *words]), result.stderr
    assert not list(tmp_path.glob("*landcover*"))


def test_json_of_a_scene_without_a_place_is_json(rsfuse, raster, bundle):
    raster("a.tif", side=100, crs=None)
    result = rsfuse("predict", "a.tif", "--bundle", bundle, "--polygons", "p.gpkg", "--json")
    assert result.exit_code == 0, result.stderr

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    told = json.loads(result.stdout, parse_constant=refuse)
    assert told["polygons"]["written"] > 0
    assert set(told["hectares"].values()) == {None}


def test_numbers_that_are_not_finite_are_null_wherever_they_stand(capsys):
    show.document({"a": [1.5, float("nan")], "b": {"c": (float("inf"), "NaN", 2)}})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": {"c": [None, "NaN", 2]}}


def test_a_title_keeps_its_brackets(rsfuse, raster, bundle):
    raster("a.tif", side=100)
    result = rsfuse("predict", "a.tif", "--bundle", bundle, "-o", "weird name [x].tif")
    assert "weird name [x].tif" in result.stdout
