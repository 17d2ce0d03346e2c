"""Help is quick, complete, and loads nothing heavy."""

import subprocess
import sys

import pytest

from rsfuse.cli.app import app

COMMANDS = sorted(command.name for command in app.registered_commands)


def test_help_imports_neither_torch_nor_rasterio():
    code = (
        "import sys; from typer.testing import CliRunner; from rsfuse.cli import app;"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0;"
        "heavy = {'torch', 'rasterio', 'numpy', 'pydantic', 'lightning', 'timm'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_commands_are_those_of_the_design():
    assert {"tile", "train", "predict", "eval", "info", "demo", "recipes", "bundles", "doctor"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_the_options_that_all_share(rsfuse, command):
    result = rsfuse(command, "--help")
    assert result.exit_code == 0
    for option in ("--json", "--quiet", "--verbose", "--help"):
        assert option in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_argument_says_what_it_is(command):
    import typer

    group = typer.main.get_command(app)
    for parameter in group.commands[command].params:
        assert getattr(parameter, "help", None), f"{command} {parameter.name}"


def test_the_version_is_told(rsfuse):
    from rsfuse import __version__

    assert rsfuse("--version").stdout == f"rsfuse {__version__}\n"
