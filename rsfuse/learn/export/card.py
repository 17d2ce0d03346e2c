"""What the card of an exported bundle says beside what it said before."""

from __future__ import annotations

from rsfuse.learn.bundles.exported import Exported


def exported_card(card: str, exported: Exported, side: int, *, maps: bool) -> str:
    """A card with a section on the graph.

    Args:
        card: of the bundle that was exported, in Markdown.
        exported: see there.
        side: of a patch in pixels.
        maps: whether the network maps land cover; else it sharpens.
    """
    agreement = exported.agreement
    number, differs = ("score", "pixels of another class") if maps else ("number", "numbers that differ by more than 1")
    return f"""{card}

## Exported for onnxruntime

| | |
|---|---|
| precision | {exported.precision} |
| patch | {side} x {side} px, no other; any number of them at once |
| operators | ONNX opset {exported.opset} |
| compared with torch in float32 on | {agreement.patches} patches: {agreement.samples} |
| largest error of a {number} | {agreement.largest_error:.1e} of the largest |
| {differs} | {agreement.differing:.4%} |
"""
