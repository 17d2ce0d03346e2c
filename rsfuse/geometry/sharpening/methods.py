"""The classical methods: what each of them adds to the interpolated bands, from the moments of the pair.

All are Vivone et al., "A critical comparison among pansharpening algorithms", IEEE TGRS 53 (2015), in other words:
sharp_b = EXP_b + g_b (P_b - I_b), with the gain g, the panchromatic image P matched to the band, and what takes its
place at low resolution, I.

| method     | I                               | g_b                             | source                        |
|------------|---------------------------------|---------------------------------|-------------------------------|
| exp        |                                 | 0                               | interpolation alone           |
| brovey     | mean of the bands               | EXP_b / I                       | Gillespie et al., 1987        |
| gs         | mean of the bands               | cov(I, EXP_b) / var(I)          | Laben & Brower, 2000          |
| gsa        | bands weighted as P at low res. | cov(I, EXP_b) / var(I)          | Aiazzi, Baronti & Selva, 2007 |
| mtf-glp    | P low-passed, as b's sensor     | std(EXP_b) / std(I_b)           | Aiazzi et al., 2006           |
| mtf-glp-fs | likewise                        | cov(EXP_b, P) / cov(I_b, P)     | Vivone et al., 2018           |
| bdsd-pc    | bands, weighted for each b      | fitted one scale down, g_b >= 0 | Vivone, 2019                  |
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from rsfuse.geometry.sharpening.moments import PairMoments

Method = Literal["exp", "brovey", "gs", "gsa", "mtf-glp", "mtf-glp-fs", "bdsd-pc"]
METHODS: tuple[Method, ...] = get_args(Method)

Image = NDArray[np.float32]
Floats = NDArray[np.float64]


class Injection(ABC):
    """A method fitted to a scene."""

    needs_low: bool = False
    """Whether it wants the panchromatic image low-passed for each band."""

    @abstractmethod
    def __call__(self, exp: Image, pan: Image, low: Image | None = None) -> Image:
        """Sharpened bands.

        Args:
            exp: (B, N) interpolated bands; may be written over.
            pan: (1, N) panchromatic image.
            low: (B, N) the same, as the sensor of each band sees it; for those that want it.

        Returns:
            (B, N), not clipped.
        """


@dataclass(frozen=True)
class LinearInjection(Injection):
    """Every band is a sum of all interpolated bands, P and a constant: all of substitution.

    Args:
        mixing: (B, B), of the interpolated bands; a row for each that comes out.
        pan: (B,), of P.
        constant: (B,).
    """

    mixing: Floats
    pan: Floats
    constant: Floats

    @classmethod
    def of_gains(cls, gains: Floats, weights: Floats, *, scale: float = 1.0, constant: float = 0.0) -> LinearInjection:
        """EXP_b + g_b (scale P + constant - weights EXP): what takes the place of P is the same for all bands.

        Args:
            gains: (B,).
            weights: (B,) of the bands in what takes the place of P.
            scale: of P, and what is added to it, so that both are alike.
            constant: see there.
        """
        return cls(np.eye(len(gains)) - np.outer(gains, weights), gains * scale, gains * constant)

    def __call__(self, exp: Image, pan: Image, low: Image | None = None) -> Image:
        """See `Injection`."""
        sharp: Image = self.mixing.astype(np.float32) @ exp
        sharp += self.pan.astype(np.float32)[:, None] * pan
        sharp += self.constant.astype(np.float32)[:, None]
        return sharp


@dataclass(frozen=True)
class DetailInjection(Injection):
    """EXP_b + g_b (P - I_b), with P low-passed for I: all of multiresolution analysis.

    Args:
        gains: (B,).
    """

    gains: Floats
    needs_low = True

    def __call__(self, exp: Image, pan: Image, low: Image | None = None) -> Image:
        """See `Injection`."""
        if low is None:
            raise ValueError("this method wants the panchromatic image low-passed")
        detail = np.subtract(pan, low, out=low)
        detail *= self.gains.astype(np.float32)[:, None]
        exp += detail
        return exp


@dataclass(frozen=True)
class RatioInjection(Injection):
    """EXP_b (scale P + constant) / I, with the mean of the bands for I; EXP_b where that is not above 0.

    Args:
        scale: of P.
        constant: added to it.
    """

    scale: float
    constant: float

    def __call__(self, exp: Image, pan: Image, low: Image | None = None) -> Image:
        """See `Injection`."""
        intensity = exp.mean(0, keepdims=True)
        known = intensity > 0
        ratio = np.divide(
            np.float32(self.scale) * pan + np.float32(self.constant), intensity, out=np.ones_like(pan), where=known
        )
        exp *= ratio
        return exp


def fit(method: Method, moments: PairMoments) -> Injection:
    """A method for the pair that moments are of.

    Args:
        method: which.
        moments: of all of the pair, or of a sample.

    Raises:
        ValueError: if the method is none of `METHODS`, or there is no pixel to learn from.
    """
    if not (moments.fine.count and moments.coarse.count):
        raise ValueError("there is no pixel to learn from")
    if method not in _FITS:
        raise ValueError(f"there is no method {method!r}")
    return _FITS[method](moments)


def _exp(moments: PairMoments) -> Injection:
    nothing = np.zeros(moments.bands)
    return LinearInjection.of_gains(nothing, nothing)


def _brovey(moments: PairMoments) -> Injection:
    scale, constant, _ = _matched(moments, _mean_of_bands(moments))
    return RatioInjection(scale, constant)


def _gs(moments: PairMoments) -> Injection:
    weights = _mean_of_bands(moments)
    scale, constant, gains = _matched(moments, weights)
    return LinearInjection.of_gains(gains, weights, scale=scale, constant=constant)


def _gsa(moments: PairMoments) -> Injection:
    bands, coarse = moments.bands, moments.coarse.covariance
    weights = np.linalg.lstsq(coarse[:bands, :bands], coarse[:bands, bands], rcond=None)[0].astype(np.float64)
    mean = moments.fine.mean
    constant = float(weights @ mean[:bands] - mean[bands])  # so that nothing is added on the whole
    return LinearInjection.of_gains(_gains(moments, weights), weights, constant=constant)


def _mtf_glp(moments: PairMoments) -> Injection:
    variance = np.diag(moments.fine.covariance)
    return DetailInjection(np.sqrt(_share(variance[: moments.bands], variance[moments.bands + 1 :])))


def _mtf_glp_fs(moments: PairMoments) -> Injection:
    with_pan = moments.fine.covariance[moments.bands]
    return DetailInjection(_share(with_pan[: moments.bands], with_pan[moments.bands + 1 :]))


def _bdsd_pc(moments: PairMoments) -> Injection:
    """One scale down, what a low pass took from each band is explained by the bands without it and P.

    P may only be added and bands only be taken away: least squares of signed coefficients (no constant, as published).
    """
    bands, products = moments.bands, moments.coarse.products
    explaining = np.concatenate([np.arange(bands + 2, 2 * bands + 2), [bands + 1]])
    signs = np.append(-np.ones(bands), 1.0)
    gram = products[np.ix_(explaining, explaining)] * np.outer(signs, signs)
    lost = products[np.ix_(explaining, np.arange(bands))] - products[np.ix_(explaining, explaining[:bands])]
    # of a Gram matrix G = L L', the least squares of L' x = L^-1 c are those of the data
    factor = np.linalg.cholesky(gram + np.eye(bands + 1) * (1e-10 * np.trace(gram)))
    found = np.stack([nnls(factor.T, np.linalg.solve(factor, signs * each))[0] for each in lost.T])
    return LinearInjection(np.eye(bands) - found[:, :-1], found[:, -1], np.zeros(bands))


_FITS: dict[str, Callable[[PairMoments], Injection]] = {
    "exp": _exp,
    "brovey": _brovey,
    "gs": _gs,
    "gsa": _gsa,
    "mtf-glp": _mtf_glp,
    "mtf-glp-fs": _mtf_glp_fs,
    "bdsd-pc": _bdsd_pc,
}


def _mean_of_bands(moments: PairMoments) -> Floats:
    return np.full(moments.bands, 1 / moments.bands)


def _matched(moments: PairMoments, weights: Floats) -> tuple[float, float, Floats]:
    """Scale and constant that give P the mean and spread of the weighted bands, and the gains of substitution.

    The spread of P is that of P as the multispectral sensor sees it: of all that P shows, the bands have no more.
    """
    bands, mean, covariance = moments.bands, moments.fine.mean, moments.fine.covariance
    own = covariance[:bands, :bands]
    low = float(np.diag(covariance)[bands + 1 :].mean())
    scale = float(np.sqrt(_share(weights @ own @ weights, low)))
    return scale, float(weights @ mean[:bands] - scale * mean[bands]), _gains(moments, weights)


def _gains(moments: PairMoments, weights: Floats) -> Floats:
    own = moments.fine.covariance[: moments.bands, : moments.bands]
    gains: Floats = _share(own @ weights, weights @ own @ weights)
    return gains


def _share(part: Floats | float, whole: Floats | float) -> Floats:
    """Part over whole; 0 where the whole is nothing: an image without detail has none to give."""
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    share: Floats = np.divide(part, whole, out=np.zeros(part.shape), where=whole != 0)
    return share
