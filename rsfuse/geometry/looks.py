"""Looks: blocks of pixels averaged into one, which makes SAR pixels square and their speckle weaker."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

_LEAST_VALID = 0.5  # of the pixels of a block
_INDEPENDENT = 0.8  # of the pixels: a rule of thumb


def multilook(power: Image, rows: int, columns: int) -> Image:
    """The mean power of every block, of the pixels that have data.

    Args:
        power: (h, w) or (B, h, w), linear; NaN where there is no data, in each band where it will.
        rows: of a block.
        columns: of a block; one that is cut short at the end counts what there is of it.

    Returns:
        (h / rows, w / columns), rounded up, or (B, ...); NaN where fewer than half of the pixels have data.
    """
    bands = power.reshape(-1, *power.shape[-2:])
    looks = np.empty((len(bands), *_blocks(bands.shape, rows, columns)), np.float32)
    for band, look in zip(bands, looks, strict=True):
        mean, valid = reduced(band[None], ~np.isnan(band), rows, columns)
        look[:] = np.where(valid, mean[0], np.nan)
    return looks.reshape(*power.shape[:-2], *looks.shape[1:])


def reduced(pixels: NDArray[Any], valid: NDArray[np.bool_], rows: int, columns: int) -> tuple[Image, NDArray[np.bool_]]:
    """The mean of every block, of the pixels that are valid.

    Args:
        pixels: (B, h, w).
        valid: (h, w).
        rows: of a block.
        columns: of a block; one that is cut short at the end counts what there is of it.

    Returns:
        pixels: (B, h / rows, w / columns), rounded up; 0 where there is no data.
        valid: (h / rows, w / columns), where half of the pixels are at least.
    """
    counts = _block_sums(valid[None], rows, columns, np.dtype(np.int32))[0]
    known = pixels if valid.all() else np.where(valid, pixels, np.zeros((), pixels.dtype))
    means = _block_sums(known, rows, columns, np.result_type(pixels.dtype, np.float32))
    means /= np.maximum(counts, 1)
    found = counts >= np.maximum(_LEAST_VALID * _block_sizes(valid.shape, rows, columns), 1)
    means *= found
    return means.astype(np.float32, copy=False), found


def square_looks(spacing_m: tuple[float, float]) -> tuple[int, int]:
    """Rows and columns of the blocks that are as square as whole pixels allow.

    Args:
        spacing_m: of the pixels along azimuth and along ground range.
    """
    coarse = max(spacing_m)
    rows, columns = (max(1, round(coarse / spacing)) for spacing in spacing_m)
    return rows, columns


def effective_looks(rows: int, columns: int) -> float:
    """How many independent looks blocks of single-look pixels amount to, where neighbours are somewhat alike.

    Where a sensor samples much more finely than it resolves, there are far fewer, and `estimate_enl` measures them.
    """
    return max(1.0, _INDEPENDENT * rows * columns)


def _blocks(shape: tuple[int, ...], rows: int, columns: int) -> tuple[int, int]:
    """How many blocks cover an image (..., h, w), down and across."""
    return -(-shape[-2] // rows), -(-shape[-1] // columns)


def _block_sizes(shape: tuple[int, ...], rows: int, columns: int) -> NDArray[np.int64]:
    """How many pixels of the image each block has, fewer at its ends."""
    sides = (
        np.minimum(step, length - step * np.arange(count))
        for step, length, count in zip((rows, columns), shape[-2:], _blocks(shape, rows, columns), strict=True)
    )
    return np.multiply.outer(*sides)


def _block_sums(pixels: NDArray[Any], rows: int, columns: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Of rows first, which lie side by side in memory; one after another, so that a sum is the same in any window."""
    down, across = _blocks(pixels.shape, rows, columns)
    tall = np.zeros((len(pixels), down, pixels.shape[2]), dtype)
    for row in range(rows):
        part = pixels[:, row::rows]
        tall[:, : part.shape[1]] += part
    if columns == 1:
        return tall
    sums = np.zeros((len(pixels), down, across), dtype)
    for column in range(columns):
        part = tall[..., column::columns]
        sums[..., : part.shape[2]] += part
    return sums
