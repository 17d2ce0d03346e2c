"""The only door to GDAL's programs. They run as processes of their own: two GDALs in one process do not get along."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from rsfuse.errors import ToolError


def find(program: str) -> Path:
    """Where a program of GDAL lies, "gdalbuildvrt" for example.

    Raises:
        ToolError: if it is not installed.
    """
    found = shutil.which(program)
    if found is None:
        raise ToolError(f"GDAL's program {program} is not installed", hint="install it: apt install gdal-bin")
    return Path(found)


def run(program: str, *arguments: str | Path) -> str:
    """What a program of GDAL writes to standard output.

    Raises:
        ToolError: if it is not installed or fails.
    """
    command = [str(find(program)), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["it does not say why"]
        raise ToolError(
            f"{program} failed with exit code {done.returncode}: {lines[-1]}", hint=f"try it alone: {' '.join(command)}"
        )
    return done.stdout
