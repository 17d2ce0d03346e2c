"""A graph on onnxruntime: on a GPU with or without TensorRT where there is one, else on the CPU."""

from __future__ import annotations

import ctypes
import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from rsfuse.errors import BundleError
from rsfuse.raster.cores import usable_cores

_log = logging.getLogger(__name__)

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
KINDS = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}

_FATAL = 4  # what goes wrong comes as an exception; onnxruntime would print it, too
_ERRORS = (
    *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel, state.NoSuchFile),
    *(state.EPFail, state.NotImplemented, state.RuntimeException),
)
_NO_ROOM = ("failed to allocate memory", "out of memory", "bad allocation", "available memory of")
_LIBRARIES = "CUDA's libraries are missing or too old: pip install 'onnxruntime-gpu[cuda,cudnn]'"


class Session:
    """A graph that is loaded.

    Args:
        path: of the ONNX file.
        device: "auto" (a GPU if there is one that onnxruntime can use, else the CPU), "cpu", "cuda", "cuda:N",
            "tensorrt" or "tensorrt:N". TensorRT builds an engine first, which takes minutes, and keeps it beside the
            graph.

    Raises:
        BundleError: if the device cannot be used, or the graph cannot be read.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        self._path = path
        for self.device in _candidates(device):
            self._session = _open(path, self.device)
            if self._session.get_providers()[0] == KINDS[self.device.partition(":")[0]]:
                break
            if device != "auto":
                raise BundleError(
                    f"device {device!r} cannot be used by onnxruntime here",
                    hint=f"choose --device cpu; or {_LIBRARIES}",
                )
            _log.warning("there is a GPU, and onnxruntime cannot use it: going on with the CPU; %s", _LIBRARIES)
        self._names = [each.name for each in self._session.get_inputs()]

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of its first input."""
        _, _, height, width = self._session.get_inputs()[0].shape
        return height, width

    def run(self, output: str, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """One output.

        Args:
            output: its name.
            inputs: by name; one that the graph does not have is left out.

        Raises:
            MemoryError: if that of the device does not suffice.
            BundleError: if the graph cannot be run.
        """
        fed = {name: np.ascontiguousarray(inputs[name]) for name in self._names}
        try:
            found: NDArray[np.float32] = self._session.run([output], fed)[0]
        except _ERRORS as error:
            told = str(error).splitlines()[0]
            if any(each in str(error).lower() for each in _NO_ROOM):
                raise MemoryError(told) from error
            raise BundleError(
                f"{self._path} cannot be run on {self.device}: {told}",
                hint="choose another --device, or export it anew",
            ) from error
        return found


def usable_providers() -> list[str]:
    """What onnxruntime can compute with on this machine, the fastest first."""
    return [each for each in onnxruntime.get_available_providers() if each not in (CUDA, TENSORRT) or _gpus()]


def _candidates(device: str) -> list[str]:
    """Devices to try, one after the other.

    Raises:
        BundleError: if the name is of none.
    """
    if device == "auto":
        return ["cuda:0", "cpu"] if CUDA in onnxruntime.get_available_providers() and _gpus() else ["cpu"]
    kind, _, number = device.partition(":")
    known = kind in KINDS and (number.isdecimal() if number else ":" not in device) and not (kind == "cpu" and number)
    if not known:
        raise BundleError(
            f"onnxruntime knows no device {device!r}",
            hint="choose --device auto, cpu, cuda, cuda:N, tensorrt or tensorrt:N",
        )
    if KINDS[kind] not in onnxruntime.get_available_providers() or (kind != "cpu" and int(number or 0) >= _gpus()):
        raise BundleError(
            f"device {device!r} is not there: {_gpus()} GPU(s), and what onnxruntime can use here: "
            f"{', '.join(usable_providers())}",
            hint="choose --device cpu; `rsfuse doctor` lists what is there",
        )
    return [device if kind == "cpu" else f"{kind}:{number or 0}"]


def _open(path: Path, device: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = usable_cores()
    if device != "cpu":
        onnxruntime.preload_dlls()  # CUDA's libraries from packages of Python, where they came so
    try:
        return onnxruntime.InferenceSession(path, options, providers=_providers(path, device))
    except _ERRORS as error:
        raise BundleError(
            f"{path} cannot be loaded: {str(error).splitlines()[0]}", hint="copy the bundle anew, or export it anew"
        ) from error


def _providers(path: Path, device: str) -> list[Any]:
    """Each takes what those before it cannot."""
    kind, _, number = device.partition(":")
    gpu = {"device_id": number}
    if kind == "tensorrt":
        cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(path.parent / "tensorrt")}
        return [(TENSORRT, {**gpu, **cache}), (CUDA, gpu), CPU]
    return [(CUDA, gpu), CPU] if kind == "cuda" else [CPU]


def _gpus() -> int:
    """How many GPUs the driver knows; onnxruntime itself tells only by failing."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0
