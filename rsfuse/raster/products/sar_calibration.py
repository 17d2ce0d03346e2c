"""From the pixels of a Gaofen-3 image to backscatter: linear power, and decibels of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from rsfuse.errors import SceneError
from rsfuse.raster.products.product import SarFacts

SarQuantity = Literal["sigma0", "gamma0", "beta0"]

_FULL_SCALE = {"L1A": 32767, "L1B": 65535, "L2": 65535}  # the number that stands for the QualifyValue


class Backscatter(Protocol):
    """What makes linear power of the pixels of a SAR image."""

    def power(self, pixels: NDArray[Any], row: int, column: int) -> NDArray[np.float32]:
        """Linear power (h, w) of a window, NaN where there is no data.

        Args:
            pixels: (B, h, w), as the file has them.
            row: of the window's first pixel in the whole image.
            column: likewise.
        """


@dataclass(frozen=True, eq=False)
class Gaofen3Backscatter:
    """Backscatter of an image of Gaofen-3.

    Args:
        factors: (W,), of the power of each column of the image.
    """

    factors: NDArray[np.float32]

    def power(self, pixels: NDArray[Any], row: int, column: int) -> NDArray[np.float32]:
        """Linear power (h, w) of a window, NaN where all its bands are 0: I and Q (2, h, w), or amplitude (1, h, w)."""
        # squared as floats: -32768 twice over would be more than 32 bits with a sign hold
        power: NDArray[np.float32] = np.square(pixels[0], dtype=np.float32)
        for band in pixels[1:]:
            power += np.square(band, dtype=np.float32)
        power *= self.factors[column : column + power.shape[1]]
        power[power == 0] = np.nan
        return power


def gaofen3_backscatter(
    facts: SarFacts, polarisation: str, quantity: SarQuantity, width: int, constant_db: float | None = None
) -> Gaofen3Backscatter:
    """What makes a quantity of an image.

    Args:
        facts: of its scene.
        polarisation: of the image.
        quantity: wanted.
        width: of the whole image, in pixels.
        constant_db: calibration constant that the user knows better.

    Raises:
        SceneError: if the product does not say what it takes.
    """
    qualify = facts.qualify.get(polarisation)
    if qualify is None or not 0 < qualify < math.inf:
        raise SceneError(
            f"the product has no QualifyValue of {polarisation}, which says what its numbers stand for",
            hint="look at its meta.xml; without the value there is no backscatter",
        )
    constant = facts.constant_db.get(polarisation) if constant_db is None else constant_db
    if constant is None or not math.isfinite(constant):
        raise SceneError(
            f"the product has no CalibrationConst of {polarisation}",
            hint="say it: --calibration-constant DB; with 0, values hold only relative to each other",
        )
    scale = (qualify / _FULL_SCALE[facts.level]) ** 2 / 10 ** (constant / 10)
    return Gaofen3Backscatter((scale / _sigma_of(facts, quantity, width)).astype(np.float32))


def incidence(facts: SarFacts, columns: NDArray[np.float64], width: int) -> NDArray[np.float32]:
    """Angles of incidence, in degrees, at positions in an image.

    Args:
        facts: of its scene.
        columns: of any shape, counted from the outer corner of the first pixel, whose centre is 0.5.
        width: of the whole image, in pixels.

    Raises:
        SceneError: if the product does not say them, or they belong to other columns.
    """
    return _angles(facts, columns, width).astype(np.float32)


def _sigma_of(facts: SarFacts, quantity: SarQuantity, width: int) -> NDArray[np.float64]:
    """sigma0 as a part of the quantity, in each column."""
    if quantity == "sigma0":
        return np.ones(width)
    angles = np.radians(_angles(facts, np.arange(width, dtype=np.float64) + 0.5, width))
    return np.cos(angles) if quantity == "gamma0" else np.sin(angles)


def _angles(facts: SarFacts, columns: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Angles of incidence in degrees; the values of the product, however many, are spread over the width."""
    known = np.array(facts.incidence_deg, np.float64)
    if facts.level == "L2":
        raise SceneError(
            "the product is on a map already (L2): its columns have no angle of incidence of their own",
            hint="ask for sigma0 without --incidence, or take the scene as L1A or L1B",
        )
    if not known.size:
        raise SceneError(
            "the angles of incidence of the image's columns are not known (incidence.xml)",
            hint="ask for sigma0 without --incidence",
        )
    if not ((known > 0) & (known < 90)).all():
        raise SceneError(
            f"angles of incidence between {known.min():g} and {known.max():g} degrees cannot be",
            hint="check incidence.xml, or ask for sigma0 without --incidence",
        )
    centres = (np.arange(known.size) + 0.5) * (width / known.size)
    return np.asarray(np.interp(columns, centres, known))
