"""Ratios of counts and their means: NaN says that there was nothing to divide by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def ratio(part: Any, whole: Any) -> float:
    """A share; NaN of nothing."""
    return float(part) / float(whole) if whole else float("nan")


def ratios(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Shares, one by one; NaN where the whole is 0."""
    shares: Floats = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return shares


def mean(values: Floats) -> float:
    """Over the values that are not NaN; NaN if none is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")
