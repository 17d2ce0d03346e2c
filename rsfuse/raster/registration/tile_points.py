"""Matched tiles as points that any GIS opens: GeoJSON in longitude and latitude (RFC 7946)."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from rsfuse.errors import GridMismatchError
from rsfuse.geometry.registration import Registration, TileState
from rsfuse.raster.disk import replace_text
from rsfuse.raster.footprint import lonlat
from rsfuse.raster.registration.overlay import Overlay


def check_located(overlay: Overlay) -> None:
    """Whether tiles of a pair have a longitude and latitude.

    Raises:
        GridMismatchError: if nobody knows where the rasters lie.
    """
    if overlay.grid.crs is None:
        raise GridMismatchError(
            f"{overlay.paths[0]} has no CRS, so its tiles have no longitude and latitude",
            hint="leave out the GeoJSON, or give the raster a CRS: gdal_edit.py -a_srs EPSG:... FILE",
        )


def write_tiles(found: Registration, overlay: Overlay, path: Path) -> None:
    """A point for every tile, accepted or not; shifts in pixels of the coarser raster and in metres.

    Raises:
        OutputError: if the disk is full.
    """
    tiles, grid = found.tiles, overlay.grid
    residuals, inliers = np.full(len(tiles.states), np.nan), np.zeros(len(tiles.states), np.bool_)
    if found.fitted:
        residuals[tiles.is_accepted], inliers[tiles.is_accepted] = found.fitted.residuals, found.fitted.inliers
    features = []
    for at, (longitude, latitude) in enumerate(lonlat(tiles.places, grid).tolist()):
        (dx, dy), (x, y) = tiles.shifts[at].tolist(), grid.transform * tuple(tiles.places[at].tolist())
        numbers = {
            "dx_px": dx,
            "dy_px": dy,
            "length_px": math.hypot(dx, dy),
            "dx_m": dx * overlay.gsd_m,
            "dy_m": dy * overlay.gsd_m,
            "peak": float(tiles.peaks[at]),
            "margin": float(tiles.margins[at]),
            "residual_px": float(residuals[at]),
            "x": x,
            "y": y,
        }
        properties: dict[str, Any] = {
            "state": TileState(int(tiles.states[at])).name.lower(),
            "accepted": bool(tiles.is_accepted[at]),
            "inlier": bool(inliers[at]),
            **{name: round(value, 4) if math.isfinite(value) else None for name, value in numbers.items()},
        }
        point = {"type": "Point", "coordinates": [round(longitude, 7), round(latitude, 7)]}
        features.append({"type": "Feature", "geometry": point, "properties": properties})
    replace_text(path, json.dumps({"type": "FeatureCollection", "features": features}))
