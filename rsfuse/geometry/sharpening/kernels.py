"""Kernels of filters, as functions of the distance in pixels of what is filtered.

| kernel       | what for                                            | source                              |
|--------------|-----------------------------------------------------|-------------------------------------|
| Lanczos      | multispectral pixels on the panchromatic grid (EXP) | Duchon, J. Appl. Meteor. 18, 1979   |
| gaussian     | what the multispectral sensor sees of the ground    | Aiazzi et al., PE&RS 72(5), 2006    |
| cubic        | a coarse panchromatic image, where one is judged by | Keys, IEEE Trans. ASSP 29(6), 1981  |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kernel:
    """Weights by distance.

    Args:
        reach: distance in pixels beyond which there is no weight.
        at: weights at distances, not normalised.
    """

    reach: float
    at: Callable[[Floats], Floats]


_LOBES = 4

LANCZOS = Kernel(float(_LOBES), lambda distance: np.sinc(distance) * np.sinc(distance / _LOBES))
"""Interpolates: a pixel that lies on a sample is that sample, and between them it comes within .3 % of the ERGAS of the
23-tap interpolator of the usual toolboxes, which knows powers of two alone."""


@lru_cache  # one object for each: matrices are kept by the kernel that they were made of
def gaussian(gain: float, ratio: float) -> Kernel:
    """The low pass whose response falls to a gain at the Nyquist frequency of pixels `ratio` times as large.

    A response exp(-f**2 / (2 s**2)) with the gain G at f = 1 / (2 ratio) is, in pixels, a Gaussian of standard
    deviation ratio * sqrt(-2 ln G) / pi. The usual toolboxes sample the same response in 41 x 41 frequencies.

    Args:
        gain: G, between 0 and 1.
        ratio: fine pixels along the side of a coarse one.

    Raises:
        ValueError: if the gain is none.
    """
    if not 0 < gain < 1:
        raise ValueError(f"a gain at Nyquist is between 0 and 1, not {gain}")
    sigma = ratio * math.sqrt(-2 * math.log(gain)) / math.pi
    return Kernel(4.5 * sigma, lambda distance: np.exp(-(distance**2) / (2 * sigma**2)))


@lru_cache  # as for `gaussian`
def cubic(ratio: float) -> Kernel:
    """Cubic convolution stretched to pixels `ratio` times as large, as the usual toolboxes reduce an image.

    Args:
        ratio: fine pixels along the side of a coarse one.
    """
    return Kernel(2 * ratio, lambda distance: _keys(np.abs(distance) / ratio))


def _keys(distance: Floats) -> Floats:
    """Keys's kernel with a = -1/2, of distances from 0 to 2."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance <= 1, near, far)
