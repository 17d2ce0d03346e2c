"""Bundles: a trained network with everything that running it takes.

A folder with `bundle.yaml` (what it takes, what it gives, how well it did), `weights.safetensors` and `card.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from rsfuse.errors import BundleError, RecipeError
from rsfuse.learn.recipe import Inputs, describe
from rsfuse.legend import Legend
from rsfuse.raster.statistics import SceneStatistics
from rsfuse.shipped import bundles_folder

if TYPE_CHECKING:
    from torch import Tensor, nn

DEFAULT_BUNDLE = "sentinel-10m"
MANIFEST, WEIGHTS, CARD = "bundle.yaml", "weights.safetensors", "card.md"
VERSION = 1


class PatchSize(BaseModel):
    """Side of a patch and its halo in pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    size: int
    halo: int


class BundleManifest(BaseModel):
    """What stands in `bundle.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    version: int = VERSION
    description: str
    network: dict[str, Any]
    inputs: Inputs
    statistics: SceneStatistics | None
    """Of the training tiles, where the scaling is fixed; None where each scene is scaled by its own."""
    legend: dict[str, Any]
    patch: PatchSize
    gsd_m: float
    """Ground sample distance that the network was trained at, in metres."""
    trained_on: tuple[str, ...]
    scores: dict[str, float]
    """Of the kept weights on the validation tiles."""


@dataclass(frozen=True)
class Bundle:
    """A trained network and what running it takes.

    Args:
        folder: where it lies.
        manifest: what stands in `bundle.yaml`.
    """

    folder: Path
    manifest: BundleManifest

    @classmethod
    def open(cls, bundle: str | Path = DEFAULT_BUNDLE) -> Bundle:
        """A bundle by the name it ships under, or by its folder.

        Raises:
            BundleError: if there is none, or it cannot be read.
        """
        folder = find_bundle(bundle)
        try:
            data = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
            manifest = BundleManifest.model_validate(data)
        except ValidationError as error:
            raise BundleError(f"{folder / MANIFEST}: {describe(error)}", hint="train the bundle anew") from error
        except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
            raise BundleError(f"{folder / MANIFEST} cannot be read: {error}", hint="copy the bundle anew") from error
        if manifest.version != VERSION:
            raise BundleError(
                f"{folder} is a bundle of version {manifest.version}, this rsfuse reads version {VERSION}",
                hint="update rsfuse: pip install --upgrade rsfuse",
            )
        return cls(folder, manifest)

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def legend(self) -> Legend:
        """Classes of its maps, in the order of its scores."""
        return Legend.from_dict(self.manifest.legend)

    @property
    def card(self) -> str:
        """What a person should know before trusting its maps, in Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8").rstrip()

    def network(self) -> nn.Module:
        """The network with its trained weights, ready to predict, on the CPU.

        Raises:
            BundleError: if the weights are missing or of another network.
        """
        import torch
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        network = build_network(self.manifest.network, self.manifest.inputs, len(self.legend))
        try:
            weights = load_file(self.folder / WEIGHTS)
            network.load_state_dict({name: _with_dtype(weight, torch.float32) for name, weight in weights.items()})
        except (OSError, SafetensorError, RuntimeError) as error:
            raise BundleError(
                f"{self.folder / WEIGHTS} cannot be loaded: {str(error).splitlines()[0]}", hint="copy the bundle anew"
            ) from error
        return network.eval()


def build_network(options: dict[str, Any], inputs: Inputs, classes: int) -> nn.Module:
    """The network that a recipe or bundle describes, with fresh weights.

    Raises:
        RecipeError: if the network cannot be built so.
    """
    from rsfuse_models import create_network

    rest = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items() if key != "name"}
    channels = {"optical_channels": len(inputs.optical), "sar_channels": len(inputs.sar)}
    try:
        return create_network(options["name"], **channels, num_classes=classes, **rest)
    except ValueError as error:
        raise RecipeError(
            f"network {options['name']!r} cannot be built: {error}",
            hint="mend the recipe's network section, or --set it",
        ) from error


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
    import torch
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, storage)
    stored = {name: _with_dtype(weight.detach().cpu(), dtype).contiguous() for name, weight in weights.items()}
    (folder / WEIGHTS).write_bytes(save(stored))  # save_file would leave a file that its owner alone can read
    text = yaml.safe_dump(manifest.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / CARD).write_text(card, encoding="utf-8")
    (folder / MANIFEST).write_text(text, encoding="utf-8")  # last: a folder without it is no bundle
    return Bundle(folder, manifest)


def bundle_names() -> list[str]:
    """Names of the bundles that ship."""
    return sorted(path.parent.name for path in bundles_folder().glob(f"*/{MANIFEST}"))


def find_bundle(bundle: str | Path) -> Path:
    """Folder of a bundle given by name or folder.

    Raises:
        BundleError: if there is none.
    """
    for folder in (Path(bundle), bundles_folder() / bundle):
        if (folder / MANIFEST).is_file():
            return folder
    raise BundleError(
        f"there is no bundle {str(bundle)!r}",
        hint=f"choose one of: {', '.join(bundle_names())}; or name a folder that `rsfuse train` made",
    )


def _with_dtype(weight: Tensor, dtype: Any) -> Tensor:
    """Floats in the given precision; counters as they are."""
    return weight.to(dtype) if weight.is_floating_point() else weight
