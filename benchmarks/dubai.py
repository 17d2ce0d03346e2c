"""Networks against each other on aerial pictures of Dubai, optical alone: trained on areas 1 to 4, tested on area 7.

Run: python -m benchmarks.dubai --out FOLDER [--networks f2net unet ...] [--seeds 0 1 2]
     python -m benchmarks.dubai --out FOLDER --tables
Weights are chosen on area 5. Labels are hand-drawn masks (Humans in the Loop and MBRSC, CC0).
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.areas import DATA
from benchmarks.runs import by_seed, keep_scores, parser, read_scores, spread, table
from rsfuse.learn.bundles.files import MANIFEST
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.fitting.means import FitMeans
from rsfuse.learn.inference.predictor import probabilities
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.scaling import Scaler
from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion
from rsfuse.raster.datasets.folders import read_folders
from rsfuse.raster.tiles import TileSet
from rsfuse.tasks.tile import TileSettings, tile
from rsfuse.tasks.train import train

LAYOUT = Path(__file__).parent / "layouts" / "dubai.yaml"
ADD, ONE = ["network.fusion=add"], ["network.alignment=false", "network.balance=false", "loss.penalties={}"]
NETWORKS: dict[str, tuple[str, list[str]]] = {
    "f2net": ("f2net_dubai", []),
    "unet": ("unet_dubai", []),
    "deeplabv3plus": ("deeplabv3plus_dubai", []),
    # ablations of F2Net
    "f2net-high": ("f2net_dubai", ["network.branches=[high]", *ONE]),
    "f2net-short": ("f2net_dubai", ["network.branches=[short]", *ONE]),
    "f2net-without-long": ("f2net_dubai", ["network.branches=[high, short]"]),
    "f2net-without-hff": ("f2net_dubai", ADD),
    "f2net-without-cfal": ("f2net_dubai", ["network.alignment=false", "loss.penalties={gradient_balance: 0.1}"]),
    "f2net-without-cfbl": ("f2net_dubai", ["network.balance=false", "loss.penalties={alignment: 0.1}"]),
    "f2net-laplacian": ("f2net_dubai", ["network.decomposition=laplacian"]),
}


def run(name: str, folder: Path, tiles: TileSet, settings: list[str]) -> dict[str, Any]:
    """Train one run and judge it on the test tiles."""
    network, seed = name.split("_")
    recipe, own = NETWORKS[network]
    if not (folder / name / MANIFEST).is_file():
        chosen = load_recipe(recipe, [*own, *settings, f"training.seed={seed}"])
        train(chosen, [tiles.folder], folder / name, FitMeans(), overwrite=True)
    return {"test": judge(EagerPredictor(Bundle.open(folder / name)), tiles)}


def judge(predictor: EagerPredictor, tiles: TileSet) -> dict[str, Any]:
    """Scores over all test tiles together."""
    inputs, legend, confusion = predictor.bundle.manifest.inputs, tiles.legend, Confusion.empty(len(tiles.legend))
    for entry in tiles.select("test"):
        seen = tiles.read(entry)
        scaler = Scaler(inputs, predictor.bundle.manifest.statistics or tiles.statistics_of(entry))
        mapped = probabilities(predictor, [seen.sample], scaler)[0].argmax(0).astype(np.uint8)
        labels = np.where(seen.sample.valid, legend.to_index(seen.labels), np.uint8(NODATA))
        confusion += Confusion.of(labels, mapped, len(legend))
    iou = dict(zip(legend.names, confusion.iou.tolist(), strict=True))
    return {"oa": confusion.oa, "miou": confusion.miou, "iou": iou}


def tables(folder: Path) -> str:
    """What all finished runs scored, as Markdown; class columns are IoU."""
    scores, rows, classes = read_scores(folder), [], ()
    for network in NETWORKS:
        if found := by_seed(scores, network, "test"):
            classes = tuple(found[0]["iou"])
            figures = [[each[key] for each in found] for key in ("oa", "miou")]
            figures += [[each["iou"][name] for each in found] for name in classes]
            rows.append([network, str(len(found)), *map(spread, figures)])
    return table(["network", "seeds", "OA", "mIoU", *classes], rows)


def main() -> None:
    """Do the runs asked for, or print the table."""
    options = parser(__doc__, NETWORKS).parse_args()
    if options.tables:
        print(tables(options.out))
        return
    tile(read_folders(DATA / "dubai", LAYOUT), options.out / "tiles", TileSettings(size=256))
    tiles = TileSet(options.out / "tiles")
    for seed, network in product(options.seeds, options.networks):
        name = f"{network}_{seed}"
        keep_scores(options.out, name, partial(run, name, options.out, tiles, options.settings))


if __name__ == "__main__":
    main()
