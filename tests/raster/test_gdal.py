"""The door to GDAL's programs, tried with programs of our own making."""

import pytest

from rsfuse.errors import ToolError
from rsfuse.raster import gdal


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that puts a shell script of that name first on the path."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def make(name, script):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return program

    return make


def test_a_program_that_is_missing_is_told_with_how_to_get_it():
    with pytest.raises(ToolError, match="gdalnothing is not installed") as caught:
        gdal.find("gdalnothing")
    assert caught.value.hint == "install it: apt install gdal-bin"


def test_a_program_gets_its_arguments_and_its_output_comes_back(install, tmp_path):
    program = install("gdaltry", 'for each in "$@"; do echo "<$each>"; done')
    assert gdal.find("gdaltry") == program
    assert gdal.run("gdaltry", "-of", tmp_path / "a file.tif") == f"<-of>\n<{tmp_path}/a file.tif>\n"


def test_a_program_that_fails_is_told_with_its_last_words(install):
    install("gdaltry", "echo first >&2; echo no such file >&2; exit 3")
    with pytest.raises(ToolError, match="gdaltry failed with exit code 3: no such file"):
        gdal.run("gdaltry", "x")
