"""Shifts of tiles as AROSICS and scikit-image find them; run by benchmarks.registration_peers, not by hand.

Run: PYTHON benchmarks/registration_contestants.py FOLDER STEP, with the Python in which both are installed
In the folder are optical.tif, sar.tif (for AROSICS, which reads files) and the same as optical.npy and sar.npy. Places
are those of AROSICS's grid, every STEP pixels from the upper left corner; results go to contestants.npz. Neither rsfuse
nor rasterio is imported: GDAL's own bindings, which AROSICS needs, do not live in one process with rasterio.
"""

from __future__ import annotations

import sys
import time
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

SIDE, RADIUS = 128, 16
RELIABLE = 60  # per cent, the least that AROSICS believes by default
UPSAMPLED = 20


def by_arosics(folder: Path, step: int, side: int) -> dict[str, Any]:
    """Local co-registration on a grid of points, each with a window of a side; one process, as the others have."""
    local = import_module("arosics").COREG_LOCAL
    start = time.perf_counter()
    looked = local(
        str(folder / "optical.tif"),
        str(folder / "sar.tif"),
        grid_res=step,
        window_size=(side, side),
        max_shift=RADIUS,
        nodata=(-1, -1),  # or it takes the value of a corner for it
        min_reliability=RELIABLE,
        tieP_filter_level=1,
        CPUs=1,
        progress=False,
        q=True,
    )
    points = looked.CoRegPoints_table
    seconds = (time.perf_counter() - start) / len(points)
    shifts = -points[["X_SHIFT_PX", "Y_SHIFT_PX"]].to_numpy(float)  # it tells by how much to move the image back
    shifts[points["ABS_SHIFT"].to_numpy(float) == -9999] = np.nan  # no match
    reliable = points["RELIABILITY"].to_numpy(float) >= RELIABLE
    places = points[["X_IM", "Y_IM"]].to_numpy(float)
    return {"places": places, "shifts": shifts, "accepted": reliable, "seconds": seconds}


def by_scikit_image(folder: Path, places: Any) -> dict[str, Any]:
    """Phase cross-correlation of the tile around each place, NaN where that hangs over the edge; all are doubted."""
    correlate = import_module("skimage.registration").phase_cross_correlation
    optical, sar = (np.load(folder / f"{name}.npy") for name in ("optical", "sar"))
    shifts, seconds, half = np.full((len(places), 2), np.nan), 0.0, SIDE // 2
    inside = ((places >= half) & (places <= np.array(optical.shape[::-1]) - half)).all(1)
    for at in np.flatnonzero(inside):
        column, row = places[at].astype(int)
        tile = np.s_[row - half : row + half, column - half : column + half]
        start = time.perf_counter()
        back, *_ = correlate(optical[tile], sar[tile], upsample_factor=UPSAMPLED)
        seconds += time.perf_counter() - start
        shifts[at] = -back[::-1]
    return {"shifts": shifts, "accepted": np.zeros_like(inside), "seconds": seconds / max(int(inside.sum()), 1)}


def main() -> None:
    """All of them on one pair."""
    warnings.simplefilter("ignore")
    folder, step = Path(sys.argv[1]), int(sys.argv[2])
    by_arosics(folder, 4 * step, SIDE)  # what is loaded at the first call is not timed
    found = {f"AROSICS, {side} px": by_arosics(folder, step, side) for side in (SIDE, 2 * SIDE)}
    places = found[f"AROSICS, {SIDE} px"]["places"]
    found["scikit-image"] = by_scikit_image(folder, places)
    parts = ("shifts", "accepted", "seconds")
    results = {f"{name}|{part}": result[part] for name, result in found.items() for part in parts}
    np.savez(folder / "contestants.npz", places=places, **results)


if __name__ == "__main__":
    main()
