"""Arrays that hold images, and what must be true of two of them to be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[Any]
"""(B, h, W), of whole numbers or floats."""

Mask = NDArray[np.bool_]
"""(h, W), true where a pixel counts."""


def check_alike(reference: Image, sharp: Image) -> None:
    """Refuse two images of different shapes.

    Raises:
        ValueError: if they are.
    """
    if reference.shape != sharp.shape:
        raise ValueError(f"the reference is {reference.shape}, the sharpened image {sharp.shape}")
