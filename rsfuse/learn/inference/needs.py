"""What a prediction needs of memory, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from rsfuse.errors import SceneError
from rsfuse.geometry.plan import Plan
from rsfuse.learn.inference.predictor import Predictor
from rsfuse.learn.inference.rows import ring_rows
from rsfuse.raster.map_layer import BLOCK, Layer

_FLOAT = 4
_STEP = 256 * 10**6  # a run that goes on with another comes to the same batch
_CACHE = 256 * 2**20  # GDAL's, see rsfuse.raster.opening


@dataclass(frozen=True)
class Needs:
    """Bytes, by what they are for.

    Args:
        process: what is taken already: the program and the weights.
        rows: of the scene, scaled, and of GDAL's cache.
        stitching: sums of probabilities.
        network: one batch on its way through the network that takes most; 0 where that cannot be told.
        writing: rows of blocks of the map.
    """

    process: int
    rows: int
    stitching: int
    network: int
    writing: int

    @property
    def total(self) -> int:
        """All of them together; on a GPU the network and the stitching are the device's."""
        return self.process + self.rows + self.stitching + self.network + self.writing


def needs(
    plan: Plan, predictors: Sequence[Predictor], layers: Sequence[Layer], *, batch: int, block: tuple[int, int]
) -> Needs:
    """What a prediction needs at most.

    Args:
        plan: the patches.
        predictors: the networks.
        layers: of the map.
        batch: patches that go through a network together.
        block: rows and columns of the blocks in which the scene is stored.
    """
    width = plan.lefts[-1] + plan.size[1] - plan.lefts[0]
    wanted = plan.columns[1] - plan.columns[0]
    bands = sum(len(inputs.optical) + len(inputs.sar) for each in predictors for inputs in each.inputs)
    classes = len(predictors[0].bundle.legend)
    layer_bytes = sum(len(each.bands) * (2 if each.dtype == "float16" else 1) for each in layers)
    return Needs(
        process=-(-psutil.Process().memory_info().rss // _STEP) * _STEP,
        rows=(bands * _FLOAT + 1) * ring_rows(plan, block) * width + _CACHE,
        stitching=classes * _FLOAT * min(plan.size[0], plan.rows[1] - plan.rows[0]) * wanted,
        network=max(each.pass_bytes(plan.size, batch) or 0 for each in predictors),
        # a block that fills, the strip before it and what a file is packed from
        writing=3 * layer_bytes * min(BLOCK, plan.rows[1] - plan.rows[0]) * wanted,
    )


def largest_batch(
    plan: Plan,
    predictors: Sequence[Predictor],
    layers: Sequence[Layer],
    *,
    most: int,
    block: tuple[int, int],
    budget: int,
) -> int:
    """The largest batch, halved from `most`, whose needs fit a budget in bytes.

    Raises:
        SceneError: if one patch at a time does not.
    """
    found = None
    while most:
        found = needs(plan, predictors, layers, batch=most, block=block)
        if found.total <= budget:
            return most
        most //= 2
    assert found is not None
    raise SceneError(
        f"{budget / 1e6:,.0f} MB do not suffice for a map {plan.columns[1] - plan.columns[0]} px wide: "
        f"{found.total / 1e6:,.0f} MB are needed ({found.process / 1e6:,.0f} for the program, "
        f"{found.rows / 1e6:,.0f} for rows of the scene, {found.stitching / 1e6:,.0f} for stitching, "
        f"{found.network / 1e6:,.0f} for the network, {found.writing / 1e6:,.0f} for writing)",
        hint="give it more, or map the scene in narrower parts: --crop",
    )


def check_whole(plan: Plan, predictors: Sequence[Predictor], most: int | None = None) -> None:
    """Refuse an image that a network cannot see at once on its device.

    Args:
        plan: of one patch, the image.
        predictors: the networks.
        most: bytes that the process may take; None for all that are free.

    Raises:
        SceneError: naming the largest side that fits.
    """
    for predictor in predictors:
        needed, free = predictor.pass_bytes(plan.size, 1) or 0, predictor.free_bytes()
        where = f"are free on {predictor.device}"
        if most is not None and (left := max(0, most - psutil.Process().memory_info().rss)) < free:
            free, where = left, f"are left of the {most / 1e9:.1f} GB that it may take"
        if needed <= free:
            continue
        side, (height, width) = predictor.largest_side(free), plan.size
        raise SceneError(
            f"{height} x {width} px at once need about {needed / 1e9:.1f} GB with bundle {predictor.bundle.name}, "
            f"{free / 1e9:.1f} GB {where}",
            hint=f"the largest square that fits is {side} px wide: leave out --whole, or map parts with --crop",
        )
