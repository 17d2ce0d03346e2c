"""The house keeps its own rules: small files with names, documented in public, errors drawn as they are."""

from __future__ import annotations

import ast
import re
import statistics
from importlib import import_module
from pathlib import Path

import pytest

import rsfuse.errors
from rsfuse.errors import RsfuseError

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(REPOSITORY / "rsfuse").rglob("*.py"), *(REPOSITORY / "models/rsfuse_models").rglob("*.py")])
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
NAMELESS = {"utils.py", "util.py", "common.py", "helpers.py", "base.py", "misc.py", "tools.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


each_source = pytest.mark.parametrize("path", SOURCES, ids=shown)


def module_name(path: Path) -> str:
    root = REPOSITORY / "models" if "rsfuse_models" in path.parts else REPOSITORY
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), path.name)


def functions(tree: ast.AST) -> list[Function]:
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def public(body: list[ast.stmt]) -> list[Function | ast.ClassDef]:
    """Public classes and functions of a module or class, and those of its public classes."""
    found = [node for node in body if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")]
    inner = [each for node in found if isinstance(node, ast.ClassDef) for each in public(node.body)]
    return [*found, *inner]


def length(node: Function) -> int:
    """Lines of a function without its docstring."""
    body = node.body
    first = body[0]
    documented = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return node.end_lineno - node.lineno + 1 - docstring


def test_every_file_is_named_for_its_idea():
    assert not [path for path in [*SOURCES, *TESTS] if path.name in NAMELESS]


def test_no_file_is_longer_than_350_lines():
    lines = {shown(path): len(path.read_text().splitlines()) for path in [*SOURCES, *TESTS]}
    assert {name: count for name, count in lines.items() if count > 350} == {}


def test_functions_are_short():
    lengths = [length(node) for path in SOURCES for node in functions(parse(path))]
    assert statistics.median(lengths) <= 12
    assert statistics.quantiles(lengths, n=10)[-1] <= 35


@each_source
def test_everything_public_is_documented(path):
    tree = parse(path)
    assert ast.get_docstring(tree), "the file does not say what it is for"
    bare = [node.name for node in public(tree.body) if not ast.get_docstring(node)]
    assert not bare, f"without a docstring: {bare}"


@pytest.mark.parametrize("path", [path for path in SOURCES if "__all__" in path.read_text()], ids=shown)
def test_all_names_everything_public_that_is_defined_here_and_nothing_that_is_not(path):
    module = import_module(module_name(path))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert len(set(module.__all__)) == len(module.__all__)
    defined = {node.name for node in parse(path).body if isinstance(node, Function | ast.ClassDef)}
    assert {name for name in defined if not name.startswith("_")} <= set(module.__all__)


def drawn_tree() -> dict[str, str]:
    """Child to parent, as drawn at the top of errors.py."""
    parents, above = {}, {}
    for line in rsfuse.errors.__doc__.splitlines():
        found = re.match(r"(?P<branch>[│├└─ ]*)(?P<name>\w+Error)\b", line)
        if not found:
            continue
        depth = len(found["branch"]) // 4
        above[depth] = found["name"]
        if depth:
            parents[found["name"]] = above[depth - 1]
    return parents


def all_kinds(kind: type) -> set[type]:
    return {kind}.union(*(all_kinds(below) for below in kind.__subclasses__()))


def test_the_tree_of_errors_is_drawn_as_it_is():
    kinds = {kind for kind in all_kinds(RsfuseError) if kind.__module__ == "rsfuse.errors"}
    assert drawn_tree() == {kind.__name__: kind.__bases__[0].__name__ for kind in kinds - {RsfuseError}}
    assert {kind.__name__ for kind in kinds} == {name for name in rsfuse.errors.__all__ if name.endswith("Error")}


def test_every_error_of_the_house_is_defined_in_the_one_file():
    strays = [
        f"{shown(path)}: {node.name}"
        for path in SOURCES
        if path.name != "errors.py"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ClassDef) and any("Error" in ast.unparse(parent) for parent in node.bases)
    ]
    assert not strays


def test_every_error_keeps_its_hint():
    for kind in all_kinds(RsfuseError):
        if kind.__module__ == "rsfuse.errors":
            error = kind("12 px are missing", hint="give more")
            assert (str(error), error.hint) == ("12 px are missing", "give more")


@each_source
def test_nothing_happens_at_import(path):
    """A module defines; a bare call at its top level would do something."""
    calls = [node for node in parse(path).body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]
    # Typer learns its commands by calls, and knows nothing of files or devices
    assert path.parent.name == "cli" or not calls, f"line {[node.lineno for node in calls]}"
