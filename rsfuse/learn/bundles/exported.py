"""What the manifest of an exported bundle says of its graph: how it was written, and how it compares with torch."""

from __future__ import annotations

from typing import Literal

from rsfuse.strict import Strict

GraphPrecision = Literal["float32", "float16", "int8"]


class Agreement(Strict):
    """How far two runtimes agree on the same patches."""

    samples: str
    """What was looked at, for people: a folder of tiles, a scene, or "noise"."""
    patches: int
    largest_error: float
    """Largest difference of a score (or sharpened value), over the largest magnitude of scores."""
    differing: float
    """Share of pixels of another class; of sharpened values, of those that differ by more than one digital number."""


class Exported(Strict):
    """A network as a graph for onnxruntime. Its patches have one size, `patch.size` of the manifest."""

    precision: GraphPrecision
    opset: int
    patch_bytes: int | None
    """Of tensors at the fullest moment of one patch, as torch counts them; None where that cannot be told."""
    agreement: Agreement
    """With torch in float32, measured before the export was finished."""
