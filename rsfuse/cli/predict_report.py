"""What `rsfuse predict` has to say: a table or a JSON document of what it did, or would do."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rsfuse.cli import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsfuse.learn.inference.predictor import Predictor
    from rsfuse.tasks.coreg import CoregReport
    from rsfuse.tasks.predict import PredictPlan, PredictReport


def document(
    report: PredictReport, predictors: Sequence[Predictor], checked: CoregReport | None = None
) -> dict[str, Any]:
    """The report as plain data for --json."""
    return {
        "output": str(report.output),
        "legend": report.legend.to_dict()["classes"],
        "pixels": {str(each.code): int(count) for each, count in zip(report.legend, report.pixels, strict=True)},
        "hectares": {
            str(code): _number(area / 1e4, 4) for code, area in zip(report.legend.codes, report.areas_m2, strict=True)
        },
        "seconds": round(report.seconds, 2),
        "megapixels": round(report.megapixels, 3),
        "patches": report.patches,
        "patches_skipped": report.patches_skipped,
        "rows_resumed": report.rows_resumed,
        "polygons": report.polygons and asdict(report.polygons),
        "device": predictors[0].device,
        "bundle": ", ".join(each.bundle.name for each in predictors),
        "peak_memory_mb": report.peak_memory_mb,
        "gsd_m": _number(report.gsd_m, 3),
        "coreg": checked and checked.to_dict(),
    }


def tell(report: PredictReport, checked: CoregReport | None = None) -> None:
    """The report as a table."""
    total = max(int(report.pixels.sum()), 1)
    rows = [
        (each.code, each.name, f"{100 * count / total:.1f} %", "-" if area != area else f"{area / 1e4:,.1f}")
        for each, count, area in zip(report.legend, report.pixels, report.areas_m2, strict=True)
    ]
    show.table(str(report.output), ("code", "class", "share", "hectares"), rows)
    if checked is not None:
        verdict = checked.last.verdict
        show.note(f"whether the SAR lies on the optical: {verdict.outcome}, {verdict.why}")
    if report.finished_before:
        show.note("it was finished by an earlier run that was asked for the same; nothing was written")
        return
    if report.rows_resumed:
        show.note(f"{report.rows_resumed:,} rows were there from an earlier run")
    if report.polygons is not None:
        left_out = f", {report.polygons.left_out:,} smaller ones left out" if report.polygons.left_out else ""
        show.note(f"{report.polygons.written:,} polygons{left_out}")
    speed = report.megapixels / report.seconds
    show.note(
        f"{report.megapixels:,.1f} Mpx in {report.seconds:.1f} s ({speed:.2f} Mpx/s), {report.patches:,} patches, "
        f"{report.patches_skipped:,} without data, {report.peak_memory_mb:,} MB of memory at most"
    )


def plan_document(plan: PredictPlan) -> dict[str, Any]:
    """The plan as plain data for --json."""
    return {**asdict(plan), "gsd_m": _number(plan.gsd_m, 3), "bytes_needed": plan.needs.total}


def tell_plan(name: str, plan: PredictPlan) -> None:
    """The plan as a table."""
    needs = plan.needs
    parts = ", ".join(f"{what} {size / 1e6:,.0f}" for what, size in asdict(needs).items())
    rows = [
        ("map", f"{plan.shape[0]:,} x {plan.shape[1]:,} px, {plan.shape[0] * plan.shape[1] / 1e6:,.1f} Mpx"),
        ("patches", f"{plan.patches:,} of {plan.size[0]:,} x {plan.size[1]:,} px that overlap by {plan.overlap}"),
        ("batch", f"{plan.batch_size} patches"),
        ("memory", f"about {needs.total / 1e6:,.0f} MB: {parts}"),
        ("on disk", f"{plan.output_bytes / 1e6:,.1f} MB before packing"),
        ("time", f"about {_duration(plan.seconds)} of forward passes, from one that was timed"),
    ]
    show.table(f"{name}: plan; nothing was written", ("", ""), rows)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _number(value: float, digits: int) -> float | None:
    return None if value != value else round(value, digits)
