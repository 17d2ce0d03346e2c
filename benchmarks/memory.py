"""Peak memory of `rsfuse predict` on a scene, and on one four times as tall.

Run: python -m benchmarks.memory --out FOLDER [--width 4096] [--heights 10000 40000]
Simulates the scenes, predicts each in a process of its own with a small network of random weights (what it maps does
not matter here), and prints the peak resident memory of each and the ratio of the last to the first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import torch

from rsfuse.learn.bundles.land_cover import BundleManifest, PatchSize, build_network, save_bundle
from rsfuse.learn.recipes.reading import load_recipe
from rsfuse.legends import LEGENDS
from rsfuse.simulate import SimulatedScene, write_scene

NETWORK = {"name": "pad", "encoder": "test_resnet", "stages": [1, 2], "aux_stage": 1, "channels": 16, "aux_channels": 8}


def small_bundle(folder: Path) -> Path:
    """Random weights for four optical bands and one SAR band, seven classes, patches of 512 px with a halo of 32."""
    inputs, legend = load_recipe("pad_demo").inputs, LEGENDS["whu-opt-sar"]
    torch.manual_seed(0)
    network = build_network(NETWORK, inputs, len(legend))
    manifest = BundleManifest(
        description="random weights, for measuring memory",
        network=NETWORK,
        inputs=inputs,
        statistics=None,
        legend=legend.to_dict(),
        patch=PatchSize(size=512, halo=32),
        gsd_m=5.0,
        trained_on=(),
        scores={},
    )
    return save_bundle(folder, manifest, network.state_dict(), storage="float32", card="# random\n").folder


def measure(height: int, width: int, folder: Path, bundle: Path) -> dict[str, float]:
    """The report of one prediction in a process of its own."""
    name = folder / f"{height}x{width}"
    if not (name / "truth.tif").is_file():
        write_scene(SimulatedScene(height=height, width=width, seed=5), name, overwrite=True)
    command = [sys.executable, "-m", "rsfuse", "predict", str(name / "optical.tif"), "--sar", str(name / "sar.tif")]
    options = ["--bundle", str(bundle), "-o", str(name / "map.tif"), "--overwrite", "--json", "-q"]
    report: dict[str, float] = json.loads(subprocess.run([*command, *options], check=True, capture_output=True).stdout)
    return report


def main() -> None:
    """Measure all heights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--heights", type=int, nargs="+", default=[10_000, 40_000])
    options = parser.parse_args()
    bundle = small_bundle(options.out / "bundle")
    peaks = []
    for height in options.heights:
        report = measure(height, options.width, options.out, bundle)
        peaks.append(report["peak_memory_mb"])
        print(f"{height} x {options.width}: {report['peak_memory_mb']} MB, {report['seconds']} s", flush=True)
    print(f"{options.heights[-1] / options.heights[0]:g} times the height: {peaks[-1] / peaks[0]:.3f} times the memory")


if __name__ == "__main__":
    main()
