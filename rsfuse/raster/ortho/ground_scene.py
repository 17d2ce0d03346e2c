"""Images of a product on one grid, window by window: what `rsfuse prepare` writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rsfuse.geometry.sharpening.filters import Span
from rsfuse.geometry.sharpening.storage import Storage
from rsfuse.raster.draft import Content
from rsfuse.raster.growing import GrowingRaster
from rsfuse.raster.opening import Closing
from rsfuse.raster.ortho.image import Ground, OnGround, OrthoImage
from rsfuse.raster.ortho.laid_out import LaidOut
from rsfuse.raster.windows import each_window

Values = NDArray[np.float32]
Finish = Callable[[Values], Values]
Beside = Callable[[NDArray[np.float64], NDArray[np.float64]], Values]


@dataclass(frozen=True)
class Channel:
    """Bands of the result.

    Args:
        parts: images that are joined.
        finish: makes of values (B, h, w) what is written of them.
        beside: a band made of where pixels lie in the first of the delivered images, columns and rows; None for none.
    """

    parts: tuple[LaidOut, ...]
    finish: Finish
    beside: Beside | None = None


class GroundScene(Closing):
    """Channels on a grid, open for reading. One thread at a time.

    Args:
        channels: of which the bands stand one after the other.
        ground: where they lie.
        content: in which form they are written.
        like: the same, opened before: what it knows need not be found again.
    """

    def __init__(
        self, channels: Sequence[Channel], ground: Ground, content: Content, *, like: GroundScene | None = None
    ) -> None:
        self._channels, self._ground, self._content = channels, ground, content
        with ExitStack() as opened:
            if like is None:
                made = ([OrthoImage(part, ground) for part in channel.parts] for channel in channels)
            else:
                made = ([image.again() for image in images] for images in like._images)
            self._images: list[list[OrthoImage]] = [
                [opened.enter_context(image) for image in images] for images in made
            ]
            self._opened = opened.pop_all()

    def again(self) -> GroundScene:
        """The same opened once more, for another thread."""
        return GroundScene(self._channels, self._ground, self._content, like=self)

    def read(self, rows: Span, columns: Span) -> NDArray[Any]:
        """A window (B, h, w) as it is written, the number for no data in all bands where one of them has none.

        Raises:
            SceneError: if an image cannot be read.
        """
        bands, valid = [], np.ones((rows[1] - rows[0], columns[1] - columns[0]), np.bool_)
        for channel, images in zip(self._channels, self._images, strict=True):
            found = _joined(images, rows, columns)
            bands.append(channel.finish(found.values))
            valid &= found.valid
            if channel.beside is not None:
                bands.append(channel.beside(*images[0].places(rows, columns))[None])
        return _stored(np.concatenate(bands), valid, self._content)

    def close(self) -> None:
        """Let go of all files."""
        self._opened.close()


def write_missing(scene: GroundScene, raster: GrowingRaster, progress: Callable[[int, int], None]) -> None:
    """Give a raster on the grid of a scene all blocks that it has not yet, made by several threads.

    Raises:
        SceneError: if an image cannot be read.
        OutputError: if the disk is full.
    """
    raster.take(each_window(scene, raster.missing(), GroundScene.read), progress)


def _joined(images: Sequence[OrthoImage], rows: Span, columns: Span) -> OnGround:
    """Each pixel of the image that it lies the deepest in, of those that have data there."""
    first, *others = images
    found = first.read(rows, columns)
    if not others:
        return found
    deepest = np.where(found.valid, first.depth(rows, columns), -1.0)
    for image in others:
        more = image.read(rows, columns)
        if not more.valid.any():
            continue
        depth = np.where(more.valid, image.depth(rows, columns), -1.0)
        better = depth > deepest
        np.copyto(found.values, more.values, where=better)
        np.copyto(deepest, depth, where=better)
        found.valid[better] = True
    return found


def _stored(values: Values, valid: NDArray[np.bool_], content: Content) -> NDArray[Any]:
    """In the type of the file."""
    assert content.nodata is not None, "there is always something beside an image"
    valid &= np.isfinite(values).all(0)
    if np.dtype(content.dtype).kind == "f":
        np.copyto(values, content.nodata, where=~valid)
        return values.astype(content.dtype, copy=False)
    np.copyto(values, 0, where=~valid)
    return Storage(np.dtype(content.dtype), content.nodata)(values, valid)
