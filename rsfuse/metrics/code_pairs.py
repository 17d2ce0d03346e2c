"""Pairs of codes that were counted, looked up in a legend: quicker than to look up every pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rsfuse.legend import NODATA, Legend
from rsfuse.metrics.confusion import Confusion


def confusion_of(pairs: NDArray[np.int64], legend: Legend) -> Confusion:
    """The confusion of a legend's classes; pixels whose label says nothing are left out.

    Args:
        pairs: of `count_pairs`, of codes.
        legend: that knows all codes, see `check_pairs`.
    """
    classes, nothing = list(legend.codes), sorted({*legend.unlabelled, NODATA})
    return Confusion(pairs[np.ix_(classes, classes)], pairs[np.ix_(classes, nothing)].sum(1))


def check_pairs(pairs: NDArray[np.int64], legend: Legend, labels: str, mapped: str) -> None:
    """Refuse codes that a legend does not know.

    Args:
        pairs: of `count_pairs`, of codes.
        legend: of both files.
        labels: the file of the labels, for the message.
        mapped: likewise, of the map.

    Raises:
        LegendMismatchError: naming each unknown code and how many pixels have it.
    """
    legend.check_counts(dict(enumerate(pairs.sum(1).tolist())), labels)
    legend.check_counts(dict(enumerate(pairs.sum(0).tolist())), mapped)
