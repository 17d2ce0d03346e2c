"""Doctor: what there is to work with on this machine, ready to paste into a report."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rsfuse import __version__

PACKAGES = (
    "torch", "torchvision", "timm", "lightning", "rasterio", "shapely", "pydantic", "typer", "rich",
    "pytorch_wavelets", "PyWavelets", "numpy", "onnxruntime-gpu", "onnxruntime",
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
    import torch

    found = {"cpu": f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads"}
    for number in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(number)
        found[f"cuda:{number}"] = f"{about.name}, {about.total_memory / 1e9:.1f} GB"
    return found if len(found) > 1 else {**found, "cuda": "none"}


def _runtimes() -> dict[str, str]:
    import torch

    cuda = torch.version.cuda or "without CUDA"
    try:
        import onnxruntime
    except ImportError as error:
        return {"torch": cuda, "onnxruntime": f"cannot be imported: {error}"}
    return {"torch": cuda, "onnxruntime": ", ".join(onnxruntime.get_available_providers())}


def _room() -> dict[str, str]:
    import psutil

    memory, disk = psutil.virtual_memory(), shutil.disk_usage(Path.cwd())
    return {
        "memory": f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB",
        "disk here": f"{disk.free / 1e9:.1f} GB free of {disk.total / 1e9:.1f} GB",
    }
