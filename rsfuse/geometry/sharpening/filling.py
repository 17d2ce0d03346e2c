"""Numbers for pixels that have none, so that filters beside them see something likely."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt


def filled(image: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """An image (B, h, w) with the nearest pixel that is valid (h, w) in place of each that is not.

    Where none is, the image as it is.
    """
    if valid.all() or not valid.any():
        return image
    rows, columns = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return image[:, rows, columns]
