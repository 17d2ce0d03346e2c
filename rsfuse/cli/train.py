"""`rsfuse train`: from a recipe and tiles to a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import options, show

if TYPE_CHECKING:
    from rsfuse.learn.fitting.fit import FitReport
    from rsfuse.learn.fitting.plan import TrainingPlan

MACHINES = "Devices and memory"


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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan: data found, steps, parameters, memory; train nothing.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on from the last checkpoint in the output folder, as the run that it was; without one, begin.",
        ),
    ] = False,
    device: options.Device = "auto",
    devices: Annotated[
        int | None,
        typer.Option(
            "--devices",
            min=1,
            help="How many devices of this machine share each batch (DDP).",
            show_default="1, or as torchrun or SLURM say",
            rich_help_panel=MACHINES,
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(
            "--nodes", min=1, help="Machines.", show_default="1, or as torchrun or SLURM say", rich_help_panel=MACHINES
        ),
    ] = None,
    accumulate: Annotated[
        int,
        typer.Option(
            "--accumulate",
            min=1,
            help="Take each batch in so many parts one by one, to need less memory; their losses are averaged.",
            rich_help_panel=MACHINES,
        ),
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=0,
            help="Processes that read and vary samples for each device.",
            show_default="1 to 4, by the cores there are",
            rich_help_panel=MACHINES,
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Train a network as a recipe says; the output folder is its bundle.

    The batch of a recipe is that of all devices together: they share it. On several machines, start it on each
    with `torchrun --nnodes ... --nproc-per-node ... -m rsfuse train ...`, or with `srun rsfuse train ...`.
    """
    from dataclasses import replace

    from rsfuse.cli.training_progress import training_callbacks
    from rsfuse.learn.fitting.means import FitMeans, spare_workers
    from rsfuse.learn.recipes.reading import load_recipe
    from rsfuse.tasks.train import plan
    from rsfuse.tasks.train import train as fit

    chosen = load_recipe(recipe, settings or ())
    means = FitMeans(device, devices, nodes, accumulate=accumulate, resume=resume)
    means = replace(
        means,
        workers=spare_workers(means.processes[0]) if workers is None else workers,
        callbacks=training_callbacks() if means.first else (),
    )
    if dry_run:
        _tell_plan(plan(chosen, tiles, means), as_json=as_json)
    elif report := fit(chosen, tiles, out, means, overwrite=overwrite):
        _tell(report, as_json=as_json)


def _tell(report: FitReport, *, as_json: bool) -> None:
    if as_json:
        best = {"step": report.step, **report.scores}
        show.document({"bundle": str(report.folder), "best": best, "seconds": round(report.seconds, 1)})
    else:
        scores = ", ".join(f"{name} {score:.4f}" for name, score in report.scores.items())
        show.line(f"{report.folder}: best at step {report.step}, on validation tiles {scores}; {report.seconds:.0f} s")


def _tell_plan(plan: TrainingPlan, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        show.document(asdict(plan))
        return
    tiles = ", ".join(f"{count:,} {split}" for split, count in plan.tiles.items())
    rows = [
        ("network", f"{plan.network}, {plan.parameters:,} parameters"),
        ("tiles found", tiles),
        ("steps", f"{plan.steps:,} of {plan.batch} samples: each training tile {plan.epochs:.1f} times"),
        ("validations", f"{plan.validations:,}"),
        ("device", f"{plan.device}, {plan.processes} process(es), {plan.at_once} samples at once in each"),
        ("memory", _memory(plan)),
    ]
    show.table("plan; nothing was trained", ("", ""), rows)


def _memory(plan: TrainingPlan) -> str:
    need = plan.memory
    if need is None:
        return "cannot be told without running"
    return (
        f"about {need.total:,.0f} MB a process in float32: weights {need.weights:,.0f}, "
        f"gradients {need.gradients:,.0f}, optimizer {need.optimizer:,.0f}, activations {need.activations:,.0f}"
    )
