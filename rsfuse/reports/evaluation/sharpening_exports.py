"""Scores of a sharpened image for other programs and for documents: CSV, Markdown, JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping

from rsfuse.metrics.sharpening.evaluation import SharpeningEvaluation
from rsfuse.reports.evaluation.exports import as_json, short, table


def as_csv(evaluation: SharpeningEvaluation) -> str:
    """A row for each score; one that is not defined is nan."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["resolution", "score", "value", "ideal"])
    for part, scores in evaluation.parts.items():
        writer.writerows([part, each.key, each.value, each.ideal] for each in scores)
    return text.getvalue()


def as_markdown(evaluation: SharpeningEvaluation) -> str:
    """A table for each resolution, and the rules."""
    tables = [
        f"{evaluation.sharp}, at {part} resolution:\n\n"
        + table(["score", "value", "ideal"], [[each.name, short(each.value), f"{each.ideal:g}"] for each in scores])
        for part, scores in evaluation.parts.items()
    ]
    rules = "".join(f"* {name}: {value}\n" for name, value in evaluation.conventions.items())
    return "\n".join([*tables, f"{evaluation.pixels:,} px.\n", rules])


WAYS: Mapping[str, Callable[[SharpeningEvaluation], str]] = {
    ".csv": as_csv,
    ".md": as_markdown,
    ".json": lambda evaluation: as_json(evaluation.to_dict()),
}
"""By the ending of a file."""
