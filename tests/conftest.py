"""Fixtures that tests of every floor share."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:  # torch loads when a test asks for it, after OMP_NUM_THREADS is set
    from rsfuse.learn.bundles.land_cover import Bundle
    from rsfuse_models import FusionNetwork

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


@pytest.fixture(scope="session")
def publisher() -> Callable[[Path], Any]:
    """The class `Publisher` of published.py: of a folder, it writes data sets in miniature under it."""
    spec = spec_from_file_location("published", Path(__file__).with_name("published.py"))
    assert spec is not None
    assert spec.loader is not None
    published = module_from_spec(spec)
    spec.loader.exec_module(published)
    return published.Publisher  # type: ignore[no-any-return]


@pytest.fixture
def publish(publisher: Callable[[Path], Any], tmp_path: Path) -> Any:
    """Writes data sets in miniature under its `root`, as their authors lay them out."""
    root = tmp_path / "published"
    root.mkdir()
    return publisher(root)


@pytest.fixture(scope="session")
def small_network() -> tuple[str, ...]:
    """Settings of a recipe (`--set`) for a network so small that a step takes milliseconds."""
    return (
        "network.encoder=test_resnet",
        "network.pretrained=none",
        "network.channels=8",
        "network.aux_channels=8",
        "network.stages=[1, 2]",
        "network.aux_stage=1",
        "training.halo=4",
        "training.crop=32",
        "schedule.warmup=2",
    )


@pytest.fixture(scope="session")
def save_untrained(small_network: tuple[str, ...]) -> Callable[..., tuple[Bundle, FusionNetwork]]:
    """A function that saves a small network of random weights: red, green, blue + VH, 64 px with a halo of 8."""

    def save(folder: Path, storage: str = "float32") -> tuple[Bundle, FusionNetwork]:
        import torch

        from rsfuse.learn.bundles.land_cover import BundleManifest, PatchSize, build_network, save_bundle
        from rsfuse.learn.recipes.reading import load_recipe
        from rsfuse.legends import LEGENDS

        recipe, legend = load_recipe("pad_sentinel-10m", small_network), LEGENDS["sentinel-5"]
        torch.manual_seed(0)
        network = build_network(recipe.network, recipe.inputs, len(legend))
        manifest = BundleManifest(
            description="random weights",
            network=recipe.network,
            inputs=recipe.inputs,
            statistics=None,
            without=("optical", "sar"),
            legend=legend.to_dict(),
            patch=PatchSize(size=64, halo=8),
            gsd_m=10.0,
            trained_on=("nothing",),
            scores={},
        )
        return save_bundle(folder, manifest, network.state_dict(), storage=storage, card="# random\n"), network

    return save
