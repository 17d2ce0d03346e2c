"""Bands through filters of their own: each part is that of the whole band filtered alone."""

from __future__ import annotations

import numpy as np
import pytest

from rsfuse.geometry.sharpening.bandwise import BandFilters
from rsfuse.geometry.sharpening.filters import within
from rsfuse.geometry.sharpening.placement import Placement

GAINS = 0.22, 0.35, 0.3
PLACEMENT = Placement.by_area(4, (16, 20))
FILTERS = BandFilters(tuple(PLACEMENT.smoothing(gain) for gain in GAINS))


@pytest.mark.parametrize(("rows", "columns"), [((0, 64), (0, 80)), ((20, 40), (30, 33)), ((50, 64), (0, 7))])
def test_a_part_is_that_of_each_band_filtered_alone(rows, columns):
    image = np.random.default_rng(0).uniform(0, 2047, (3, 64, 80)).astype(np.float32)
    wide = FILTERS.needed(rows, columns)
    part = FILTERS(image[:, slice(*wide[0]), slice(*wide[1])], rows, columns)
    for band, gain in enumerate(GAINS):
        alone = PLACEMENT.smoothing(gain).whole(image[band, None], (64, 80))
        assert part[band] == pytest.approx(alone[0, slice(*rows), slice(*columns)], rel=1e-5)


def test_a_part_lies_where_the_wider_one_begins():
    pixels = np.arange(100).reshape(10, 10)
    down, across = within(((4, 6), (3, 9)), ((2, 8), (1, 10)))
    assert (pixels[2:8, 1:10][down, across] == pixels[4:6, 3:9]).all()
