"""Networks against each other on simulated scenes: clear, and with half of the optical image under cloud.

Run: python -m benchmarks.simulated --out FOLDER [--networks pad unet ...] [--seeds 0 1 2]
     python -m benchmarks.simulated --out FOLDER --tables
Trained on scenes of which every other one is half under cloud, tested on scenes of other seeds, each of them clear and
under half cloud. What is simulated is exact and easy: the scores say nothing about real scenes.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.comparison import NETWORKS
from benchmarks.judging import judge
from benchmarks.runs import by_seed, keep_scores, parser, read_scores, spread, table
from benchmarks.simulated_tiles import cut
from rsfuse.learn.bundles.files import MANIFEST
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.raster.scene import Scene
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.predict import PredictSettings, predict
from rsfuse.tasks.train import train

TRAIN, VALIDATION, TEST = (1, 2, 3, 4), 5, (101, 102)
CLOUDS = {"clear": 0.0, "half cloud": 0.5}
SIDE = 1024
INPUTS = [
    "inputs.optical=[blue, green, red, nir]",
    "inputs.sar=[hh]",
    "inputs.scaling={kind: fixed-percentiles}",
]
"""Laid over the recipes NETWORK_porto-alegre."""


def run(name: str, folder: Path, settings: list[str]) -> dict[str, Any]:
    """Train one run and judge it on the test scenes."""
    network, seed = name.split("_")
    recipe, own = NETWORKS[network]
    if not (folder / name / MANIFEST).is_file():
        tiles = [cut(_scene(each, 0.5 * (each % 2)), folder, "train", 256) for each in TRAIN]
        tiles.append(cut(_scene(VALIDATION, 0.5), folder, "val", 256))
        chosen = load_recipe(recipe, [*INPUTS, *own, *settings, f"training.seed={seed}"])
        train(chosen, tiles, folder / name, FitMeans(), overwrite=True)
    predictor = EagerPredictor(Bundle.open(folder / name))
    return {
        f"{weather} {scene}": _judge(predictor, scene, cloud, folder)
        for (weather, cloud), scene in product(CLOUDS.items(), TEST)
    }


def _scene(seed: int, cloud: float) -> SimulatedScene:
    return SimulatedScene(height=SIDE, width=SIDE, seed=seed, cloud=cloud)


def _judge(predictor: EagerPredictor, seed: int, cloud: float, folder: Path) -> dict[str, Any]:
    where = folder / f"test-{seed}-{cloud:g}"
    if not (where / "truth.tif").is_file():
        write_scene(_scene(seed, cloud), where, overwrite=True)
    target = predictor.bundle.folder / f"{where.name}.tif"
    with Scene(where / "optical.tif", where / "sar.tif") as scene:
        predict(scene, predictor, target, PredictSettings(overwrite=True))
    return judge(target, where / "truth.tif")


def tables(folder: Path) -> str:
    """What all finished runs scored, as Markdown: means over the test scenes, spread over the seeds."""
    scores, rows = read_scores(folder), []
    for network in NETWORKS:
        cells = []
        for weather in CLOUDS:
            seeds = zip(*(by_seed(scores, network, f"{weather} {scene}") for scene in TEST), strict=True)
            cells.append([sum(each["miou"] for each in scenes) / len(TEST) for scenes in seeds])
        if cells[0]:
            lost = spread(clear - cloudy for clear, cloudy in zip(*cells, strict=True))
            rows.append([network, str(len(cells[0])), *map(spread, cells), lost])
    return table(["network", "seeds", "mIoU, clear", "mIoU, half cloud", "lost"], rows)


def main() -> None:
    """Do the runs asked for, or print the table."""
    options = parser(__doc__, NETWORKS).parse_args()
    if options.tables:
        print(tables(options.out))
        return
    for seed, network in product(options.seeds, options.networks):
        name = f"{network}_{seed}"
        keep_scores(options.out, name, partial(run, name, options.out, options.settings))


if __name__ == "__main__":
    main()
