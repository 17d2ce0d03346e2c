"""What pages are made of: numbers, axes, colours, elements."""

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from rsfuse.reports.html.axes import Axis, below, ticks
from rsfuse.reports.html.colors import STEPS, contrast, ink_on, shade
from rsfuse.reports.html.markup import element, figure


def test_numbers_are_told_as_people_read_them():
    assert figure(-0.001) == "0.00"
    assert figure(0.004, signed=True) == "0.00"
    assert figure(0.006, signed=True) == "+0.01"
    assert figure(12345.678, 1) == "12,345.7"
    assert figure(math.nan) == figure(math.inf) == "-"


@pytest.mark.parametrize("high", [0.13, 1.0, 1.95, 7.6, 42.0, 1e4])
def test_ticks_are_round_and_few(high):
    found = ticks(-high, high, 6)
    assert 4 <= len(found) <= 10
    assert 0 in found
    assert max(found) <= high * 1.0001
    step = found[1] - found[0]
    assert below(step * 1.0001) == pytest.approx(step)


def test_an_axis_runs_from_its_start_to_its_end():
    axis = Axis(-2, 2, 100, 0)
    assert (axis.at(-2), axis.at(2), axis.at(0)) == (100, 0, 50)
    assert axis.length(1) == -25


def test_texts_stand_between_elements():
    made = element("p", "one ", element("b", "two"), " three", " four", class_="x", data_y=1.5)
    assert ElementTree.tostring(made, "unicode") == '<p class="x" data-y="1.5">one <b>two</b> three four</p>'


def test_ink_can_be_read_on_any_colour():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert ink_on("#ffff00") == "#000000"
    assert ink_on("#000080") == "#ffffff"
    assert shade("#0067a8", 0) == "#ffffff"
    assert shade("#0067a8", 1) == "#0067a8"
    assert min(contrast(ink_on(color), color) for color in map("#{0:02x}{0:02x}{0:02x}".format, range(256))) > 4.5
    steps = [contrast(each, "#ffffff") for each in STEPS]
    assert all(darker > 1.4 * paler for paler, darker in pairwise(steps))
