"""What becomes of a SAR product: backscatter of its polarisations, in decibels or linear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast, get_args

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from rsfuse.errors import SceneError
from rsfuse.geometry.decibels import to_db
from rsfuse.geometry.looks import effective_looks, multilook, square_looks
from rsfuse.geometry.speckle.enl import estimate_enl
from rsfuse.geometry.speckle.filters import Filter, speckle_filter
from rsfuse.geometry.speckle.speckle_filter import SpeckleFilter
from rsfuse.raster.draft import Band
from rsfuse.raster.opening import open_source, reading
from rsfuse.raster.ortho.delivered import Delivered, delivered
from rsfuse.raster.ortho.ground_scene import Beside, Values
from rsfuse.raster.ortho.planned import Planned, PlannedChannel
from rsfuse.raster.ortho.treatment import Block, SarTreatment, Treatment
from rsfuse.raster.products.product import Product, ProductImage, SarFacts
from rsfuse.raster.products.sar_calibration import Backscatter, SarQuantity, gaofen3_backscatter, incidence
from rsfuse.raster.products.sentinel1 import Sentinel1Facts

_MEASURED = 1024  # rows and columns from the middle of an image, of which its looks are measured


@dataclass(frozen=True)
class SarWish:
    """What a user may choose of a SAR scene.

    Args:
        linear: power instead of decibels.
        polarisations: in this order; None for all that are there.
        looks: rows and columns that become one pixel; None for as square as can be.
        speckle: a filter, and the rows and columns of its window; None for none.
        incidence: one band more, the angle of incidence in degrees.
        constants_db: calibration constants that the user knows better, by polarisation; "" for all of which the
            product says none.
    """

    linear: bool = False
    polarisations: tuple[str, ...] | None = None
    looks: Block | None = None
    speckle: tuple[Filter, int] | None = None
    incidence: bool = False
    constants_db: Mapping[str, float] = field(default_factory=dict)


def plan_sar(product: Product, asked: str | None, wish: SarWish) -> Planned:
    """What becomes of the images of all wanted polarisations, each joined of its strips.

    Args:
        product: a SAR product.
        asked: quantity of the pixels; None for sigma0.
        wish: see there.

    Raises:
        SceneError: if a polarisation is not there, or something is not known that it takes.
    """
    quantity = _quantity(product, asked)
    by_polarisation = _chosen(product, wish.polarisations)
    _check_constants(wish.constants_db, by_polarisation)
    last = len(by_polarisation) - 1
    channels = tuple(
        _channel(product, images, _Asked(quantity, wish), shows_incidence=wish.incidence and number == last)
        for number, images in enumerate(by_polarisation.values())
    )
    tags = {
        "RSFUSE_QUANTITY": quantity,
        "RSFUSE_SCALE": "linear" if wish.linear else "dB",
        **_calibration(product.facts, list(by_polarisation), wish),
        "RSFUSE_SPECKLE": "none" if wish.speckle is None else "{}, window {}".format(*wish.speckle),
    }
    return Planned(channels, "float32", np.nan, tags)


def _chosen(product: Product, wanted: tuple[str, ...] | None) -> dict[str, list[ProductImage]]:
    """Images of each polarisation, in order."""
    there: dict[str, list[ProductImage]] = {}
    for image in product.of("sar"):
        there.setdefault(image.bands[0], []).append(image)
    if not there:
        raise SceneError(f"{product.path} has no SAR image", hint="look at it: rsfuse info")
    for name in wanted or ():
        if name not in there:
            raise SceneError(
                f"{product.path} has no polarisation {name}; it has {', '.join(there)}", hint="choose among those"
            )
    return {name: there[name] for name in wanted or there}


def _check_constants(constants_db: Mapping[str, float], by_polarisation: Mapping[str, object]) -> None:
    """Refuse constants of what is not made."""
    for name in constants_db:
        if name and name not in by_polarisation:
            raise SceneError(
                f"a calibration constant of {name} is given, and what is made is {', '.join(by_polarisation)}",
                hint="give those of these polarisations, or leave it out",
            )


def _check_looks(looks: Block | None, images: Sequence[Delivered]) -> None:
    for image in images:
        if looks is not None and any(many > side for many, side in zip(looks, image.shape, strict=True)):
            raise SceneError(
                f"{looks[0]} x {looks[1]} looks are more than {image.name} has pixels, "
                f"{image.shape[0]} x {image.shape[1]}",
                hint="choose fewer --looks",
            )


class _Asked(NamedTuple):
    """What is made, and how."""

    quantity: SarQuantity
    wish: SarWish


def _quantity(product: Product, asked: str | None) -> SarQuantity:
    quantity = asked or "sigma0"
    if quantity not in get_args(SarQuantity):
        raise SceneError(
            f"{product.path} is of a SAR, {quantity} is of optical scenes", hint="ask for --as sigma0, gamma0 or beta0"
        )
    return cast(SarQuantity, quantity)


def _channel(product: Product, images: list[ProductImage], asked: _Asked, *, shows_incidence: bool) -> PlannedChannel:
    polarisation, wish = images[0].bands[0], asked.wish
    # a nominal resolution says nothing of the pixels
    sources = tuple(replace(delivered(image), gsd_m=None) for image in images)
    _check_looks(wish.looks, sources)
    calibrated = _Calibrated(sources[0], _backscatter(product, polarisation, asked, sources[0].shape[1]))

    def treat(block: Block) -> Treatment:
        return SarTreatment(calibrated.backscatter, block, _filter(calibrated, wish, block))

    bands = [Band(polarisation, "" if wish.linear else "dB")]
    if shows_incidence:
        bands.append(Band("incidence", "degree"))
    return PlannedChannel(
        sources,
        treat,
        _linear if wish.linear else _decibels,
        tuple(bands),
        wish.looks or _square(product),
        _incidence(product, sources[0].shape[1]) if shows_incidence else None,
    )


class _Calibrated(NamedTuple):
    """An image, and how it becomes power."""

    image: Delivered
    backscatter: Backscatter


def _backscatter(product: Product, polarisation: str, asked: _Asked, width: int) -> Backscatter:
    facts = product.facts
    if isinstance(facts, Sentinel1Facts):
        return facts.backscatter(polarisation, asked.quantity)
    if not isinstance(facts, SarFacts):
        raise SceneError(
            f"nobody says what the numbers of {product.path} stand for, so that {asked.quantity} cannot be made",
            hint="look at it: rsfuse info",
        )
    constant = _constant(facts, polarisation, asked.wish)
    return gaofen3_backscatter(facts, polarisation, asked.quantity, width, constant)


def _constant(facts: SarFacts, polarisation: str, wish: SarWish) -> float | None:
    """The calibration constant: the user's for this polarisation, the product's, the user's for all others."""
    told = facts.constant_db.get(polarisation)
    return wish.constants_db.get(polarisation, wish.constants_db.get("") if told is None else told)


def _calibration(facts: object, polarisations: Sequence[str], wish: SarWish) -> dict[str, str]:
    """Whence the constants are, as a tag."""
    if not isinstance(facts, SarFacts):
        return {}
    told = []
    for each in polarisations:
        own = each in wish.constants_db or facts.constant_db.get(each) is None
        told.append(f"{each} {_constant(facts, each, wish):g} dB ({'given' if own else 'of the product'})")
    return {"RSFUSE_CALIBRATION": ", ".join(told)}


def _square(product: Product) -> Block:
    """Looks that make pixels square, where their sides are known."""
    facts = product.facts
    if not isinstance(facts, SarFacts) or facts.spacing_m is None:
        return 1, 1
    return square_looks(facts.spacing_m)


def _filter(calibrated: _Calibrated, wish: SarWish, block: Block) -> SpeckleFilter | None:
    if wish.speckle is None:
        return None
    name, window = wish.speckle
    return speckle_filter(name, window, looks=_measured(calibrated, block))


def _measured(calibrated: _Calibrated, block: Block) -> float:
    """Looks in the middle of an image: neighbours that are alike make them fewer than the pixels of a block."""
    image = calibrated.image
    with open_source(image.source, image.name) as file:
        (top, height), (left, width) = (_middle(side, step) for side, step in zip(image.shape, block, strict=True))
        window = Window(left, top, width, height)
        with reading(image.name, window):
            pixels = file.read(window=window)
    looks = estimate_enl(multilook(calibrated.backscatter.power(pixels, top, left), *block))
    return max(looks, 1.0) if np.isfinite(looks) else effective_looks(*block)


def _middle(side: int, step: int) -> tuple[int, int]:
    """The first row or column, and how many."""
    length = min(_MEASURED * step, side)
    return (side - length) // 2, length


def _incidence(product: Product, width: int) -> Beside:
    facts = product.facts

    def angles(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Values:
        if isinstance(facts, Sentinel1Facts):
            return facts.incidence(columns, rows)
        assert isinstance(facts, SarFacts)
        return incidence(facts, columns, width)

    angles(np.zeros((1, 1)), np.zeros((1, 1)))  # what is not known is told before the work
    return angles


def _linear(power: Values) -> Values:
    return power


def _decibels(power: Values) -> Values:
    return to_db(power, out=power)
