"""A CRS by the name that a user gives it."""

from __future__ import annotations

import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError

from rsfuse.errors import GridMismatchError


def named_crs(text: str) -> CRS:
    """The CRS of a name like EPSG:32650, or of WKT.

    Raises:
        GridMismatchError: if there is none.
    """
    try:
        with rasterio.Env():  # or PROJ writes to standard error by itself
            crs = CRS.from_user_input(text)
            flat = crs.is_geographic or crs.is_projected
    except (CRSError, ValueError) as error:  # the latter of "EPSG:nothing"
        raise GridMismatchError(f"{text} is no CRS: {error}", hint="write it like EPSG:32650") from error
    if not flat:
        raise GridMismatchError(
            f"{text} is neither a projection nor longitude and latitude", hint="choose one like EPSG:32650"
        )
    return crs
