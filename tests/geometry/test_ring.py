"""A ring holds each of the last rows at one place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rsfuse.geometry.ring import Ring


@given(st.integers(1, 20), st.integers(0, 100), st.data())
def test_runs_are_the_rows_in_order_each_at_its_number_modulo_the_size(rows, first, data):
    count = data.draw(st.integers(0, rows))
    runs = list(Ring(rows).segments(first, count))
    held = [row for here, _ in runs for row in range(here.start, here.stop)]
    asked = [row for _, there in runs for row in range(there.start, there.stop)]
    assert asked == list(range(count))
    assert held == [(first + row) % rows for row in range(count)]
    assert len(runs) <= 2


def test_what_slides_through_a_buffer_is_found_again():
    ring, buffer = Ring(7), np.zeros(7, int)
    for first in range(0, 50, 3):
        for here, there in ring.segments(first, 5):
            buffer[here] = (first + np.arange(5))[there]
        assert np.concatenate([buffer[here] for here, _ in ring.segments(first, 5)]).tolist() == list(
            range(first, first + 5)
        )


def test_more_rows_than_it_holds_are_refused():
    with pytest.raises(ValueError, match="8 rows in a ring of 7"):
        list(Ring(7).segments(0, 8))
