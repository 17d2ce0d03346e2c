"""`rsfuse prepare`: a delivered scene, calibrated, on a grid on the ground."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.tasks.prepare import PrepareReport

_WHERE, _OPTICAL, _SAR = "Where it lies", "Optical", "SAR"


def prepare(
    product: Annotated[
        Path,
        typer.Argument(
            metavar="PRODUCT",
            help="Folder or .tar.gz of a GF-1, GF-2, GF-3 or GF-6 scene, a Sentinel .SAFE folder, or any raster with "
            "polynomials (RPC), control points or a CRS.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="SCENE.TIF", help="GeoTIFF (COG) to write.", show_default=False)
    ],
    like: Annotated[
        Path | None,
        typer.Option(
            "--like",
            metavar="RASTER",
            help="Put it exactly on the grid of another raster.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    crs: Annotated[
        str | None,
        typer.Option("--crs", metavar="EPSG:N", help="CRS of the grid.", show_default="UTM", rich_help_panel=_WHERE),
    ] = None,
    gsd: Annotated[
        float | None,
        typer.Option(
            "--gsd",
            min=0,
            help="Side of a pixel in units of the CRS; the corner of the grid lies on a multiple of it.",
            show_default="that of the image",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    dem: Annotated[
        Path | None,
        typer.Option(
            "--dem",
            metavar="RASTER",
            help="Heights of the ground in metres: without it, hills are displaced.",
            show_default=False,
            rich_help_panel=_WHERE,
        ),
    ] = None,
    geoid: Annotated[
        float | None,
        typer.Option(
            "--geoid",
            metavar="M",
            help="Height of the geoid above the ellipsoid here, added to those of the DEM: SRTM and Copernicus count "
            "from the geoid, the geometry of satellites from the ellipsoid.",
            show_default="0",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    height: Annotated[
        float | None,
        typer.Option(
            "--height",
            metavar="M",
            help="Height of the ground above the ellipsoid, where no DEM says it.",
            show_default="the middle height of the image's polynomials",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    resampling: Annotated[
        Literal["nearest", "bilinear", "cubic"],
        typer.Option("--resampling", help="How values between pixels are made; SAR: of power.", rich_help_panel=_WHERE),
    ] = "bilinear",
    quantity: Annotated[
        Literal["dn", "radiance", "reflectance", "sigma0", "gamma0", "beta0"] | None,
        typer.Option(
            "--as",
            help="What the numbers are: dn, radiance, reflectance (at the top of the atmosphere) of optical scenes; "
            "sigma0, gamma0, beta0 of SAR scenes.",
            show_default="reflectance; sigma0; of plain rasters dn",
        ),
    ] = None,
    pan: Annotated[
        bool, typer.Option("--pan", help="The panchromatic image, not the multispectral one.", rich_help_panel=_OPTICAL)
    ] = False,
    sharpen: Annotated[
        bool,
        typer.Option(
            "--sharpen", help="Sharpen the multispectral image by the panchromatic one.", rich_help_panel=_OPTICAL
        ),
    ] = False,
    method: Annotated[
        Literal["brovey", "gs", "gsa", "mtf-glp", "mtf-glp-fs", "bdsd-pc"] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            help="By which --sharpen does; see rsfuse pansharpen.",
            show_default="gsa",
            rich_help_panel=_OPTICAL,
        ),
    ] = None,
    coefficients: Annotated[
        Path | None,
        typer.Option(
            "--coefficients",
            metavar="CSV",
            help="Your own calibration coefficients, which go before those that ship. Columns: satellite, sensor, "
            "part, year, gains, offsets, esun.",
            show_default=False,
            rich_help_panel=_OPTICAL,
        ),
    ] = None,
    sun_zenith: Annotated[
        float | None,
        typer.Option(
            "--sun-zenith",
            metavar="DEGREES",
            help="Of the sun, where the product does not say it.",
            show_default=False,
            rich_help_panel=_OPTICAL,
        ),
    ] = None,
    linear: Annotated[bool, typer.Option("--linear", help="Power instead of decibels.", rich_help_panel=_SAR)] = False,
    polarisations: Annotated[
        str | None,
        typer.Option(
            "--polarisations",
            metavar="HH,HV",
            help="Which, in this order.",
            show_default="all",
            rich_help_panel=_SAR,
        ),
    ] = None,
    looks: Annotated[
        str | None,
        typer.Option(
            "--looks",
            metavar="RxC",
            help="Rows and columns (azimuth and range) that are averaged into one pixel; 1x1 for none.",
            show_default="what makes pixels square",
            rich_help_panel=_SAR,
        ),
    ] = None,
    speckle: Annotated[
        Literal["none", "lee", "refined-lee", "frost", "gamma-map"],
        typer.Option("--speckle", help="Filter of speckle, on power.", rich_help_panel=_SAR),
    ] = "none",
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            min=3,
            help="Side of the filter's window, an odd number; that of refined-lee is always 7.",
            show_default="7",
            rich_help_panel=_SAR,
        ),
    ] = None,
    incidence: Annotated[
        bool, typer.Option("--incidence", help="One band more: the angle of incidence.", rich_help_panel=_SAR)
    ] = False,
    calibration_constant: Annotated[
        list[str] | None,
        typer.Option(
            "--calibration-constant",
            metavar="DB",
            help="Where the product says NULL: 30.5 for all such polarisations. HH=30.5 for one, whatever the product "
            "says. May be given again.",
            show_default=False,
            rich_help_panel=_SAR,
        ),
    ] = None,
    unpacked: options.Unpacked = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a calibrated, orthorectified GeoTIFF of a scene as it was delivered.

    Gaofen products are read as they come, folder or archive. rsfuse info PRODUCT tells what is understood of one. A run
    that was stopped goes on when it is asked for the same.
    """
    from rsfuse.raster.ortho.optical import OpticalWish
    from rsfuse.raster.ortho.placed import PlaceWish
    from rsfuse.raster.ortho.sar import SarWish
    from rsfuse.tasks.prepare import PrepareSettings
    from rsfuse.tasks.prepare import prepare as make

    if like is not None and (crs is not None or gsd is not None):
        raise typer.BadParameter("--like says where the pixels lie: leave out --crs and --gsd")
    if gsd == 0:
        raise typer.BadParameter("--gsd 0: a pixel has a size")
    if pan and sharpen:
        raise typer.BadParameter("--pan is one image, --sharpen another: leave out one of them")
    for option, given, wanted in (
        ("--method", method is not None and not sharpen, "--sharpen"),
        ("--geoid", geoid is not None and dem is None, "--dem"),
        ("--window", window is not None and speckle == "none", "--speckle"),
    ):
        if given:
            raise typer.BadParameter(f"{option} does nothing without {wanted}")
    settings = PrepareSettings(
        quantity,
        PlaceWish(like, crs, gsd, dem, height, geoid or 0.0),
        resampling,
        OpticalWish("pan" if pan else "ms", (method or "gsa") if sharpen else None, coefficients, sun_zenith),
        SarWish(
            linear,
            _polarisations(polarisations),
            _looks(looks),
            None if speckle == "none" else (speckle, _window(speckle, window)),
            incidence,
            _constants(calibration_constant or []),
        ),
        not unpacked,
        overwrite,
    )
    done = make(product, out, settings, show.progress)
    for warning in done.warnings:
        show.warning(warning)
    if as_json:
        show.document(done.to_dict())
    else:
        _tell(done)


def _window(speckle: str, side: int | None) -> int:
    from rsfuse.geometry.speckle.filters import WINDOW

    if side is None:
        return WINDOW
    if side % 2 == 0:
        raise typer.BadParameter(f"--window {side} has no middle: give an odd number")
    if speckle == "refined-lee" and side != WINDOW:
        raise typer.BadParameter(f"--window {side}: that of refined-lee is {WINDOW}")
    return side


def _polarisations(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(each.strip().upper() for each in text.split(","))


def _looks(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,3})[xX](\d{1,3})", text.strip())
    if not found or "0" in (found[1], found[2]):
        raise typer.BadParameter(f"--looks {text!r} is not like 1x2, rows by columns")
    return int(found[1]), int(found[2])


def _constants(given: list[str]) -> dict[str, float]:
    """Decibels by polarisation; "" for all."""
    constants = {}
    for text in given:
        polarisation, _, number = text.rpartition("=")
        try:
            constants[polarisation.strip().upper()] = float(number)
        except ValueError:
            raise typer.BadParameter(f"--calibration-constant {text!r} is not like 30.5 or HH=30.5") from None
    return constants


def _tell(report: PrepareReport) -> None:
    grid, heights = report.place.grid, report.place.heights
    for name, text in report.tags.items():
        if name != "RSFUSE_GROUND":  # told below, with what is known of it by now
            show.line(f"{name.removeprefix('RSFUSE_').lower()}: {text}")
    if not report.place.heeds_height:
        pass  # it lies on a map already
    elif heights.lowest == heights.highest:
        show.line(f"ground: {heights.lowest:,.0f} m above the ellipsoid all over")
    else:
        show.line(f"ground: {heights.lowest:,.0f} to {heights.highest:,.0f} m above the ellipsoid")
    if report.offset is not None and report.offset.is_known:
        right, down = report.offset.shift
        show.line(f"shift of the multispectral image: {right:+.2f} px right, {down:+.2f} px down")
    if report.resumed:
        show.line(f"{report.resumed:,} of {grid.height:,} rows were there from an earlier run")
    show.line(
        f"{', '.join(report.bands)}: {grid.height:,} x {grid.width:,} px of {abs(grid.transform.a):g} in "
        f"{report.place.crs.to_string()}, {report.megapixels:,.1f} megapixels in {report.seconds:.1f} s"
    )
    show.line(f"written: {report.output}")
