"""Networks that fuse optical and SAR images, or sharpen multispectral ones: tensors, no files, no coordinates.

`network_names` answers without loading torch; the networks load when one is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rsfuse_models.contract import FusionNetwork, TrainingOutput
    from rsfuse_models.sharpening import SharpeningNetwork

    NETWORKS: dict[str, type[FusionNetwork]]

__all__ = [
    "NETWORKS",
    "FusionNetwork",
    "SharpeningNetwork",
    "TrainingOutput",
    "create_network",
    "create_sharpener",
    "network_class",
    "network_names",
    "sharpener_class",
    "sharpener_names",
]

_HOMES = {
    "early-fusion": ("rsfuse_models.baselines", "EarlyFusion"),
    "f2net": ("rsfuse_models.f2net", "F2Net"),
    "late-fusion": ("rsfuse_models.baselines", "LateFusion"),
    "mfafnet": ("rsfuse_models.mfafnet", "MFAFNet"),
    "pad": ("rsfuse_models.pad", "PAD"),
    "whfnet": ("rsfuse_models.whfnet", "WHFNet"),
}
_SHARPENERS = {"cf2n": ("rsfuse_models.cf2n", "CF2N")}
_CONTRACTS = {
    "FusionNetwork": "rsfuse_models.contract",
    "SharpeningNetwork": "rsfuse_models.sharpening",
    "TrainingOutput": "rsfuse_models.contract",
}


def network_names() -> tuple[str, ...]:
    """Names that `create_network` knows, sorted."""
    return tuple(sorted(_HOMES))


def create_network(name: str, **options: Any) -> FusionNetwork:
    """Build a network with fresh weights.

    Args:
        name: one of `network_names`.
        options: the keyword arguments of its constructor, which are its recipe schema.

    Raises:
        ValueError: if no network has this name, or an option has a value that cannot be.
    """
    return network_class(name)(**options)


def network_class(name: str) -> type[FusionNetwork]:
    """The class of a network, loaded without the others.

    Raises:
        ValueError: if no network has this name.
    """
    if name not in _HOMES:
        raise ValueError(f"no network is called {name!r}; choose one of {', '.join(network_names())}")
    home, class_name = _HOMES[name]
    network: type[FusionNetwork] = getattr(import_module(home), class_name)
    return network


def create_sharpener(name: str, **options: Any) -> SharpeningNetwork:
    """Build a pan-sharpening network with fresh weights.

    Args:
        name: one of `sharpener_names`.
        options: the keyword arguments of its constructor: bands, ratio and what it has of its own.

    Raises:
        ValueError: if no network has this name, or an option has a value that cannot be.
    """
    return sharpener_class(name)(**options)


def sharpener_names() -> tuple[str, ...]:
    """Names that `create_sharpener` knows, sorted."""
    return tuple(sorted(_SHARPENERS))


def sharpener_class(name: str) -> type[SharpeningNetwork]:
    """The class of a pan-sharpening network.

    Raises:
        ValueError: if no network has this name.
    """
    if name not in _SHARPENERS:
        raise ValueError(f"no sharpening network is called {name!r}; choose one of {', '.join(sharpener_names())}")
    home, class_name = _SHARPENERS[name]
    network: type[SharpeningNetwork] = getattr(import_module(home), class_name)
    return network


def __getattr__(attribute: str) -> Any:
    """Load what needs torch on first use (PEP 562)."""
    if attribute == "NETWORKS":
        return {name: network_class(name) for name in network_names()}
    if attribute in _CONTRACTS:
        return getattr(import_module(_CONTRACTS[attribute]), attribute)
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")
