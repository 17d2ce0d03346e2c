"""Predictor: samples in, class probabilities out; on whatever device there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsfuse.errors import BundleError
from rsfuse.learn.bundle import Bundle
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.scene import Sample

Precision = Literal["auto", "float32", "bfloat16", "float16"]


class Predictor:
    """A bundle, awake on a device.

    Args:
        bundle: what to run.
        device: "auto" (CUDA if there is one, else the CPU) or a name that torch knows, such as "cuda:1".
        precision: "auto" is float16 on CUDA and float32 on the CPU; spectra are float32 always.

    Raises:
        BundleError: if the device is not there.
    """

    def __init__(self, bundle: Bundle, *, device: str = "auto", precision: Precision = "auto") -> None:
        self.bundle = bundle
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        # channels-last: convolutions on CPU and tensor cores alike want their channels side by side
        self._network = bundle.network().to(self.device).to(memory_format=torch.channels_last)

    def probabilities(self, samples: Sequence[Sample], scaler: Scaler) -> NDArray[np.float32]:
        """(B, K, h, w) class probabilities of B samples of one size."""
        scaled = [scaler(sample) for sample in samples]
        optical, sar = (torch.from_numpy(np.stack(each)).to(self.device) for each in zip(*scaled, strict=True))
        probabilities: NDArray[np.float32] = self.score(optical, sar).cpu().numpy()
        return probabilities

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Class probabilities (B, K, h, w) of scaled pixels (B, C, h, w) and (B, S, h, w), on the device, float32."""
        with torch.inference_mode(), self._autocast():
            scores: Tensor = self._network(
                optical.contiguous(memory_format=torch.channels_last), sar.contiguous(memory_format=torch.channels_last)
            )
            return scores.float().softmax(1)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether torch says that memory does not suffice, of the device or of the machine."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def choose_device(name: str) -> torch.device:
    """The device of that name; "auto" prefers CUDA.

    Raises:
        BundleError: if torch does not know it or it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BundleError(
            f"device {name!r} cannot be used: {str(error).splitlines()[0]}",
            hint="choose --device cpu; `rsfuse doctor` lists what is there",
        ) from error
    return device


def choose_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The floating-point type that convolutions run in."""
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    dtype: torch.dtype = getattr(torch, precision)
    return dtype
