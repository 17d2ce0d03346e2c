"""How near a sharpened image comes to its reference: ERGAS, spectral angle, PSNR."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.sharpening.images import Image, Mask, check_alike


@dataclass(frozen=True)
class Fidelity:
    """Sums over the pixels of an image, from which its scores follow.

    Those of parts of an image add up to those of the whole. The score of several images is the mean of their scores,
    as the field reports it, and not the score of their sum.

    Args:
        pixels: how many there are.
        squares: (B,) squared differences of each band.
        levels: (B,) values of each band of the reference.
        angles: between the spectra of both images, in radians.
        spectra: pixels where both have a spectrum, other than 0 in all bands.
    """

    pixels: int
    squares: Floats
    levels: Floats
    angles: float
    spectra: int

    @classmethod
    def empty(cls, bands: int) -> Fidelity:
        """Of no pixels."""
        return cls(0, np.zeros(bands), np.zeros(bands), 0.0, 0)

    @classmethod
    def of(cls, reference: Image, sharp: Image, valid: Mask | None = None) -> Fidelity:
        """Compare two images.

        Args:
            reference: (B, H, W), in any unit.
            sharp: (B, H, W), in the same.
            valid: (H, W); a pixel that is not is left out.

        Raises:
            ValueError: if their shapes differ.
        """
        check_alike(reference, sharp)
        kept = np.s_[...] if valid is None else np.s_[:, valid]
        wanted, found = (each[kept].reshape(len(each), -1).astype(np.float64) for each in (reference, sharp))
        angles = _angles(wanted, found)
        return cls(wanted.shape[1], ((found - wanted) ** 2).sum(1), wanted.sum(1), float(angles.sum()), len(angles))

    def __add__(self, other: Fidelity) -> Fidelity:
        return Fidelity(
            self.pixels + other.pixels,
            self.squares + other.squares,
            self.levels + other.levels,
            self.angles + other.angles,
            self.spectra + other.spectra,
        )

    def ergas(self, ratio: float) -> float:
        """Relative global error, 0 at best; NaN where a band of the reference has a mean of 0.

        100 / ratio * sqrt(mean over bands of MSE / mean ** 2), the mean being the reference's (Wald 2000).

        Args:
            ratio: panchromatic pixels along the side of a multispectral one.
        """
        if not self.pixels or not self.levels.all():
            return math.nan
        relative = self.squares * self.pixels / self.levels**2
        return 100 / ratio * math.sqrt(relative.mean())

    @property
    def sam(self) -> float:
        """Mean angle between the spectra in degrees, 0 at best; NaN without spectra.

        arccos(<x, y> / (|x| |y|)) of a pixel's spectra x and y (Yuhas et al. 1992; Vivone et al. 2015). A pixel that is
        0 in all bands of either image has none.
        """
        return math.degrees(self.angles / self.spectra) if self.spectra else math.nan

    def psnr(self, maximum: float) -> float:
        """Mean over bands of 10 log10(maximum ** 2 / MSE) in decibels; infinite if a band is met exactly.

        Args:
            maximum: largest value that the sensor can give, in the unit of the images.
        """
        if not self.pixels:
            return math.nan
        with np.errstate(divide="ignore"):
            return float((10 * np.log10(maximum**2 * self.pixels / self.squares)).mean())


def _angles(wanted: Floats, found: Floats) -> Floats:
    """Between the columns of two (B, N) arrays; columns that are 0 in either are left out."""
    lengths = np.linalg.norm(wanted, axis=0), np.linalg.norm(found, axis=0)
    known = (lengths[0] > 0) & (lengths[1] > 0)
    one, other = (each[:, known] / length[known] for each, length in zip((wanted, found), lengths, strict=True))
    # not arccos of their product, whose rounding alone is 1e-8: so images that are the same have an angle of 0
    angles: Floats = 2 * np.arctan2(np.linalg.norm(one - other, axis=0), np.linalg.norm(one + other, axis=0))
    return angles
