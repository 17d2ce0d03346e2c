"""From the digital numbers of an optical scene to radiance, or to reflectance at the top of the atmosphere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import SceneError
from rsfuse.raster.products.coefficients import Coefficients, Found, Part
from rsfuse.raster.products.product import OpticalFacts

Quantity = Literal["dn", "radiance", "reflectance"]

_LOWEST_SUN_DEG = 85.0  # of zenith; beyond it, the cosine says little of the light that comes in


@dataclass(frozen=True)
class OpticalCalibration:
    """scale DN + offset of each band.

    Args:
        quantity: what comes out: radiance in W m-2 sr-1 um-1, reflectance without unit.
        scales: of each band.
        offsets: likewise.
        told: how, and by whose numbers.
        warnings: a sentence each.
    """

    quantity: Quantity
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    told: str
    warnings: tuple[str, ...] = ()

    def __call__(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """The quantity of pixels (B, h, w) of any type; where there are no data is for the caller to know."""
        if self.quantity == "dn":
            return pixels.astype(np.float32)
        measured: NDArray[np.float32] = np.multiply(pixels, _by_band(self.scales), dtype=np.float32)
        if any(self.offsets):
            measured += _by_band(self.offsets)
        return measured


def as_delivered(bands: int) -> OpticalCalibration:
    """What leaves the digital numbers of so many bands as they are."""
    return OpticalCalibration("dn", (1.0,) * bands, (0.0,) * bands, "digital numbers as delivered")


def optical_calibration(
    facts: OpticalFacts, part: Part, bands: int, quantity: Quantity, table: Coefficients
) -> OpticalCalibration:
    """What makes a quantity of the digital numbers of an image.

    Args:
        facts: of its scene.
        part: which image of the sensor.
        bands: of the image.
        quantity: wanted.
        table: of coefficients; not looked at for digital numbers.

    Raises:
        SceneError: if coefficients, irradiance or sun are not known, or the sun is too low.
    """
    if quantity == "dn":
        return as_delivered(bands)
    found = table.find(facts, part, bands)
    if quantity == "radiance":
        return OpticalCalibration(quantity, found.gains, found.offsets, found.told, found.warnings)
    factors, told = _reflectance_of_radiance(facts, found)
    return OpticalCalibration(
        quantity,
        tuple(gain * factor for gain, factor in zip(found.gains, factors, strict=True)),
        tuple(offset * factor for offset, factor in zip(found.offsets, factors, strict=True)),
        f"{found.told}; {told}",
        found.warnings,
    )


def sun_distance_au(day: date) -> float:
    """Distance of the sun: the first terms of Earth's orbit, within 0.001 AU."""
    return 1 - 0.01672 * math.cos(math.radians(0.9856 * (day.timetuple().tm_yday - 4)))


def _reflectance_of_radiance(facts: OpticalFacts, found: Found) -> tuple[list[float], str]:
    """What radiance is multiplied by, pi d^2 / (ESUN cos(zenith)), of each band, and whence its numbers are."""
    if not found.esun:
        raise SceneError(
            f"the irradiance of the sun in the bands of {facts.satellite} {facts.sensor} is not known",
            hint="ask for --as radiance, or give it as esun in a table of your own: --coefficients FILE.csv",
        )
    zenith, distance = _sun_zenith(facts), sun_distance_au(facts.acquired)
    light = distance**2 / math.cos(math.radians(zenith))
    told = f"{found.esun_told}; sun {zenith:g} degrees from the zenith, {distance:.4f} AU away"
    return [math.pi * light / esun for esun in found.esun], told


def _sun_zenith(facts: OpticalFacts) -> float:
    zenith = facts.sun_zenith_deg
    if zenith is None:
        raise SceneError(
            "the product does not say how high the sun stood, on which reflectance depends",
            hint="ask for --as radiance, or say it: --sun-zenith DEGREES",
        )
    if not 0 <= zenith < _LOWEST_SUN_DEG:
        raise SceneError(
            f"the sun stood {zenith:g} degrees from the zenith; reflectance needs less than {_LOWEST_SUN_DEG:g}",
            hint="ask for --as radiance, or correct it: --sun-zenith DEGREES",
        )
    return zenith


def _by_band(values: tuple[float, ...]) -> NDArray[np.float32]:
    return np.array(values, np.float32)[:, None, None]
