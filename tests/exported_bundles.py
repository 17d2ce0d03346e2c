"""Bundles of networks of one layer: graphs written by hand, in milliseconds, and the same weights for torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper, save

from rsfuse.learn.bundles.files import GRAPH, MANIFEST, describe
from rsfuse.learn.bundles.land_cover import BundleManifest, save_bundle
from rsfuse.learn.bundles.sharpening import SharpeningManifest, save_sharpening_bundle
from rsfuse.legends import LEGENDS

if TYPE_CHECKING:
    import pytest
    from torch import nn

SIDE, HALO, RATIO = 32, 4, 4
OPTICAL, SAR, MS = ("red", "green", "blue"), ("VH",), ("blue", "green", "red")
SENTINEL_5 = LEGENDS["sentinel-5"]

_CARD = "# one layer\n"

Input = tuple[str, int, int]
"""Name, channels and side."""


def exported(precision: str = "float32", patch_bytes: int | None = 1_000_000) -> dict[str, Any]:
    """The section `onnx:` of a manifest."""
    agreement = {"samples": "noise", "patches": 1, "largest_error": 0.0, "differing": 0.0}
    return {"precision": precision, "opset": 18, "patch_bytes": patch_bytes, "agreement": agreement}


def manifest(*, size: int = SIDE, onnx: dict[str, Any] | None = None, **changes: Any) -> BundleManifest:
    """Of a bundle for land cover: red, green, blue + VH."""
    told: dict[str, Any] = {
        "description": "one layer",
        "network": {"name": "pad"},
        "inputs": {"optical": OPTICAL, "sar": SAR},
        "statistics": None,
        "without": ("optical", "sar"),
        "legend": SENTINEL_5.to_dict(),
        "patch": {"size": size, "halo": HALO},
        "gsd_m": 10.0,
        "trained_on": ("nothing",),
        "scores": {},
        "onnx": onnx,
    }
    return BundleManifest.model_validate(told | changes)


def sharpening_manifest(*, size: int = SIDE, onnx: dict[str, Any] | None = None) -> SharpeningManifest:
    """Of a bundle that sharpens three bands of 11 bits at a ratio of 4."""
    return SharpeningManifest(
        description="one layer",
        network={"name": "cf2n"},
        inputs={"ms": MS, "divisor": 2047},
        ratio=RATIO,
        maximum=2047,
        patch={"size": size, "halo": HALO},
        sensors=("gf2",),
        trained_on=("nothing",),
        scores={},
        onnx=onnx,
    )


def kernel(inputs: int, outputs: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (outputs, inputs, 3, 3) and biases: a mirrored image has other scores."""
    chance = np.random.default_rng(seed)
    return chance.normal(0, 0.5, (outputs, inputs, 3, 3)).astype(np.float32), np.zeros(outputs, np.float32)


def land_cover_graph(
    inputs: Sequence[Input] = (("optical", 3, SIDE), ("sar", 1, SIDE)),
    *,
    classes: int = len(SENTINEL_5),
    seed: int = 0,
    outputs: tuple[str, str] = ("scores", "probabilities"),
) -> ModelProto:
    """One convolution of all inputs, those without channels left out."""
    names, side = [name for name, channels, _ in inputs if channels], inputs[0][2]
    weights, biases = kernel(sum(channels for _, channels, _ in inputs), classes, seed)
    nodes = [
        helper.make_node("Concat", names, ["both"], axis=1),
        helper.make_node("Conv", ["both", "weights", "biases"], [outputs[0]], pads=[1, 1, 1, 1]),
        helper.make_node("Softmax", [outputs[0]], [outputs[1]], axis=1),
    ]
    given = [(name, classes, side) for name in outputs]
    return _model(nodes, inputs, given, {"weights": weights, "biases": biases})


def sharpening_graph(size: int = SIDE, bands: int = len(MS)) -> ModelProto:
    """Half of the pan, which a convolution has seen, and half of the nearest ms."""
    weights, biases = kernel(1, bands)
    spread = np.full((bands, 1, RATIO, RATIO), 0.5, np.float32)
    nodes = [
        helper.make_node("ConvTranspose", ["ms", "spread"], ["near"], strides=[RATIO, RATIO], group=bands),
        helper.make_node("Conv", ["pan", "weights", "biases"], ["seen"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["near", "seen"], ["sharp"]),
    ]
    inputs = [("pan", 1, size), ("ms", bands, size // RATIO)]
    constants = {"weights": weights / 4, "biases": biases, "spread": spread}
    return _model(nodes, inputs, [("sharp", bands, size)], constants)


def save_exported(
    folder: Path,
    graph: ModelProto | None = None,
    told: BundleManifest | SharpeningManifest | None = None,
) -> Path:
    """Write an exported bundle: for land cover, unless its manifest says something else. Returns its folder."""
    folder.mkdir(parents=True)
    save(graph or land_cover_graph(), folder / GRAPH)
    describe(folder, told or manifest(onnx=exported()), _CARD)
    return folder


def save_sharpener(folder: Path) -> Path:
    """Write an exported bundle that sharpens. Returns its folder."""
    return save_exported(folder, sharpening_graph(), sharpening_manifest(onnx=exported()))


def edit(folder: Path, **onnx: Any) -> None:
    """Change the section `onnx:` of a manifest; what is None goes."""
    told = yaml.safe_load((folder / MANIFEST).read_text())
    changed = {**told["onnx"], **onnx}
    told["onnx"] = {key: value for key, value in changed.items() if value is not None}
    (folder / MANIFEST).write_text(yaml.safe_dump(told))


def torch_network(inputs: int = 4, classes: int = len(SENTINEL_5), seed: int = 0) -> nn.Module:
    """What `land_cover_graph` computes, by torch."""
    import torch
    from torch import Tensor, nn

    from rsfuse_models import FusionNetwork

    class OneLayer(FusionNetwork):
        def __init__(self) -> None:
            super().__init__(optical_channels=3, sar_channels=1, multiple=1)
            self.mix = nn.Conv2d(inputs, classes, 3, padding=1)

        def score(self, optical: Tensor, sar: Tensor) -> Tensor:
            mixed: Tensor = self.mix(torch.cat([optical, sar], 1))
            return mixed

        def score_training(self, optical: Tensor, sar: Tensor) -> Any:
            raise NotImplementedError

    network = OneLayer()
    weights, biases = (torch.from_numpy(each) for each in kernel(inputs, classes, seed))
    network.load_state_dict({"mix.weight": weights, "mix.bias": biases})
    return network


def torch_sharpener() -> nn.Module:
    """What `sharpening_graph` computes, by torch."""
    import torch
    from torch import Tensor, nn

    from rsfuse_models import SharpeningNetwork

    class OneLayer(SharpeningNetwork):
        def __init__(self) -> None:
            super().__init__(bands=len(MS), ratio=RATIO, multiple=1)
            self.weight = nn.Parameter(torch.from_numpy(kernel(1, len(MS))[0] / 4))

        def sharpen(self, pan: Tensor, ms: Tensor) -> Tensor:
            near = ms.repeat_interleave(RATIO, -1).repeat_interleave(RATIO, -2)
            return near / 2 + nn.functional.conv2d(pan, self.weight, padding=1)

    return OneLayer()


def build_by_torch(patched: pytest.MonkeyPatch) -> None:
    """Let bundles of torch be of these networks, whatever they say."""
    patched.setattr("rsfuse.learn.bundles.land_cover.build_network", lambda *_: torch_network())
    patched.setattr("rsfuse.learn.bundles.sharpening.build_sharpener", lambda *_: torch_sharpener())


def save_torch(folder: Path, told: BundleManifest | None = None, *, seed: int = 0) -> Path:
    """Write a bundle of torch for land cover; see `build_by_torch`. Returns its folder."""
    weights = torch_network(seed=seed).state_dict()
    return save_bundle(folder, told or manifest(), weights, storage="float32", card=_CARD).folder


def save_torch_sharpener(folder: Path) -> Path:
    """Write a bundle of torch that sharpens; see `build_by_torch`. Returns its folder."""
    weights = torch_sharpener().state_dict()
    return save_sharpening_bundle(folder, sharpening_manifest(), weights, storage="float32").folder


def _model(
    nodes: Sequence[Any], inputs: Sequence[Input], outputs: Sequence[Input], constants: dict[str, NDArray[np.float32]]
) -> ModelProto:
    taken, given = (
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", count, side, side])
            for name, count, side in each
            if count
        ]
        for each in (inputs, outputs)
    )
    stored = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "graph", taken, given, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
