"""Legends in YAML: what label files say instead of the legend's own codes, and which mistakes are told."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, LandClass, Legend
from rsfuse.legends import LEGENDS, coding_named, legend_named
from rsfuse.raster.legend_file import find_coding, find_legend, read_legend

PLAIN = {
    "classes": [
        {"code": 1, "name": "water", "color": "#0000ff"},
        {"code": 2, "name": "built", "color": "#ff0000"},
    ]
}
WATER, BUILT = PLAIN["classes"]


def legend_of(water=None, built=None, **more):
    """`PLAIN` with other keys in its two classes, and more keys beside them."""
    return {"classes": [{**WATER, **(water or {})}, {**BUILT, **(built or {})}], **more}


def number(coding, value):
    codes, unknown = coding.translate(np.array([[[value]]], np.int32))
    return None if unknown else int(codes[0, 0])


def color(coding, *value):
    codes, unknown = coding.translate(np.array(value, np.uint8).reshape(3, 1, 1))
    return None if unknown else int(codes[0, 0])


@pytest.fixture
def write(tmp_path):
    """A function from text or data to a YAML file."""

    def to_file(data):
        path = tmp_path / "legend.yaml"
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data))
        return path

    return to_file


@st.composite
def legends(draw):
    codes = draw(st.lists(st.integers(0, NODATA - 1), min_size=1, max_size=6, unique=True))
    colors = draw(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=6, max_size=6, unique=True))
    free = st.integers(0, NODATA).filter(lambda code: code not in codes)
    unlabelled = tuple(draw(st.lists(free, min_size=1, max_size=3, unique=True)))
    classes = zip(codes, colors, strict=False)
    return Legend(tuple(LandClass(code, f"class {n}", rgb) for n, (code, rgb) in enumerate(classes)), unlabelled)


@given(legends())
def test_a_legend_survives_its_dictionary_and_says_itself(legend):
    assert read_legend(legend.to_dict()) == (legend, LabelCoding.of(legend))


@pytest.mark.parametrize("name", LEGENDS)
def test_a_name_finds_the_legend_and_its_coding(name, write):
    assert (find_legend(name), find_coding(name)) == (legend_named(name), coding_named(name))
    assert find_legend(str(write(legend_named(name).to_dict()))) == legend_named(name)


def test_listed_numbers_replace_the_code_and_leave_colour_and_name():
    legend, coding = read_legend(legend_of({"from": [10, 300]}))
    assert legend == Legend.from_dict(PLAIN)
    assert [number(coding, value) for value in (10, 300, 1, 2, NODATA)] == [1, 1, None, 2, NODATA]
    assert color(coding, 0, 0, 255) == 1
    assert [coding.code_of_name(name) for name in ("Water", 10, "300", 1, 2)] == [1, 1, 1, None, 2]


def test_listed_colours_replace_the_code_too_and_make_a_colour_table_count():
    coding = read_legend(legend_of({"from": ["#3c1098"]}, {"from": "#000000"}))[1]
    assert [number(coding, value) for value in (1, 2)] == [None, None]
    assert [color(coding, 0x3C, 0x10, 0x98), color(coding, 0, 0, 0), color(coding, 0, 0, 255)] == [1, 2, 1]
    assert coding.reads_colors({0: (0, 0, 0, 255), 1: (0x3C, 0x10, 0x98, 255)})


def test_listed_names_alone_leave_the_code():
    coding = read_legend(legend_of({"from": ["Water body", "lake"]}))[1]
    assert number(coding, 1) == 1
    assert [coding.code_of_name(name) for name in ("WATER BODY", "lake", "water")] == [1, 1, 1]


def test_codes_names_and_colours_may_be_swapped():
    coding = read_legend(legend_of({"from": [2, "built", "#ff0000"]}, {"from": [1, "water", "#0000ff"]}))[1]
    assert [number(coding, value) for value in (1, 2)] == [2, 1]
    assert [coding.code_of_name(name) for name in ("water", "built")] == [2, 1]
    assert [color(coding, 255, 0, 0), color(coding, 0, 0, 255)] == [1, 2]


def test_a_name_that_two_classes_bear_is_that_of_the_one_that_lists_it():
    coding = read_legend(legend_of({"from": [3, "water"]}, {"from": [4], "name": "Water"}))[1]
    assert coding.code_of_name("water") == 1


def test_unlabelled_lists_numbers_colours_and_names():
    legend, coding = read_legend(legend_of(unlabelled=[0, 999, -1, "#9b9b9b", "Unknown"]))
    assert legend.unlabelled == (0,)
    assert [number(coding, value) for value in (0, 999, -1, NODATA, 1)] == [NODATA] * 4 + [1]
    assert color(coding, 0x9B, 0x9B, 0x9B) == NODATA
    assert [coding.code_of_name(name) for name in ("unknown", 999)] == [NODATA, NODATA]


def test_a_number_that_is_unlabelled_in_files_may_be_the_code_of_a_class_that_is_said_otherwise():
    legend, coding = read_legend(legend_of({"code": 0, "from": [10]}, unlabelled=[0]))
    assert legend.unlabelled == (NODATA,)
    assert [number(coding, value) for value in (0, 10)] == [NODATA, 0]


def test_255_may_be_a_class_in_binarised_files():
    data = legend_of({"from": [0]}, {"from": [255]}, binarised_at=128)
    coding = read_legend(data)[1]
    assert [number(coding, value) for value in (3, 127, 128, 250)] == [1, 1, 2, 2]
    assert number(read_legend({**data, "binarised_at": None})[1], 3) is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (legend_of({"from": [5]}, {"from": [5]}), r": 5 is claimed by class 1 \(water\) and by class 2 \(built\)"),
        (legend_of({"from": [2]}), ": 2 is claimed by class 1"),
        (legend_of({"from": ["#FF0000"]}), ": #ff0000 is claimed by"),
        (legend_of({"from": ["Built "]}), ": 'built' is claimed by"),
        (legend_of(unlabelled=[1]), ": 1 is claimed by unlabelled and by class 1"),
        (legend_of({"color": "#ff0000"}), ": #ff0000 is claimed by"),
        (legend_of({"from": [3]}, {"from": [4], "name": "WATER"}), ": 'water' is claimed by"),
        (legend_of({"form": [3]}), r": classes\.0\.form: no such key; did you mean 'from'"),
        (legend_of({"colour": "#ff0000"}), r"classes\.0\.colour: no such key; did you mean 'color'"),
        (legend_of(unlabeled=[0]), "unlabeled: no such key; did you mean 'unlabelled'"),
        (legend_of(zzz=1), "zzz: no such key; there are binarised_at, classes, unlabelled"),
        ({}, ": classes is missing"),
        ({"classes": []}, ": classes: .*at least 1"),
        ({"classes": 5}, ": classes: "),
        ({"classes": [{"code": 1, "name": "water"}]}, r": classes\.0\.color is missing"),
        (legend_of({"code": 2, "from": [7]}), "distinct codes"),
        (legend_of({"code": 255}), r"classes\.0\.code: .*less than 255"),
        (legend_of({"color": "blue"}), "'blue' is not like"),
        (legend_of({"color": None}), "in quotes"),
        (legend_of({"color": "#00gg00"}), r"classes\.0\.color: "),
        (legend_of({"from": [1.5]}), r"classes\.0\.from: neither a whole number.*1\.5"),
        (legend_of({"from": [True]}), r"classes\.0\.from: neither"),
        (legend_of({"from": None}), r"classes\.0\.from: neither"),
        (legend_of({"from": ["#12345"]}), "'#12345' is not like"),
        (legend_of(binarised_at=300), "binarised_at: "),
    ],
)
def test_a_mistake_is_told_with_the_file_and_the_key(data, told, write):
    path = write(data)
    for find in (find_legend, find_coding):
        with pytest.raises(LegendMismatchError, match=told) as caught:
            find(str(path))
        assert str(path) in str(caught.value)
        assert caught.value.hint


def test_a_file_that_is_no_mapping_or_cannot_be_read_is_named(write, tmp_path):
    for text in ("- 1\n", "", "classes: [", "\x00"):
        with pytest.raises(LegendMismatchError, match=r"legend\.yaml"):
            find_legend(str(write(text)))
    with pytest.raises(LegendMismatchError, match=r"nothing\.yaml cannot be read"):
        find_coding(str(tmp_path / "nothing.yaml"))
    for find in (find_legend, find_coding):
        with pytest.raises(LegendMismatchError, match="'atlantis'"):
            find("atlantis")
