"""Images to compare, cut into blocks pixel by pixel, and products of numbers by the tables in the books."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

QUATERNIONS = ("0 1 2 3", "1 -0 3 -2", "2 -3 -0 1", "3 2 -1 -0")
"""e_i times e_j, row times column: Hamilton's, with e1 = i, e2 = j, e3 = k."""

OCTONIONS = (
    "0  1  2  3  4  5  6  7",
    "1 -0  3 -2  5 -4 -7  6",
    "2 -3 -0  1  6  7 -4 -5",
    "3  2 -1 -0  7 -6  5 -4",
    "4 -5 -6 -7 -0  1  2  3",
    "5  4 -7  6 -1 -0 -3  2",
    "6  7  4 -5 -2  3 -0 -1",
    "7 -6  5  4 -3 -2  1 -0",
)
"""Likewise Cayley's, with e1 e2 = e3, e1 e4 = e5, e2 e4 = e6 and e3 e4 = e7."""

TABLES = {1: ("0",), 2: ("0 1", "1 -0"), 4: QUATERNIONS, 8: OCTONIONS}


def _by_table(x, y):
    """Product of numbers (P, N) with numbers (P, N)."""
    product = np.zeros_like(x)
    for i, row in enumerate(TABLES[len(x)]):
        for j, unit in enumerate(row.split()):
            product[int(unit.lstrip("-"))] += (-1 if unit.startswith("-") else 1) * x[i] * y[j]
    return product


def _images(seed=0, bands=4, shape=(64, 96), noise=60.0):
    random = np.random.default_rng(seed)
    ground = ndimage.gaussian_filter(random.standard_normal((bands + 1, *shape)), (0, 3, 3)) * 2000
    reference = 900 + ground[:1] + 0.5 * ground[1:] + 40 * np.arange(bands)[:, None, None]
    sharp = reference + random.normal(0, noise, reference.shape)
    return tuple(np.clip(each, 0, 2047).round().astype(np.uint16) for each in (reference, sharp))


def _naive_blocks(image):
    """(B, 32, 32) each, in reading order; the image goes on mirrored, its last pixel twice."""
    _, height, width = image.shape
    for top in range(0, height, 32):
        for left in range(0, width, 32):
            rows = [row if row < height else 2 * height - 1 - row for row in range(top, top + 32)]
            columns = [column if column < width else 2 * width - 1 - column for column in range(left, left + 32)]
            yield np.array([[[float(band[row, column]) for column in columns] for row in rows] for band in image])


@pytest.fixture(scope="session")
def images():
    """Makes a reference of 11 bits and something near it, (bands, *shape) uint16."""
    return _images


@pytest.fixture(scope="session")
def naive_blocks():
    """Cuts an image into blocks, pixel by pixel."""
    return _naive_blocks


@pytest.fixture(scope="session")
def by_table():
    """Multiplies numbers of 1, 2, 4 or 8 components by their table."""
    return _by_table
