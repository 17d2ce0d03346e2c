"""Make the bundle `demo`: simulate scenes, cut them, train on them, judge on scenes of other seeds.

Run: python -m benchmarks.demo_bundle --out FOLDER
Leaves the bundle in FOLDER/demo and prints its scores on simulated scenes of seeds that it never saw, with and
without cloud. What is simulated is exact and easy; the scores say nothing about real scenes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rsfuse.learn.bundle import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.predictor import Predictor
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Scene
from rsfuse.raster.tiling.own_scenes import own_dataset
from rsfuse.raster.tiling.scene_splits import SplitRule
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.evaluate import evaluate_map
from rsfuse.tasks.predict import PredictSettings, predict
from rsfuse.tasks.tile import TileSettings, tile
from rsfuse.tasks.train import train

SEEDS, TEST_SEEDS = range(1, 7), (101, 102)
SIDE = 1536


def cut(seed: int, folder: Path) -> Path:
    """Tiles of one simulated scene, a third of it under cloud for every other seed."""
    target = folder / f"tiles-{seed}"
    if not (target / "tiles.json").is_file():
        scene = SimulatedScene(height=SIDE, width=SIDE, seed=seed, cloud=0.3 * (seed % 2))
        paths = write_scene(scene, folder / f"scene-{seed}", overwrite=True)
        dataset = own_dataset([paths.optical], [paths.sar], [paths.truth], LEGENDS["whu-opt-sar"])
        rule = SplitRule(by="none", everything="val" if seed == SEEDS[-1] else "train")
        tile(dataset, target, TileSettings(size=512, rule=rule, overwrite=True))
    return target


def judge(predictor: Predictor, seed: int, cloud: float, folder: Path) -> dict[str, object]:
    """Scores on a simulated scene of another seed."""
    name = f"test-{seed}-{cloud:g}"
    paths = write_scene(SimulatedScene(height=SIDE, width=SIDE, seed=seed, cloud=cloud), folder / name, overwrite=True)
    with Scene(paths.optical, paths.sar) as scene:
        report = predict(scene, predictor, folder / name / "map.tif", PredictSettings(overwrite=True))
    scores = evaluate_map(report.output, paths.truth).to_dict()
    iou = {each["name"]: round(each["iou"], 3) for each in scores["classes"]}
    return {"seed": seed, "cloud": cloud, "oa": round(scores["oa"], 4), "miou": round(scores["miou"], 4), "iou": iou}


def main() -> None:
    """Simulate, train, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", nargs="*", default=[], dest="settings")
    options = parser.parse_args()
    tiles = [cut(seed, options.out) for seed in SEEDS]
    report = train(load_recipe("pad_demo", options.settings), tiles, options.out / "demo", FitMeans(), overwrite=True)
    assert report is not None  # this is the only process
    print(f"{report.seconds:.0f} s, best at step {report.step}, {report.scores}", flush=True)
    predictor = Predictor(Bundle.open(options.out / "demo"))
    for seed in TEST_SEEDS:
        for cloud in (0.0, 0.3):
            print(json.dumps(judge(predictor, seed, cloud, options.out)), flush=True)


if __name__ == "__main__":
    main()
