"""Agreement: how far a graph says the same as the network that it was written from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from rsfuse.learn.export.graph import GraphInput
from rsfuse.learn.export.samples import Floats, PatchSample
from rsfuse.learn.runtimes.session import Session
from rsfuse.legend import NODATA
from rsfuse.metrics import Confusion

Run = Callable[[Sequence[Floats]], list[Floats]]
"""Both inputs (N, C, h, w) to scores and probabilities (N, K, h, w), or to sharpened bands (N, B, h, w) alone."""

AT_ONCE = 2  # patches: a graph that is right for one alone shows here


@dataclass(frozen=True)
class Measured:
    """How far a graph and its network agree where there is data.

    Args:
        largest_error: largest difference of a score or sharpened number, over the largest magnitude of the network's.
        differing: share of pixels of another class, or of sharpened numbers that are another digital number by more
            than 1.
        mean_error: mean absolute difference of probabilities, or of digital numbers.
        miou: of the network and of the graph against labels; None where there are none.
    """

    largest_error: float
    differing: float
    mean_error: float
    miou: tuple[float, float] | None


def run_graph(path: Path, inputs: Sequence[GraphInput], *, maps: bool) -> Run:
    """A graph on the CPU.

    Raises:
        BundleError: if onnxruntime cannot load it.
    """
    session, outputs = Session(path, "cpu"), ("scores", "probabilities") if maps else ("sharp",)

    def run(images: Sequence[Floats]) -> list[Floats]:
        given = {each.name: image for each, image in zip(inputs, images, strict=True)}
        return session.run_each(outputs, given)

    return run


def run_network(network: nn.Module, *, maps: bool) -> Run:
    """A network in evaluation mode on the CPU; where it maps land cover, probabilities follow from its scores."""

    def run(images: Sequence[Floats]) -> list[Floats]:
        with torch.inference_mode():
            found = network(*map(torch.from_numpy, images))
            return [each.numpy() for each in ([found, found.softmax(1)] if maps else [found])]

    return run


def compare(
    expect: Run,
    find: Run,
    patches: Sequence[PatchSample],
    *,
    divisor: float | None,
    progress: Callable[[int, int], None],
) -> Measured:
    """Show the same patches to a network and to its graph.

    Args:
        expect: the network.
        find: the graph.
        patches: one at least, and one of them at least with data.
        divisor: of digital numbers, of a network that sharpens; None for one that maps land cover.
        progress: told (done, total) patches.
    """
    judge = _classes if divisor is None else partial(_numbers, divisor)
    total: _Counts | None = None
    for first in range(0, len(patches), AT_ONCE):
        batch = patches[first : first + AT_ONCE]
        images = [np.stack(each) for each in zip(*(patch.images for patch in batch), strict=True)]
        for patch, *outputs in zip(batch, *expect(images), *find(images), strict=True):
            half = len(outputs) // 2
            counts = judge(outputs[:half], outputs[half:], patch)
            total = counts if total is None else total + counts
        progress(first + len(batch), len(patches))
    assert total is not None
    return total.measured


@dataclass(frozen=True)
class _Counts:
    """What was counted in some patches; those of parts add up to those of the whole.

    Args:
        difference: the largest between two outputs.
        magnitude: the largest of the network's.
        differing: how many of those judged differ.
        judged: pixels, or sharpened numbers.
        error: mean over one of those judged, times how many.
        confusions: of the network's classes and of the graph's with labels.
    """

    difference: float
    magnitude: float
    differing: int
    judged: int
    error: float
    confusions: tuple[Confusion, Confusion]

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(
            float(np.maximum(self.difference, other.difference)),  # NaN is never lost
            max(self.magnitude, other.magnitude),
            self.differing + other.differing,
            self.judged + other.judged,
            self.error + other.error,
            (self.confusions[0] + other.confusions[0], self.confusions[1] + other.confusions[1]),
        )

    @property
    def measured(self) -> Measured:
        network, graph = self.confusions
        judged = max(self.judged, 1)
        return Measured(
            self.difference / self.magnitude if self.magnitude else self.difference,
            self.differing / judged,
            self.error / judged,
            (network.miou, graph.miou) if network.pixels else None,
        )


def _classes(expected: Sequence[Floats], found: Sequence[Floats], patch: PatchSample) -> _Counts:
    """Of scores and probabilities (K, h, w)."""
    (scores, sure), (graph_scores, graph_sure) = ([each[:, patch.valid] for each in both] for both in (expected, found))
    classes, mapped = len(scores), [each.argmax(0).astype(np.uint8) for each in (scores, graph_scores)]
    labels = np.full_like(mapped[0], NODATA) if patch.labels is None else patch.labels[patch.valid]
    one, other = (Confusion.of(labels, each, classes) for each in mapped)
    return _Counts(
        *_extremes(scores, graph_scores),
        differing=int(np.count_nonzero(mapped[0] != mapped[1])),
        judged=mapped[0].size,
        error=float(np.abs(sure - graph_sure).sum(dtype=np.float64)) / classes,
        confusions=(one, other),
    )


def _numbers(divisor: float, expected: Sequence[Floats], found: Sequence[Floats], patch: PatchSample) -> _Counts:
    """Of sharpened bands (B, h, w) over the divisor."""
    sharp, graph_sharp = (each[0][:, patch.valid] for each in (expected, found))
    apart = np.abs(sharp - graph_sharp) * divisor
    return _Counts(
        *_extremes(sharp, graph_sharp),
        differing=int(np.count_nonzero(~(apart <= 1))),
        judged=apart.size,
        error=float(apart.sum(dtype=np.float64)),
        confusions=(Confusion.empty(1), Confusion.empty(1)),
    )


def _extremes(expected: Floats, found: Floats) -> tuple[float, float]:
    """Largest difference of two arrays, and largest magnitude of the first; 0 where they are empty."""
    if not expected.size:
        return 0.0, 0.0
    return float(np.abs(expected - found).max()), float(np.abs(expected).max())
