"""What becomes of an optical product: digital numbers, radiance or reflectance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeGuard, get_args

import numpy as np

from rsfuse.errors import SceneError
from rsfuse.geometry.sharpening.methods import Method
from rsfuse.raster.draft import Band
from rsfuse.raster.ortho.delivered import Delivered, delivered
from rsfuse.raster.ortho.planned import Planned, PlannedChannel
from rsfuse.raster.ortho.treatment import OpticalTreatment
from rsfuse.raster.products.coefficients import read_coefficients, shipped_coefficients
from rsfuse.raster.products.optical_calibration import (
    OpticalCalibration,
    Quantity,
    as_delivered,
    optical_calibration,
)
from rsfuse.raster.products.product import OpticalFacts, Product, ProductImage
from rsfuse.raster.products.sentinel2 import ReflectanceScale

_UNITS = {"dn": "", "radiance": "W m-2 sr-1 um-1", "reflectance": ""}
_KEPT = ("uint8", "uint16")  # types of digital numbers that are written as they are


@dataclass(frozen=True)
class OpticalWish:
    """What a user may choose of an optical scene.

    Args:
        image: of a camera that has both, "ms" or "pan".
        sharpen: classical method by which the multispectral image is sharpened; None for not at all.
        coefficients: table of the user's own, which goes before the one that ships.
        sun_zenith_deg: where the product does not say it, or wrongly.
    """

    image: Literal["ms", "pan"] = "ms"
    sharpen: Method | None = None
    coefficients: Path | None = None
    sun_zenith_deg: float | None = None


def plan_optical(product: Product, role: Literal["ms", "pan"], quantity: str | None, wish: OpticalWish) -> Planned:
    """What becomes of the images of one role, which are joined.

    Args:
        product: an optical one, or a plain raster.
        role: of the images.
        quantity: of the pixels; None for reflectance of a product, and the numbers of a plain raster.
        wish: see there.

    Raises:
        SceneError: if there is no such image, or something is not known that it takes.
    """
    images = product.of(role)
    if not images:
        raise SceneError(
            f"{product.path} has no {_ROLES[role]} image" + "".join(f": {each}" for each in product.missing[:1]),
            hint="look at it: rsfuse info",
        )
    calibration = _calibration(product, images[0], quantity, wish)
    sources = tuple(delivered(image) for image in images)
    names = tuple(Band(name, _UNITS[calibration.quantity]) for name in images[0].bands)
    dtype = _dtype(sources[0]) if calibration.quantity == "dn" else "float32"
    return Planned(
        (PlannedChannel(sources, OpticalTreatment, calibration, names),),
        dtype,
        np.nan if dtype == "float32" else 0,
        {"RSFUSE_QUANTITY": calibration.quantity, "RSFUSE_CALIBRATION": calibration.told},
        calibration.warnings,
    )


_ROLES = {"ms": "multispectral", "pan": "panchromatic"}


def _calibration(product: Product, image: ProductImage, asked: str | None, wish: OpticalWish) -> OpticalCalibration:
    facts, bands = product.facts, len(image.bands)
    quantity = asked or ("dn" if facts is None else "reflectance")
    if not _is_quantity(quantity):
        is_known = facts is not None
        raise SceneError(
            f"{product.path} is optical, {quantity} is of SAR scenes"
            if is_known
            else f"nobody says what the numbers of {product.path} stand for, so that {quantity} cannot be made",
            hint="ask for --as dn, radiance or reflectance" if is_known else "leave out --as, for its numbers",
        )
    if isinstance(facts, ReflectanceScale):
        return facts.giving(quantity)
    if quantity == "dn":
        return as_delivered(bands)
    if not isinstance(facts, OpticalFacts):
        raise SceneError(f"{product.path} says nothing of which {quantity} could be made", hint="ask for --as dn")
    if wish.sun_zenith_deg is not None:
        facts = replace(facts, sun_zenith_deg=wish.sun_zenith_deg)
    table = shipped_coefficients() if wish.coefficients is None else read_coefficients(wish.coefficients)
    return optical_calibration(facts, "pan" if image.role == "pan" else "ms", bands, quantity, table)


def _is_quantity(name: str) -> TypeGuard[Quantity]:
    """Whether it is one of an optical scene."""
    return name in get_args(Quantity)


def _dtype(image: Delivered) -> str:
    """In which digital numbers are written."""
    kinds = set(image.dtypes)
    return kinds.pop() if len(kinds) == 1 and kinds <= set(_KEPT) else "float32"
