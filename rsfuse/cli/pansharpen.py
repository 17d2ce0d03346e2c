"""`rsfuse pansharpen`: multispectral bands on the panchromatic grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from rsfuse.cli import options, show
from rsfuse.cli.pan_ms import warn_of_left_out, warn_of_offset, warn_of_repeats
from rsfuse.errors import RsfuseError

if TYPE_CHECKING:
    from rsfuse.learn.inference.predictor import SharpeningPredictor
    from rsfuse.tasks.pansharpen import PansharpenReport

_HOW = "How it is sharpened"


def pansharpen(
    pan: Annotated[Path, typer.Argument(metavar="PAN", help="Panchromatic raster.", show_default=False)],
    ms: Annotated[
        Path,
        typer.Argument(
            metavar="MS",
            help="Multispectral raster of the same ground, of pixels 1.5 to 16 times as large; their edges need not "
            "coincide.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="SHARP.TIF", help="GeoTIFF (COG) to write, on the grid of PAN.", show_default=False
        ),
    ],
    method: Annotated[
        Literal["auto", "exp", "brovey", "gs", "gsa", "mtf-glp", "mtf-glp-fs", "bdsd-pc"],
        typer.Option(
            "--method",
            metavar="NAME",
            help="Classical method: gsa, gs, brovey, mtf-glp, mtf-glp-fs, bdsd-pc, or exp, which interpolates alone. "
            "auto: a bundle that ships for this sensor, or else gsa.",
            rich_help_panel=_HOW,
        ),
    ] = "auto",
    bundle: Annotated[
        str | None,
        typer.Option(
            "--bundle", help="Sharpen by a trained network (CF2N) instead.", rich_help_panel=_HOW, show_default=False
        ),
    ] = None,
    sensor: options.Sensor = "other",
    ms_bands: options.MsBands = None,
    align: options.Align = False,
    device: options.Device = "auto",
    preview: Annotated[
        Path | None,
        typer.Option(
            "--preview", metavar="PNG", help="Picture of a detailed part, before and after.", show_default=False
        ),
    ] = None,
    unpacked: options.Unpacked = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Sharpen a multispectral raster by a panchromatic one.

    The result has the type, bits, band names and nodata of MS. By how much the two lie aside of each other is always
    measured and told: it may cost more than methods differ by. rsfuse eval --sharpening tells how good a result is.
    """
    from rsfuse.tasks.pansharpen import PansharpenSettings
    from rsfuse.tasks.pansharpen import pansharpen as sharpen

    if bundle is not None and method != "auto":
        raise RsfuseError(
            f"--bundle sharpens by its network, and --method {method} by another", hint="give one of them"
        )
    settings = PansharpenSettings(
        method=_network(_Pair(pan, ms, ms_bands), sensor, bundle, device) if method == "auto" else method,
        sensor=sensor,
        bands=ms_bands,
        align=align,
        preview=preview,
        packed=not unpacked,
        overwrite=overwrite,
    )
    done = sharpen(pan, ms, out, settings, show.progress)
    _warn(done)
    if as_json:
        show.document(done.to_dict())
    else:
        _tell(done)


class _Pair(NamedTuple):
    pan: Path
    ms: Path
    bands: tuple[int, ...] | None


def _network(pair: _Pair, sensor: str, bundle: str | None, device: str) -> SharpeningPredictor | None:
    """That of a bundle that is named, or ships for this sensor; None if there is none."""
    from rsfuse.learn.bundles.sharpening import SharpeningBundle, shipped_for

    chosen = SharpeningBundle.open(bundle) if bundle is not None else None
    if bundle is None and sensor != "other":
        from rsfuse.raster.sharpening.scene import PanMsScene

        with PanMsScene(pair.pan, pair.ms, bands=pair.bands) as scene:
            chosen = shipped_for(sensor, len(scene.bands), scene.ratio)
    if chosen is None:
        return None
    from rsfuse.learn.runtimes.waking import wake_sharpening

    return wake_sharpening(chosen, device=device)


def _warn(report: PansharpenReport) -> None:
    """What makes the result worse than it could be."""
    warn_of_left_out(report.transparent)
    warn_of_repeats(report.repeats)
    warn_of_offset(report.offset, aligned=report.settings.align)


def _tell(report: PansharpenReport) -> None:
    offset = report.offset
    if offset.is_known:
        right, down = offset.shift
        undone = ", undone" if report.settings.align else ""
        show.line(f"shift of the multispectral image: {right:+.2f} px right, {down:+.2f} px down{undone}")
    rate = report.megapixels / max(report.seconds, 1e-9)
    show.line(
        f"{report.method}: {report.megapixels:,.1f} megapixels at ratio {report.ratio:.4g} in {report.seconds:.1f} s, "
        f"{rate:.1f} a second"
    )
    for path in (report.output, report.settings.preview):
        if path is not None:
            show.line(f"written: {path}")
