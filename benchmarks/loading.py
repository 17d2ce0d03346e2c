"""How long training waits for data: share of the time of a step, with and without workers.

Run: python -m benchmarks.loading --tiles FOLDER ... [--recipe pad_porto-alegre] [--steps 40] [--workers 0 1 2]
Waiting is the time from the end of one step to the beginning of the next; what the first step of a stretch waits, until
workers have begun and read, is told by itself: it comes once in as many steps as a stretch has.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path


def main() -> None:
    """Train a little with each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=Path, nargs="+", required=True)
    parser.add_argument("--recipe", default="pad_porto-alegre")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    options = parser.parse_args()
    # here, for workers import this file: as light as the command `rsfuse` is
    from benchmarks.watch import Watch
    from rsfuse.learn.fitting.means import FitMeans
    from rsfuse.learn.recipes.reading import load_recipe
    from rsfuse.tasks.train import train

    steps = f"training.steps={3 * options.steps}", f"training.validate_every={options.steps}"
    for workers in options.workers:
        watch = Watch()
        with tempfile.TemporaryDirectory() as folder:
            means = FitMeans(workers=workers, callbacks=[watch])
            train(load_recipe(options.recipe, steps), options.tiles, Path(folder) / "run", means)
        whole = watch.waiting + watch.working
        print(
            f"{options.recipe}, {workers} workers: {whole / (3 * options.steps - 3):.3f} s a step, "
            f"waiting {watch.waiting / whole:.1%}; first steps of stretches waited "
            f"{', '.join(f'{each:.2f}' for each in watch.first)} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
