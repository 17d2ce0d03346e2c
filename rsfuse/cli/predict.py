"""`rsfuse predict`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.learn.inference.predictor import Predictor
    from rsfuse.tasks.predict import PredictReport


def predict(
    scene: options.Optical,
    sar: options.Sar = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The map.", show_default="SCENE_landcover.tif in the current folder"),
    ] = None,
    bundle: options.BundleName = "sentinel-10m",
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    blend: Annotated[
        Literal["hann", "crop"], typer.Option(help="Where patches overlap: blend their probabilities, or cut halfway.")
    ] = "hann",
    batch_size: options.BatchSize = 4,
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Map a scene: optical and SAR in, a land cover GeoTIFF out; scenes far larger than memory too."""
    from rsfuse.learn.bundle import Bundle
    from rsfuse.learn.inference.predictor import Predictor
    from rsfuse.raster.scene import Bands, Scene
    from rsfuse.tasks.predict import PredictSettings
    from rsfuse.tasks.predict import predict as map_scene

    output = out or Path(f"{scene.stem}_landcover.tif")
    settings = PredictSettings(batch_size=batch_size, blend=blend, overwrite=overwrite)
    with Scene(scene, sar, bands=Bands(optical_bands, sar_bands)) as opened:
        predictor = Predictor(Bundle.open(bundle), device=device)
        with show.progress("predicting", "patches") as progress:
            report = map_scene(opened, predictor, output, settings, progress)
    if as_json:
        show.document(document(report, predictor))
    else:
        tell(report)


def document(report: PredictReport, predictor: Predictor) -> dict[str, Any]:
    """The report as plain data for --json."""
    return {
        "output": str(report.output),
        "legend": report.legend.to_dict()["classes"],
        "pixels": {str(each.code): int(count) for each, count in zip(report.legend, report.pixels, strict=True)},
        "seconds": round(report.seconds, 2),
        "megapixels": round(report.megapixels, 3),
        "patches": report.patches,
        "patches_skipped": report.patches_skipped,
        "device": str(predictor.device),
        "bundle": predictor.bundle.name,
        "peak_memory_mb": report.peak_memory_mb,
        "gsd_m": None if report.gsd_m != report.gsd_m else round(report.gsd_m, 3),
        "coreg": None,  # the co-registration check comes with `rsfuse coreg`
    }


def tell(report: PredictReport) -> None:
    """The report as a table."""
    total = max(int(report.pixels.sum()), 1)
    hectares = report.gsd_m**2 / 1e4
    rows = [
        (
            each.code,
            each.name,
            f"{100 * count / total:.1f} %",
            "-" if hectares != hectares else f"{count * hectares:,.0f}",
        )
        for each, count in zip(report.legend, report.pixels, strict=True)
    ]
    show.table(str(report.output), ("code", "class", "share", "hectares"), rows)
    speed = report.megapixels / report.seconds
    show.note(
        f"{report.megapixels:,.1f} Mpx in {report.seconds:.1f} s ({speed:.2f} Mpx/s), {report.patches} patches, "
        f"{report.patches_skipped} without data, {report.peak_memory_mb} MB of memory at most"
    )
