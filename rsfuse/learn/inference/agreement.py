"""Whether a scene is one that bundles can map, before any work is done."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from rsfuse.errors import BundleError
from rsfuse.geometry.plan import Plan
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.inference.predictor import Predictor, SharpeningPredictor
from rsfuse.raster.scene import Scene

_log = logging.getLogger(__name__)

LARGEST_GSD_RATIO = 1.5
"""Beyond this, things look so much larger or smaller than in training that the map is not to be trusted."""


def agree(scene: Scene, bundle: Bundle) -> None:
    """Refuse a scene that the bundle cannot read; warn of one that it was not made for.

    Raises:
        BundleError: if the number of bands differs.
    """
    inputs, without = bundle.manifest.inputs, bundle.manifest.without
    for sensor, has, takes in (("optical", scene.optical_bands, inputs.optical), ("SAR", scene.sar_bands, inputs.sar)):
        if has and len(has) != len(takes):
            numbers = ",".join(str(number) for number in range(1, len(takes) + 1))
            advice = f"say which bands these are: --{sensor.lower()}-bands {numbers}" if takes else "leave --sar out"
            raise BundleError(
                f"the {sensor} raster has {len(has)} bands ({', '.join(has)}), "
                f"bundle {bundle.name} takes {len(takes)} ({', '.join(takes)})",
                hint=f"{advice}; or choose another bundle: rsfuse bundles",
            )
        if takes and not has and sensor.lower() not in without:
            raise BundleError(
                f"there is no {sensor} raster, and bundle {bundle.name} was never trained without one",
                hint=f"add the {sensor} raster, or choose a bundle whose training left it out now and then "
                f"(augmentation.drop_{sensor.lower()} in its recipe)",
            )
        if takes and not has and inputs.sensors == "both":
            _log.warning("no %s: bundle %s does without it, but its map will be worse", sensor, bundle.name)
    trained, here = bundle.manifest.gsd_m, scene.gsd_m
    if trained > 0 and here > 0 and max(trained / here, here / trained) > LARGEST_GSD_RATIO:
        _log.warning(
            "a pixel of the scene is %.3g m, bundle %s was trained at %.3g m: expect a poor map; "
            "resample the scene to about %.3g m first",
            *(here, bundle.name, trained, trained),
        )


def agree_together(bundles: Sequence[Bundle]) -> None:
    """Refuse bundles whose probabilities cannot be averaged.

    Raises:
        BundleError: if they do not map the same classes.
    """
    first = bundles[0]
    for other in bundles[1:]:
        if (other.legend.codes, other.legend.names) != (first.legend.codes, first.legend.names):
            raise BundleError(
                f"bundle {first.name} maps {first.legend}, bundle {other.name} {other.legend}: they cannot be averaged",
                hint="name bundles of the same classes",
            )


def check_patches(plan: Plan, predictors: Sequence[Predictor | SharpeningPredictor]) -> None:
    """Refuse patches that a network does not take.

    Raises:
        BundleError: if one was exported for patches of another size.
    """
    for each in predictors:
        if each.patch is not None and plan.size != (each.patch, each.patch):
            raise BundleError(
                f"bundle {each.bundle.name} was exported for patches of {each.patch} x {each.patch} px, "
                f"these are {plan.size[0]} x {plan.size[1]} px",
                hint=f"export it once more for these: rsfuse export BUNDLE -o DIR --patch {max(plan.size)}; "
                "or run the bundle that it was exported from",
            )
