"""Scores of a map as benchmarks keep them, and tables of several seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import numpy as np

from rsfuse.legend import Legend
from rsfuse.tasks.evaluate import evaluate_map


def judge(mapped: Path, labels: Path, legend: Legend | None = None) -> dict[str, Any]:
    """OA, mIoU, balanced accuracy (mean recall of the classes that the labels show) and the IoU of each class."""
    scores = evaluate_map(mapped, labels, legend).to_dict()
    shown = [each for each in scores["classes"] if each["pixels"]]
    return {
        "oa": scores["oa"],
        "miou": scores["miou"],
        "balanced": float(np.mean([each["recall"] for each in shown])),
        "iou": {each["name"]: each["iou"] for each in shown},
    }


def read_scores(runs: Path) -> dict[str, dict[str, Any]]:
    """What every finished run under a folder scored, by the name of its folder."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(runs.glob("*/scores.json"))
    }


def spread(values: Iterable[float]) -> str:
    """Mean and standard deviation of several seeds."""
    values = list(values)
    told = f"{mean(values):.3f}" + (f" ± {pstdev(values):.3f}" if len(values) > 1 else "")
    return told.replace("0.", ".")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def by_seed(scores: Mapping[str, dict[str, Any]], name: str, test: str) -> list[dict[str, Any]]:
    """Scores of one test of all seeds of a run called NAME_SEED."""
    return [each[test] for run, each in scores.items() if run.rpartition("_")[0] == name and test in each]
