"""`rsfuse eval`: maps, or a bundle on tiles, against labels; runs against each other; or sharpened rasters."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import evaluate_sharpening as sharpened
from rsfuse.cli import options, show
from rsfuse.errors import OutputError, RsfuseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rsfuse.metrics.evaluation import Evaluation
    from rsfuse.tasks.evaluate import EvalSettings

_WAYS = "rsfuse eval map.tif labels.tif; rsfuse eval --bundle runs/pad --tiles tiles/; or rsfuse eval a.json b.json"


def evaluate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="MAP LABELS",
            help="Map of class codes and what is there: a raster of codes on any grid, or polygons. Two folders: all "
            "of the same names. Or JSON files of earlier runs, which are compared. With --sharpening: SHARP, or SHARP "
            "REFERENCE.",
            show_default=False,
        ),
    ] = None,
    legend: options.LegendName = "",
    label_field: Annotated[
        str | None,
        typer.Option(
            "--label-field", help="Attribute of polygons that says the class.", show_default="the obvious one"
        ),
    ] = None,
    on: Annotated[
        Literal["map", "labels"],
        typer.Option("--on", help="Whose grid counts where they differ; the other takes the nearest code."),
    ] = "map",
    boundary: Annotated[
        list[int] | None,
        typer.Option(
            "--boundary",
            metavar="PX",
            min=1,
            help="Judge boundaries, too, at this tolerance in pixels; may be given again.",
            show_default=False,
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against", metavar="MAP", help="Another map of the place: is one better (McNemar)?", show_default=False
        ),
    ] = None,
    stratified: Annotated[
        bool,
        typer.Option(
            "--stratified",
            help="Labels are a random sample in every class of the map: estimate accuracies and areas with 95 % "
            "intervals (Olofsson et al. 2014).",
        ),
    ] = False,
    bundle: Annotated[
        str | None, typer.Option("--bundle", help="Evaluate a bundle on tiles instead of a map.", show_default=False)
    ] = None,
    tiles: Annotated[
        Path | None, typer.Option("--tiles", help="Folder of tiles for --bundle.", show_default=False)
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which of the tiles.")] = "test",
    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report",
            metavar="FILE",
            help="Write the scores: .html a page with figures, .csv the classes, .md tables, .json to compare; may be "
            "given again. Of --sharpening: .csv, .md, .json.",
            show_default=False,
        ),
    ] = None,
    sharpening: sharpened.Sharpening = False,
    pan: sharpened.Pan = None,
    ms: sharpened.Ms = None,
    sensor: options.Sensor = "other",
    ms_bands: options.MsBands = None,
    ratio: sharpened.Ratio = None,
    cut: sharpened.Cut = sharpened.CUT,
    maximum: sharpened.Maximum = None,
    align: options.Align = False,
    device: options.Device = "auto",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Score maps against labels: OA, mIoU, F1, kappa, per class and in all. Or sharpened rasters: --sharpening.

    How good the labels are is not measured: say whether they were drawn by hand or made by a model where you quote a
    score.
    """
    files, reports = paths or [], report or []
    asked = sharpened.Asked(files, pan, ms, sensor, ms_bands, ratio, cut, maximum, align)
    if sharpening:
        of_maps = {
            "--legend": legend,
            "--label-field": label_field,
            "--boundary": boundary,
            "--against": against,
            "--stratified": stratified,
            "--bundle": bundle,
            "--tiles": tiles,
            "--on": on != "map",
            "--split": split != "test",
            "--device": device != "auto",
        }
        sharpened.check_alone(asked, of_maps)
        _check_reports(reports, asked.read, sharpened.ENDINGS, overwrite=overwrite)
        sharpened.score_sharpening(asked, reports, as_json=as_json)
        return
    if asked.idle:
        raise RsfuseError(f"only --sharpening knows {', '.join(asked.idle)}", hint="add --sharpening")
    _check_reports(reports, files, _ENDINGS, overwrite=overwrite)
    if len(files) > 1 and all(path.suffix == ".json" for path in files) and not (bundle or tiles):
        _compare(files, reports, as_json=as_json)
        return
    if len(files) == 2 and not (bundle or tiles):
        settings = replace(
            _asked(legend, label_field, on), boundary=tuple(boundary or ()), rival=against, stratified=stratified
        )
        scored = _maps(files, settings, reports)
    elif bundle and tiles and not files:
        scored = _bundle(bundle, tiles, split, device, reports)
    else:
        raise RsfuseError("give either a map and its labels, or --bundle and --tiles", hint=_WAYS)
    if as_json:
        show.document(scored.to_dict())
    else:
        tell(scored)


def _check_reports(reports: Sequence[Path], files: Sequence[Path], endings: Sequence[str], *, overwrite: bool) -> None:
    from rsfuse.raster.disk import check_free
    from rsfuse.raster.outputs import check_outputs

    for path in reports:
        if path.suffix not in endings:
            raise OutputError(
                f"nobody knows how to write these scores as {path.name}", hint=f"name it one of: {', '.join(endings)}"
            )
        check_free(path, overwrite=overwrite)
    check_outputs([("a report", path) for path in reports], [("what is scored", path) for path in files])


_ENDINGS = (".html", ".csv", ".md", ".json")


def _asked(legend: str, field: str | None, on: Literal["map", "labels"]) -> EvalSettings:
    from rsfuse.raster.legend_file import find_coding, find_legend
    from rsfuse.tasks.evaluate import EvalSettings

    if not legend:
        return EvalSettings(field=field, on=on)
    return EvalSettings(find_legend(legend), find_coding(legend), field, on)


def _maps(files: Sequence[Path], settings: EvalSettings, reports: Sequence[Path]) -> Evaluation:
    from rsfuse.raster.map_pairs import map_pairs
    from rsfuse.tasks.evaluate import evaluate_maps, write_reports

    pairs = map_pairs(*files)
    with show.progress("comparing", "strips") as progress:
        scored = evaluate_maps(pairs, settings, progress)
    write_reports(scored, reports, pairs, settings)
    return scored


def _bundle(bundle: str, tiles: Path, split: str, device: str, reports: Sequence[Path]) -> Evaluation:
    from rsfuse.learn.bundles.land_cover import Bundle
    from rsfuse.learn.runtimes.waking import wake
    from rsfuse.tasks.evaluate import write_reports
    from rsfuse.tasks.evaluate_bundle import evaluate_bundle

    predictor = wake(Bundle.open(bundle), device=device)
    with show.progress("comparing", "tiles") as progress:
        scored = evaluate_bundle(predictor, tiles, split, progress)
    write_reports(scored, reports)
    return scored


def _compare(files: Sequence[Path], reports: Sequence[Path], *, as_json: bool) -> None:
    """Runs beside each other."""
    from rsfuse.raster.disk import replace_text, writing
    from rsfuse.reports.evaluation import exports

    runs = exports.compared([(str(path), exports.read_scores(path)) for path in files])
    ways = {".json": exports.as_json, ".md": exports.compared_markdown}
    for path in reports:
        if path.suffix not in ways:
            raise OutputError(f"runs are not compared in {path.name}", hint=f"name it one of: {', '.join(ways)}")
        with writing(path):
            replace_text(path, ways[path.suffix](runs))
    if as_json:
        show.document(runs)
        return
    rows = runs["runs"]
    show.table("runs", ("run", *exports.TOTALS.values()), [(row["run"], *_of(row, exports.TOTALS)) for row in rows])
    names = list(rows[0]["iou"])
    show.table("IoU", ("run", *names), [(row["run"], *_of(row["iou"], names)) for row in rows])


def _of(scores: Mapping[str, float | None], keys: Iterable[str]) -> list[float]:
    found = (scores[key] for key in keys)
    return [math.nan if value is None else value for value in found]


def tell(report: Evaluation) -> None:
    """The report as two tables, and what else was counted."""
    from rsfuse.reports.evaluation.words import more

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
    for text in more(report):
        show.line(text)
