"""A legend translates codes and indices both ways, and knows what it does not know."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, LandClass, Legend, parse_color
from rsfuse.legends import CODINGS, LEGENDS, coding_named, legend_named

WATER, TOWN = LandClass(7, "water", (0, 0, 255)), LandClass(3, "town", (255, 0, 16))

colors = st.tuples(*[st.integers(0, 255)] * 3)


@st.composite
def legends(draw):
    codes = draw(st.lists(st.integers(0, NODATA - 1), min_size=1, max_size=12, unique=True))
    return Legend(tuple(LandClass(code, draw(st.text(max_size=8)), draw(colors)) for code in codes))


@given(legends(), st.sampled_from([np.uint8, np.int16, np.int64]))
def test_codes_go_to_indices_and_back(legend, dtype):
    codes = np.array([[*legend.codes, NODATA]], dtype)
    indices = legend.to_index(codes)
    assert indices.tolist() == [[*range(len(legend)), NODATA]]
    assert indices.dtype == np.uint8
    np.testing.assert_array_equal(legend.to_code(indices), codes)


@given(legends())
def test_a_legend_survives_its_dictionary_and_json(legend):
    assert Legend.from_dict(json.loads(json.dumps(legend.to_dict()))) == legend


@pytest.mark.parametrize("name", LEGENDS)
def test_every_shipped_legend_keeps_the_contract(name):
    legend = legend_named(name)
    assert len(set(legend.names)) == len(set(legend.codes)) == len({each.color for each in legend}) == len(legend)
    assert not set(legend.codes) & set(legend.unlabelled)
    assert NODATA in legend.unlabelled
    assert legend == LEGENDS[name]


@pytest.mark.parametrize("name", LEGENDS)
def test_every_shipped_coding_speaks_of_its_own_legend_and_reaches_all_of_it(name):
    coding, legend = coding_named(name), legend_named(name)
    in_rasters = {*coding.codes.values(), *coding.colors.values()}
    assert in_rasters - {NODATA} == set(legend.codes)
    assert set(coding.names.values()) - {NODATA} == set(legend.codes)


def test_no_coding_is_without_its_legend():
    assert set(CODINGS) <= set(LEGENDS)
    with pytest.raises(LegendMismatchError, match="'atlantis'"):
        coding_named("atlantis")


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("whu-opt-sar", "204,102,0 255,0,0 255,255,0 0,0,255 85,167,0 0,255,255 153,102,153"),
        ("whu-opt-sar-asanet", "255,195,128 255,0,0 159,129,183 0,0,255 0,255,0 255,255,0 255,255,255"),
        ("ddhr", "255,0,0 0,0,255 255,255,0 255,0,255 0,255,0"),
        ("ddhr-whfnet", "128,0,0 0,128,0 128,128,0 0,0,128 128,0,128"),
        ("pie-rgb-sar", "128,128,128 235,51,36 255,253,85 66,236,245 56,168,0 168,112,0"),
        ("deepglobe", "0,255,255 255,255,0 255,0,255 0,255,0 0,0,255 255,255,255"),
        ("dubai", "60,16,152 132,41,246 110,193,228 254,221,58 226,169,41"),
    ],
)
def test_published_palettes_are_as_published(name, published):
    """In decimals, as the sources print them."""
    assert [",".join(map(str, each.color)) for each in legend_named(name)] == published.split()


def test_colours_of_unlabelled_dubai_are_known():
    colors = np.array([[155, 155, 155], [0, 0, 0], [60, 16, 152], [1, 2, 3]], np.uint8).T[:, None]
    codes, unknown = coding_named("dubai").translate(colors)
    assert codes.tolist() == [[NODATA, NODATA, 0, NODATA]]
    assert unknown == {"#010203": 1}


def test_the_land_cover_of_real_terramesh_chips_is_in_its_legend(shared_data):
    pixels = 0
    for path in sorted((shared_data("terramesh_chips") / "LULC").glob("*.tif")):
        with rasterio.open(path) as file:
            codes = file.read(1)
        legend_named("esri-lulc").check(codes, str(path))
        pixels += codes.size
    assert pixels == 5 * 224 * 224


def test_indices_count_in_the_order_of_the_legend_not_of_the_codes():
    legend = Legend((WATER, TOWN))
    assert legend.to_index(np.array([3, 7], np.uint8)).tolist() == [1, 0]
    assert legend.names == ("water", "town")
    assert list(legend) == [WATER, TOWN]


def test_unlabelled_codes_become_255():
    legend = Legend((WATER, TOWN), unlabelled=(0, NODATA))
    assert legend.to_index(np.array([0, 7, NODATA], np.uint8)).tolist() == [NODATA, 0, NODATA]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32])
def test_an_unknown_code_is_refused_with_its_count(dtype):
    with pytest.raises(LegendMismatchError, match=r"reference: code 9 \(2 px\) is not in .*7 water") as caught:
        Legend((WATER, TOWN)).check(np.array([[9, 7], [9, 3]], dtype), "reference")
    assert caught.value.hint


@pytest.mark.parametrize("strange", [-1, 256, 256 + 7, 1000])
def test_a_code_beyond_eight_bits_is_refused_and_not_folded_into_a_class(strange):
    with pytest.raises(LegendMismatchError, match=rf"code {strange} \(1 px\)"):
        Legend((WATER, TOWN)).to_index(np.array([7, strange], np.int16))


def test_what_is_no_index_becomes_255():
    codes = Legend((WATER, TOWN)).to_code(np.array([0, 1, 2, 200, NODATA], np.uint8))
    assert codes.tolist() == [7, 3, NODATA, NODATA, NODATA]


@pytest.mark.parametrize(
    "classes",
    [(), (WATER, WATER), (LandClass(NODATA, "x", (0, 0, 0)),), (LandClass(-1, "x", (0, 0, 0)),)],
    ids=["no class", "a code twice", "255", "negative"],
)
def test_a_legend_needs_distinct_codes_below_255(classes):
    with pytest.raises(LegendMismatchError, match="distinct codes"):
        Legend(classes)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"classes": [{"code": 1, "name": "water"}]},
        {"classes": [{"code": "one", "name": "water", "color": "#000000"}]},
        {"classes": [{"code": 1, "name": "water", "color": "blue"}]},
        {"classes": [{"code": 1, "name": "water", "color": "#00gg00"}]},
        {"classes": 5},
    ],
    ids=["empty", "no colour", "code in words", "colour in words", "not hexadecimal", "no list"],
)
def test_what_is_not_a_legend_is_refused_with_an_example(data):
    with pytest.raises(LegendMismatchError, match="not a legend") as caught:
        Legend.from_dict(data)
    assert "code: 1" in caught.value.hint


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(LegendMismatchError, match="'atlantis'") as caught:
        legend_named("atlantis")
    assert all(name in caught.value.hint for name in LEGENDS)


@given(colors)
def test_colours_are_read_as_they_are_written(color):
    assert parse_color("#{:02x}{:02x}{:02x}".format(*color)) == color
