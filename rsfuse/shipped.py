"""Where the recipes and bundles that ship with rsfuse lie: inside the wheel, or in the checkout it is run from."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent


def recipes_folder() -> Path:
    """Folder of the `<network>_<data set>.yaml` that ship."""
    return _first(_PACKAGE / "_recipes", _CHECKOUT / "recipes")


def bundles_folder() -> Path:
    """Folder of the trained bundles that ship."""
    return _first(_PACKAGE / "_bundles", _CHECKOUT / "models" / "bundles")


def _first(in_wheel: Path, in_checkout: Path) -> Path:
    return in_wheel if in_wheel.is_dir() else in_checkout
