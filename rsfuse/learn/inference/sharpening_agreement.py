"""Whether a pair of rasters is one that a bundle can sharpen, before any work is done."""

from __future__ import annotations

import logging

import numpy as np
from rasterio.windows import Window

from rsfuse.errors import BundleError
from rsfuse.geometry.plan import Plan, spread
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.raster.sharpening.scene import PanMsScene

_log = logging.getLogger(__name__)

BEYOND = 1.5
"""What exceeds the largest number of the bundle's sensor so many times is of another sensor, or of another unit."""
DARK = 1 / 20
"""No scene is so dark that its largest number is less of the sensor's; reflectances are."""

_LOOKS = 8  # along each axis: 64 patches at most
_OTHERWISE = "choose a bundle of this sensor: rsfuse bundles; or a method that needs none: --method gsa"


def agree_to_sharpen(scene: PanMsScene, bundle: SharpeningBundle, plan: Plan) -> None:
    """Refuse a scene that the bundle cannot sharpen; warn of one that it was not made for.

    Args:
        scene: looked at in some patches.
        bundle: the network's.
        plan: the patches.

    Raises:
        BundleError: if the number of bands, the ratio or the range of digital numbers is another.
        SceneError: if a file is truncated or damaged.
    """
    manifest, takes = bundle.manifest, bundle.manifest.inputs.ms
    if len(scene.bands) != len(takes):
        raise BundleError(
            f"{len(scene.bands)} band(s) of the multispectral raster are read ({', '.join(scene.bands)}), "
            f"bundle {bundle.name} sharpens {len(takes)} ({', '.join(takes)})",
            hint=f"say which bands these are, if they are there: --ms-bands; or {_OTHERWISE}",
        )
    if scene.ratio != manifest.ratio:
        raise BundleError(
            f"a multispectral pixel of the scene is {scene.ratio} x {scene.ratio} panchromatic ones, "
            f"bundle {bundle.name} was trained at {manifest.ratio} x {manifest.ratio}",
            hint=_OTHERWISE,
        )
    _check_numbers(scene, bundle, plan)


def _check_numbers(scene: PanMsScene, bundle: SharpeningBundle, plan: Plan) -> None:
    maximum, dtype = bundle.manifest.maximum, np.dtype(scene.dtype)
    taught = f"bundle {bundle.name} was taught with numbers up to {maximum}"
    if dtype.kind in "iu" and np.iinfo(dtype).max < maximum:
        raise BundleError(
            f"the multispectral raster is {scene.dtype}, which holds numbers up to {np.iinfo(dtype).max}; {taught}",
            hint=f"give the raster as the sensor recorded it, not stretched for display; or {_OTHERWISE}",
        )
    found = _largest(scene, plan)
    if found > BEYOND * maximum:
        raise BundleError(f"the scene has numbers up to {found:g}; {taught}", hint=_OTHERWISE)
    if 0 < found < DARK * maximum:
        _log.warning("the largest number found in the scene is %g; %s: expect a poor image", found, taught)


def _largest(scene: PanMsScene, plan: Plan) -> float:
    """Largest digital number of both rasters in patches spread evenly over the scene; 0 if none of them has data."""
    largest = 0.0
    for top in spread(plan.tops, _LOOKS):
        for left in spread(plan.lefts, _LOOKS):
            sample = scene.read(Window(left, top, plan.size[1], plan.size[0]))
            if sample.valid.any():
                largest = max(largest, float(sample.pan.max()), float(sample.ms.max()))
    return largest
