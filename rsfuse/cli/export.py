"""`rsfuse export`: a bundle that runs without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.tasks.export import ExportReport

_COMPARED = "What the graph is compared on"


def export(
    bundle: Annotated[
        str,
        typer.Argument(metavar="BUNDLE", help="A name that ships, or a folder that training made.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for the exported bundle.", show_default=False),
    ],
    precision: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(
            "--precision",
            help="Of weights and computation: float16 is for GPUs, int8 for small files; both lose a little.",
        ),
    ] = "float32",
    patch: Annotated[
        int | None,
        typer.Option(
            "--patch",
            metavar="PX",
            min=1,
            help="Side of patches, the only one that the graph takes.",
            show_default="that of the bundle",
        ),
    ] = None,
    tiles: Annotated[
        Path | None,
        typer.Option(
            "--tiles",
            help="Folder that `rsfuse tile` made: its test tiles, else those for validation, else all.",
            rich_help_panel=_COMPARED,
            show_default=False,
        ),
    ] = None,
    scene: Annotated[
        Path | None,
        typer.Option(
            "--scene",
            metavar="FILE",
            help="Optical raster; of a bundle that sharpens, the panchromatic one.",
            rich_help_panel=_COMPARED,
            show_default=False,
        ),
    ] = None,
    sar: options.Sar = None,
    ms: Annotated[
        Path | None,
        typer.Option(
            "--ms",
            metavar="MS",
            help="Multispectral raster, of a bundle that sharpens.",
            rich_help_panel=_COMPARED,
            show_default=False,
        ),
    ] = None,
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    ms_bands: options.MsBands = None,
    tolerance: Annotated[
        float,
        typer.Option(
            "--tolerance",
            min=0,
            max=1,
            help="Share of pixels that may become another class; of sharpened numbers, another by more than 1.",
            rich_help_panel=_COMPARED,
        ),
    ] = 0.001,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a bundle for onnxruntime, which predicts without torch.

    The network becomes an ONNX graph with patches of one size. Both are shown the same patches, scaled as in
    prediction, and nothing is left where they do not agree.
    """
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.export import ExportSettings, Images
    from rsfuse.tasks.export import export as write

    images = Images(tiles, scene, sar, ms, Bands(optical_bands, sar_bands), ms_bands)
    settings = ExportSettings(precision, patch, images, tolerance, overwrite)
    report = write(bundle, out, settings, show.progress)
    _warn(report)
    if as_json:
        show.document(report.to_dict())
    else:
        _tell(report)


def _warn(report: ExportReport) -> None:
    if not report.is_real:
        show.warning(
            "graph and network were compared on noise: no real image was looked at; name some by --tiles or --scene"
        )
    if report.padded != report.patch.size:
        show.note(
            f"the network pads patches of {report.patch.size} px to {report.padded} px, which takes time: "
            f"--patch {report.padded} takes no more"
        )


def _tell(report: ExportReport) -> None:
    exported, measured = report.exported, report.measured
    weights, graph = (size / 1e6 for size in report.bytes)
    labels = (
        () if measured.miou is None else (("mIoU of torch, of the graph", "{:.4f}, {:.4f}".format(*measured.miou)),)
    )
    rows = [
        ("network", report.network),
        ("patch", f"{report.patch.size} px"),
        ("precision", exported.precision),
        ("file", f"{graph:.1f} MB; the weights have {weights:.1f} MB"),
        ("opset", exported.opset),
        ("compared on", f"{_patches(exported.agreement.patches)}: {exported.agreement.samples}"),
        ("largest error", f"{measured.largest_error:.1e} of the largest number"),
        ("differing", f"{measured.differing:.4%} of pixels, or of sharpened numbers"),
        ("mean error", f"{measured.mean_error:.1e} of probabilities, or in digital numbers"),
        *labels,
        ("seconds", f"{report.seconds:.1f}"),
    ]
    show.table(f"{report.output}, exported from {report.bundle}", ("what", "value"), rows)


def _patches(count: int) -> str:
    return "1 patch" if count == 1 else f"{count} patches"
