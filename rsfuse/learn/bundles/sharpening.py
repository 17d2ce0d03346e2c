"""Bundles of networks that sharpen: files and names are those of other bundles, what stands in the manifest is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rsfuse.errors import RecipeError
from rsfuse.learn.bundles.exported import Exported
from rsfuse.learn.bundles.files import (
    SHARPENING,
    VERSION,
    BundleFolder,
    bundle_kind,
    bundle_names,
    find_bundle,
    load_weights,
    read_manifest,
    write_bundle,
)
from rsfuse.learn.bundles.land_cover import Bundle, PatchSize
from rsfuse.learn.recipes.inputs import SettledInputs
from rsfuse.strict import Strict

if TYPE_CHECKING:
    from torch import Tensor, nn


class SharpeningManifest(Strict):
    """What stands in `bundle.yaml` of a network that sharpens."""

    version: int = VERSION
    kind: Literal["sharpening"] = "sharpening"
    description: str
    network: dict[str, Any]
    inputs: SettledInputs
    ratio: int
    """Panchromatic pixels along the side of a multispectral one."""
    maximum: int
    """Largest digital number of the sensor; `inputs.divisor` is what the network was taught with."""
    patch: PatchSize
    """In panchromatic pixels."""
    sensors: tuple[str, ...]
    """Codes of the sensors that it was trained on, such as "wv3"."""
    trained_on: tuple[str, ...]
    scores: dict[str, float]
    """Of the kept weights on the validation patches."""
    onnx: Exported | None = None
    """Of a bundle that was exported; None for weights of torch."""


@dataclass(frozen=True)
class SharpeningBundle(BundleFolder[SharpeningManifest]):
    """A trained network that sharpens, and what running it takes.

    Args:
        folder: where it lies.
        manifest: what stands in `bundle.yaml`.
    """

    @classmethod
    def open(cls, bundle: str | Path) -> SharpeningBundle:
        """A bundle by the name it ships under, or by its folder.

        Raises:
            BundleError: if there is none, it is not for sharpening, or it cannot be read.
        """
        folder = find_bundle(bundle)
        return cls(folder, read_manifest(folder, SharpeningManifest, SHARPENING))

    def network(self) -> nn.Module:
        """The network with its trained weights, ready to sharpen, on the CPU.

        Raises:
            BundleError: if the weights are missing or of another network.
        """
        manifest = self.manifest
        return load_weights(self.folder, build_sharpener(manifest.network, len(manifest.inputs.ms), manifest.ratio))


def open_any_bundle(bundle: str | Path) -> Bundle | SharpeningBundle:
    """A bundle for land cover or for sharpening, by the name it ships under or by its folder.

    Raises:
        BundleError: if there is none, or it cannot be read.
    """
    sharpens = bundle_kind(find_bundle(bundle)) == SHARPENING
    return SharpeningBundle.open(bundle) if sharpens else Bundle.open(bundle)


def shipped_for(sensor: str, bands: int, ratio: int) -> SharpeningBundle | None:
    """The first bundle that ships and was trained on a sensor, for so many bands at a ratio; None if there is none."""
    for name in bundle_names():
        bundle = open_any_bundle(name)
        if isinstance(bundle, SharpeningBundle):
            manifest = bundle.manifest
            if sensor in manifest.sensors and (len(manifest.inputs.ms), manifest.ratio) == (bands, ratio):
                return bundle
    return None


def build_sharpener(options: dict[str, Any], bands: int, ratio: int) -> nn.Module:
    """The network that a recipe or bundle describes, with fresh weights.

    Raises:
        RecipeError: if the network cannot be built so.
    """
    from rsfuse_models import create_sharpener

    own = {key: value for key, value in options.items() if key not in {"name", "ratio"}}
    try:
        return create_sharpener(options["name"], bands=bands, ratio=ratio, **own)
    except ValueError as error:
        raise RecipeError(
            f"network {options['name']!r} cannot be built: {error}",
            hint="mend the recipe's network section, or --set it",
        ) from error


def save_sharpening_bundle(
    folder: Path, manifest: SharpeningManifest, weights: dict[str, Tensor], *, storage: str
) -> SharpeningBundle:
    """Write a bundle and its card.

    Args:
        folder: made if it is not there.
        manifest: what stands in `bundle.yaml`.
        weights: the network's state.
        storage: "float32" or "float16": precision of the weights on disk.
    """
    write_bundle(folder, manifest, weights, storage=storage, card=sharpening_card(folder.name, manifest))
    return SharpeningBundle(folder, manifest)


def sharpening_card(name: str, manifest: SharpeningManifest) -> str:
    """Markdown that says what goes in, what comes out, what it learnt from and how well."""
    scores = ", ".join(f"{key} {value:.4f}" for key, value in manifest.scores.items())
    divisor, maximum = manifest.inputs.divisor, manifest.maximum
    unlike = "" if divisor == maximum else f"; the sensor's largest is {maximum}"
    return f"""# {name}

{manifest.description.strip()}

| | |
|---|---|
| network | {manifest.network["name"]} |
| panchromatic pixels | {manifest.ratio} x {manifest.ratio} in a multispectral one |
| multispectral bands | {", ".join(manifest.inputs.ms)} |
| digital numbers are divided by | {divisor:g}{unlike} |
| patch | {manifest.patch.size} panchromatic px, halo {manifest.patch.halo} px |
| trained on | {", ".join(manifest.trained_on)} |
| validation patches | {scores} |

ERGAS and SAM (degrees) are best at 0, a higher PSNR (dB) is better; each is a mean over the patches it is defined for.
The scores above are of patches that chose the weights, at reduced resolution: they are not a test.
"""
