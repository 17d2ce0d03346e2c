"""Going on with a run that was broken off: what is there of it, and whether it is the same run."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import CSVLogger

from rsfuse.errors import OutputError, RecipeError
from rsfuse.learn.fitting.watchers import CHECKPOINTS, last_checkpoint
from rsfuse.learn.recipes.recipe import AnyRecipe

LOGS, METRICS = "logs", "metrics.csv"
FREE = {"description", "storage", "training.patience"}
"""What a recipe may change where a run is gone on with: it does not touch what the next step does."""


@dataclass(frozen=True)
class Earlier:
    """The last checkpoint of a run that was broken off.

    Args:
        path: of the checkpoint.
        steps: that had been done.
    """

    path: Path
    steps: int


def earlier_run(folder: Path, recipe: AnyRecipe) -> Earlier | None:
    """What a run goes on from; None where it was broken off before the first checkpoint, or never begun.

    Raises:
        OutputError: if the folder holds something else than a run.
        RecipeError: if that run had another recipe.
    """
    last = last_checkpoint(folder)
    if last.is_file():
        state = torch.load(last, map_location="cpu", weights_only=True, mmap=True)
        _check_same(state["recipe"], recipe, folder)
        return Earlier(last, int(state["global_step"]))
    held = sorted({each.name for each in folder.iterdir()} - {LOGS, CHECKPOINTS}) if folder.is_dir() else []
    if held:
        raise OutputError(
            f"there is no run to go on with: {last} is not there, and {folder} holds {held[0]}",
            hint="leave --resume out and choose another --out, or add --overwrite",
        )
    return None


def keep_rows(logger: CSVLogger, steps: int) -> None:
    """Begin a log with the rows that an earlier one in its place has of the first steps."""
    path = Path(logger.log_dir) / METRICS
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines())) if path.is_file() else []
    for row in rows:  # the first of them is where Lightning deletes the earlier log
        if int(row["step"]) <= steps:
            logger.log_metrics({name: _number(text) for name, text in row.items() if text}, int(row["step"]))
    logger.save()


def _check_same(earlier: Mapping[str, Any], recipe: AnyRecipe, folder: Path) -> None:
    before, now = (dict(_leaves(each)) for each in (earlier, recipe.model_dump(mode="json")))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key) and key not in FREE)
    if changed:
        told = ", ".join(f"{key} was {before.get(key)}, now {now.get(key)}" for key in changed[:4])
        more = f", and {len(changed) - 4} more" if len(changed) > 4 else ""
        raise RecipeError(
            f"the run in {folder} has another recipe: {told}{more}",
            hint="go on with the recipe that it was begun with, or choose another --out",
        )


def _leaves(section: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in section.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)
