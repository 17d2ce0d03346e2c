"""An image laid out: once from its top to its bottom, in tiles, in the geometry of its sensor.

Agencies deliver images in strips, packed or in archives, of which a window costs as much as whole rows. What is
done to pixels before they are moved is done on the way: power out of digital numbers, looks, speckle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.geometry.image_model import ImageModel
from rsfuse.raster.cog import DRAFT
from rsfuse.raster.disk import check_space, writing
from rsfuse.raster.in_order import in_order
from rsfuse.raster.native import NativeBands
from rsfuse.raster.opening import open_source, quiet, reading
from rsfuse.raster.ortho.delivered import Delivered
from rsfuse.raster.ortho.treatment import Block, Strip, Treatment

_STRIP_BYTES = 8 * 2**20  # of an image that are worked on together
_LEAST_ROWS = 64  # more than any halo


@dataclass(frozen=True)
class LaidOut:
    """An image in tiles.

    Args:
        path: of its file.
        model: where its pixels lie.
        shape: rows and columns.
        block: rows and columns of the delivered image that have become one pixel.
    """

    path: Path
    model: ImageModel
    shape: tuple[int, int]
    block: Block


def layout_of(image: Delivered, block: Block, path: Path) -> LaidOut:
    """What `lay_out` makes of an image of which so many pixels become one."""
    rows, columns = block
    shape = -(-image.shape[0] // rows), -(-image.shape[1] // columns)
    return LaidOut(path, image.model.reduced(rows, columns), shape, block)


def lay_out(image: Delivered, treatment: Treatment, path: Path, progress: Callable[[int, int], None]) -> None:
    """Write an image in tiles.

    The file has 0 for no data where it holds whole numbers, else NaN. Memory is that of a few strips of the image.

    Args:
        image: see there; its rows are read once, in their order.
        treatment: what is done on the way.
        path: of the file; it has its name once it is complete.
        progress: told of rows.

    Raises:
        SceneError: if the image is truncated or damaged.
        OutputError: if the disk is full.
    """
    height, width = layout_of(image, treatment.block, path).shape
    part = path.with_suffix(".part")
    delivered = _strips(image, treatment.block[0], progress)
    made = in_order(delivered, treatment.reduce)
    finished = in_order(_padded(made, treatment.halo), lambda strip: strip.cut(treatment.smooth(strip.pixels)))
    first = next(finished)
    check_space(path, first.shape[0] * first.dtype.itemsize * height * width)
    with writing(path), quiet():
        laid = rasterio.open(part, "w", **DRAFT, count=len(first), dtype=first.dtype, height=height, width=width)
    with writing(path), laid:
        top = 0
        for strip in chain([first], finished):
            laid.write(strip, window=Window(0, top, width, strip.shape[1]))
            top += strip.shape[1]
    part.replace(path)


class _Padded(NamedTuple):
    """A strip with rows of its neighbours."""

    pixels: NDArray[Any]
    above: int
    below: int

    def cut(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """What was made of it, without them."""
        return pixels[:, self.above : pixels.shape[1] - self.below]


def _strips(image: Delivered, rows: int, progress: Callable[[int, int], None]) -> Iterator[Strip]:
    """Strips of whole blocks, from the top down."""
    with open_source(image.source, image.name) as file:
        row_bytes = sum(np.dtype(dtype).itemsize for dtype in file.dtypes) * file.width
        high = max(_STRIP_BYTES // row_bytes // rows, _LEAST_ROWS) * rows
        unsigned = all(np.issubdtype(dtype, np.unsignedinteger) for dtype in file.dtypes)
        bands = NativeBands(file, file.indexes, alpha=(), is_unsigned=unsigned)
        for top in range(0, file.height, high):
            window = Window(0, top, file.width, min(high, file.height - top))
            with reading(image.name, window):
                yield Strip(top, *bands.read(window))
            progress(top + int(window.height), file.height)


def _padded(strips: Iterator[NDArray[Any]], halo: int) -> Iterator[_Padded]:
    """Strips with up to so many rows of those above and below."""
    held = next(strips)
    above = held[:, :0]
    for strip in strips:
        if strip.shape[1] < halo:  # the last one
            held = np.concatenate([held, strip], 1)
            continue
        yield _Padded(np.concatenate([above, held, strip[:, :halo]], 1) if halo else held, above.shape[1], halo)
        above = held[:, held.shape[1] - halo :]
        held = strip
    yield _Padded(np.concatenate([above, held], 1) if halo else held, above.shape[1], 0)
