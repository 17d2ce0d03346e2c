"""`rsfuse mosaic`: many maps or images become one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import options, show
from rsfuse.errors import RsfuseError

if TYPE_CHECKING:
    from rsfuse.raster.mosaics.region import Target

_GRID = "Where its pixels lie"


def mosaic(
    rasters: Annotated[
        list[Path],
        typer.Argument(
            metavar="RASTERS...", help="Maps of one legend, or images of the same bands.", show_default=False
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="REGION.TIF",
            help="GeoTIFF (COG) to write; or .vrt, which shows the rasters where they are.",
            show_default=False,
        ),
    ],
    rule: Annotated[
        Literal["auto", "first", "last", "majority", "confidence", "edge", "feather"],
        typer.Option(
            "--rule",
            help="Where several have data. first, last: in the order given. majority: the most frequent class. "
            "confidence: the surest map. edge: the one in whose data the pixel lies deepest. feather: all, weighted by "
            "that depth; of maps, their probabilities. auto: confidence or else edge for maps, feather for images, "
            "first for .vrt.",
        ),
    ] = "auto",
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="RASTER",
            help="Take CRS and pixels of this raster.",
            rich_help_panel=_GRID,
            show_default="the first one",
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option(
            "--crs",
            metavar="EPSG:N",
            help="Another coordinate reference system.",
            rich_help_panel=_GRID,
            show_default="that of the first one",
        ),
    ] = None,
    resolution: Annotated[
        float | None,
        typer.Option(
            "--resolution",
            min=0.0,
            help="Side of a pixel in units of the CRS.",
            rich_help_panel=_GRID,
            show_default="that of the first one",
        ),
    ] = None,
    legend: Annotated[
        str,
        typer.Option(
            "--legend",
            help="What the codes of maps mean that do not say so: a known legend such as whu-opt-sar, or a YAML file. "
            "Without it, rasters that rsfuse did not map are taken for images.",
            show_default=False,
        ),
    ] = "",
    sources: Annotated[
        Path | None,
        typer.Option(
            "--sources",
            metavar="SCENES.GPKG",
            help="Write polygons that say which raster each pixel is from (feather: which weighs most).",
            show_default=False,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make one map, or one image, of many that overlap.

    They may differ in CRS, resolution and extent. Class codes are never mixed: each pixel takes the nearest; images are
    bilinear. Pixels without data (255 in maps) never win.
    """
    from rsfuse.raster.legend_file import find_legend
    from rsfuse.tasks.mosaic import MosaicSettings
    from rsfuse.tasks.mosaic import mosaic as make

    settings = MosaicSettings(
        rule=None if rule == "auto" else rule,
        target=_target(like, crs, resolution),
        legend=find_legend(legend) if legend else None,
        scenes=sources,
        overwrite=overwrite,
    )
    done = make(rasters, out, settings, show.progress).to_dict()
    if as_json:
        show.document(done)
        return
    show.line(
        f"{done['inputs']} {done['kind']}s by rule {done['rule']}: {done['height']:,} x {done['width']:,} px, "
        f"{done['crs']}, in {done['seconds']:.1f} s"
    )
    for path in (out, sources):
        if path is not None:
            show.line(f"written: {path}")


def _target(like: Path | None, crs: str | None, resolution: float | None) -> Target:
    from rsfuse.raster.mosaics.region import Target, grid_like
    from rsfuse.raster.named_crs import named_crs

    if like is not None and (crs is not None or resolution is not None):
        raise RsfuseError(
            "--like says where pixels lie, and so do --crs and --resolution", hint="give one or the others"
        )
    if resolution == 0:
        raise RsfuseError("--resolution is 0: a pixel has a size", hint="give the side of a pixel in units of the CRS")
    return Target(None if like is None else grid_like(like), None if crs is None else named_crs(crs), resolution)
