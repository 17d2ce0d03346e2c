"""`rsfuse coreg`: do the two lie on each other?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.raster.registration.checked import Checked
    from rsfuse.tasks.coreg import CoregReport

_WRITTEN = "What is written"
EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


def coreg(
    optical: Annotated[Path, typer.Argument(metavar="OPTICAL", help="Optical raster.", show_default=False)],
    sar: Annotated[
        Path,
        typer.Argument(
            metavar="SAR", help="SAR raster of the same place, in any CRS and resolution.", show_default=False
        ),
    ],
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    max_ce90: Annotated[
        float, typer.Option("--max-ce90", min=0.0, help="Pixels that nine of ten shifts must not exceed.")
    ] = 1.0,
    max_median: Annotated[
        float, typer.Option("--max-median", min=0.0, help="Pixels that the median shift must not exceed.")
    ] = 0.5,
    tile: Annotated[int, typer.Option("--tile", min=32, help="Side of the tiles that are matched, in pixels.")] = 128,
    tiles: Annotated[int, typer.Option("--tiles", min=1, help="About how many are matched.")] = 800,
    method: Annotated[
        Literal["orientation", "phase", "mutual-information"],
        typer.Option("--method", help="What is matched: edges, which sensors share; the others to compare."),
    ] = "orientation",
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="ALIGNED.TIF",
            help="Write the SAR raster moved to lie on the optical, and check it once more.",
            rich_help_panel=_WRITTEN,
            show_default=False,
        ),
    ] = None,
    correction: Annotated[
        Literal["auto", "shift", "affine", "local"],
        typer.Option(
            "--correction",
            help="What --write moves it by: the same shift everywhere (changes coordinates only), an affine field, a "
            "smooth one from place to place; auto takes the simplest that the shifts justify.",
            rich_help_panel=_WRITTEN,
        ),
    ] = "auto",
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="REPORT.HTML",
            help="Write a page with figures and checkerboards.",
            rich_help_panel=_WRITTEN,
            show_default=False,
        ),
    ] = None,
    geojson: Annotated[
        Path | None,
        typer.Option(
            "--geojson",
            metavar="TILES.GEOJSON",
            help="Write all tiles as points: their shifts, peaks and residuals.",
            rich_help_panel=_WRITTEN,
            show_default=False,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure by how much a SAR raster lies aside of an optical one, judge it, and put it right.

    Edges are matched, not brightness, in tiles all over both; up to 64 pixels are found. Shifts are of the SAR against
    the optical, right and down positive, in pixels of the coarser of the two. Exit code: 0 they lie on each other, 1
    they do not, 3 it cannot be told; with --write, that of the second check.
    """
    from rsfuse.geometry.registration import Limits
    from rsfuse.raster.registration.measure import Search
    from rsfuse.raster.registration.overlay import Overlay
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.coreg import CoregSettings
    from rsfuse.tasks.coreg import coreg as check

    settings = CoregSettings(
        limits=Limits(max_ce90, max_median),
        search=Search(side=tile, tiles=tiles, method=method),
        kind=None if correction == "auto" else correction,
        aligned=write,
        tiles=geojson,
        report=report,
        overwrite=overwrite,
    )
    with Overlay(optical, sar, bands=Bands(optical_bands, sar_bands)) as overlay:
        done = check(overlay, settings, show.progress)
    if as_json:
        show.document(done.to_dict())
    else:
        tell(done)
    raise typer.Exit(EXIT_CODES[done.last.verdict.outcome])


def tell(report: CoregReport) -> None:
    """Verdict and figures, of what was written as well."""
    from rsfuse.reports.coreg.figures import LENGTHS

    looks = [look for look in (report.before, report.after) if look is not None]
    gsd = report.before.overlay.gsd_m
    where = f" of {gsd:.2f} m" if math.isfinite(gsd) else ""
    names = ("before", "aligned") if report.after else ("",)
    columns = [f"{name} {unit}".strip() for name in names for unit in ("px", "m")]
    rows = [
        (name, *(figure for look in looks for figure in _both(of(look.found), look.overlay.gsd_m)))
        for name, of in LENGTHS.items()
    ]
    show.table(f"shift of the SAR against the optical, in pixels{where}", ("", *columns), rows)
    for name, look in zip(names, looks, strict=True):
        _tell_tiles(name, look)
    if report.correction:
        left = ", ".join(f"{name} {px:.2f}" for name, px in report.correction.held_out.items())
        show.line(f"aligned by: {report.correction.kind}; median px that each leaves where it was not fitted: {left}")
        show.line(f"written: {report.settings.aligned}")
    elif report.settings.aligned is not None:
        show.warning(f"{report.settings.aligned} was not written: too little is known to move the SAR by")


def _tell_tiles(name: str, look: Checked) -> None:
    from rsfuse.reports.coreg.figures import STATES

    found, tiles = look.found, look.found.tiles
    before = f"{name}: " if name else ""
    counted = (f"{tiles.count(state):,} {told}" for state, told in STATES.items())
    show.line(f"{before}{len(tiles.states):,} tiles; {'; '.join(counted)}")
    if found.fitted and not found.is_affine:
        show.line(f"{before}shifts vary from place to place: no affine field explains four of five tiles")
    show.line(f"{before}{look.verdict.outcome}: {look.verdict.why}")


def _both(px: float, gsd_m: float) -> tuple[str, str]:
    return _figure(px, 2), _figure(px * gsd_m, 1)


def _figure(value: float, places: int) -> str:
    return f"{round(value, places) + 0:.{places}f}" if math.isfinite(value) else "-"
