"""What an install brings is enough for what it promises: networks come with extras, everything else without."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from rsfuse.cli.extras import EXTRAS, explained

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
SOURCES = sorted((REPOSITORY / "rsfuse").rglob("*.py"))

# as they are imported, where that is not the name of the package
MODULES = {"pillow": "PIL", "pyyaml": "yaml", "pywavelets": "pywt", "setuptools": "pkg_resources"} | {
    f"onnxruntime{build}": "onnxruntime" for build in ("", "-gpu")
}
TORCH = {"torch", "torchvision", "timm", "lightning", "safetensors", "tensorboard", "onnx", "onnxscript"}

WITH_TORCH = ("fitting", "augment", "losses", "export", "samples", "sharpening_samples", "sources")
"""Parts of rsfuse.learn that train and export: they may load torch as soon as they are imported."""
WITH_EITHER = ("runtimes",)
"""What runs networks: each file on the one or on the other."""
OF_TRAINING = {"rsfuse/cli/training_progress.py"}


def requirements(name: str) -> list[Requirement]:
    return [Requirement(line) for line in PROJECT["optional-dependencies"][name]]


def module_of(requirement: Requirement) -> str:
    name = requirement.name.lower().replace("_", "-")
    return MODULES.get(name, name.replace("-", "_"))


BASE = {module_of(Requirement(line)) for line in PROJECT["dependencies"]} | {"pydantic_core"}  # a part of pydantic


def pulled(lines: list[str], seen: set[str]) -> set[str]:
    """All packages that some requirements bring on this machine, as far as they are installed here."""
    for requirement in map(Requirement, lines):
        name = requirement.name.lower().replace("_", "-")
        if name in seen or not any(
            requirement.marker is None or requirement.marker.evaluate({"extra": extra})
            for extra in ("", *requirement.extras)
        ):
            continue
        seen.add(name)
        try:
            pulled([line for line in requires(name) or [] if "extra ==" not in line], seen)
        except PackageNotFoundError:
            assert requirement.name == "onnxruntime", f"{name} is not installed here"
    return seen


def loaded_at_import(body: list[ast.stmt]) -> set[str]:
    """First names of what a module imports as soon as it is imported itself."""
    found: set[str] = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            found |= loaded_at_import(node.orelse)
        else:
            inner: Any = [getattr(node, part, []) for part in ("body", "orelse", "finalbody", "handlers")]
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found |= loaded_at_import([each for part in inner for each in part])
    return found


def allowed(path: Path) -> set[str]:
    """What a file may import at its top, beside the standard library."""
    parts = path.relative_to(REPOSITORY / "rsfuse").with_suffix("").parts
    learns = parts[0] == "learn" and parts[1] in WITH_TORCH
    if learns or path.relative_to(REPOSITORY).as_posix() in OF_TRAINING:
        return {*BASE, *EXTRAS["full"], *EXTRAS["runtime"], "rsfuse_models"}
    if parts[0] == "learn" and parts[1] in WITH_EITHER:
        return {*BASE, "torch", "onnxruntime"}
    return BASE


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_imports_at_its_top_what_every_install_has(path):
    loaded = loaded_at_import(ast.parse(path.read_text()).body) - set(sys.stdlib_module_names) - {"rsfuse", ""}
    assert loaded <= allowed(path), "import it where it is used"


def test_a_file_of_the_runtimes_wants_one_of_the_two():
    for path in (REPOSITORY / "rsfuse/learn/runtimes").glob("*.py"):
        assert not {"torch", "onnxruntime"} <= loaded_at_import(ast.parse(path.read_text()).body), path.name


def test_neither_the_base_nor_a_runtime_pulls_torch():
    for lines in (
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][each] for each in ("runtime", "runtime-cpu")),
    ):
        assert not pulled(lines, set()) & TORCH


def test_what_is_told_of_missing_modules_is_what_the_extras_bring():
    assert {module_of(each) for each in requirements("full")} - {"rsfuse"} == set(EXTRAS["full"])
    assert {module_of(each) for each in requirements("runtime")} == set(EXTRAS["runtime"])


def test_the_full_install_brings_the_runtime():
    (runtime,) = [each for each in requirements("full") if each.name == "rsfuse"]
    assert runtime.extras == {"runtime"}


def test_one_of_the_two_onnxruntimes_fits_every_machine():
    machines = [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"), ("win32", "AMD64"), ("win32", "ARM64")]
    chosen = {
        machine: [
            each.name
            for each in requirements("runtime")
            if each.marker.evaluate({"sys_platform": system, "platform_machine": machine})
        ]
        for system, machine in machines
    }
    assert chosen == {
        "x86_64": ["onnxruntime-gpu"],
        "AMD64": ["onnxruntime-gpu"],
        "aarch64": ["onnxruntime"],
        "arm64": ["onnxruntime"],
        "ARM64": ["onnxruntime"],
    }


@pytest.mark.parametrize(
    ("module", "extra"), [("torch", "full"), ("lightning.pytorch", "full"), ("onnxruntime", "runtime")]
)
def test_a_missing_module_of_an_extra_is_told_with_the_extra(module, extra):
    mistake = explained(ModuleNotFoundError(f"No module named {module!r}", name=module), "train")
    assert "rsfuse train needs" in str(mistake)
    assert module.partition(".")[0] in str(mistake)
    assert mistake.hint == f"pip install 'rsfuse[{extra}]'"


@pytest.mark.parametrize("name", ["rasterio", "torchmetrics", "rsfuse.gone", None])
def test_any_other_missing_module_is_no_mistake_of_the_user(name):
    assert explained(ModuleNotFoundError("No module named something", name=name), "train") is None
