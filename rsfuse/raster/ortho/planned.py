"""What becomes of a product: its channels, each with what is done to it before and after it comes to the ground."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rsfuse.raster.draft import Band
from rsfuse.raster.ortho.delivered import Delivered
from rsfuse.raster.ortho.ground_scene import Beside, Finish
from rsfuse.raster.ortho.treatment import Block, Treatment


@dataclass(frozen=True)
class PlannedChannel:
    """Bands of the result.

    Args:
        images: that are joined.
        treat: what is done to them in the geometry of the sensor, given the pixels that become one.
        finish: what is done on the ground.
        bands: that come out.
        looks: at least so many pixels become one.
        beside: see `Channel`.
    """

    images: tuple[Delivered, ...]
    treat: Callable[[Block], Treatment]
    finish: Finish
    bands: tuple[Band, ...]
    looks: Block = (1, 1)
    beside: Beside | None = None


@dataclass(frozen=True)
class Planned:
    """A raster that is made of a product.

    Args:
        channels: in their order.
        dtype: of its numbers.
        nodata: number for no data.
        tags: what the file says of itself, and the user is told.
        warnings: a sentence each.
    """

    channels: tuple[PlannedChannel, ...]
    dtype: str
    nodata: float
    tags: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[Delivered, ...]:
        """All that are laid out."""
        return tuple(image for channel in self.channels for image in channel.images)

    @property
    def bands(self) -> tuple[Band, ...]:
        """All that come out."""
        return tuple(band for channel in self.channels for band in channel.bands)
