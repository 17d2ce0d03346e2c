"""A graph on onnxruntime: on a GPU with or without TensorRT where there is one, else on the CPU."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as state

from rsfuse.errors import BundleError
from rsfuse.raster.cores import usable_cores

_log = logging.getLogger(__name__)

Shape = tuple[int | str, ...]

CPU, CUDA, TENSORRT = "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider"
KINDS = {"cpu": CPU, "cuda": CUDA, "tensorrt": TENSORRT}

_FATAL = 4  # what goes wrong comes as an exception; onnxruntime would print it, too
_ERRORS = (
    *(state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NoModel, state.NoSuchFile),
    *(state.EPFail, state.NotImplemented, state.RuntimeException, RuntimeError),
)
_UNUSABLE = (RuntimeError, state.EPFail)  # the first is of Python, and says that a provider could not be made
_NO_ROOM = ("failed to allocate memory", "out of memory", "bad allocation", "bad_alloc", "available memory of")
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
            opened = _open(path, self.device)
            if opened is not None:
                self._session = opened
                break
            if device != "auto":
                raise BundleError(
                    f"device {device!r} cannot be used by onnxruntime here",
                    hint=f"choose --device cpu; or {_LIBRARIES}",
                )
            _log.warning("there is a GPU, and onnxruntime cannot use it: going on with the CPU; %s", _LIBRARIES)
        self.inputs, self.outputs = _shapes(self._session.get_inputs()), _shapes(self._session.get_outputs())

    def run(self, output: str, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """One output; see `run_each`."""
        return self.run_each([output], inputs)[0]

    def run_each(self, outputs: Sequence[str], inputs: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Outputs of one pass through the graph.

        Args:
            outputs: their names.
            inputs: by name, all that the graph has; others are left out.

        Raises:
            MemoryError: if that of the device does not suffice.
            BundleError: if the graph cannot be run.
        """
        fed = {name: np.ascontiguousarray(inputs[name]) for name in self.inputs}
        try:
            found: list[NDArray[np.float32]] = self._session.run(list(outputs), fed)
        except _ERRORS as error:
            raise _told(error, f"{self._path} cannot be run on {self.device}", "choose another --device") from error
        return found


def usable_providers() -> list[str]:
    """What onnxruntime can compute with on this machine, the fastest first."""
    built = onnxruntime.get_available_providers()
    return [each for each in (TENSORRT, CUDA, CPU) if each in built and (each == CPU or _gpus())]


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
    """The session; None where the device cannot be used."""
    if not path.is_file():
        raise BundleError(
            f"{path} cannot be loaded: there is no such file", hint="copy the bundle anew, or export it anew"
        )
    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    options.intra_op_num_threads = _threads()
    # with patterns, each shape of batch takes a block of its own, beside what the first run of it has left unused
    options.enable_mem_pattern = False
    if device != "cpu":
        with redirect_stdout(StringIO()):  # it prints which it did not find
            onnxruntime.preload_dlls()  # CUDA's libraries from packages of Python, where they came so
    try:
        session = onnxruntime.InferenceSession(path, options, providers=_providers(path, device), enable_fallback=0)
    except _ERRORS as error:
        if device != "cpu" and isinstance(error, _UNUSABLE):
            return None
        raise _told(error, f"{path} cannot be loaded", "copy the bundle anew") from error
    return session if session.get_providers()[0] == KINDS[device.partition(":")[0]] else None


def _threads() -> int:
    """Those of torch: cores that may be used, or what the environment says."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) > 0 else usable_cores()


def _told(error: Exception, wrong: str, advice: str) -> MemoryError | BundleError:
    told = str(error).splitlines()[0] if str(error) else type(error).__name__
    if any(each in str(error).lower() for each in _NO_ROOM):
        return MemoryError(told)
    return BundleError(f"{wrong}: {told}", hint=f"{advice}, or export it anew")


def _shapes(values: Sequence[Any]) -> dict[str, Shape]:
    """Of floats with a free batch; () for any other."""
    return {
        each.name: tuple(each.shape[1:])
        if each.type == "tensor(float)" and each.shape and not isinstance(each.shape[0], int)
        else ()
        for each in values
    }


def _providers(path: Path, device: str) -> list[Any]:
    """Each takes what those before it cannot."""
    kind, _, number = device.partition(":")
    cuda = (CUDA, {"device_id": number, "use_tf32": "0"})  # spectra are products, and want more than 10 bits
    if kind == "tensorrt":
        cache = {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(path.parent / "tensorrt")}
        return [(TENSORRT, {"device_id": number, **cache}), cuda, CPU]
    return [cuda, CPU] if kind == "cuda" else [CPU]


def _gpus() -> int:
    """How many GPUs the driver knows; onnxruntime itself tells only by failing."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0
