"""Fixtures that tests of every floor share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# the same examples in every run, and no verdict on the speed of the machine
settings.register_profile(
    "rsfuse", deadline=None, derandomize=True, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("rsfuse")

# the networks of the tests are so small that threads would cost more than they give; to be said before torch loads
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """A function from the name of a folder of real scenes to its path; it skips the test where there is none.

    The folders lie beside the checkout, in ../shared/data, or where RSFUSE_SHARED_DATA points.
    """
    root = Path(os.environ.get("RSFUSE_SHARED_DATA", REPOSITORY / "../shared/data"))

    def find(name: str) -> Path:
        folder = root / name
        if not folder.is_dir():
            pytest.skip(f"no real data at {folder}")
        return folder

    return find
