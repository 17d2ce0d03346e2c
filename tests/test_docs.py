"""What the documents say is so."""

from __future__ import annotations

import re
import subprocess

import pytest

import rsfuse

MARKDOWN = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "models/README.md"]


def command_names() -> list[str]:
    from rsfuse.cli import app

    return sorted(command.name or command.callback.__name__ for command in app.registered_commands)


def targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))


def test_every_command_is_in_the_readme_and_every_command_of_the_readme_exists(repository):
    text = (repository / "README.md").read_text()
    told = set(re.findall(r"\brsfuse ([a-z]+)\b", "\n".join(code_of(text))))
    assert told == set(command_names())


def code_of(text: str) -> list[str]:
    """What stands between backticks: blocks and words."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))]


@pytest.mark.parametrize("command", command_names())
def test_every_long_option_of_the_readme_exists(repository, command):
    import typer

    from rsfuse.cli import app

    known = {name for each in typer.main.get_command(app).commands[command].params for name in each.opts}
    for snippet in code_of((repository / "README.md").read_text()):
        for line in snippet.splitlines():
            if re.match(rf"rsfuse {command}\b", line):
                told = re.findall(r"(?<!\S)--?[a-z][a-z-]*", line.partition("#")[0])
                assert set(told) <= known | {"--help"}, line


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_target_of_make_that_is_told_exists(repository, name):
    known = targets((repository / "Makefile").read_text())
    told = {word for code in code_of((repository / name).read_text()) for word in re.findall(r"\bmake ([a-z-]+)", code)}
    assert told <= known


@pytest.mark.parametrize("name", MARKDOWN)
def test_every_file_that_a_link_names_exists(repository, name):
    document = repository / name
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_target_of_make_is_told_by_make_help(repository):
    text = (repository / "Makefile").read_text()
    listed = set(re.findall(r"^([a-z-]+):.*## ", text, flags=re.MULTILINE))
    assert listed == targets(text)
    told = subprocess.run(
        ["make", "--silent", "help"], cwd=repository, capture_output=True, text=True, check=True
    ).stdout
    assert set(re.findall(r"^ +make ([a-z-]+) ", told, flags=re.MULTILINE)) == listed


def test_the_test_command_of_the_readme_is_what_continuous_integration_runs(repository):
    assert "make test" in (repository / "README.md").read_text()
    assert "make test" in (repository / ".ci/run").read_text()


def test_the_changelog_knows_the_version(repository):
    assert re.search(
        rf"^## .*\b{re.escape(rsfuse.__version__)}\b", (repository / "CHANGELOG.md").read_text(), re.MULTILINE
    )
