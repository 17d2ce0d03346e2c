"""PAD on the 10 m areas: fused against one sensor, one city against the other, several seeds.

Run: python -m benchmarks.sentinel_10m --out FOLDER [--runs PATTERN ...] [--seeds 0 1 2]
Writes FOLDER/<run>/ (the bundle) and FOLDER/<run>/scores.json; runs that have scores are not repeated.
A run is SENSORS_AREAS_SEED, such as both_all_0, optical_all_2, both_porto-alegre_0.
"""

from __future__ import annotations

import argparse
import fnmatch
from functools import partial
from itertools import product
from pathlib import Path

from benchmarks.areas import AREAS, LEGEND, PORTO_ALEGRE, RIVERSIDE, cut, test_labels
from benchmarks.comparison import TESTS, mapped
from benchmarks.judging import judge
from benchmarks.runs import keep_scores
from rsfuse.learn.bundles.files import MANIFEST
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.tasks.train import train

RECIPE = "pad_sentinel-10m"
TRAINED_ON = {"all": AREAS, "porto-alegre": (PORTO_ALEGRE,), "riverside": (RIVERSIDE,)}


def run(name: str, folder: Path, tests: dict[str, Path], settings: list[str]) -> dict[str, object]:
    """Train one run and judge it on every test area that it has not seen."""
    sensors, trained_on, seed = name.split("_")
    areas = TRAINED_ON[trained_on]
    recipe = load_recipe(RECIPE, [*settings, f"inputs.sensors={sensors}", f"training.seed={seed}"])
    if not (folder / name / MANIFEST).is_file():
        tiles = [each for area in areas for each in cut(area, folder / "tiles")]
        train(recipe, tiles, folder / name, FitMeans(), overwrite=True)
    predictor = EagerPredictor(Bundle.open(folder / name))
    scores: dict[str, object] = {"validation_miou": predictor.bundle.manifest.scores["miou"]}
    maps = {area.name: mapped(area, predictor, folder / name) for area in AREAS}
    for test, labels in tests.items():
        if not (test == "riverside" and RIVERSIDE in areas):
            scores[test] = judge(maps[TESTS[test]], labels, LEGEND)
    return scores


def main() -> None:
    """Do the runs that match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--runs", nargs="*", default=["*"])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--set", nargs="*", default=[], dest="settings")
    options = parser.parse_args()
    tests = test_labels(options.out / "labels")
    for trained_on, seed, sensors in product(TRAINED_ON, options.seeds, ("both", "optical", "sar")):
        name = f"{sensors}_{trained_on}_{seed}"
        if any(fnmatch.fnmatch(name, pattern) for pattern in options.runs):
            keep_scores(options.out, name, partial(run, name, options.out, tests, options.settings))


if __name__ == "__main__":
    main()
