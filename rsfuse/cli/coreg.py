"""`rsfuse coreg`: do the two lie on each other?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.tasks.coreg import CoregReport

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
    geojson: Annotated[
        Path | None,
        typer.Option(
            "--geojson", help="Write all tiles as points, too: their shifts, peaks and residuals.", show_default=False
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Measure by how much a SAR raster lies aside of an optical one, and judge it.

    Edges are matched, not brightness, in tiles all over both; up to 64 pixels are found. Shifts are of the SAR against
    the optical, right and down positive, in pixels of the coarser of the two. Exit code: 0 they lie on each other, 1
    they do not, 3 it cannot be told.
    """
    from rsfuse.geometry.registration import Limits
    from rsfuse.raster.registration.measure import Search
    from rsfuse.raster.registration.overlay import Overlay
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.coreg import coreg as check

    search, limits = Search(side=tile, tiles=tiles), Limits(max_ce90, max_median)
    with (
        Overlay(optical, sar, bands=Bands(optical_bands, sar_bands)) as overlay,
        show.progress("matching", "tiles") as progress,
    ):
        report = check(overlay, limits, search, tiles=geojson, overwrite=overwrite, progress=progress)
    if as_json:
        show.document(report.to_dict())
    else:
        tell(report)
    raise typer.Exit(EXIT_CODES[report.verdict.outcome])


def tell(report: CoregReport) -> None:
    """Verdict and figures."""
    found, told, gsd = report.registration, report.to_dict(), report.gsd_m
    shifts = [
        ("median, to the right", found.median[0]),
        ("median, down", found.median[1]),
        ("RMSE", found.rmse),
        ("RMSE less the noise of matching", found.debiased_rmse),
        ("CE90", found.ce(90)),
        ("noise of matching", found.noise),
    ]
    where = f" of {gsd:.2f} m" if math.isfinite(gsd) else ""
    show.table(
        f"shift of the SAR against the optical, in pixels{where}",
        ("", "px", "m"),
        [(name, _figure(px, 2), _figure(px * gsd, 1)) for name, px in shifts],
    )
    show.line(
        f"{told['tiles']:,} tiles: {told['accepted']:,} accepted, {told['rejected']:,} rejected, "
        f"{told['flat']:,} without texture, {told['empty']:,} without data"
    )
    if found.fitted and not found.is_affine:
        show.line("shifts vary from place to place: no affine field explains four of five tiles")
    show.line(f"{report.verdict.outcome}: {report.verdict.why}")


def _figure(value: float, places: int) -> str:
    return f"{value:.{places}f}" if math.isfinite(value) else "-"
