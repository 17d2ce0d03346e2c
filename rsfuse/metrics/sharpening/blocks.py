"""Images cut into blocks of 32 x 32 px, for the scores that are means over blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.sharpening.images import Image, Mask

BLOCK = 32
"""Side of a block in pixels, as in the toolbox of Vivone et al. (2015, 2021)."""


def block_strips(height: int, rows: int) -> list[slice]:
    """Strips of a raster, from the top down, whose blocks are those of the whole.

    Each has a multiple of 32 rows. Only the last takes the rest as well: a few rows alone cannot be mirrored.

    Args:
        height: of the raster.
        rows: about so many in a strip; the last may have 31 more.
    """
    step = max(rows // BLOCK, 1) * BLOCK
    tops = list(range(0, max(height - height % BLOCK, 1), step))
    return [slice(top, bottom) for top, bottom in zip(tops, [*tops[1:], height], strict=True)]


def block_rows(*images: Image, valid: Mask | None) -> Iterator[list[Floats]]:
    """Blocks of some images of one place, a row of blocks at a time: (n, B, 1024) of each image.

    Where rows or columns are no multiple of 32, the image goes on as its own mirror image. A block is left out, of all
    images, where a pixel is not valid.

    Args:
        images: (B, h, W), each with bands of its own.
        valid: (h, W); None where all pixels are.

    Raises:
        ValueError: if images differ in height or width, or are too small to be mirrored.
    """
    places = {image.shape[1:] for image in images} | ({valid.shape} if valid is not None else set())
    if len(places) != 1:
        raise ValueError(f"images of {', '.join(map(str, sorted(places)))} px do not lie on each other")
    rows, columns = (_mirrored(length) for length in places.pop())
    for top in range(0, len(rows), BLOCK):
        place = rows[top : top + BLOCK, None], columns
        kept = None if valid is None else _blocks(valid[None, *place]).all((1, 2))
        blocks = (_blocks(image[:, *place]) for image in images)
        yield [(each if kept is None else each[kept]).astype(np.float64) for each in blocks]


def _mirrored(length: int) -> NDArray[np.int64]:
    """Indices of pixels up to a multiple of 32; the last pixel is the first one mirrored."""
    missing = -length % BLOCK
    if missing > length:
        raise ValueError(f"{length} px are too few to be mirrored to a block of {BLOCK}")
    return np.pad(np.arange(length), (0, missing), mode="symmetric")


def _blocks(image: Image) -> Image:
    """(B, 32, W) as (n, B, 1024)."""
    bands, _, width = image.shape
    blocks = image.reshape(bands, BLOCK, width // BLOCK, BLOCK).transpose(2, 0, 1, 3)
    return blocks.reshape(len(blocks), bands, BLOCK**2)
