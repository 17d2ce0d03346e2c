"""Networks against each other on the 10 m areas, and across cities: same tiles, same budget, several seeds.

Run: python -m benchmarks.comparison --out FOLDER [--networks pad unet ...] [--trained-on riverside] [--seeds 0 1 2]
     python -m benchmarks.comparison --out FOLDER --tables
Each run trains the recipe NETWORK_porto-alegre on the tiles of one area, maps both areas and writes
FOLDER/NETWORK_AREA_SEED/scores.json; runs that have scores are not repeated. Labels: see `benchmarks.areas`.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.areas import AREAS, LEGEND, Area, cut, test_labels
from benchmarks.judging import judge
from benchmarks.runs import by_seed, keep_scores, parser, read_scores, spread, table
from rsfuse.learn.bundles.files import MANIFEST
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.raster.scene import Scene
from rsfuse.tasks.predict import PredictSettings, predict
from rsfuse.tasks.train import train

NETWORKS: dict[str, tuple[str, list[str]]] = {
    "pad": ("pad_porto-alegre", []),
    "whfnet": ("whfnet_porto-alegre", []),
    "mfafnet": ("mfafnet_porto-alegre", []),
    "late-fusion": ("late-fusion_porto-alegre", []),
    "unet": ("unet_porto-alegre", []),
    "optical": ("pad_porto-alegre", ["inputs.sensors=optical"]),
    "sar": ("pad_porto-alegre", ["inputs.sensors=sar"]),
    # ablations of PAD
    "pad-without-asf": ("pad_porto-alegre", ["network.amplitude_fusion=false"]),
    "pad-without-psc": ("pad_porto-alegre", ["network.phase_correction=false"]),
    "pad-without-spectra": ("pad_porto-alegre", ["network.amplitude_fusion=false", "network.phase_correction=false"]),
    "pad-without-msf": ("pad_porto-alegre", ["network.multi_stage=false"]),
}
"""Recipe and settings of each; "optical" and "sar" are PAD that sees one sensor."""

TRAINED_ON = {area.name: (area,) for area in AREAS}
TESTS = {"polygons": "porto-alegre", "rows 5-6": "porto-alegre", "riverside": "riverside"}
"""Test labels, and the area that they lie in."""


def run(name: str, folder: Path, tests: dict[str, Path], settings: list[str]) -> dict[str, Any]:
    """Train one run and judge it on every test that it has not seen."""
    network, area, seed = name.split("_")
    recipe, own = NETWORKS[network]
    if not (folder / name / MANIFEST).is_file():
        tiles = [each for area in TRAINED_ON[area] for each in cut(area, folder / "tiles")]
        chosen = load_recipe(recipe, [*own, *settings, f"training.seed={seed}"])
        train(chosen, tiles, folder / name, FitMeans(), overwrite=True)
    predictor = EagerPredictor(Bundle.open(folder / name))
    scores: dict[str, Any] = {"validation": predictor.bundle.manifest.scores}
    maps = {each.name: mapped(each, predictor, folder / name) for each in AREAS}
    for test, labels in tests.items():
        if not (test == "riverside" and area == "riverside"):
            scores[test] = judge(maps[TESTS[test]], labels, LEGEND)
    return scores


def mapped(area: Area, predictor: EagerPredictor, folder: Path) -> Path:
    """The map of an area."""
    target = folder / f"{area.name}.tif"
    with Scene(area.optical, area.sar, bands=area.bands) as scene:
        predict(scene, predictor, target, PredictSettings(overwrite=True))
    return target


def tables(folder: Path) -> str:
    """What all finished runs scored, as Markdown."""
    scores, told = read_scores(folder), []
    for area, test in product(TRAINED_ON, TESTS):
        rows = [
            [network, str(len(found)), *(spread(each[key] for each in found) for key in ("oa", "balanced", "miou"))]
            for network in NETWORKS
            if (found := by_seed(scores, f"{network}_{area}", test))
        ]
        if rows:
            told.append(f"Trained on {area}, tested on {test}:\n")
            told.append(table(["network", "seeds", "OA", "balanced accuracy", "mIoU"], rows) + "\n")
    return "\n".join(told)


def main() -> None:
    """Do the runs asked for, or print the tables."""
    asked = parser(__doc__, NETWORKS)
    asked.add_argument("--trained-on", nargs="*", default=list(TRAINED_ON))
    options = asked.parse_args()
    if options.tables:
        print(tables(options.out))
        return
    tests = test_labels(options.out / "labels")
    for seed, area, network in product(options.seeds, options.trained_on, options.networks):
        name = f"{network}_{area}_{seed}"
        keep_scores(options.out, name, partial(run, name, options.out, tests, options.settings))


if __name__ == "__main__":
    main()
