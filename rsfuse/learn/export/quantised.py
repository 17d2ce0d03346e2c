"""Weights as whole numbers of 8 bits: a quarter of the file.

Convolutions keep their arithmetic: onnxruntime's with whole numbers take about twice the time on a CPU, and blur the
scores by a few percent. Their weights become floats again when the graph is loaded. Linear layers are quantised
dynamically: each input gets a scale of its own when the graph runs, and whole numbers are multiplied.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from onnxruntime.quantization import QuantType, quantize_dynamic

LEVELS = 127  # on either side of 0
CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})
PRODUCTS = ["MatMul", "Gemm"]
_LEARNT = "aten.linear"  # other products are transforms of maps, which need every digit
_EXACT = "SelectiveScan"  # what its products give is summed up over a whole path, with their errors


def linear_layers(model: ir.Model) -> list[str]:
    """Names of the nodes that may be quantised dynamically; asks what the exporter noted of where they come from."""
    return [
        str(node.name)
        for node in model.graph
        if node.op_type in PRODUCTS and _LEARNT in _origin(node) and _EXACT not in _origin(node)
    ]


def quantise_convolutions(model: ir.Model) -> None:
    """Store the weights of convolutions in 8 bits, with one scale for each channel that comes out."""
    for node in list(model.graph):
        if node.op_type not in CONVOLUTIONS:
            continue
        weight = node.inputs[1]
        if weight is not None and weight.const_value is not None and weight.dtype == ir.DataType.FLOAT:
            channels_out = 0 if node.op_type == "Conv" else 1
            node.replace_input_with(1, _restored(weight, channels_out, node, model.graph))


def save_with_linear_layers(model: ir.Model, names: list[str], path: Path) -> None:
    """Write a graph whose linear layers of these names are quantised dynamically."""
    proto = ir.to_proto(model)
    del proto.graph.value_info[:]  # quantising transposes weights, and trips over notes of their shapes
    if not names:
        onnx.save(proto, path)
        return
    root, level = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)  # it advises, through the root logger, to prepare a graph that is prepared
    try:
        quantize_dynamic(
            proto,
            path,
            op_types_to_quantize=PRODUCTS,
            nodes_to_quantize=names,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
    finally:
        root.setLevel(level)


def _restored(weight: ir.Value, channels_out: int, node: ir.Node, graph: ir.Graph) -> ir.Value:
    """Nodes that make floats of 8 bits: constants, so that they run once, when the graph is loaded."""
    assert weight.const_value is not None
    values = weight.const_value.numpy()
    others = tuple(axis for axis in range(values.ndim) if axis != channels_out)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), np.finfo(np.float32).tiny) / LEVELS
    levels, scales = (
        ir.val(name, const_value=ir.tensor(array, name=name))
        for name, array in (
            (f"{weight.name}_levels", np.rint(values / scale).astype(np.int8)),
            (f"{weight.name}_scales", scale.astype(np.float32)),
        )
    )
    for value in (levels, scales):
        graph.initializers.setdefault(str(value.name), value)
    cast = ir.node("Cast", [graph.initializers[str(levels.name)]], {"to": ir.DataType.FLOAT})
    scaled = ir.node("Mul", [cast.outputs[0], graph.initializers[str(scales.name)]])
    graph.insert_before(node, [cast, scaled])
    return scaled.outputs[0]


def _origin(node: ir.Node) -> str:
    return node.metadata_props.get("pkg.torch.onnx.class_hierarchy", "")
