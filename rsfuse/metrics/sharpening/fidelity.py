"""How near a sharpened image comes to its reference: ERGAS, spectral angle, PSNR."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats
from rsfuse.metrics.sharpening.images import Image, Mask, check_alike

_PART = 16_384  # pixels that are worked on together: what they take stays in the caches of a core


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
        bands = len(reference)
        found = cls.empty(bands)
        flat = reference.reshape(bands, -1), sharp.reshape(bands, -1)
        for start in range(0, flat[0].shape[1], _PART):
            part = slice(start, start + _PART)
            kept = np.s_[:, part] if valid is None else np.s_[:, start + np.flatnonzero(valid.reshape(-1)[part])]
            wanted, made = (each[kept].astype(np.float64) for each in flat)
            angles = _angles(wanted, made)
            squares = ((made - wanted) ** 2).sum(1)
            found += cls(wanted.shape[1], squares, wanted.sum(1), float(angles.sum()), len(angles))
        return found

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
    """Between the columns of two (B, N) arrays; columns that are 0 in either are left out.

    By what is left of a column y without its part s x along the other: tan = |x| |y - s x| / <x, y>. So columns that
    are the same, whose s is 1, have an angle of 0, and small angles are as exact as large ones; by arccos they are not.
    """
    lengths, along = _dot(wanted, wanted), _dot(wanted, found)
    aside = found - np.divide(along, lengths, out=np.zeros_like(along), where=lengths > 0) * wanted
    across = _dot(aside, aside)
    known = (lengths > 0) & ((along != 0) | (across > 0))
    angles: Floats = np.arctan2(np.sqrt(lengths * across), along)
    return angles if known.all() else angles[known]


def _dot(one: Floats, other: Floats) -> Floats:
    """(N,) products of columns."""
    return np.asarray(np.einsum("bn,bn->n", one, other))
