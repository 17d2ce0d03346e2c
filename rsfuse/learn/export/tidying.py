"""What onnxruntime runs faster in another spelling: enlargements, above all those that its blocked layout knows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass


def tidy(model: ir.Model) -> None:
    """Respell what the exporter writes slowly. Each change leaves the values as they are."""
    for node in model.graph:
        if node.op_type == "Resize":
            _tidy_resize(node)
    for node in model.graph:
        for value in node.outputs:
            if not value.is_graph_output():
                value.shape = None  # the exporter's notes, some of which are wrong; onnxruntime works them out itself
    RemoveUnusedNodesPass()(model)


def _tidy_resize(node: ir.Node) -> None:
    before, after = _sides(node.inputs[0]), _sides(node.outputs[0])
    if before is None or after is None:
        return
    mode = node.attributes.get("coordinate_transformation_mode")
    if mode is not None and mode.as_string() == "pytorch_half_pixel" and min(after) > 1:
        # they differ where one pixel comes out, and onnxruntime has a fast way for this one alone
        node.attributes.add(ir.AttrString("coordinate_transformation_mode", "half_pixel"))
    if all(large % small == 0 for small, large in zip(before, after, strict=True)):
        _enlarge(node, [large // small for small, large in zip(before, after, strict=True)])


def _enlarge(node: ir.Node, factors: list[int]) -> None:
    """Constant factors in place of a size that has the batch in it."""
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    name = f"factors_{'_'.join(map(str, factors))}"
    if name not in graph.initializers:
        tensor = ir.tensor(np.array([1, 1, *factors], dtype=np.float32), name=name)
        graph.register_initializer(ir.val(name, const_value=tensor))
    node.resize_inputs(3)
    node.replace_input_with(2, graph.initializers[name])


def _sides(value: ir.Value | None) -> list[int] | None:
    """H and W of (B, C, H, W), where they are known."""
    if value is None or value.shape is None or len(value.shape) != 4:
        return None
    sides = [side for side in value.shape[2:] if isinstance(side, int)]
    return sides if len(sides) == 2 else None
