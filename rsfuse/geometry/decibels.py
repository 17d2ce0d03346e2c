"""Decibels and power: SAR values are kept as the one, and mixed as the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PER_DB = np.float32(math.log(10) / 10)


def to_db(power: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Linear power as 10 log10, NaN where it is NaN or not above 0.

    Args:
        power: of any shape.
        out: where to put it, power itself for example.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        decibels: NDArray[np.float32] = np.log10(power, out=out, dtype=np.float32, casting="same_kind")
    decibels *= np.float32(10)
    decibels[np.isneginf(decibels)] = np.nan
    return decibels


def to_power(decibels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decibels of any shape as linear power, NaN where they are NaN."""
    power: NDArray[np.float32] = np.exp(decibels * _PER_DB)
    return power
