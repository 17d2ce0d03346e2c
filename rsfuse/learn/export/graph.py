"""A network as a graph that onnxruntime runs: one patch size, any batch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass, RemoveUnusedNodesPass
from onnxscript import optimizer
from torch import Tensor, nn

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.exported import GraphPrecision
from rsfuse.learn.export.halves import halve_weights
from rsfuse.learn.export.quantised import linear_layers, quantise_convolutions, save_with_linear_layers
from rsfuse.learn.export.tidying import tidy
from rsfuse_models import FusionNetwork, SharpeningNetwork
from rsfuse_models.layers.shares import shares

OPSET = 18
BATCH = "batch"
_EXAMPLES = 2  # patches that are traced; torch.export would keep a batch of 1 as a constant
_FOLDED = 1 << 24  # values of a constant that is worked out beforehand
_LOGGERS = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


class GraphInput(NamedTuple):
    """One input of a graph, float32 (batch, channels, height, width).

    Args:
        name: "optical" or "sar"; "pan" or "ms".
        channels: 0 for a sensor that is not there; the graph has no such input.
        height: in pixels.
        width: in pixels.
    """

    name: str
    channels: int
    height: int
    width: int


def write_graph(network: nn.Module, inputs: Sequence[GraphInput], path: Path, precision: GraphPrecision) -> int:
    """Write a network as a graph with a free batch.

    Land cover gives "scores" (logits) and "probabilities" (B, K, H, W), sharpening "sharp" (B, bands, H, W).

    Args:
        network: stays as it is.
        inputs: in the order that the network takes them.
        path: of the graph; weights of more than 2 GB go into a file beside it.
        precision: of the weights and of what is computed; inputs and outputs are float32 always.

    Returns:
        The version of ONNX's operators that the graph is written in.

    Raises:
        BundleError: if something in the network has no counterpart in ONNX.
    """
    present = [each for each in inputs if each.channels]
    wrapped = _wrapper(network)(copy.deepcopy(network).cpu().eval(), inputs, half=precision == "float16")
    examples = tuple(torch.zeros(_EXAMPLES, *each[1:]) for each in present)
    try:
        with _quiet(), torch.no_grad():
            graph = _traced(wrapped, examples, [each.name for each in present])
            _save(graph, path, quantised=precision == "int8")
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise BundleError(
            f"{type(network).__name__} cannot be written as a graph: {_reason(error)}",
            hint="predict with the bundle of torch; if an option of the network asks for it, train without it",
        ) from error
    return OPSET


def _traced(wrapped: _Wrapped, examples: tuple[Tensor, ...], names: list[str]) -> torch.onnx.ONNXProgram:
    program = torch.export.export(wrapped, examples, dynamic_shapes=(({0: torch.export.Dim.DYNAMIC},) * len(names),))
    _drop_checks(program)
    graph = torch.onnx.export(
        program,
        dynamo=True,
        opset_version=OPSET,
        input_names=names,
        output_names=wrapped.outputs,
        optimize=False,
        verbose=False,
    )
    assert graph is not None
    optimizer.optimize_ir(graph.model, num_iterations=1, input_size_limit=_FOLDED, output_size_limit=_FOLDED)
    halve_weights(graph.model)
    tidy(graph.model)
    for value in (*graph.model.graph.inputs, *graph.model.graph.outputs):
        assert value.shape is not None
        value.shape[0] = BATCH
    return graph


def _save(graph: torch.onnx.ONNXProgram, path: Path, *, quantised: bool) -> None:
    model = graph.model
    linear = linear_layers(model)
    ClearMetadataAndDocStringPass()(model)  # where each node was traced, with the paths of this machine
    if quantised:
        quantise_convolutions(model)
        RemoveUnusedNodesPass()(model)
        save_with_linear_layers(model, linear, path)
    else:
        graph.save(path)


def _drop_checks(program: torch.export.ExportedProgram) -> None:
    """Drop checks of types: under autocast, tracing and lowering differ on some operators, and the checks fail."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.find_nodes(
                op="call_function", target=torch.ops.aten._assert_tensor_metadata.default
            ):
                module.graph.erase_node(node)
            module.recompile()


class _Wrapped(nn.Module):
    """A network of the inputs that are there."""

    outputs: tuple[str, ...]

    def __init__(self, network: nn.Module, inputs: Sequence[GraphInput], *, half: bool) -> None:
        super().__init__()
        self.network = network
        self.inputs = tuple(inputs)
        self.autocast = half

    def _run(self, images: Sequence[Tensor]) -> Tensor:
        given = iter(images)
        every = [next(given) if each.channels else _nothing(each, images[0]) for each in self.inputs]
        with torch.autocast("cpu", torch.float16, enabled=self.autocast):
            result: Tensor = self.network(*every)
        return result.float()


class _LandCover(_Wrapped):
    outputs = "scores", "probabilities"

    def forward(self, *images: Tensor) -> tuple[Tensor, Tensor]:
        scores = self._run(images)
        return scores, shares(scores, 1)


class _Sharpening(_Wrapped):
    outputs = ("sharp",)

    def forward(self, *images: Tensor) -> Tensor:
        return self._run(images)


def _wrapper(network: nn.Module) -> type[_Wrapped]:
    if isinstance(network, FusionNetwork):
        return _LandCover
    if isinstance(network, SharpeningNetwork):
        return _Sharpening
    raise ValueError(f"{type(network).__name__} neither maps land cover nor sharpens")


def _nothing(each: GraphInput, like: Tensor) -> Tensor:
    """An image of no channels, as the networks take a sensor that is not there."""
    return like.new_zeros(like.shape[0], 0, each.height, each.width)


def _reason(error: BaseException) -> str:
    """The first line that says something of the innermost error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without warnings and messages of the exporter."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
