"""Every error that rsfuse raises on purpose.

RsfuseError                a user's mistake, or a world that does not play along: message + hint
├── RecipeError            a recipe that cannot be read, or a value in it that cannot be
├── BundleError            a trained bundle that is missing, broken or of another kind
├── SceneError             a raster that is missing, truncated or cannot serve as a scene
│   └── GridMismatchError  two rasters that must lie on each other do not
├── LegendMismatchError    class codes that a legend does not know
├── TileSetError           a folder of tiles that is not one, or does not fit
├── OutputError            a result that cannot be written (it exists, the disk is full)
└── ToolError              an outside program that failed or is not installed
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "BundleError",
    "GridMismatchError",
    "LegendMismatchError",
    "OutputError",
    "RecipeError",
    "RsfuseError",
    "SceneError",
    "TileSetError",
    "ToolError",
    "did_you_mean",
]


class RsfuseError(Exception):
    """Base of all errors raised on purpose. The command line prints it and exits with 2.

    Args:
        message: what is wrong, with the numbers that show it.
        hint: what to do next, in the imperative; printed on a line of its own.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class RecipeError(RsfuseError):
    """A recipe cannot be read, or a value in it cannot be."""


class BundleError(RsfuseError):
    """A trained bundle is missing, broken or does not fit the scene."""


class SceneError(RsfuseError):
    """A raster is missing, truncated or cannot serve as a scene."""


class GridMismatchError(SceneError):
    """Two rasters that must lie on each other do not."""


class LegendMismatchError(RsfuseError):
    """Class codes that the legend does not know."""


class TileSetError(RsfuseError):
    """A folder of tiles is not one, or does not fit what is asked of it."""


class OutputError(RsfuseError):
    """A result cannot be written: it exists already, or the disk is full."""


class ToolError(RsfuseError):
    """An outside program failed or is not installed."""


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """A question after the nearest of some names, or nothing if none is near."""
    nearest = get_close_matches(given, list(names), 1, 0.5)
    return f"did you mean {nearest[0]!r}?" if nearest else ""
