"""Scores for other programs and for documents: CSV of the classes, Markdown, JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rsfuse.errors import SceneError
from rsfuse.metrics.evaluation import Evaluation
from rsfuse.reports.evaluation.words import more

TOTALS = {"oa": "OA", "miou": "mIoU", "mf1": "mF1", "kappa": "kappa", "mkappa": "mKappa"}
"""Scores of all pixels together: keys of the document, and what they are called."""

_CLASS = {"iou": "IoU", "precision": "precision", "recall": "recall", "f1": "F1"}
_COUNTS = "pixels", "mapped"


def as_csv(evaluation: Evaluation) -> str:
    """A row for each class; a score that is not defined is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ["code", "name", *_CLASS, *_COUNTS], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(evaluation.to_dict()["classes"])
    return text.getvalue()


def as_markdown(evaluation: Evaluation) -> str:
    """All pixels together, and the classes, as two tables; and what else was counted."""
    scores = evaluation.to_dict()
    told = f"{scores['pixels']:,} px; mKappa over {scores['samples']:,} samples of {scores['sample']}"
    classes = [
        [str(each["code"]), each["name"], *(short(each[key]) for key in _CLASS), f"{each['pixels']:,}"]
        for each in scores["classes"]
    ]
    return "\n".join(
        [
            table(list(TOTALS.values()), [[short(scores[key]) for key in TOTALS]]),
            f"{told}.\n",
            table(["code", "class", *_CLASS.values(), "pixels"], classes),
            "".join(f"* {text}\n" for text in more(evaluation)),
        ]
    )


def as_json(document: Mapping[str, Any]) -> str:
    """What `--json` prints, of an evaluation or of runs beside each other."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


WAYS: Mapping[str, Callable[[Evaluation], str]] = {
    ".csv": as_csv,
    ".md": as_markdown,
    ".json": lambda evaluation: as_json(evaluation.to_dict()),
}
"""By the ending of a file."""


def compared(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """Runs beside each other.

    Args:
        runs: name and document of each, all of the same classes.

    Raises:
        SceneError: if two have different classes.
    """
    (first, scores), *others = runs
    names = [each["name"] for each in scores["classes"]]
    for run, other in others:
        theirs = [each["name"] for each in other["classes"]]
        if theirs != names:
            raise SceneError(
                f"{run} has the classes {', '.join(theirs)}, {first} has {', '.join(names)}",
                hint="compare runs of one legend",
            )
    return {
        "runs": [
            {
                "run": run,
                **{key: each[key] for key in TOTALS},
                "pixels": each["pixels"],
                "iou": {one["name"]: one["iou"] for one in each["classes"]},
            }
            for run, each in runs
        ]
    }


def read_scores(path: Path) -> dict[str, Any]:
    """The document of an evaluation that `as_json` wrote.

    Raises:
        SceneError: if it is something else.
    """
    try:
        scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {*TOTALS, "classes", "pixels"} <= scores.keys() and all("iou" in each for each in scores["classes"]):
            return scores
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise SceneError(
            f"{path} cannot be read as scores: {error}", hint="give files of: rsfuse eval ... --report FILE.json"
        ) from error
    raise SceneError(f"{path} holds no scores", hint="give files of: rsfuse eval ... --report FILE.json")


def compared_markdown(runs: Mapping[str, Any]) -> str:
    """Runs of `compared`, a row each, and the IoU of their classes."""
    rows = runs["runs"]
    names = list(rows[0]["iou"])
    scores = [[each["run"], *(short(each[key]) for key in TOTALS)] for each in rows]
    classes = [[each["run"], *(short(each["iou"][name]) for name in names)] for each in rows]
    return f"{table(['run', *TOTALS.values()], scores)}\nIoU:\n\n{table(['run', *names], classes)}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(each.replace('|', chr(92) + '|') for each in line)} |\n" for line in lines)


def short(value: float | None) -> str:
    """A score to four places."""
    return "-" if value is None else f"{value:.4f}"
