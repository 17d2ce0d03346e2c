"""The shelf of open files: each open once while it is needed, few at a time."""

from rsfuse.raster.mosaics.shelf import Shelf
from rsfuse.raster.opening import Closing


class Book(Closing):
    def __init__(self, number, log):
        self.number, self._log = number, log
        log.append(("open", number))

    def close(self):
        self._log.append(("close", self.number))


def test_what_was_not_asked_for_the_longest_is_closed_and_in_the_end_all_is():
    log = []
    with Shelf(lambda number: Book(number, log)) as shelf:
        for number in [*range(200), 0, 1, 200, 201, 0]:
            assert shelf.take(number).number == number
        assert [each for each in log if each[0] == "close"] == [("close", 2), ("close", 3)]
        shelf.take(2)
    opened = [number for what, number in log if what == "open"]
    closed = [number for what, number in log if what == "close"]
    assert sorted(opened) == sorted(closed) == sorted([*range(202), 2])
