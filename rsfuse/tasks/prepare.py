"""Prepare: a delivered scene in, one GeoTIFF on a grid on the ground out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rsfuse.errors import SceneError
from rsfuse.raster.disk import check_free
from rsfuse.raster.footprint import gsd_m
from rsfuse.raster.map_parts import parts_of
from rsfuse.raster.ortho.making import Made, Making, PrepareSettings, files_in
from rsfuse.raster.ortho.optical import OpticalWish
from rsfuse.raster.ortho.placed import Place
from rsfuse.raster.ortho.sar import SarWish
from rsfuse.raster.outputs import check_outputs, files_of
from rsfuse.raster.products.opened import is_product, open_product
from rsfuse.raster.products.plain import plain_product
from rsfuse.raster.products.product import Product
from rsfuse.raster.sharpening.offset import Offset
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Stages, unseen

__all__ = ["DEFAULTS", "PrepareReport", "PrepareSettings", "prepare"]

DEFAULTS = PrepareSettings()
_WHOLE = 0.999  # of a grid
_OF_OPTICAL = "--pan, --sharpen, --method, --coefficients, --sun-zenith: they are of optical scenes"
_OF_SAR = "--linear, --polarisations, --looks, --speckle, --incidence, --calibration-constant: they are of SAR scenes"
_TEXTS = (".xml", ".rpb", ".rpc", ".txt")  # beside images of a product


@dataclass(frozen=True)
class PrepareReport:
    """What was made, and what it took.

    Args:
        output: the raster.
        product: it was made of.
        bands: names.
        tags: what the raster says of its numbers.
        place: where it lies.
        offset: of the multispectral image against the panchromatic one; None where nothing was sharpened.
        warnings: a sentence each.
        resumed: rows that an earlier run had made.
        known: how many pixels are data.
        seconds: that it took.
        peak_memory_mb: of this process.
    """

    output: Path
    product: Product
    bands: tuple[str, ...]
    tags: Mapping[str, str]
    place: Place
    offset: Offset | None
    warnings: tuple[str, ...]
    resumed: int
    known: int
    seconds: float
    peak_memory_mb: int

    @property
    def megapixels(self) -> float:
        """Of the raster."""
        return self.place.grid.height * self.place.grid.width / 1e6

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        grid, heights = self.place.grid, self.place.heights
        return {
            "output": str(self.output),
            "product": self.product.name,
            "bands": list(self.bands),
            **{name.removeprefix("RSFUSE_").lower(): text for name, text in self.tags.items()},
            "crs": self.place.crs.to_string(),
            "gsd": [abs(grid.transform.a), abs(grid.transform.e)],
            "gsd_m": round(gsd_m(grid), 4),
            "height": grid.height,
            "width": grid.width,
            "bounds": list(grid.bounds),
            "heights_m": [round(heights.lowest, 2), round(heights.highest, 2)],
            "covered": round(self.place.covered, 4),
            "valid": round(self.known / (grid.height * grid.width), 4),
            "offset": None if self.offset is None else self.offset.to_dict(),
            "warnings": list(self.warnings),
            "resumed_rows": self.resumed,
            "megapixels": round(self.megapixels, 3),
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }


def prepare(path: Path, output: Path, settings: PrepareSettings = DEFAULTS, stages: Stages = unseen) -> PrepareReport:
    """Calibrate and orthorectify a product of any size, and write a GeoTIFF.

    Memory is that of a few rows of blocks. A run that was stopped is gone on with by asking for the same; nothing
    unfinished has the final name, and of a product that turns out to be damaged nothing is left.

    Args:
        path: folder or archive of a product, or a raster with polynomials, control points or a CRS.
        output: GeoTIFF to write.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if the output is there already, is one of the inputs, or cannot be written.
        SceneError: if the product is damaged, or something is not known that is asked for.
        GridMismatchError: if it lies elsewhere than the grid that is asked for.
    """
    start = time.monotonic()
    check_free(output, overwrite=settings.overwrite)
    product = _opened(path)
    settings = _of_named(path, product, settings)
    _check_outputs(product, output, settings)
    _check_wishes(product, settings)
    with _telling_what_is_kept(output):
        made = Making(product, settings, stages).made(output)
    return PrepareReport(
        output,
        product,
        tuple(band.name for band in made.planned.bands),
        made.content.tags,
        made.place,
        made.offset,
        (*product.missing, *dict.fromkeys(made.planned.warnings), *_doubts(made, settings)),
        made.resumed,
        made.known,
        time.monotonic() - start,
        peak_memory_mb(),
    )


def _opened(path: Path) -> Product:
    """A product; of one that is named by an image of its own, only that image."""
    if path.suffix.lower() == ".zip":
        raise SceneError(f"{path} is a ZIP archive", hint="unpack it and name the folder; .tar.gz is read as it is")
    if not (path.is_dir() or is_product(path)):
        return plain_product(path)
    product = open_product(path)
    named = tuple(image for image in product.images if Path(image.source) == path)
    return replace(product, images=named, missing=()) if named else product


def _of_named(path: Path, product: Product, settings: PrepareSettings) -> PrepareSettings:
    """What is asked of a panchromatic image that is named itself."""
    optical = settings.optical
    if path.is_file() and {image.role for image in product.images} == {"pan"} and optical.sharpen is None:
        return replace(settings, optical=replace(optical, image="pan"))
    return settings


@contextmanager
def _telling_what_is_kept(output: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        parts = parts_of(output)
        if parts.is_dir():
            told = f"interrupted: what is done is kept in {parts}; the same command goes on from there"
            raise KeyboardInterrupt(told) from interrupt
        raise


def _check_wishes(product: Product, settings: PrepareSettings) -> None:
    """Refuse what would be left undone without a word."""
    has_sar = bool(product.of("sar"))
    if has_sar and settings.optical != OpticalWish():
        raise SceneError(f"{product.path} is of a SAR", hint=f"leave out {_OF_OPTICAL}")
    if not has_sar and settings.sar != SarWish():
        raise SceneError(f"{product.path} is not of a SAR", hint=f"leave out {_OF_SAR}")


def _check_outputs(product: Product, output: Path, settings: PrepareSettings) -> None:
    place, inputs = settings.place, [("the product", product.path)]
    inputs += [(f"{name} of the product", path) for name, path in files_in(product).items()]
    if product.path.is_dir():
        inputs += [("of the product", each) for each in product.path.rglob("*") if each.suffix.lower() in _TEXTS]
    if settings.optical.coefficients is not None:
        inputs.append(("the table of coefficients", settings.optical.coefficients))
    for told, path in (("the raster after --like", place.like), ("the DEM", place.dem)):
        inputs += [(told, each) for each in (files_of(path) if path is not None else ())]
    check_outputs([("the scene", output)], inputs)


def _doubts(made: Made, settings: PrepareSettings) -> list[str]:
    """What may be wrong with where the pixels lie."""
    doubts, place = [], made.place
    if not made.known:
        doubts.append("no pixel of the grid has data: the scene has none there, or the grid is too coarse for it")
    if made.offset is not None and made.offset.is_noticeable:
        right, down = made.offset.shift
        doubts.append(
            f"the multispectral image lies {right:+.2f} px right and {down:+.2f} px down of the panchromatic one: "
            "prepare both by themselves, and rsfuse pansharpen --align undoes it"
        )
    if not place.heeds_height and (settings.place.dem is not None or settings.place.height_m is not None):
        doubts.append("heights of the ground change nothing: the image lies on a map already")
    if settings.place.dem is not None and place.heights.covered < _WHOLE:
        doubts.append(
            f"the DEM covers {place.heights.covered:.0%} of the grid; elsewhere the ground is taken to be "
            f"{place.usual_m:.0f} m high"
        )
    return doubts
