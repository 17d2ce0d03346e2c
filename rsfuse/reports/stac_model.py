"""The network that made a map, in the fields of the Machine Learning Model extension of STAC."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from rsfuse.legend import Legend
from rsfuse.reports.stac_assets import class_objects

_MODEL_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]")
_VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_ACCELERATORS = {"cuda": "cuda", "mps": "macos-arm", "xla": "xla"}
_PYTORCH = ("PyTorch", ("torch",))
_RUNTIMES = {".onnx": ("ONNX", ("onnxruntime-gpu", "onnxruntime"))}
"""By the suffix of weights what runs them, and the packages that it may come in."""


@dataclass(frozen=True)
class ModelRun:
    """A network that made a map, and how it was run.

    Args:
        bundle: name of the bundle.
        network: name of the network.
        description: of the bundle, for people.
        optical_bands: names in the order of its channels.
        sar_bands: likewise; none where it takes optical alone.
        patch: side of what it saw at once, in pixels, or rows and columns.
        halo: how much of that was cut or blended at each edge.
        scaling: how values become numbers around 0, as plain data.
        weights: path of the weights, or of the graph where it was exported.
        weights_sha256: their checksum, 64 digits.
        device: "cpu", "cuda", ...
        seconds: that the map took.
        trained_on: names of what it learned from.
        scores: on its validation tiles.
        blend: how patches were joined where they overlap.
        looks: ways of test-time augmentation that its probabilities are the mean of.
        whole: whether it saw the whole image at once: then there was nothing to join.
    """

    bundle: str
    network: str
    description: str
    optical_bands: tuple[str, ...]
    sar_bands: tuple[str, ...]
    patch: int | tuple[int, int]
    halo: int
    scaling: Mapping[str, Any]
    weights: Path
    weights_sha256: str
    device: str
    seconds: float
    trained_on: tuple[str, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    blend: str = "hann"
    looks: tuple[str, ...] = ()
    whole: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of what it saw at once."""
        return (self.patch, self.patch) if isinstance(self.patch, int) else self.patch

    @property
    def framework(self) -> tuple[str, str]:
        """What ran it, and the version of that."""
        name, packages = _RUNTIMES.get(self.weights.suffix, _PYTORCH)
        return name, next(each.version for package in packages for each in distributions(name=package))

    @property
    def told(self) -> str:
        """How it was run, for people."""
        size = " x ".join(map(str, self.size))
        seen = f"the whole image of {size} px at once"
        if not self.whole:
            seen = f"patches of {size} px with a halo of {self.halo} px, joined by {self.blend}"
        return f"{seen}, averaged over {' and '.join(self.looks)}" if self.looks else seen


def model_fields(runs: Sequence[ModelRun], legend: Legend) -> dict[str, Any]:
    """What the extension says of the networks that made a map, for the properties of its item.

    Args:
        runs: at least one; several are an ensemble, of which the device, patch and time of the first stand for all.
        legend: of the map.
    """
    device, (framework, release) = runs[0].device, runs[0].framework
    return {
        "mlm:name": " and ".join(_model_name(run.bundle) for run in runs),
        "mlm:architecture": ", ".join(dict.fromkeys(run.network for run in runs)),
        "mlm:tasks": ["semantic-segmentation"],
        "mlm:framework": framework,
        **({"mlm:framework_version": release} if _VERSION.fullmatch(release) else {}),
        "mlm:accelerator": _ACCELERATORS.get(device.split(":")[0]),  # null: none is needed, any would do
        "mlm:accelerator_constrained": False,
        "mlm:accelerator_summary": device,
        "mlm:input": [each for run in runs for each in _inputs(run, f"{run.bundle} " if len(runs) > 1 else "")],
        "mlm:output": [_output(runs[0], legend)],
        "mlm:hyperparameters": _choices(runs),
        # the extension's schema looks for the bands of its inputs here; each asset says which it has itself
        "bands": [{"name": band} for band in band_names(runs)],
        "rsfuse:seconds": round(runs[0].seconds, 3),
        "rsfuse:trained_on": {run.bundle: run.trained_on for run in runs},
        "rsfuse:scores": {run.bundle: run.scores for run in runs},
    }


def _choices(runs: Sequence[ModelRun]) -> dict[str, Any]:
    first = runs[0]
    return {
        "patch": first.size,
        "halo": first.halo,
        "blend": None if first.whole else first.blend,
        "whole": first.whole,
        "augmentation": first.looks,
        "ensemble": len(runs),
    }


def _model_name(bundle: str) -> str:
    """Name of a bundle, changed where the extension does not allow it."""
    name = re.sub(r"[^a-zA-Z0-9_.\-\s]+", "-", bundle)
    return name if _MODEL_NAME.fullmatch(name) else f"bundle-{name.strip('-_. ')}".strip("-")


def _inputs(run: ModelRun, prefix: str) -> list[dict[str, Any]]:
    scaling = [{"type": "processing", "format": "rsfuse", "expression": run.scaling}]
    return [
        {
            "name": f"{prefix}{sensor}",
            "bands": bands,
            "input": _tensor("channel", len(bands), run.size),
            "value_scaling": scaling,
            "resize_type": None,
        }
        for sensor, bands in (("optical", run.optical_bands), ("sar", run.sar_bands))
        if bands
    ]


def _output(run: ModelRun, legend: Legend) -> dict[str, Any]:
    return {
        "name": "classes",
        "tasks": ["semantic-segmentation"],
        "description": "a score of each class for each pixel; the value of the best is what the map holds",
        "result": _tensor("class", len(legend), run.size),
        "classification:classes": class_objects(legend),
    }


def _tensor(axis: str, count: int, size: tuple[int, int]) -> dict[str, Any]:
    order = ["batch", axis, "height", "width"]
    return {"shape": [-1, count, *size], "dim_order": order, "data_type": "float32"}


def band_names(runs: Sequence[ModelRun]) -> list[str]:
    """All that some networks take, optical first, each name once."""
    return list(dict.fromkeys(band for run in runs for band in (*run.optical_bands, *run.sar_bands)))
