"""Patterns of paths: what matches, what is told of it, and where they look."""

import pytest

from rsfuse.raster.datasets.path_pattern import PathPattern


def test_a_pattern_reads_what_it_writes():
    pattern = PathPattern("{a}/x+{b}/{a}_{c}.tif")
    values = {"a": "1", "b": "(2)", "c": "y_z"}
    assert pattern.fields == ("a", "b", "c")
    assert pattern.fill(values) == "1/x+(2)/1_y_z.tif"
    assert pattern.match(pattern.fill(values)) == values
    for other in ("1/x+(2)/2_y.tif", "1/x+(2)/1_y.tif.gz", "1/xx(2)/1_y.tif", "1/x+/1_y.tif", "1/x+2/3/1_y.tif"):
        assert pattern.match(other) is None


def test_the_first_field_takes_as_much_as_it_can():
    assert PathPattern("{a}_{b}.tif").match("x_y_z.tif") == {"a": "x_y", "b": "z"}


def test_a_pattern_looks_into_folders_that_fit_and_tells_those_that_lead_nowhere(tmp_path):
    for name in ("a1/in/x.tif", "a1/in/y.txt", "a1/in/deep/z.tif", "a2/out/x.tif", "b1/in/x.tif", ".a3/in/x.tif", "a4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pattern = PathPattern("a{n}/in/{image}.tif")
    assert pattern.folders_under(tmp_path) == ([tmp_path / "a1/in"], [tmp_path / "a2"])
    assert pattern.files_under(tmp_path) == [tmp_path / "a1/in/x.tif", tmp_path / "a1/in/y.txt"]
    assert PathPattern("{n}/in/x.tif").files_under(tmp_path) == [tmp_path / "a1/in/x.tif", tmp_path / "b1/in/x.tif"]


@pytest.mark.parametrize("text", ["", "/a/{b}", "a//{b}", "a/{b}/", "../{b}", "./{b}", "{b", "b}", "{}", "{1}", "{b}*"])
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(ValueError, match="a pattern"):
        PathPattern(text)
