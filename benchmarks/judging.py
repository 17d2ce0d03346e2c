"""Scores of a map as benchmarks keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rsfuse.legend import Legend
from rsfuse.tasks.evaluate import EvalSettings, evaluate_maps


def judge(mapped: Path, labels: Path, legend: Legend | None = None) -> dict[str, Any]:
    """OA, mIoU, balanced accuracy (mean recall of the classes that the labels show) and the IoU of each class."""
    scores = evaluate_maps([(mapped, labels)], EvalSettings(legend)).to_dict()
    shown = [each for each in scores["classes"] if each["pixels"]]
    return {
        "oa": scores["oa"],
        "miou": scores["miou"],
        "balanced": float(np.mean([each["recall"] for each in shown])),
        "iou": {each["name"]: each["iou"] for each in shown},
    }
