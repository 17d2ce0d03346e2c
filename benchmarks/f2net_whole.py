"""Memory and time of F2Net on whole images.

Run: python -m benchmarks.f2net_whole [--side 1224 --side 2448] [--low-scale 2] [--vit-keys 64] [--rows 64]
         [--threads 1]
Scores one random image of each side, whole, with random weights (what it maps does not matter here), in a process of
its own, and prints peak resident memory, time per megapixel, the share of the attention, and how the time per megapixel
grows from one side to the next. With --vit-keys 0 each token looks at every other one, as published: the time of the
attention then grows with the square of the area. CPU seconds are those of all threads; on a machine that has other work
to do they say more than the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import torch

from rsfuse.tasks.memory import peak_memory_mb
from rsfuse_models.f2net import F2Net
from rsfuse_models.f2net.vit import Attention

CHILD = "--json"


class Stopwatch:
    """CPU seconds spent inside some modules."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.seconds = self.start = 0.0
        for module in network.modules():
            if isinstance(module, Attention):
                module.register_forward_pre_hook(self._begin)
                module.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self.start = time.process_time()

    def _end(self, *_: object) -> None:
        self.seconds += time.process_time() - self.start


def measure(side: int, options: argparse.Namespace) -> dict[str, float]:
    """Score one image of side x side pixels in this process."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    network = F2Net(
        optical_channels=3,
        sar_channels=0,
        num_classes=7,
        low_scale=options.low_scale,
        vit_keys=options.vit_keys or None,
    ).eval()
    stopwatch = Stopwatch(network)
    image = torch.randn(1, 3, side, side)
    clock, cpu = time.perf_counter(), time.process_time()
    scores = network.score_whole(image, image[:, :0], rows=options.rows)
    report = {
        "megapixels": side**2 / 1e6,
        "peak_memory_mb": peak_memory_mb(),
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - cpu,
        "attention_cpu_seconds": stopwatch.seconds,
    }
    if scores.shape != (1, 7, side, side) or not scores.isfinite().all():
        raise ValueError(f"scores of shape {tuple(scores.shape)} are not finite or not 7 x {side} x {side}")
    return report


def measure_apart(side: int, options: argparse.Namespace) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.f2net_whole", CHILD, f"--side={side}", f"--rows={options.rows}"]
    command += [f"--low-scale={options.low_scale}", f"--vit-keys={options.vit_keys}", f"--threads={options.threads}"]
    report: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return report


def show(side: int, report: dict[str, float], before: dict[str, float] | None) -> None:
    """One line on a side, and one on what became of the time per megapixel since the side before."""
    area, cpu, attention = (report[key] for key in ("megapixels", "cpu_seconds", "attention_cpu_seconds"))
    print(
        f"{side} x {side}: {report['peak_memory_mb']:.0f} MB, {report['seconds']:.1f} s by the clock, {cpu:.1f} CPU s; "
        f"per megapixel {cpu / area:.2f} CPU s, {(cpu - attention) / area:.2f} without attention ({attention:.1f} s)",
        flush=True,
    )
    if before is not None:
        rest, rest_before = (
            (each["cpu_seconds"] - each["attention_cpu_seconds"]) / each["megapixels"] for each in (report, before)
        )
        growth = cpu / area / (before["cpu_seconds"] / before["megapixels"])
        print(f"time per megapixel: {growth:.3f} times the side before, without attention {rest / rest_before:.3f}")


def main() -> None:
    """Measure all sides, smallest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, action="append", help="pixels; may be repeated (default 1224 and 2448)")
    parser.add_argument("--low-scale", type=int, default=2, help="low frequencies are read at 1 / this")
    parser.add_argument(
        "--vit-keys", type=int, default=64, help="tokens of a side that the attention looks at; 0 for all"
    )
    parser.add_argument("--rows", type=int, default=64, help="rows of the image taken apart at a time")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(CHILD, action="store_true", dest="child", help="measure in this process and print JSON")
    options = parser.parse_args()
    sides = sorted(options.side or (1224, 2448))
    if options.child:
        print(json.dumps(measure(sides[0], options)))
        return
    before = None
    for side in sides:
        report = measure_apart(side, options)
        show(side, report, before)
        before = report


if __name__ == "__main__":
    main()
