"""`rsfuse info`: what is this?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rsfuse.cli import options, show
from rsfuse.cli.set_info import show_patches, show_tiles

_DOUBTS = "not_understood"


def info(
    thing: Annotated[
        str,
        typer.Argument(
            help="A raster, a product of a satellite (folder or archive), a folder of tiles, a bundle or a recipe.",
            show_default=False,
        ),
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE.png",
            help="Where the contact sheet of a folder of tiles is drawn.",
            show_default="<name of the folder>_contact.png in the current folder",
        ),
    ] = None,
    no_sheet: Annotated[bool, typer.Option("--no-sheet", help="Draw no contact sheet.")] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what rsfuse understands of a raster, a product, a folder of tiles, a bundle or a recipe.

    Of tiles a contact sheet is drawn as well: optical, SAR and labels of a few of every split.
    """
    from rsfuse.tasks.info import PICTURED, check_sheet
    from rsfuse.tasks.info import info as look

    if sheet and no_sheet:
        raise typer.BadParameter("--sheet and --no-sheet contradict each other")
    if sheet:
        check_sheet(sheet, overwrite=overwrite)
    found = look(thing)
    pictured = found["kind"] in PICTURED
    if sheet and not pictured:
        raise typer.BadParameter(f"a contact sheet is drawn of tiles, {thing} is a {found['kind']}: leave out --sheet")
    if not as_json:
        _show(thing, found)
    if pictured:
        drawn = None if no_sheet else _draw(Path(thing), sheet, overwrite=overwrite)
        found["sheet"] = str(drawn) if drawn else None
        if drawn and not as_json:
            show.line(f"contact sheet: {drawn}")
    if as_json:
        show.document(found)


def _draw(folder: Path, asked: Path | None, *, overwrite: bool) -> Path | None:
    """Where the sheet was drawn; None where nobody asked for it by name and it cannot be."""
    from rsfuse.errors import OutputError
    from rsfuse.tasks.info import draw_sheet

    path = asked or Path(f"{folder.resolve().name}_contact.png")
    if not asked and Path.cwd().is_relative_to(folder.resolve()):
        show.note("no contact sheet: the current folder is that of the tiles; say where with --sheet FILE.png")
        return None
    try:
        draw_sheet(folder, path, overwrite=overwrite)
    except OutputError as error:
        if asked:
            raise
        show.note(f"no contact sheet: {error}; {error.hint}")
        return None
    return path


def _show(thing: str, found: dict[str, Any]) -> None:
    if found["kind"] == "tiles":
        show_tiles(Path(thing), found)
    elif found["kind"] == "sharpening":
        show_patches(thing, found)
    elif found["kind"] == "product":
        _show_product(thing, found)
    else:
        _show_anything(thing, found)


def _show_product(thing: str, found: dict[str, Any]) -> None:
    """What was understood as a table, and below it what was not."""
    show.table(thing, ("what", "value"), [(key, _short(value)) for key, value in found.items() if key != _DOUBTS])
    for doubt in found[_DOUBTS]:
        show.line(f"not understood: {doubt}")


def _show_anything(thing: str, found: dict[str, Any]) -> None:
    """A raster, a bundle or a recipe."""
    bands = found.get("bands", [])
    show.table(thing, ("what", "value"), [(key, _short(value)) for key, value in found.items() if key != "bands"])
    if bands:
        columns = ("name", "dtype", "minimum", "maximum", "mean", "std")
        rows = [tuple(band[column] for column in columns) for band in bands]
        show.table("bands, sampled over the whole raster", columns, rows)


def _short(value: Any) -> str:
    """A value on one line or a few."""
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_short(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_short(inner) for inner in value) if len(value) < 8 else f"{len(value)} entries"
    return f"{value:.10g}" if isinstance(value, float) else str(value)
