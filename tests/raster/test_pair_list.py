"""Pairs are found in a user's own list in all its shapes, and what it says wrong is named by its row."""

import json
import math

import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.pair_list import holds_pairs, pairs_in_list


@pytest.fixture
def touch(tmp_path):
    """A function from names to paths of files that nobody opens."""

    def write(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("no raster")
        return [tmp_path / name for name in names]

    return write


@pytest.fixture
def write_list(tmp_path):
    """A function from a name and a text, bytes or properties of features to the path of a list."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, list):
            features = [{"type": "Feature", "geometry": None, "properties": each} for each in content]
            content = json.dumps({"type": "FeatureCollection", "features": features})
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def files(touch):
    """Files that a list may name."""
    return touch("o/a.tif", "o/b b.tif", "s/ä.tif", "s/x,y.tif")


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_csv_names_pairs_in_its_order(write_list, files, start, newline):
    lines = ["optical,sar,name", "o/b b.tif,s/ä.tif,southern part", "", f' {files[0]} , "s/x,y.tif",', ",s/ä.tif"]
    found = pairs_in_list(write_list("list.csv", start + newline.join(lines)))
    assert [(pair.optical, pair.sar, pair.name) for pair in found] == [
        (files[1], files[2], "southern part"), (files[0], files[3], "a"), (None, files[2], "ä")
    ]  # fmt: skip
    assert all(math.isnan(pair.overlap) for pair in found)


@pytest.mark.parametrize(
    "text",
    [
        "optical;sar\no/a.tif;s/x,y.tif\n",
        "\n\noptical;sar\no/a.tif;s/x,y.tif\n",
        "SAR ; Optical;;\ns/x,y.tif;o/a.tif;;\n;;;\n",
        '"name";"optical";"sar"\n"";"o/a.tif";"s/x,y.tif"\n',
        'optical,sar\no/a.tif,"s/x,y.tif"',
    ],
)
def test_columns_stand_in_any_order_between_commas_or_semicolons(write_list, files, text):
    (found,) = pairs_in_list(write_list("list.csv", text))
    assert (found.optical, found.sar, found.name) == (files[0], files[3], "a")


@pytest.mark.parametrize(("column", "place"), [("optical", 0), ("sar", 1)])
def test_a_list_may_have_one_sensor_alone(write_list, files, column, place):
    (found,) = pairs_in_list(write_list("list.csv", f"{column}\no/b b.tif\n"))
    assert (found.optical, found.sar)[place] == files[1]
    assert (found.optical, found.sar)[1 - place] is None
    assert found.name == "b b"


@pytest.mark.parametrize("ending", ["geojson", "JSON"])
def test_a_geojson_names_pairs_and_says_what_it_does_not_look_at(write_list, files, caplog, ending):
    features = [
        {"optical": "o/a.tif", "SAR": "s/ä.tif", "name": "north", "fid": 1},
        {"optical": str(files[1]), "sar": None, "nme": "south"},
        {"sar": "s/x,y.tif", "name": ""},
    ]
    found = pairs_in_list(write_list(f"list.{ending}", features))
    assert [(pair.optical, pair.sar, pair.name) for pair in found] == [
        (files[0], files[2], "north"), (files[1], None, "b b"), (None, files[3], "x,y")
    ]  # fmt: skip
    (message,) = [record.getMessage() for record in caplog.records]
    assert "fid, nme (did you mean 'name'?)" in message


def test_what_a_list_is_shows_in_the_ending_of_its_name(tmp_path):
    names = ["a.csv", "a.GeoJSON", "a.json", "a.tif", "csv"]
    assert [holds_pairs(tmp_path / name) for name in names] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("optcal,sar\no/a.tif,\n", "line 1: there is no column 'optcal'", "did you mean 'optical'"),
        ("optical,srr\no/a.tif,\n", "line 1: there is no column 'srr'", "did you mean 'sar'"),
        ("\noptical,cloud cover\no/a.tif,\n", "line 2: there is no column 'cloud cover'", "write these columns"),
        ("o/a.tif,s/ä.tif\n", "line 1: there is no column 'o/a.tif'", "optical,sar,name"),
        ("optical,,sar\no/a.tif,,\n", "line 1: there is no column ''", "optical,sar,name"),
        ("optical,sar,Optical\no/a.tif,\n", "line 1: there are two columns 'Optical'", "optical,sar,name"),
        ("name\na\n", "line 1: there is neither a column 'optical' nor 'sar'", "optical,sar,name"),
        ("", "line 1: there is neither a column 'optical' nor 'sar'", "optical,sar,name"),
        ("optical,sar\n,\n", "list.csv lists no scene", "row for each scene"),
        ("optical,sar,name\n,,x\n", "line 2 names neither an optical nor a SAR raster", "optical,sar,name"),
        ("optical,sar\no/a.tif,s/x,y.tif\n", "line 2, has 3 cells, the header 2: optical, sar", "quotes"),
        ('optical,sar\n"o/a.tif,\n', "line 2: unexpected end of data", "quotes"),
        ("optical,name\no/a.tif,../up\n", "line 2: '../up' cannot name a file", "folders"),
        ("optical,name\no/a.tif,..\n", "line 2: '..' cannot name a file", "folders"),
    ],
)
def test_a_csv_that_says_something_else_is_refused_by_its_line(write_list, files, text, message, hint):
    with pytest.raises(SceneError) as caught:
        pairs_in_list(write_list("list.csv", text))
    assert message in str(caught.value)
    assert "list.csv" in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ([{"optcal": "o/a.tif"}], "feature 1: no property 'optical' nor 'sar'; there are 'optcal'", "mean 'optical'"),
        ([{"sar": "s/ä.tif"}, {}], "feature 2: no property 'optical' nor 'sar'; there are none", "optical,sar,name"),
        ([{"optical": None, "sar": " "}], "feature 1 names neither", "optical,sar,name"),
        ([{"optical": "o/a.tif", "name": 7}], "feature 1: name is 7, not text", "quotes"),
        ([None], "feature 1, has no properties", "optical,sar,name"),
        ([], "list.geojson lists no scene", "row for each scene"),
        ("[1]", "is not a GeoJSON FeatureCollection", "CSV"),
        ('{"type": "Feature", "features": []}', "is not a GeoJSON FeatureCollection", "CSV"),
        ('{"type": ', "is no JSON", "CSV"),
    ],
)
def test_a_geojson_that_says_something_else_is_refused_by_its_feature(write_list, files, content, message, hint):
    with pytest.raises(SceneError) as caught:
        pairs_in_list(write_list("list.geojson", content))
    assert message in str(caught.value)
    assert "list.geojson" in str(caught.value)
    assert hint in caught.value.hint


def test_a_list_that_cannot_be_read_is_named(write_list):
    path = write_list("latin.csv", "optical\nä.tif".encode("latin-1"))
    with pytest.raises(SceneError, match=r"latin\.csv cannot be read as text"):
        pairs_in_list(path)


@pytest.mark.parametrize("kind", ["csv", "geojson"])
def test_a_raster_that_is_not_there_is_named_with_its_row_and_column(write_list, files, tmp_path, kind):
    rows = [("o/a.tif", "s/ä.tif"), ("o/b b.tif", "s/lost.tif"), ("gone.tif", "")]
    if kind == "csv":
        path = write_list("list.csv", "optical,sar\n" + "\n".join(map(",".join, rows)))
    else:
        path = write_list("list.geojson", [dict(zip(("optical", "sar"), row, strict=True)) for row in rows])
    with pytest.raises(SceneError) as caught:
        pairs_in_list(path)
    where = "line 3" if kind == "csv" else "feature 2"
    expected = f"{path}, {where}, sar: {tmp_path / 's/lost.tif'} does not exist (the first of 2)"
    assert str(caught.value) == expected
    assert str(tmp_path) in caught.value.hint


@pytest.mark.parametrize(
    "rows", ["o/a.tif,,x\no/b b.tif,,y\no/b b.tif,,x", 'o/a.tif,s/ä.tif,\n,s/ä.tif,\no/a.tif,"s/x,y.tif",']
)
def test_two_rows_of_one_name_are_both_named(write_list, files, rows):
    path = write_list("list.csv", f"optical,sar,name\n{rows}\n")
    with pytest.raises(SceneError) as caught:
        pairs_in_list(path)
    assert f"{path}, line 2 and {path}, line 4 would write outputs of one name" in str(caught.value)
    assert "name" in caught.value.hint


def test_stems_that_repeat_in_a_list_get_their_folders_and_chosen_names_stay(write_list, touch):
    touch("o/a.tif", "p/a.tif", "q/a.tif")
    found = pairs_in_list(write_list("list.csv", "optical,name\np/a.tif,\nq/a.tif,a\no/a.tif,\n"))
    assert [pair.name for pair in found] == ["p_a", "a", "o_a"]


@pytest.mark.parametrize("name", ["none.csv", "none.geojson"])
def test_a_list_that_is_not_there_is_told_as_such(tmp_path, name):
    with pytest.raises(SceneError, match=rf"{name} does not exist"):
        pairs_in_list(tmp_path / name)
