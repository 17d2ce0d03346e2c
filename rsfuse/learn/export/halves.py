"""Weights in half precision where a graph computes so."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

ONE_TYPE = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "LayerNormalization", "InstanceNormalization"})
"""Operators whose inputs are all of one type. Autocast leaves some weights in float32, for torch may mix them."""


def halve_weights(model: ir.Model) -> None:
    """Give weights the type of the features that they meet."""
    for node in model.graph:
        if node.op_type in ONE_TYPE and _dtype(node.inputs[0]) == ir.DataType.FLOAT16:
            for place, weight in enumerate(node.inputs):
                if _dtype(weight) == ir.DataType.FLOAT and weight is not None and weight.is_initializer():
                    node.replace_input_with(place, _half(weight, model.graph))


def _dtype(value: ir.Value | None) -> ir.DataType | None:
    return None if value is None else value.dtype


def _half(weight: ir.Value, graph: ir.Graph) -> ir.Value:
    name = f"{weight.name}_half"
    if name not in graph.initializers:
        assert weight.const_value is not None
        values = weight.const_value.numpy().astype(np.float16)
        graph.register_initializer(ir.val(name, const_value=ir.tensor(values, name=name)))
    return graph.initializers[name]
