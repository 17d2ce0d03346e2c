"""Runs of a benchmark: what to run, what each scored, and tables of several seeds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

SCORES = "scores.json"

Scores = dict[str, Any]


def parser(description: str | None, networks: Iterable[str]) -> argparse.ArgumentParser:
    """What every benchmark of several networks and seeds asks for."""
    asked = argparse.ArgumentParser(description=description)
    asked.add_argument("--out", type=Path, required=True)
    asked.add_argument("--networks", nargs="*", default=list(networks))
    asked.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    asked.add_argument("--set", nargs="*", default=[], dest="settings")
    asked.add_argument("--tables", action="store_true", help="print what all finished runs scored")
    return asked


def keep_scores(folder: Path, name: str, run: Callable[[], Scores]) -> None:
    """Do a run and keep its scores in FOLDER/NAME; one that has scores is not repeated."""
    done = folder / name / SCORES
    if not done.is_file():
        scores = run()
        done.write_text(json.dumps(scores, indent=2), encoding="utf-8")
        print(name, json.dumps(scores), flush=True)


def read_scores(folder: Path) -> dict[str, Scores]:
    """What every finished run under a folder scored, by its name."""
    return {
        path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"*/{SCORES}"))
    }


def by_seed(scores: Mapping[str, Scores], name: str, test: str) -> list[Scores]:
    """Scores of one test of all seeds of a run called NAME_SEED."""
    return [each[test] for run, each in scores.items() if run.rpartition("_")[0] == name and test in each]


def spread(values: Iterable[float]) -> str:
    """Mean and sample standard deviation of several seeds."""
    values = list(values)
    told = f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")
    return told.replace("0.", ".")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
