"""The files of a bundle, whatever its network does: found, read and written.

A folder with `bundle.yaml` (what it takes, what it gives, how well it did), `weights.safetensors` and `card.md`; in one
that was exported `network.onnx` instead of the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import yaml
from pydantic import BaseModel

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.exported import Exported
from rsfuse.shipped import bundles_folder
from rsfuse.strict import checked, read_mapping

if TYPE_CHECKING:
    from torch import Tensor, nn

MANIFEST, WEIGHTS, GRAPH, CARD = "bundle.yaml", "weights.safetensors", "network.onnx", "card.md"
VERSION = 1
LAND_COVER, SHARPENING = "land cover", "sharpening"
"""What networks of bundles are for; a manifest that does not say is of land cover."""


Manifest = TypeVar("Manifest", bound=BaseModel)


class Described(Protocol):
    """A manifest, as far as all of them say the same."""

    @property
    def onnx(self) -> Exported | None:
        """Of a bundle that was exported; None for weights of torch."""


DescribedT = TypeVar("DescribedT", bound=Described)


@dataclass(frozen=True)
class BundleFolder(Generic[DescribedT]):
    """A trained network, and what running it takes, whatever it does.

    Args:
        folder: where it lies.
        manifest: what stands in `bundle.yaml`.
    """

    folder: Path
    manifest: DescribedT

    @property
    def name(self) -> str:
        """Name of its folder."""
        return self.folder.name

    @property
    def weights(self) -> Path:
        """The file that its network is in."""
        return self.folder / (WEIGHTS if self.manifest.onnx is None else GRAPH)

    @property
    def card(self) -> str:
        """What a person should know before trusting what it gives, in Markdown."""
        return (self.folder / CARD).read_text(encoding="utf-8").rstrip()


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
    is_there = Path(bundle).exists()
    raise BundleError(
        f"{bundle} is no bundle: it has no {MANIFEST}" if is_there else f"there is no bundle {str(bundle)!r}",
        hint=f"choose one of: {', '.join(bundle_names())}; or name a folder that rsfuse train or rsfuse export made",
    )


def bundle_kind(folder: Path) -> str:
    """What the network of a bundle is for, as its manifest says.

    Raises:
        BundleError: if the manifest cannot be read.
    """
    return _kind_of(read_mapping(folder / MANIFEST, BundleError, "copy the bundle anew"))


def read_manifest(folder: Path, schema: type[Manifest], kind: str) -> Manifest:
    """What stands in `bundle.yaml`.

    Args:
        folder: of the bundle.
        schema: what may stand there.
        kind: what the network has to be for.

    Raises:
        BundleError: if it is for something else, cannot be read, or is of another version.
    """
    data = read_mapping(folder / MANIFEST, BundleError, "copy the bundle anew")
    if _kind_of(data) != kind:
        raise BundleError(
            f"{folder} is a bundle for {_kind_of(data)}, one for {kind} is needed here",
            hint=f"name a bundle for {kind}; `rsfuse bundles` lists ours",
        )
    version = data.get("version", VERSION)
    if version != VERSION:
        raise BundleError(
            f"{folder} is a bundle of version {version}, this rsfuse reads version {VERSION}",
            hint="update rsfuse: pip install --upgrade rsfuse",
        )
    return checked(schema, data, str(folder / MANIFEST), kind=BundleError, hint="train the bundle anew")


def load_weights(folder: Path, network: nn.Module) -> nn.Module:
    """The network with the trained weights of a bundle, ready to predict.

    Raises:
        BundleError: if the weights are missing or of another network, or the bundle is an exported one.
    """
    if (folder / GRAPH).is_file() and not (folder / WEIGHTS).is_file():
        raise BundleError(
            f"{folder} is an exported bundle: it has a graph, and no weights for torch",
            hint="name the bundle that it was exported from",
        )
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights = load_file(folder / WEIGHTS)
        network.load_state_dict({name: _with_dtype(weight, torch.float32) for name, weight in weights.items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise BundleError(
            f"{folder / WEIGHTS} cannot be loaded: {str(error).splitlines()[0]}", hint="copy the bundle anew"
        ) from error
    return network.eval()


def write_bundle(folder: Path, manifest: BaseModel, weights: dict[str, Tensor], *, storage: str, card: str) -> None:
    """Write the files of a bundle.

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
    (folder / MANIFEST).unlink(missing_ok=True)  # an older bundle's, which would speak for the new weights
    dtype = getattr(torch, storage)
    stored = {name: _with_dtype(weight.detach().cpu(), dtype).contiguous() for name, weight in weights.items()}
    (folder / WEIGHTS).write_bytes(save(stored))  # save_file would leave a file that its owner alone can read
    describe(folder, manifest, card)


def describe(folder: Path, manifest: BaseModel, card: str) -> None:
    """Write what makes a folder with a network a bundle."""
    text = yaml.safe_dump(manifest.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / CARD).write_text(card, encoding="utf-8")
    (folder / MANIFEST).write_text(text, encoding="utf-8")  # last: a folder without it is no bundle


def _kind_of(data: Mapping[str, Any]) -> str:
    return str(data.get("kind", LAND_COVER))


def _with_dtype(weight: Tensor, dtype: Any) -> Tensor:
    """Floats in the given precision; counters as they are."""
    return weight.to(dtype) if weight.is_floating_point() else weight
