"""Bundles: a trained network with everything that running it takes.

A folder with `bundle.yaml` (what it takes, what it gives, how well it did), `weights.safetensors` and `card.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rsfuse.errors import RecipeError
from rsfuse.learn.bundles.exported import Exported
from rsfuse.learn.bundles.files import (
    LAND_COVER,
    VERSION,
    BundleFolder,
    find_bundle,
    load_weights,
    read_manifest,
    write_bundle,
)
from rsfuse.learn.recipes.inputs import Inputs
from rsfuse.legend import Legend
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.strict import Strict

if TYPE_CHECKING:
    from torch import Tensor, nn

DEFAULT_BUNDLE = "sentinel-10m"
"""The one that ships for any scene."""


def default_bundle() -> str:
    """The one that ships for any scene; where torch is not installed, its graph."""
    return DEFAULT_BUNDLE if find_spec("torch") else f"{DEFAULT_BUNDLE}-onnx"


class PatchSize(Strict):
    """Side of a patch and its halo in pixels."""

    size: int
    halo: int


class BundleManifest(Strict):
    """What stands in `bundle.yaml`."""

    version: int = VERSION
    description: str
    network: dict[str, Any]
    inputs: Inputs
    statistics: SceneStatistics | None
    """Of the training tiles, where the scaling is fixed; None where each scene is scaled by its own."""
    without: tuple[Literal["optical", "sar"], ...] = ()
    """Sensors that a scene, or a part of it, may lack: in training each of them was left out now and then."""
    anchor: float = 0.0
    """How far `inputs.scaling.toward_median` was moved in training, up and down (`augmentation.anchor`)."""
    legend: dict[str, Any]
    patch: PatchSize
    gsd_m: float
    """Ground sample distance that the network was trained at, in metres."""
    trained_on: tuple[str, ...]
    scores: dict[str, float]
    """Of the kept weights on the validation tiles."""
    onnx: Exported | None = None
    """Of a bundle that was exported; None for weights of torch."""


@dataclass(frozen=True)
class Bundle(BundleFolder[BundleManifest]):
    """A trained network that maps land cover, and what running it takes.

    Args:
        folder: where it lies.
        manifest: what stands in `bundle.yaml`.
    """

    @classmethod
    def open(cls, bundle: str | Path = DEFAULT_BUNDLE) -> Bundle:
        """A bundle by the name it ships under, or by its folder.

        Raises:
            BundleError: if there is none, it is not for land cover, or it cannot be read.
        """
        folder = find_bundle(bundle)
        return cls(folder, read_manifest(folder, BundleManifest, LAND_COVER))

    @property
    def legend(self) -> Legend:
        """Classes of its maps, in the order of its scores."""
        return Legend.from_dict(self.manifest.legend)

    def network(self) -> nn.Module:
        """The network with its trained weights, ready to predict, on the CPU.

        Raises:
            BundleError: if the weights are missing or of another network.
        """
        from rsfuse_models.layers.pretrained import without_pretrained

        options = without_pretrained(self.manifest.network)  # they would be overwritten, or are not here
        return load_weights(self.folder, build_network(options, self.manifest.inputs, len(self.legend)))


def build_network(options: dict[str, Any], inputs: Inputs, classes: int) -> nn.Module:
    """The network that a recipe or bundle describes, with fresh weights.

    Raises:
        RecipeError: if the network cannot be built so.
    """
    from rsfuse_models import create_network

    check_weights(options)
    rest = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items() if key != "name"}
    channels = {"optical_channels": len(inputs.optical), "sar_channels": len(inputs.sar)}
    try:
        return create_network(options["name"], **channels, num_classes=classes, **rest)
    except ValueError as error:
        wrong, hint = _advised(str(error))
        raise RecipeError(f"network {options['name']!r} cannot be built: {wrong}", hint=hint) from error


def check_weights(options: Mapping[str, Any]) -> None:
    """Refuse options of a network that name a file of weights that is not there.

    Raises:
        RecipeError: naming the first.
    """
    from rsfuse_models.layers.pretrained import missing_weights

    for key, path in missing_weights(options).items():
        raise RecipeError(
            f"network {options['name']!r} is to start from {path}, and there is no such file of weights",
            hint=f"put the file there, or name another: --set network.{key}=FILE, or null for none",
        )


def _advised(message: str) -> tuple[str, str]:
    """What is wrong, and what to do; where weights are not at hand, the message ends in how to come by them."""
    wrong, _, advice = message.rpartition("; ")
    if wrong and "encoder_weights" in advice:
        return wrong, advice
    return message, "mend the recipe's network section, or --set it"


def save_bundle(
    folder: Path, manifest: BundleManifest, weights: dict[str, Tensor], *, storage: str, card: str
) -> Bundle:
    """Write a bundle.

    Args:
        folder: made if it is not there.
        manifest: what stands in `bundle.yaml`.
        weights: the network's state.
        storage: "float32" or "float16": precision of the weights on disk.
        card: Markdown for people.
    """
    write_bundle(folder, manifest, weights, storage=storage, card=card)
    return Bundle(folder, manifest)
