"""Doctor: what there is to work with on this machine, ready to paste into a report."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rsfuse import __version__

PACKAGES = (
    "rasterio", "shapely", "pyogrio", "numpy", "scipy", "pydantic", "typer", "rich", "onnxruntime-gpu", "onnxruntime",
    "torch", "torchvision", "timm", "lightning", "pytorch_wavelets", "PyWavelets", "onnx", "onnxscript",
)  # fmt: skip
PROGRAMS = ("gdalinfo", "gdalbuildvrt", "gdal_translate")
DRIVERS = ("GTiff", "COG", "VRT", "JP2OpenJPEG", "GPKG")


def doctor() -> dict[str, dict[str, str]]:
    """Sections of name and finding: versions, GDAL, devices, runtimes, free memory and disk."""
    return {
        "rsfuse": {"version": __version__, "python": sys.version.split()[0], "system": platform.platform()},
        "packages": {name: _version(name) for name in PACKAGES},
        "GDAL": _gdal(),
        "devices": _devices(),
        "runtimes": _runtimes(),
        "room": _room(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _gdal() -> dict[str, str]:
    import rasterio

    with rasterio.Env() as env:
        known = env.drivers()
    drivers = {name: "yes" if name in known else "no" for name in DRIVERS}
    programs = {name: shutil.which(name) or "not found (optional)" for name in PROGRAMS}
    return {
        "version": rasterio.__gdal_version__,
        **{f"driver {name}": has for name, has in drivers.items()},
        **programs,
    }


def _devices() -> dict[str, str]:
    found = {"cpu": f"{os.cpu_count()} cores"}
    try:
        import torch
    except ModuleNotFoundError:
        cards = _cards_of_the_driver()
    else:
        found = {"cpu": f"{found['cpu']}, torch uses {torch.get_num_threads()} threads"}
        known = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        cards = [(about.name, about.total_memory) for about in known]
    found |= {f"cuda:{number}": f"{name}, {memory / 1e9:.1f} GB" for number, (name, memory) in enumerate(cards)}
    return found if cards else {**found, "cuda": "none"}


def _cards_of_the_driver() -> list[tuple[str, int]]:
    """Names and bytes of the GPUs, where torch is not there to be asked; onnxruntime tells only by failing."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    ask = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(ask, capture_output=True, text=True, check=False)
    rows = [line.rpartition(",") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return [(name.strip(), int(mebibytes) * 2**20) for name, _, mebibytes in rows if mebibytes.strip().isdecimal()]


def _runtimes() -> dict[str, str]:
    return {"torch": _torch(), "onnxruntime": _onnxruntime()}


def _torch() -> str:
    try:
        import torch
    except ModuleNotFoundError:
        return "not installed: pip install 'rsfuse[full]' to train, to export and to run what was not exported"
    return torch.version.cuda or "without CUDA"


def _onnxruntime() -> str:
    try:
        import onnxruntime
    except ModuleNotFoundError:
        return "not installed: pip install 'rsfuse[runtime]' to run exported bundles"
    except ImportError as error:
        return f"cannot be imported: {error}"
    return ", ".join(onnxruntime.get_available_providers())


def _room() -> dict[str, str]:
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    return {
        "memory": f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB",
        "disk here": f"{disk.free / 1e9:.1f} GB free of {disk.total / 1e9:.1f} GB",
    }
