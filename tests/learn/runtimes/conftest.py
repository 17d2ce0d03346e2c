"""Exported bundles of networks of one layer, and those of torch of the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def made() -> SimpleNamespace:
    """What exported_bundles.py writes."""
    return SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "exported_bundles.py")))


@pytest.fixture(scope="module")
def _of_one_layer(made: SimpleNamespace) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        made.build_by_torch(patched)
        yield


@pytest.fixture
def both(made: SimpleNamespace, tmp_path: Path, _of_one_layer: None) -> tuple[Path, Path]:
    """Folders of a bundle of torch and of one that was exported from it; patches of 32 px with a halo of 4."""
    return made.save_torch(tmp_path / "torch"), made.save_exported(tmp_path / "onnx")


@pytest.fixture
def sharpeners(made: SimpleNamespace, tmp_path: Path, _of_one_layer: None) -> tuple[Path, Path]:
    """The same of bundles that sharpen three bands at a ratio of 4."""
    return made.save_torch_sharpener(tmp_path / "torch"), made.save_sharpener(tmp_path / "onnx")
