"""Coreg: do an optical and a SAR raster lie on each other, by how much not, and what puts that right?"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rsfuse.geometry.correction import Correction, Kind, choose
from rsfuse.geometry.registration import Limits, Registration, TileState
from rsfuse.raster.disk import check_free
from rsfuse.raster.outputs import check_outputs, files_of
from rsfuse.raster.registration.checked import Checked
from rsfuse.raster.registration.measure import Search, measure
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.raster.registration.realign import write_aligned
from rsfuse.raster.registration.tile_points import check_located, write_tiles
from rsfuse.reports.coreg.page import CoregPage, write_page
from rsfuse.tasks.memory import peak_memory_mb
from rsfuse.tasks.progress import Stages, unseen

_DENSER = 4  # times as many tiles for a field that changes from place to place
_BLOCK = 2  # tiles a side


@dataclass(frozen=True)
class CoregSettings:
    """What a user may choose.

    Args:
        limits: what passes.
        search: how tiles are matched.
        kind: of the correction; None for what the shifts justify.
        aligned: raster to write, the SAR moved to lie on the optical; None for none.
        tiles: GeoJSON file for all tiles, in longitude and latitude; None for none.
        report: HTML file with figures; None for none.
        overwrite: replace these if they are there.
    """

    limits: Limits = field(default_factory=Limits)
    search: Search = field(default_factory=Search)
    kind: Kind | None = None
    aligned: Path | None = None
    tiles: Path | None = None
    report: Path | None = None
    overwrite: bool = False


DEFAULTS = CoregSettings()
QUICK = CoregSettings(search=Search(tiles=100))
"""For a word of warning: as many tiles as a verdict needs where a third of them is accepted."""


@dataclass(frozen=True)
class CoregReport:
    """What was found of one pair; shifts are of the SAR against the optical, right and down positive.

    Args:
        before: the pair as it was given.
        correction: what the SAR was moved by; None where nothing was written.
        after: the pair with what was written, matched in tiles between those before.
        settings: what was asked for.
        seconds: how long it took.
        peak_memory_mb: of this process.
    """

    before: Checked
    correction: Correction | None
    after: Checked | None
    settings: CoregSettings
    seconds: float
    peak_memory_mb: int

    @property
    def last(self) -> Checked:
        """What counts in the end."""
        return self.after or self.before

    def to_dict(self) -> dict[str, Any]:
        """As plain data; NaN where there is nothing to tell."""
        told = {
            **_figures(self.before),
            "tile_px": self.settings.search.side,
            "radius_px": self.settings.search.radius,
            "method": self.settings.search.method,
            "aligned": None,
            "seconds": round(self.seconds, 2),
            "peak_memory_mb": self.peak_memory_mb,
        }
        if self.after and self.correction:
            held_out = {name: round(value, 4) for name, value in self.correction.held_out.items()}
            about = {"output": str(self.settings.aligned), "correction": self.correction.kind, "held_out_px": held_out}
            told["aligned"] = {**about, **_figures(self.after)}
        return told


def _figures(checked: Checked) -> dict[str, Any]:
    found, tiles = checked.found, checked.found.tiles
    fitted = found.fitted
    figures = {
        "median_dx_px": found.median[0],
        "median_dy_px": found.median[1],
        "rmse_px": found.rmse,
        "rmse_debiased_px": found.debiased_rmse,
        "ce90_px": found.ce(90),
        "ce95_px": found.ce(95),
        "noise_px": found.noise,
        "gsd_m": checked.overlay.gsd_m,
    }
    return {
        "verdict": checked.verdict.outcome,
        "why": checked.verdict.why,
        "tiles": len(tiles.states),
        **{state.name.lower(): tiles.count(state) for state in TileState},
        **{key: round(value, 4) for key, value in figures.items()},
        "affine": fitted
        and {
            "linear": fitted.field.linear.tolist(),
            "offset_px": fitted.field.offset.tolist(),
            "inliers": int(fitted.inliers.sum()),
            "explains_most": found.is_affine,
        },
    }


def coreg(overlay: Overlay, settings: CoregSettings = DEFAULTS, stages: Stages = unseen) -> CoregReport:
    """Match tiles all over a pair and judge it; if asked to, move the SAR, and judge what came out.

    A pair that passes is moved by the median shift alone: resampling would cost more than it mends. Of one that
    remains inconclusive nothing is written.

    Args:
        overlay: the pair.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if an output is there already, or cannot be written.
        SceneError: if a raster is truncated or damaged.
    """
    _check_outputs(overlay, settings)
    start = time.monotonic()
    before = _look(overlay, settings, stages, "matching")
    with ExitStack() as opened:
        correction, after = None, None
        if settings.aligned is not None and before.verdict.outcome != "inconclusive":
            correction = _choose(before, settings, stages)
            with stages("aligning", "blocks") as progress:
                write_aligned(overlay, correction, settings.aligned, progress)
            aligned = opened.enter_context(Overlay(overlay.paths[0], settings.aligned, bands=overlay.bands))
            again = replace(settings, search=replace(settings.search, between=True))
            after = _look(aligned, again, stages, "checking")
        if settings.tiles is not None:
            write_tiles(before.found, overlay, settings.tiles)
        if settings.report is not None:
            write_page(CoregPage(before, after, settings.limits, correction), settings.report)
        return CoregReport(before, correction, after, settings, time.monotonic() - start, peak_memory_mb())


def _check_outputs(overlay: Overlay, settings: CoregSettings) -> None:
    named = [("the aligned SAR", settings.aligned), ("the tiles", settings.tiles), ("the report", settings.report)]
    outputs = [(told, path) for told, path in named if path is not None]
    inputs = (("a raster that is matched", path) for raster in overlay.paths for path in files_of(raster))
    check_outputs(outputs, inputs)
    for _, path in outputs:
        check_free(path, overwrite=settings.overwrite)
    if settings.tiles is not None:
        check_located(overlay)


def _look(overlay: Overlay, settings: CoregSettings, stages: Stages, what: str) -> Checked:
    with stages(what, "tiles") as progress:
        found = Registration(measure(overlay, settings.search, progress))
    return Checked(overlay, found, found.verdict(settings.limits))


def _choose(before: Checked, settings: CoregSettings, stages: Stages) -> Correction:
    kind: Kind | None = settings.kind
    if kind is None and before.verdict.outcome == "pass":
        kind = "shift"
    block = _BLOCK * settings.search.side
    correction = choose(*before.found.accepted, block, kind)
    if correction.kind != "local":
        return correction
    search = replace(settings.search, tiles=_DENSER * settings.search.tiles)
    with stages("matching more", "tiles") as progress:
        dense = Registration(measure(before.overlay, search, progress))
    return choose(*dense.accepted, block, "local")
