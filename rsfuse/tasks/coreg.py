"""Coreg: do an optical and a SAR raster lie on each other, and by how much not?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rsfuse.geometry.registration import Limits, Registration, TileState, Verdict
from rsfuse.raster.registration.measure import Search, measure
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.raster.registration.tile_points import check_tiles, write_tiles
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Progress, unheard

DEFAULTS = Search()


@dataclass(frozen=True)
class CoregReport:
    """What was found of one pair; shifts are of the SAR against the optical, right and down positive."""

    registration: Registration
    verdict: Verdict
    gsd_m: float
    """Of a pixel in which shifts are told: the coarser of the two rasters."""
    search: Search
    seconds: float
    peak_memory_mb: int

    def to_dict(self) -> dict[str, Any]:
        """As plain data; NaN where there is nothing to tell."""
        found, tiles = self.registration, self.registration.tiles
        fitted = found.fitted
        figures = {
            "median_dx_px": found.median[0],
            "median_dy_px": found.median[1],
            "rmse_px": found.rmse,
            "rmse_debiased_px": found.debiased_rmse,
            "ce90_px": found.ce(90),
            "ce95_px": found.ce(95),
            "noise_px": found.noise,
            "gsd_m": self.gsd_m,
        }
        affine = fitted and {
            "linear": fitted.field.linear.tolist(),
            "offset_px": fitted.field.offset.tolist(),
            "inliers": int(fitted.inliers.sum()),
            "explains_most": found.is_affine,
        }
        return {
            "verdict": self.verdict.outcome,
            "why": self.verdict.why,
            "tiles": len(tiles.states),
            **{state.name.lower(): tiles.count(state) for state in TileState},
            **{key: round(value, 4) for key, value in figures.items()},
            "affine": affine,
            "tile_px": self.search.side,
            "radius_px": self.search.radius,
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }


def coreg(
    overlay: Overlay,
    limits: Limits,
    search: Search = DEFAULTS,
    *,
    tiles: Path | None = None,
    overwrite: bool = False,
    progress: Progress = unheard,
) -> CoregReport:
    """Match tiles all over a pair, and judge it.

    Args:
        overlay: the pair.
        limits: what passes.
        search: how tiles are matched.
        tiles: GeoJSON file for all tiles, in longitude and latitude; None for none.
        overwrite: replace it if it is there.
        progress: told of tiles.

    Raises:
        OutputError: if the GeoJSON is there already, or cannot be written.
        SceneError: if a raster is truncated or damaged.
    """
    if tiles is not None:
        check_tiles(tiles, overlay, overwrite=overwrite)
    start = time.monotonic()
    found = Registration(measure(overlay, search, progress))
    if tiles is not None:
        write_tiles(found, overlay, tiles)
    return CoregReport(
        registration=found,
        verdict=found.verdict(limits),
        gsd_m=overlay.gsd_m,
        search=search,
        seconds=time.monotonic() - start,
        peak_memory_mb=peak_memory_mb(),
    )
