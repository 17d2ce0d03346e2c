"""How long training waits for data: share of the time of a step, with and without workers.

Run: python -m benchmarks.loading --tiles FOLDER ... [--recipe pad_porto-alegre] [--steps 60] [--workers 0 1 2]
Waiting is the time from the end of one step to the beginning of the next, the first of a stretch left out.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.tasks.train import train


class Watch(Callback):
    """Adds up the time in steps and between them."""

    def __init__(self) -> None:
        self.waiting = self.working = 0.0
        self._begun, self._ended = 0.0, 0.0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """A step begins."""
        self._begun = time.perf_counter()
        self.waiting += self._begun - self._ended if batch_idx else 0.0

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """It ends."""
        self._ended = time.perf_counter()
        self.working += self._ended - self._begun if batch_idx else 0.0


def main() -> None:
    """Train a little with each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=Path, nargs="+", required=True)
    parser.add_argument("--recipe", default="pad_porto-alegre")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    options = parser.parse_args()
    steps = f"training.steps={options.steps}", f"training.validate_every={options.steps}"
    for workers in options.workers:
        watch = Watch()
        with tempfile.TemporaryDirectory() as folder:
            means = FitMeans(workers=workers, callbacks=[watch])
            train(load_recipe(options.recipe, steps), options.tiles, Path(folder) / "run", means)
        whole = watch.waiting + watch.working
        print(
            f"{options.recipe}, {workers} workers: {whole / (options.steps - 1):.3f} s a step, "
            f"waiting {watch.waiting / whole:.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
