"""What goes into the graph of a bundle: names and shapes."""

from __future__ import annotations

import math

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.land_cover import Bundle, PatchSize
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.export.graph import GraphInput


def graph_patch(bundle: Bundle | SharpeningBundle, side: int | None) -> PatchSize:
    """Side and halo of the patches of a graph.

    Args:
        bundle: whose halo stays.
        side: that is wished for, in pixels; None for the bundle's. It is rounded up to whole multispectral pixels.

    Raises:
        BundleError: if nothing of a patch is left between its two halos.
    """
    patch, ratio = bundle.manifest.patch, _ratio(bundle)
    size = math.ceil((side or patch.size) / ratio) * ratio
    if size <= 2 * patch.halo:
        raise BundleError(
            f"bundle {bundle.name} has a halo of {patch.halo} px on each side, which leaves nothing of {size} px",
            hint=f"choose --patch {2 * patch.halo + ratio} or larger; the bundle's own is {patch.size}",
        )
    return PatchSize(size=size, halo=patch.halo)


def graph_inputs(bundle: Bundle | SharpeningBundle, side: int) -> tuple[GraphInput, GraphInput]:
    """Both inputs of the network, for patches of a side that is one of `graph_patch`."""
    coarse = side // _ratio(bundle)
    if isinstance(bundle, SharpeningBundle):
        return GraphInput("pan", 1, side, side), GraphInput("ms", len(bundle.manifest.inputs.ms), coarse, coarse)
    inputs = bundle.manifest.inputs
    return GraphInput("optical", len(inputs.optical), side, side), GraphInput("sar", len(inputs.sar), side, side)


def _ratio(bundle: Bundle | SharpeningBundle) -> int:
    """Pixels of the first input along the side of one of the second."""
    return bundle.manifest.ratio if isinstance(bundle, SharpeningBundle) else 1
