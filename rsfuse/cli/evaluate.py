"""`rsfuse eval`: a map, or a bundle on tiles, against labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rsfuse.cli import options, show
from rsfuse.errors import RsfuseError

if TYPE_CHECKING:
    from rsfuse.metrics.evaluation import Evaluation


def evaluate(
    map_path: Annotated[
        Path | None, typer.Argument(metavar="[MAP]", help="Map of class codes.", show_default=False)
    ] = None,
    labels: Annotated[
        Path | None, typer.Argument(metavar="[LABELS]", help="Raster of reference codes.", show_default=False)
    ] = None,
    legend: options.LegendName = "",
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Evaluate a bundle on tiles instead of a map.", show_default=False)
    ] = None,
    tiles: Annotated[
        Path | None, typer.Option("--tiles", help="Folder of tiles for --bundle.", show_default=False)
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which of the tiles.")] = "test",
    device: options.Device = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score a map against labels: OA, mIoU, F1, kappa, per class and in all."""
    if map_path and labels and not (bundle or tiles):
        report = _map(map_path, labels, legend)
    elif bundle and tiles and not (map_path or labels):
        report = _bundle(bundle, tiles, split, device)
    else:
        raise RsfuseError(
            "give either a map and its labels, or --bundle and --tiles",
            hint="rsfuse eval map.tif labels.tif; or rsfuse eval --bundle runs/pad --tiles tiles/",
        )
    if as_json:
        show.document(report.to_dict())
    else:
        tell(report)


def _map(map_path: Path, labels: Path, legend: str) -> Evaluation:
    from rsfuse.raster.legend_file import find_legend
    from rsfuse.tasks.evaluate import EvalSettings, evaluate_maps

    settings = EvalSettings(find_legend(legend) if legend else None)
    with show.progress("comparing", "strips") as progress:
        return evaluate_maps([(map_path, labels)], settings, progress)


def _bundle(bundle: str, tiles: Path, split: str, device: str) -> Evaluation:
    from rsfuse.learn.bundle import Bundle
    from rsfuse.learn.inference.predictor import Predictor
    from rsfuse.tasks.evaluate import evaluate_bundle

    predictor = Predictor(Bundle.open(bundle), device=device)
    with show.progress("comparing", "tiles") as progress:
        return evaluate_bundle(predictor, tiles, split, progress)


def tell(report: Evaluation) -> None:
    """The report as two tables."""
    scores = report.confusion
    rows = zip(report.legend, scores.iou, scores.precision, scores.recall, scores.f1, scores.labelled, strict=True)
    show.table(
        "by class",
        ("code", "class", "IoU", "precision", "recall", "F1", "pixels"),
        [(each.code, each.name, *(float(value) for value in values), int(pixels)) for each, *values, pixels in rows],
    )
    show.table(
        f"in all ({scores.pixels:,} px; mKappa over {len(report.samples)} samples of {report.sample})",
        ("OA", "mIoU", "mF1", "kappa", "mKappa"),
        [(scores.oa, scores.miou, scores.mf1, scores.kappa, report.mkappa)],
    )
