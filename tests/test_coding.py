"""A coding knows what stands in label files, and counts what it does not know."""

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.coding import LabelCoding
from rsfuse.errors import LegendMismatchError
from rsfuse.legend import NODATA, LandClass, Legend

LEGEND = Legend(
    (LandClass(7, "Water", (0, 0, 255)), LandClass(3, "town", (255, 0, 16)), LandClass(0, "else", (9, 9, 9))),
    unlabelled=(5, NODATA),
)
OWN = LabelCoding.of(LEGEND)

numbers = st.integers(-40_000, 70_000)
colors = st.tuples(*[st.integers(0, 255)] * 3)
codes = st.sampled_from([0, 3, 7, NODATA])


def one_by_one(values, known):
    """Codes and unknown values as an explicit loop finds them."""
    found = np.full(values.shape[1:], NODATA, np.uint8)
    unknown = Counter()
    for at in np.ndindex(*found.shape):
        pixel = tuple(int(value) for value in values[(slice(None), *at)])
        value = pixel if len(pixel) == 3 else pixel[0]
        if value in known:
            found[at] = known[value]
        else:
            unknown["#" + bytes(pixel).hex() if len(pixel) == 3 else str(value)] += 1
    return found, unknown


@given(st.dictionaries(numbers, codes, max_size=6), st.sampled_from(["uint8", "int16", "uint16", "int32"]), st.data())
def test_numbers_of_any_type_mean_what_a_loop_finds(known, dtype, data):
    info = np.iinfo(dtype)
    fitting = st.sampled_from([value for value in known if info.min <= value <= info.max] or [0])
    drawn = data.draw(st.lists(st.one_of(fitting, st.integers(info.min, info.max)), min_size=12, max_size=12))
    values = np.array(drawn, dtype).reshape(1, 3, 4)
    found, unknown = LabelCoding(known).translate(values)
    expected, strange = one_by_one(values, known)
    np.testing.assert_array_equal(found, expected)
    assert unknown == strange
    assert found.dtype == np.uint8


@given(st.dictionaries(colors, codes, max_size=6), st.sampled_from(["uint8", "int32"]), st.data())
def test_colours_mean_what_a_loop_finds(known, dtype, data):
    either = st.one_of(st.sampled_from(sorted(known) or [(0, 0, 0)]), colors)
    values = np.array(data.draw(st.lists(either, min_size=6, max_size=6)), dtype).T.reshape(3, 2, 3)
    found, unknown = LabelCoding({}, known).translate(values)
    expected, strange = one_by_one(values, known)
    np.testing.assert_array_equal(found, expected)
    assert unknown == strange


def test_a_legend_says_its_classes_by_code_colour_and_name():
    codes, unknown = OWN.translate(np.array([[[7, 3, 0, 5, NODATA]]], np.uint8))
    assert (codes.tolist(), unknown) == ([[7, 3, 0, NODATA, NODATA]], {})
    painted = np.array([each.color for each in LEGEND], np.uint8).T[:, None]
    assert OWN.translate(painted)[0].tolist() == [[7, 3, 0]]
    assert [OWN.code_of_name(each.name) for each in LEGEND] == [7, 3, 0]


@pytest.mark.parametrize(
    ("attribute", "code"),
    [
        (" WATER\t", 7),
        ("water", 7),
        (3, 3),
        (3.0, 3),
        ("3", 3),
        (np.float32(3), 3),
        (np.int16(7), 7),
        (5, NODATA),
        (3.5, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ("lake", None),
        (4, None),
    ],
)
def test_attributes_of_polygons_are_names_or_numbers(attribute, code):
    assert OWN.code_of_name(attribute) == code


def test_a_code_that_is_also_called_unlabelled_stays_a_class_as_in_the_legend():
    legend = Legend((LandClass(0, "else", (9, 9, 9)),), unlabelled=(0, NODATA))
    numbers = np.array([[[0, NODATA]]], np.uint8)
    assert LabelCoding.of(legend).translate(numbers)[0].tolist() == [[0, NODATA]]
    assert legend.to_index(numbers).tolist() == [[[0, NODATA]]]


def test_a_colour_or_name_that_two_classes_share_is_not_known():
    twins = LabelCoding.of(
        Legend((LandClass(1, "forest", (1, 2, 3)), LandClass(2, "Forest", (1, 2, 3)), LandClass(4, "sea", (4, 4, 4))))
    )
    assert (twins.code_of_name("forest"), twins.code_of_name("sea")) == (None, 4)
    assert twins.translate(np.array([1, 2, 3], np.uint8).reshape(3, 1, 1))[1] == {"#010203": 1}
    assert [twins.code_of_name(code) for code in (1, 2)] == [1, 2]


def test_an_extended_coding_knows_more_and_leaves_the_first_as_it_was():
    more = OWN.extended(codes={10: 7, 3: NODATA}, colors={(1, 1, 1): 3}, names={" Lake ": 7})
    assert more.translate(np.array([[[10, 3, 7]]], np.int16))[0].tolist() == [[7, NODATA, 7]]
    assert more.translate(np.ones((3, 1, 1), np.uint8))[0].tolist() == [[3]]
    assert (more.code_of_name("lake"), OWN.code_of_name("lake")) == (7, None)
    assert LabelCoding.of(LEGEND) == OWN


@pytest.mark.parametrize(("at", "expected"), [(128, [0, 0, 0, 7, 7, 7]), (1, [0, 7, 7, 7, 7, 7])])
def test_binarised_numbers_are_0_below_the_threshold_and_255_from_it_on(at, expected):
    coding = LabelCoding({0: 0, 255: 7}, binarised_at=at)
    found, unknown = coding.translate(np.array([[[0, 1, 127, 128, 254, 255]]], np.uint8))
    assert (found.tolist(), unknown) == ([expected], {})


@given(colors)
def test_binarised_colours_are_those_of_the_nearest_corner(color):
    corners = [(red, green, blue) for red in (0, 255) for green in (0, 255) for blue in (0, 255)]
    nearest = min(corners, key=lambda corner: sum(abs(a - b) for a, b in zip(corner, color, strict=True)))
    coding = LabelCoding({}, {corner: number for number, corner in enumerate(corners)}, binarised_at=128)
    found, unknown = coding.translate(np.array(color, np.uint8).reshape(3, 1, 1))
    assert (found.tolist(), unknown) == ([[corners.index(nearest)]], {})


def test_pixels_are_of_one_band_or_three():
    with pytest.raises(ValueError, match="not 4"):
        OWN.translate(np.zeros((4, 2, 2), np.uint8))


def test_a_coding_without_anything_knows_nothing():
    assert LabelCoding({}).translate(np.array([[[1, 1, 2]]], np.int32))[1] == {"1": 2, "2": 1}


def test_a_coding_travels_after_use():
    OWN.translate(np.zeros((1, 1, 1), np.int16))
    assert pickle.loads(pickle.dumps(OWN)).translate(np.full((1, 1, 1), 3, np.uint8))[0].tolist() == [[3]]


def test_a_colour_table_counts_where_no_number_is_known():
    painted = LabelCoding({NODATA: NODATA}, {each.color: each.code for each in LEGEND})
    palette = {0: (255, 0, 16, 255), 1: (0, 0, 255, 255)}
    assert painted.reads_colors(palette)
    assert not painted.reads_colors({})
    assert not LabelCoding({NODATA: NODATA}).reads_colors(palette)


def test_numbers_count_where_they_agree_with_their_colours_or_the_colours_are_others():
    assert not OWN.reads_colors({7: (0, 0, 255, 255), 3: (255, 0, 16, 255), 5: (9, 9, 9, 255)})
    assert not OWN.reads_colors({number: (number, number, number, 255) for number in range(9)})
    assert not OWN.reads_colors(dict.fromkeys(range(256), (0, 0, 0, 255)))


def test_a_number_and_a_colour_that_mean_two_classes_are_refused():
    with pytest.raises(LegendMismatchError, match=r"number 7 stands for class 7.*#ff0010, for class 3") as caught:
        OWN.reads_colors({3: (255, 0, 16), 7: (255, 0, 16)})
    assert "from" in caught.value.hint
