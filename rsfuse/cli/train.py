"""`rsfuse train`: from a recipe and tiles to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rsfuse.cli import options, show


def train(
    recipe: Annotated[
        str, typer.Argument(help="Recipe: a name that `rsfuse recipes` lists, or a YAML file.", show_default=False)
    ],
    tiles: Annotated[
        list[Path],
        typer.Option(
            "--tiles", help="Folder of tiles that `rsfuse tile` made; may be given again.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the bundle, its logs and checkpoints.", show_default=False)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Lay a value over the recipe, such as training.steps=200; may be given again.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in the output folder.")
    ] = False,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that read and vary samples.")] = 0,
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a network as a recipe says; the output folder is its bundle."""
    from rsfuse.cli.training_progress import training_callbacks
    from rsfuse.learn.fit import FitMeans
    from rsfuse.learn.recipe import load_recipe
    from rsfuse.tasks.train import train as fit

    chosen = load_recipe(recipe, settings or ())
    means = FitMeans(device=device, workers=workers, resume=resume, callbacks=training_callbacks())
    report = fit(chosen, tiles, out, means, overwrite=overwrite)
    if as_json:
        best = {"step": report.step, "miou": report.miou, "oa": report.oa}
        show.document({"bundle": str(report.bundle.folder), "best": best, "seconds": round(report.seconds, 1)})
    else:
        show.line(
            f"{report.bundle.folder}: best at step {report.step}, validation mIoU {report.miou:.4f}, "
            f"OA {report.oa:.4f}; {report.seconds:.0f} s"
        )
