"""`rsfuse bundles`: the trained bundles that ship."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.learn.bundles.land_cover import Bundle
    from rsfuse.learn.bundles.sharpening import SharpeningBundle


def bundles(
    name: Annotated[str | None, typer.Argument(help="Bundle whose card to print.", show_default=False)] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """List the trained bundles that ship, or print the card of one."""
    from rsfuse.learn.bundles.files import bundle_names
    from rsfuse.learn.bundles.sharpening import open_any_bundle

    opened = [open_any_bundle(each) for each in ([name] if name else bundle_names())]
    if as_json:
        show.document({each.name: each.manifest.model_dump(mode="json") for each in opened})
    elif name:
        show.line(opened[0].card)
    else:
        columns = ("name", "runtime", "optical", "SAR", "GSD m", "classes")
        show.table("bundles", columns, [_row(each) for each in opened])


def _row(bundle: Bundle | SharpeningBundle) -> tuple[str, ...]:
    from rsfuse.learn.bundles.land_cover import Bundle, default_bundle

    name = f"{bundle.name} (default)" if bundle.name == default_bundle() else bundle.name
    runtime = "torch" if bundle.manifest.onnx is None else "onnxruntime"
    if not isinstance(bundle, Bundle):
        return name, runtime, f"panchromatic, {', '.join(bundle.manifest.inputs.ms)}", "", "", "none: it sharpens"
    inputs = bundle.manifest.inputs
    return (
        name,
        runtime,
        ", ".join(inputs.optical),
        ", ".join(inputs.sar),
        f"{bundle.manifest.gsd_m:g}",
        ", ".join(bundle.legend.names),
    )
