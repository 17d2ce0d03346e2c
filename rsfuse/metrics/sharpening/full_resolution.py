"""How good a sharpened image is where there is no reference: D_lambda, D_s and QNR; D_lambda of Khan and HQNR."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rsfuse.metrics.ratios import Floats, mean
from rsfuse.metrics.sharpening.images import Image, Mask
from rsfuse.metrics.sharpening.q2n import Q2n
from rsfuse.metrics.sharpening.uiqi import BandLikeness


@dataclass(frozen=True)
class FullResolution:
    """What is compared at full resolution, all on the grid of the panchromatic image: images or strips of them.

    Args:
        sharp: (B, h, W) sharpened image.
        ms: (B, h, W) multispectral image, interpolated.
        pan: (1, h, W) panchromatic image.
        pan_low: (1, h, W) the same as coarse as the multispectral image, and interpolated like it.
        sharp_low: (B, h, W) sharpened image, low-passed by the MTF of the multispectral sensor.
    """

    sharp: Image
    ms: Image
    pan: Image
    pan_low: Image
    sharp_low: Image


@dataclass(frozen=True)
class Distortion:
    """Sums over blocks of 32 x 32 px, from which the scores without a reference follow.

    Those of strips add up to those of the whole image, see `block_strips`. Q(x, y) is the mean over blocks of the UIQI
    of two bands, see `BandLikeness`; y_i are bands of the sharpened image, m_i of the interpolated multispectral one.
    That one stands here for the multispectral image itself, as in the toolbox of Vivone et al. (2015, 2021); Alparone
    et al. compare at the scale of each. All exponents are 1.

    Args:
        fine: of the sharpened image's bands and the panchromatic one, the last.
        coarse: likewise of the multispectral image and the coarse panchromatic one.
        consistency: of the multispectral image and the low-passed sharpened one.
    """

    fine: BandLikeness
    coarse: BandLikeness
    consistency: Q2n

    @classmethod
    def empty(cls, bands: int) -> Distortion:
        """Of no blocks."""
        return cls(BandLikeness.empty(bands + 1), BandLikeness.empty(bands + 1), Q2n.empty())

    @classmethod
    def of(cls, images: FullResolution, valid: Mask | None = None) -> Distortion:
        """Compare images.

        Args:
            images: h rows as `block_strips` has it.
            valid: (h, W); a block with a pixel that is not is left out.

        Raises:
            ValueError: if their shapes differ.
        """
        return cls(
            BandLikeness.of([images.sharp, images.pan], valid),
            BandLikeness.of([images.ms, images.pan_low], valid),
            Q2n.of(images.ms, images.sharp_low, valid),
        )

    def __add__(self, other: Distortion) -> Distortion:
        return Distortion(self.fine + other.fine, self.coarse + other.coarse, self.consistency + other.consistency)

    @property
    def d_lambda(self) -> float:
        """Spectral distortion, 0 at best: mean over pairs of bands of |Q(y_i, y_j) - Q(m_i, m_j)|; NaN of one band.

        L. Alparone et al.: Multispectral and panchromatic data fusion assessment without reference. Photogrammetric
        Engineering and Remote Sensing 74 (2008) 193-200.
        """
        bands = len(self._changes) - 1
        return mean(self._changes[np.triu_indices(bands, 1)])

    @property
    def d_s(self) -> float:
        """Spatial distortion, 0 at best: mean over bands of |Q(y_i, pan) - Q(m_i, coarse pan)| (Alparone et al.)."""
        return mean(self._changes[:-1, -1])

    @property
    def qnr(self) -> float:
        """Quality with no reference, 1 at best: (1 - D_lambda) (1 - D_s) (Alparone et al.)."""
        return (1 - self.d_lambda) * (1 - self.d_s)

    @property
    def d_lambda_k(self) -> float:
        """Spectral distortion of Khan, 0 at best: 1 - Q2n of the multispectral image and the low-passed sharpened one.

        M. M. Khan, L. Alparone, J. Chanussot: Pansharpening quality assessment using the modulation transfer functions
        of instruments. IEEE Transactions on Geoscience and Remote Sensing 47 (2009) 3880-3891. Tables of PanCollection
        call it D_lambda. Here the low-passed image is not decimated, as in the toolbox.
        """
        return 1 - self.consistency.score

    @property
    def hqnr(self) -> float:
        """Hybrid QNR, 1 at best: (1 - D_lambda of Khan) (1 - D_s) (Aiazzi et al. 2014; Vivone et al. 2021)."""
        return (1 - self.d_lambda_k) * (1 - self.d_s)

    @property
    def _changes(self) -> Floats:
        """(B + 1, B + 1) how far Q of every two bands changes from coarse to fine."""
        return np.abs(self.fine.means - self.coarse.means)
