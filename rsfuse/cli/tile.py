"""`rsfuse tile`: from a labelled scene to training tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from rsfuse.cli import options, show


def tile(
    optical: options.Optical,
    labels: Annotated[
        Path,
        typer.Option("--labels", help="Label raster; brought onto the optical's grid (nearest).", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tiles.", show_default=False)],
    sar: options.Sar = None,
    legend: options.LegendName = "",
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    size: Annotated[int, typer.Option("--size", min=16, help="Side of a tile in pixels.")] = 512,
    window: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            "--window",
            metavar="COLUMN ROW WIDTH HEIGHT",
            help="Part of the optical raster to cut, in pixels.",
            show_default="all",
        ),
    ] = None,
    val: Annotated[
        float,
        typer.Option(
            "--val", min=0, max=1, help="Share of the columns of tiles, from the right edge, kept for validation."
        ),
    ] = 0.0,
    split: Annotated[
        Literal["train", "val", "test"], typer.Option("--split", help="Split of all other tiles.")
    ] = "train",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Cut a scene into training tiles: optical, SAR and labels side by side, with a manifest."""
    from rasterio.windows import Window

    from rsfuse.raster.legend_file import find_legend
    from rsfuse.raster.scene import Bands, Scene
    from rsfuse.tasks.tile import TileSettings
    from rsfuse.tasks.tile import tile as cut

    part = Window(*window) if window else None
    settings = TileSettings(size=size, window=part, val=val, split=split, overwrite=overwrite)
    with (
        Scene(optical, sar, bands=Bands(optical_bands, sar_bands)) as scene,
        show.progress("cutting", "tiles") as progress,
    ):
        report = cut(scene, labels, find_legend(legend) if legend else None, out, settings, progress=progress)
    if as_json:
        show.document(
            {
                "tiles": report.tiles,
                "left_out": report.left_out,
                "splits": report.splits,
                "seconds": round(report.seconds, 2),
            }
        )
    else:
        told = ", ".join(f"{count} {name}" for name, count in report.splits.items())
        show.line(f"{report.folder}: {report.tiles} tiles ({told}), {report.left_out} left out for want of data")
