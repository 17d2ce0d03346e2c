"""`rsfuse info`: what is this?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rsfuse.cli import options, show


def info(
    thing: Annotated[
        str, typer.Argument(help="A raster, a folder of tiles, a bundle or a recipe.", show_default=False)
    ],
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Show what rsfuse understands of a raster, a folder of tiles, a bundle or a recipe."""
    from rsfuse.tasks.info import info as look

    found = look(thing)
    if as_json:
        show.document(found)
        return
    bands = found.pop("bands", [])
    show.table(thing, ("what", "value"), [(key, _short(value)) for key, value in found.items()])
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
    return f"{value:.6g}" if isinstance(value, float) else str(value)
