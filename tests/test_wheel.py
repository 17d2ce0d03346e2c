"""The wheel that goes through the sdist carries all that a user needs and nothing that only we need."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from email.parser import HeaderParser
from importlib import import_module
from pathlib import Path

import pytest

from rsfuse import __version__


@pytest.fixture(scope="session")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from it and not from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, repository]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(built: Path) -> dict[str, bytes]:
    """What lies in the wheel, by path."""
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def files_under(folder: Path, below: str = "") -> dict[str, bytes]:
    """Contents by path, compiled leftovers aside."""
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{below}{path.relative_to(folder)}": path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("rsfuse", "rsfuse"),
        ("models/rsfuse_models", "rsfuse_models"),
        ("recipes", "rsfuse/_recipes"),
        ("models/bundles", "rsfuse/_bundles"),
    ],
)
def test_every_file_of_the_checkout_that_a_user_needs_is_in_the_wheel(repository, wheel, source, target):
    wanted = files_under(repository / source, f"{target}/")
    assert wanted, f"{source} is empty"
    missing = sorted(name for name, content in wanted.items() if wheel.get(name) != content)
    assert not missing, f"missing or changed: {missing} (does .gitignore name a folder of theirs?)"


def test_nothing_else_lands_in_site_packages(wheel):
    assert {name.split("/")[0] for name in wheel} == {"rsfuse", "rsfuse_models", f"rsfuse-{__version__}.dist-info"}
    assert not [name for name in wheel if "test" in name or "__pycache__" in name]


def test_both_packages_say_that_they_are_typed(wheel):
    assert {"rsfuse/py.typed", "rsfuse_models/py.typed"} <= wheel.keys()


def test_the_command_is_declared_and_can_be_imported(wheel):
    entry_points = ConfigParser()
    entry_points.read_string(wheel[f"rsfuse-{__version__}.dist-info/entry_points.txt"].decode())
    module, function = entry_points["console_scripts"]["rsfuse"].split(":")
    assert callable(getattr(import_module(module), function))


def test_the_metadata_say_version_licence_and_python(wheel):
    metadata = HeaderParser().parsestr(wheel[f"rsfuse-{__version__}.dist-info/METADATA"].decode())
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert f"rsfuse-{__version__}.dist-info/licenses/LICENSE" in wheel


def test_the_sdist_can_be_tested(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "Makefile", "README.md", "CHANGELOG.md", "tests/conftest.py"} <= names


def test_torch_comes_with_the_full_install_alone(wheel):
    from packaging.requirements import Requirement

    metadata = HeaderParser().parsestr(wheel[f"rsfuse-{__version__}.dist-info/METADATA"].decode())
    assert set(metadata.get_all("Provides-Extra")) == {"runtime", "runtime-cuda", "runtime-cpu", "full", "gdal"}
    requirements = [Requirement(line) for line in metadata.get_all("Requires-Dist")]

    def brought(extra: str) -> set[str]:
        return {each.name for each in requirements if each.marker is None or each.marker.evaluate({"extra": extra})}

    base = brought("")
    assert {"rasterio", "typer"} <= base
    assert "torch" in brought("full")
    for extra in ("", "runtime", "runtime-cuda", "runtime-cpu"):
        assert {name.removesuffix("-gpu") for name in brought(extra) - base} == ({"onnxruntime"} if extra else set())
