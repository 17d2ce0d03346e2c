"""Time of `predict`, from the first read to the sealed map, over the time of the bare forward passes.

Run: python -m benchmarks.predict --out FOLDER [--rounds 3] [--only bundle toy one-layer]
bundle: the default bundle on San Antonio (../shared/data); toy: five convolutions of 3 x 3 on four bands of bytes (LZW,
5556 x 3704 px, simulated), patches of 512 px that overlap by 128, scaled by constants; one-layer: a 1 x 1 convolution
on four bands of uint16 and SAR (DEFLATE), scaled by the scene's percentiles, beside rasterio copying the same blocks.
Both sides run in turn in one process, on the same patches and batches; medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import rasterio
import torch
from torch import Tensor, nn

from benchmarks.areas import DATA
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.land_cover import Bundle, BundleManifest, PatchSize
from rsfuse.learn.recipes.inputs import Inputs, Moments, MomentScaling, PercentileScaling
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Scene
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.predict import PredictSettings, predict

HEIGHT, WIDTH, BATCH = 3704, 5556, 4
BANDS = ("blue", "green", "red", "nir")
INPUTS = {
    "toy": Inputs(
        optical=BANDS,
        scaling=MomentScaling(kind="fixed-moments", optical=Moments(mean=(128,) * 4, std=(64,) * 4)),
    ),
    "one-layer": Inputs(optical=BANDS, sar=("hh",), scaling=PercentileScaling(kind="scene-percentiles")),
}


class Stack(nn.Module):
    """Convolutions one after the other over optical and SAR side by side."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Scores (B, K, h, w)."""
        scores: Tensor = self.layers(torch.cat([optical, sar], 1))
        return scores


@dataclass(frozen=True)
class Toy(Bundle):
    """A network that was not trained."""

    layers: nn.Module

    def network(self) -> nn.Module:
        """The network, as it is."""
        return self.layers.eval()


def toy(network: nn.Module, inputs: Inputs) -> Toy:
    """A bundle of a network for WHU-OPT-SAR."""
    manifest = BundleManifest(
        description="toy",
        network={"name": "toy"},
        inputs=inputs,
        statistics=SceneStatistics(optical=(), sar=()) if isinstance(inputs.scaling, MomentScaling) else None,
        legend=LEGENDS["whu-opt-sar"].to_dict(),
        patch=PatchSize(size=512, halo=64),
        gsd_m=5.0,
        trained_on=(),
        scores={},
    )
    return Toy(Path("toy"), manifest, network)


def five_layers() -> nn.Module:
    """Five convolutions of 3 x 3 and 8 channels, for optical alone."""
    layers: list[nn.Module] = []
    for before in (4, 8, 8, 8):
        layers += [nn.Conv2d(before, 8, 3, padding=1), nn.ReLU()]
    return Stack([*layers, nn.Conv2d(8, 7, 3, padding=1)])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "toy": five_layers,
    "one-layer": lambda: Stack([nn.Conv2d(5, 7, 1)]),
}


def forward(scene: Scene, predictor: EagerPredictor) -> None:
    """The forward passes alone, on a patch of the scene over and over."""
    manifest = predictor.bundle.manifest
    plan = Plan.sliding(*scene.grid.shape, size=manifest.patch.size, halo=manifest.patch.halo)
    across, bands = len(plan.lefts), (len(manifest.inputs.optical), len(manifest.inputs.sar))
    batches = -(-across // BATCH)
    sizes = [across * (at + 1) // batches - across * at // batches for at in range(batches)]
    inputs = [torch.rand((BATCH, *plan.size, each)).permute(0, 3, 1, 2) for each in bands]
    with torch.inference_mode():
        for _ in plan.tops:
            for size in sizes:
                predictor.network(*(each[:size] for each in inputs))


def copy(paths: list[Path], folder: Path) -> None:
    """Every block of some rasters read and written as it is packed there."""
    for path in paths:
        copied = folder / f"copy-{path.name}"
        with rasterio.open(path) as source, rasterio.open(copied, "w", **source.profile) as target:
            for _, window in source.block_windows(1):
                target.write(source.read(window=window), window=window)


def compare(name: str, one: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    """Median seconds of two things in turn, printed, and their ratio."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for what, taken in zip((one, other), seconds, strict=True):
            start = time.perf_counter()
            what()
            taken.append(time.perf_counter() - start)
    first, second = map(statistics.median, seconds)
    print(f"{name}: {first:.2f} s / {second:.2f} s = {first / second:.3f}", flush=True)
    return first / second


def main() -> None:
    """Compare what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=["bundle", "toy", "one-layer"])
    options = parser.parse_args()
    simulated = options.out / "scene"
    if not (simulated / "optical.tif").is_file():
        write_scene(SimulatedScene(height=HEIGHT, width=WIDTH, seed=5), simulated, overwrite=True)
    if not (simulated / "bytes.tif").is_file():
        write_bytes(simulated / "optical.tif", simulated / "bytes.tif")
    for name in options.only:
        measure(name, simulated, options.out, options.rounds)


def write_bytes(optical: Path, copied: Path) -> None:
    """The bands of a scene in bytes, LZW, brought to 1 to 255."""
    with rasterio.open(optical) as source:
        profile = {**source.profile, "dtype": "uint8", "compress": "lzw", "photometric": "minisblack", "alpha": "no"}
        with rasterio.open(copied, "w", **profile) as target:
            most = max(band.max for band in source.stats())
            for _, window in source.block_windows(1):
                target.write((source.read(window=window) * (254 / most) + 1).astype("uint8"), window=window)
            target.descriptions = source.descriptions


def measure(name: str, simulated: Path, folder: Path, rounds: int) -> None:
    """One comparison, or two for the network of one layer."""
    place = DATA / "san_antonio" if name == "bundle" else simulated
    paths = [simulated / "bytes.tif"] if name == "toy" else [place / "optical.tif", place / "sar.tif"]
    bundle = Bundle.open() if name == "bundle" else toy(NETWORKS[name](), INPUTS[name])
    predictor = EagerPredictor(bundle, device="cpu")
    settings = PredictSettings(batch_size=BATCH, overwrite=True)
    with Scene(*paths) as scene:
        run = partial(predict, scene, predictor, folder / f"{name}.tif", settings)
        compare(f"{name}: predict / forward", run, partial(forward, scene, predictor), rounds)
        if name == "one-layer":
            compare("one-layer: copy / predict", partial(copy, paths, folder), run, rounds)


if __name__ == "__main__":
    main()
