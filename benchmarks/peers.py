"""Time and peak memory of `rsfuse predict` beside other ways to map a large scene with the same network.

Run: python -m benchmarks.peers --out FOLDER [--height 5556] [--width 3704] [--rounds 3] [--only monai torchgeo]
Same scene (simulated, four bands of uint16), same weights (five convolutions of 3 x 3), same scaling by constants, same
patches of 512 px that overlap by 128, same batches of 4, same threads of torch, same bound on GDAL's cache. Each runs
in a process of its own, in turn, from opening the scene to a written GeoTIFF of class codes; rsfuse always does. Only
its file is a COG with overviews, colours and names of classes. Linux alone: memory is read from /proc.

slide          logits and counts of the whole scene, as mmsegmentation's slide_inference keeps them; ours, in batches
slide-padded   likewise, but one patch at a time, padded to the whole scene before it is added, as mmsegmentation does
torchgeo       GridGeoSampler and DataLoader; it joins nothing itself: classes are pasted over those pasted before
terratorch     tiled_inference as it comes (cuts 8 px off each patch, mirrors the borders of the scene)
monai          sliding_window_inference with gaussian weights
omnicloudmask  predict_from_array, less its own scaling of each patch

SAHI is not among them: what it joins are detections. Of a peer only what is measured is imported. All but rsfuse blend
logits, torchgeo not even those, so maps differ near the edges of patches; the last column says in how many pixels.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import types
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from rasterio.windows import Window
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.predict import BANDS, five_layers, toy
from rsfuse.geometry.plan import Plan
from rsfuse.learn.recipes.inputs import Inputs, Moments, MomentScaling
from rsfuse.learn.runtimes.eager import EagerPredictor
from rsfuse.learn.runtimes.tensors import telling_of_memory
from rsfuse.legends import LEGENDS
from rsfuse.raster.scene import Scene
from rsfuse.simulate import SimulatedScene, write_scene
from rsfuse.tasks.predict import PredictSettings, predict

PATCH, OVERLAP, BATCH = 512, 128, 4
CODES = np.array(LEGENDS["whu-opt-sar"].codes, np.uint8)
MOMENTS = Moments(mean=(174, 187, 156, 313), std=(61, 58, 80, 141))
MEAN, STD = (np.array(each, np.float32)[:, None, None] for each in (MOMENTS.mean, MOMENTS.std))
GDAL_CACHE_MB = "256"


@dataclass(frozen=True)
class Job:
    """What is mapped, and where the map goes."""

    scene: Path
    output: Path


Run = Callable[[Job], None]


def network() -> Any:
    """The toy, with the same random weights every time, whose last biases give each class its share of the map."""
    torch.manual_seed(0)
    net: Any = five_layers().eval()
    with torch.no_grad():
        scores = net.layers(torch.randn(256, len(MEAN), 1, 1).expand(-1, -1, 16, 16))[:, :, 8, 8]
        net.layers[-1].weight /= scores.std(0)[:, None, None, None]
        net.layers[-1].bias.sub_(scores.mean(0)).div_(scores.std(0))
    return net


def read_whole(job: Job) -> NDArray[np.float32]:
    """The whole scene, scaled, (4, H, W)."""
    with rasterio.open(job.scene) as raster:
        scene: NDArray[np.float32] = raster.read(out_dtype="float32")
    scene -= MEAN
    scene /= STD
    return scene


def write(job: Job, classes: NDArray[np.uint8]) -> None:
    """Numbers of classes (H, W) as a map of codes on the grid of the scene."""
    with rasterio.open(job.scene) as raster:
        grid = {name: raster.profile[name] for name in ("crs", "transform", "height", "width")}
    made = {"driver": "GTiff", "count": 1, "dtype": "uint8", "tiled": True, "compress": "deflate", "nodata": 255}
    with rasterio.open(job.output, "w", **grid, **made, blockxsize=PATCH, blockysize=PATCH) as target:
        target.write(CODES[classes], 1)


def write_best(job: Job, scores: Tensor) -> None:
    """The class with the highest of the scores (K, H, W)."""
    write(job, scores.argmax(0).to(torch.uint8).numpy())


def use_rsfuse() -> Run:
    """`rsfuse predict`."""
    inputs = Inputs(optical=BANDS, scaling=MomentScaling(kind="fixed-moments", optical=MOMENTS))
    predictor = EagerPredictor(toy(network(), inputs), device="cpu")
    settings = PredictSettings(overlap=OVERLAP, batch_size=BATCH, overwrite=True)

    def run(job: Job) -> None:
        with Scene(job.scene) as scene:
            report = predict(scene, predictor, job.output, settings)
        assert not report.rows_resumed, "rsfuse went on with a run that was interrupted: start again"

    return run


def use_slide() -> Run:
    """Logits of the whole scene in memory."""
    net = network().layers

    def run(job: Job) -> None:
        scene = torch.from_numpy(read_whole(job))
        windows = [patch.read.toslices() for patch in plan_of(scene)]
        sums, counts = torch.zeros((len(CODES), *scene.shape[1:])), torch.zeros(scene.shape[1:])
        for first in range(0, len(windows), BATCH):
            batch = windows[first : first + BATCH]
            scores = net(torch.stack([scene[:, rows, columns] for rows, columns in batch]))
            for (rows, columns), each in zip(batch, scores, strict=True):
                sums[:, rows, columns] += each
                counts[rows, columns] += 1
        write_best(job, sums.div_(counts))

    return run


def use_slide_padded() -> Run:
    """Logits of the whole scene in memory, and those of each patch once more."""
    net = network().layers

    def run(job: Job) -> None:
        scene = torch.from_numpy(read_whole(job))[None]
        height, width = scene.shape[2:]
        sums, counts = torch.zeros((1, len(CODES), height, width)), torch.zeros((1, 1, height, width))
        for patch in plan_of(scene):
            rows, columns = patch.read.toslices()
            scores = net(scene[:, :, rows, columns])
            sums += F.pad(scores, (columns.start, width - columns.stop, rows.start, height - rows.stop))
            counts[:, :, rows, columns] += 1
        write_best(job, (sums / counts)[0])

    return run


def plan_of(scene: Tensor) -> Plan:
    """The fewest patches that cover a scene (..., H, W), which are also mmsegmentation's."""
    return Plan.sliding(*scene.shape[-2:], size=PATCH, halo=OVERLAP // 2)


def use_torchgeo() -> Run:
    """Patches out of the sampler, their classes pasted."""
    datasets, samplers = import_module("torchgeo.datasets"), import_module("torchgeo.samplers")
    net, mean, std = network().layers, torch.from_numpy(MEAN), torch.from_numpy(STD)

    def run(job: Job) -> None:
        scene = datasets.RasterDataset([job.scene])
        sampler = samplers.GridGeoSampler(scene, size=PATCH, stride=PATCH - OVERLAP)
        with rasterio.open(job.scene) as raster:
            left, top, gsd = raster.bounds.left, raster.bounds.top, raster.res[0]
            classes = np.zeros(raster.shape, np.uint8)
        for batch in DataLoader(scene, batch_size=BATCH, sampler=sampler, collate_fn=datasets.stack_samples):
            best = net((batch["image"] - mean) / std).argmax(1).to(torch.uint8).numpy()
            for each, (x, y, _) in zip(best, batch["bounds"], strict=True):
                paste(each, classes, top=round((top - y.stop) / gsd), left=round((x.start - left) / gsd))
        write(job, classes)

    return run


def paste(patch: NDArray[np.uint8], target: NDArray[np.uint8], *, top: int, left: int) -> None:
    """A patch (h, w) over what it covers of a target (H, W), beyond whose edges it may hang."""
    above, before = max(-top, 0), max(-left, 0)
    under = target[top + above : top + patch.shape[0], left + before : left + patch.shape[1]]
    under[:] = patch[above:, before:][: under.shape[0], : under.shape[1]]


def use_terratorch() -> Run:
    """Its tiled inference; out of its own file, for the package imports dozens of others that this has no use for."""
    package = find_spec("terratorch")
    if package is None or not package.submodule_search_locations:
        raise ImportError("No module named 'terratorch'")
    unused = types.ModuleType("terratorch.models.utils")
    setattr(unused, "pad_images", None)  # noqa: B010
    sys.modules |= {"terratorch": unused, "terratorch.models": unused, "terratorch.models.utils": unused}
    path = Path(package.submodule_search_locations[0], "tasks", "tiled_inference.py")
    module, net = SourceFileLoader("tiled_inference", str(path)).load_module(), network().layers

    def run(job: Job) -> None:
        scene = torch.from_numpy(read_whole(job))[None]
        write_best(job, module.tiled_inference(net, scene, crop=PATCH, stride=PATCH - OVERLAP, batch_size=BATCH)[0])

    return run


def use_monai() -> Run:
    """Its sliding window."""
    sliding, net = import_module("monai.inferers").sliding_window_inference, network().layers

    def run(job: Job) -> None:
        scene = torch.from_numpy(read_whole(job))[None]
        write_best(job, sliding(scene, PATCH, BATCH, net, overlap=OVERLAP / PATCH, mode="gaussian")[0])

    return run


def use_omnicloudmask() -> Run:
    """Its patches and its mosaic, around our network."""
    package, net = import_module("omnicloudmask"), network().layers
    package.raster_utils.channel_norm = lambda patch, nodata_value: patch
    given = {"patch_size": PATCH, "patch_overlap": OVERLAP, "batch_size": BATCH, "inference_device": "cpu"}
    mask = {"no_data_value": float("nan"), "apply_no_data_mask": False}

    def run(job: Job) -> None:
        scene = read_whole(job)
        write(job, package.predict_from_array(scene, **given, **mask, custom_models=net, pred_classes=len(CODES))[0])

    return run


CONTESTANTS: dict[str, Callable[[], Run]] = {
    "rsfuse": use_rsfuse,
    "slide": use_slide,
    "slide-padded": use_slide_padded,
    "torchgeo": use_torchgeo,
    "terratorch": use_terratorch,
    "monai": use_monai,
    "omnicloudmask": use_omnicloudmask,
}


def memory(what: str) -> float:
    """MB of this process as Linux counts them: VmRSS now, VmHWM at most so far, VmSize mapped."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:")) * 1024 / 1e6


def contest(name: str, job: Job, threads: int, limit_gb: float) -> dict[str, Any]:
    """What one contestant takes, in this process; or how it failed."""
    torch.set_num_threads(threads)
    try:
        run = CONTESTANTS[name]()
    except ImportError as error:
        return {"failed": f"not installed ({error})"}
    before, bound = memory("VmRSS"), round(memory("VmSize") * 1e6 + limit_gb * 1e9)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    start, start_cpu = time.perf_counter(), time.process_time()
    try:
        with telling_of_memory(), nullcontext() if name == "rsfuse" else torch.inference_mode():
            run(job)
    except MemoryError:
        return {"failed": f"out of memory: {limit_gb:g} GB do not suffice"}
    taken = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - start_cpu}
    return {**taken, "peak": memory("VmHWM"), "before": before}


def in_own_process(name: str, given: Sequence[str], threads: int, *, patience: float) -> dict[str, Any]:
    """The same, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.peers", *given, "--contestant", name]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "GDAL_CACHEMAX": GDAL_CACHE_MB}
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=patience)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done after {patience:g} s"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["said nothing"])[-1]
        return {"failed": f"died with {done.returncode}: {last}"}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def same(one: Path, other: Path) -> float:
    """Share of the pixels of two maps that are equal."""
    shares, rows = [], []
    with rasterio.open(one) as first, rasterio.open(other) as second:
        for top in range(0, first.height, PATCH):
            window = Window(0, top, first.width, min(PATCH, first.height - top))
            shares.append(np.mean(first.read(window=window) == second.read(window=window)))
            rows.append(window.height)
    return float(np.average(shares, weights=rows))


def row(name: str, results: dict[str, list[dict[str, Any]]], folder: Path) -> str:
    """A line of the table: medians over all rounds, and their ratios to those of rsfuse."""
    if "failed" in results[name][-1]:
        return f"| {name} | {results[name][-1]['failed']} | | | | | | |"
    keys = ("seconds", "cpu", "peak", "before")
    mine, ours = ([statistics.median(each[key] for each in results[of]) for key in keys] for of in (name, "rsfuse"))
    times, memories = mine[0] / ours[0], mine[2] / ours[2]
    numbers = f"{mine[0]:.1f} | {times:.2f} | {mine[1]:.1f} | {mine[2]:.0f} | {memories:.2f} | {mine[3]:.0f}"
    return f"| {name} | {numbers} | {100 * same(folder / 'map-rsfuse.tif', folder / f'map-{name}.tif'):.2f} % |"


def main() -> None:
    """Let them all map the scene, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--height", type=int, default=5556)
    parser.add_argument("--width", type=int, default=3704)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(CONTESTANTS), default=list(CONTESTANTS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--limit-gb", type=float, default=18.0, help="what a process may add to what it has imported")
    parser.add_argument("--patience", type=float, default=3600.0, help="seconds that one run may take")
    parser.add_argument("--contestant", choices=list(CONTESTANTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    scene = options.out / f"{options.height}x{options.width}"
    if options.contestant:
        job = Job(scene / "optical.tif", scene / f"map-{options.contestant}.tif")
        print(json.dumps(contest(options.contestant, job, options.threads, options.limit_gb)))
        return
    if not (scene / "optical.tif").is_file():
        write_scene(SimulatedScene(height=options.height, width=options.width, seed=5), scene, overwrite=True)
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS if name in {"rsfuse", *options.only}}
    for _ in range(options.rounds):
        for name, taken in results.items():
            if not (taken and "failed" in taken[-1]):
                taken.append(in_own_process(name, sys.argv[1:], options.threads, patience=options.patience))
                print(f"{name}: {taken[-1]}", flush=True)
    if "failed" in results["rsfuse"][-1]:
        raise SystemExit("without rsfuse there is nothing to compare with")
    print("| by | seconds | of rsfuse | CPU seconds | peak MB | of rsfuse | MB after imports | same pixels |")
    print("|---|---|---|---|---|---|---|---|")
    for name in results:
        print(row(name, results, scene))


if __name__ == "__main__":
    main()
