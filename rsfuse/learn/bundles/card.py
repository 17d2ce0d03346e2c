"""The card of a bundle: what a person should know before trusting its maps."""

from __future__ import annotations

import math

from rsfuse.learn.bundles.land_cover import BundleManifest
from rsfuse.learn.recipes.inputs import Inputs, PercentileScaling
from rsfuse.legend import Legend


def bundle_card(name: str, manifest: BundleManifest) -> str:
    """Markdown that says what goes in, what comes out, what it learnt from and how well."""
    inputs, legend = manifest.inputs, Legend.from_dict(manifest.legend)
    scores = ", ".join(f"{key} {value:.4f}" for key, value in manifest.scores.items())
    gsd = "not known" if math.isnan(manifest.gsd_m) else f"{manifest.gsd_m:g} m"
    classes = "\n".join(f"| {each.code} | {each.name} |" for each in legend)
    return f"""# {name}

{manifest.description.strip()}

| | |
|---|---|
| network | {manifest.network["name"]} |
| optical bands | {", ".join(inputs.optical)} |
| SAR bands | {", ".join(inputs.sar) or "none"} |
| sensors used | {inputs.sensors} |
| scaling | {_scaling(inputs)} |
| ground sample distance | {gsd} |
| patch | {manifest.patch.size} px, halo {manifest.patch.halo} px |
| trained on | {", ".join(manifest.trained_on)} |
| validation tiles | {scores} |

| code | class |
|---|---|
{classes}

The scores above are of tiles that chose the weights: they are not a test.
They compare with the labels, whatever those are.
"""


def _scaling(inputs: Inputs) -> str:
    scaling = inputs.scaling
    if isinstance(scaling, PercentileScaling):
        toward = f" ({scaling.toward_median:.0%} of the way to the median)" if scaling.toward_median else ""
        return f"{scaling.kind}, {scaling.low}{toward} to {scaling.high} %"
    return f"{scaling.kind}: mean and standard deviation, published or of the training tiles"
