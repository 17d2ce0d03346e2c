"""`rsfuse bundles`: the trained bundles that ship."""

from __future__ import annotations

from typing import Annotated

import typer

from rsfuse.cli import options, show


def bundles(
    name: Annotated[str | None, typer.Argument(help="Bundle whose card to print.", show_default=False)] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """List the trained bundles that ship, or print the card of one."""
    from rsfuse.learn.bundle import DEFAULT_BUNDLE, Bundle, bundle_names

    opened = [Bundle.open(each) for each in ([name] if name else bundle_names())]
    if as_json:
        show.document({each.name: each.manifest.model_dump(mode="json") for each in opened})
    elif name:
        show.line(opened[0].card)
    else:
        rows = [
            (
                f"{each.name} (default)" if each.name == DEFAULT_BUNDLE else each.name,
                ", ".join(each.manifest.inputs.optical),
                ", ".join(each.manifest.inputs.sar),
                f"{each.manifest.gsd_m:g}",
                ", ".join(each.legend.names),
            )
            for each in opened
        ]
        show.table("bundles", ("name", "optical", "SAR", "GSD m", "classes"), rows)
