"""Where a product comes to lie: its grid and the heights of it, as asked for or as they suggest themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rasterio.crs import CRS

from rsfuse.errors import SceneError
from rsfuse.geometry.grid import Grid
from rsfuse.geometry.image_model import ImageModel
from rsfuse.geometry.rational import RationalModel
from rsfuse.raster.named_crs import named_crs
from rsfuse.raster.ortho.delivered import Delivered
from rsfuse.raster.ortho.heights import Heights
from rsfuse.raster.ortho.models import GridModel
from rsfuse.raster.ortho.planned import Planned
from rsfuse.raster.ortho.target import (
    Footprint,
    check_reach,
    default_gsd,
    grid_like,
    natural_gsd,
    snapped_grid,
    source_coarseness,
    utm_of,
)
from rsfuse.raster.ortho.treatment import Block

_ALMOST = 0.05  # of a pixel that a block may be wider than the pixels of the grid


@dataclass(frozen=True)
class PlaceWish:
    """What a user may choose of where a scene lies.

    Args:
        like: a raster whose grid it gets; the two below are then None.
        crs: of the grid; None for that of the images, or UTM.
        gsd: in units of the CRS; None for that of the images.
        dem: heights in metres; None for one height everywhere.
        height_m: above the ellipsoid, without a DEM, and where it has none; None for the middle of the images' own.
        geoid_m: what is added to the heights of the DEM, which mostly count from the geoid.
    """

    like: Path | None = None
    crs: str | None = None
    gsd: float | None = None
    dem: Path | None = None
    height_m: float | None = None
    geoid_m: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a product comes to lie.

    Args:
        grid: of the result.
        heights: of its pixels.
        usual_m: height of the ground where nobody knows it better.
        covered: share of the grid that images cover, as far as their outlines tell.
        heeds_height: whether the pixels would lie elsewhere if the ground was higher.
    """

    grid: Grid
    heights: Heights
    usual_m: float
    covered: float
    heeds_height: bool

    @property
    def crs(self) -> CRS:
        """Of the grid."""
        return self.grid.crs


def place_of(path: Path, planned: Planned, wish: PlaceWish) -> Place:
    """Grid and heights of a product.

    Args:
        path: of the product, for messages.
        planned: what becomes of it.
        wish: see there.

    Raises:
        SceneError: if a raster or a CRS that was named is none.
        GridMismatchError: if the product lies elsewhere than the grid.
    """
    images = planned.images
    mean = _usual_height(images, wish)
    if wish.like is not None:
        grid = grid_like(wish.like)
    else:
        crs = _crs(wish.crs, images, mean)
        gsd = _gsd(planned, crs, mean) if wish.gsd is None else wish.gsd
        grid = snapped_grid(_footprints(images, (mean,)), crs, gsd)
        if wish.dem is not None:  # hills lie elsewhere than the plain
            with heights_on(grid, images, wish) as heights:
                lowest, highest = heights.lowest, heights.highest
            grid = snapped_grid(_footprints(images, (mean, lowest, highest)), crs, gsd)
    heights = heights_on(grid, images, wish)
    covered = check_reach(path, _footprints(images, (heights.lowest, heights.highest)), grid)
    return Place(grid, heights, mean, covered, any(image.model.heeds_height for image in images))


def heights_on(grid: Grid, images: Sequence[Delivered], wish: PlaceWish) -> Heights:
    """Heights of the pixels of a grid.

    Raises:
        SceneError: if the DEM is none.
    """
    usual = _usual_height(images, wish)
    if wish.dem is None:
        return Heights.constant(usual)
    return Heights.of(wish.dem, grid, above=wish.geoid_m, fallback=usual)


def block_of(image: Delivered, looks: Block, place: Place) -> Block:
    """Rows and columns of an image that become one pixel: its looks, more of them where the grid is coarser."""
    model, shape = _looked(image, looks)
    middle = (place.heights.lowest + place.heights.highest) / 2
    rows, columns = (max(1, math.floor(each + _ALMOST)) for each in source_coarseness(place.grid, model, shape, middle))
    block = looks[0] * rows, looks[1] * columns
    if block[0] > image.shape[0] or block[1] > image.shape[1]:
        raise SceneError(
            f"a pixel of the grid is as large as {block[0]} x {block[1]} px of {image.name}, which has "
            f"{image.shape[0]} x {image.shape[1]}",
            hint="choose a smaller --gsd, or another raster after --like",
        )
    return block


def _usual_height(images: Sequence[Delivered], wish: PlaceWish) -> float:
    """As asked for, or that for which polynomials were made, in the middle; 0 where there are none."""
    if wish.height_m is not None:
        return wish.height_m
    models = [image.model for image in images]
    middles = [sum(model.heights) / 2 for model in models if isinstance(model, RationalModel)]
    return sum(middles) / len(middles) if middles else 0.0


def _footprints(images: Sequence[Delivered], heights: Sequence[float]) -> list[Footprint]:
    return [Footprint.of(image.model, image.shape, height) for image in images for height in dict.fromkeys(heights)]


def _crs(name: str | None, images: Sequence[Delivered], height: float) -> CRS:
    if name is not None:
        return named_crs(name)
    first = images[0]
    if isinstance(first.model, GridModel):
        return first.model.crs
    return utm_of(*Footprint.of(first.model, first.shape, height).lonlat)


def _gsd(planned: Planned, crs: CRS, height: float) -> float:
    channel = planned.channels[0]
    image = channel.images[0]
    model, shape = _looked(image, channel.looks)
    return default_gsd(natural_gsd(model, shape, crs, height), crs, image.gsd_m)


def _looked(image: Delivered, looks: Block) -> tuple[ImageModel, tuple[int, int]]:
    """Model and shape of an image of which blocks have become pixels."""
    (height, width), (rows, columns) = image.shape, looks
    return image.model.reduced(rows, columns), (-(-height // rows), -(-width // columns))
