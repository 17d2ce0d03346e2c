"""Synthetic products to order."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest


@pytest.fixture(scope="session")
def gaofen() -> SimpleNamespace:
    """What tests/gaofen_products.py offers."""
    return SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "gaofen_products.py")))
