"""Predictor: samples in, class probabilities out; on whatever device there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rsfuse.errors import BundleError
from rsfuse.learn.bundle import Bundle
from rsfuse.learn.inference.views import Look, View, scalings, views
from rsfuse.learn.scaling import Scaler
from rsfuse.raster.scene import Sample

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Run = Callable[[Tensor, Tensor], Tensor]


class Predictor:
    """A bundle, awake on a device.

    Args:
        bundle: what to run.
        device: "auto" (CUDA if there is one, else the CPU) or a name that torch knows, such as "cuda:1".
        precision: "auto" is float16 on CUDA and float32 on the CPU; spectra are float32 always.
        looks: test-time augmentation: probabilities are the mean over all of these ways to look at a patch.
        whole: patches are whole images: networks that have a leaner way through one take it.
        compiled: let torch.compile the network first, which takes minutes and pays off on large scenes.

    Raises:
        BundleError: if the device is not there, or the bundle cannot look at a scene so.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        device: str = "auto",
        precision: Precision = "auto",
        looks: Sequence[Look] = (),
        whole: bool = False,
        compiled: bool = False,
    ) -> None:
        self.bundle = bundle
        self.device = choose_device(device)
        self.dtype = choose_dtype(precision, self.device)
        # channels-last: convolutions on CPU and tensor cores alike want their channels side by side
        self.network = bundle.network().to(self.device).to(memory_format=torch.channels_last)
        self.looks, self.whole, self._views = tuple(looks), whole, views(looks)
        self.inputs = scalings(bundle.manifest, looks)
        """How the pixels that it is given are to be scaled; once more for each where there are several."""
        self.method = "score_whole" if whole and hasattr(self.network, "score_whole") else "forward"
        run = getattr(self.network, self.method)
        self._run: Run = torch.compile(run) if compiled else run

    @property
    def outputs(self) -> int:
        """K, how many classes it tells apart."""
        return len(self.bundle.legend)

    def probabilities(self, samples: Sequence[Sample], scaler: Scaler) -> NDArray[np.float32]:
        """(B, K, h, w) class probabilities of B samples of one size."""
        scaled = [scaler(sample) for sample in samples]
        optical, sar = (torch.from_numpy(np.stack(each)).to(self.device) for each in zip(*scaled, strict=True))
        probabilities: NDArray[np.float32] = self.score(optical, sar).cpu().numpy()
        return probabilities

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Class probabilities (B, K, h, w) of scaled pixels (B, C, h, w) and (B, S, h, w), on the device, float32."""
        size = (optical.shape[-2], optical.shape[-1])
        with torch.inference_mode():
            return mean_of(self._seen(view, optical, sar, size) for view in self._views)

    def time(self, size: tuple[int, int], batch: int) -> float:
        """Seconds of scoring a batch of empty patches; the second time, for the first is slower."""
        inputs = self.bundle.manifest.inputs
        empty = [torch.zeros((batch, len(bands), *size), device=self.device) for bands in (inputs.optical, inputs.sar)]
        for _ in range(2):
            start = time.perf_counter()
            self.score(empty[0], empty[1]).flatten()[0].item()  # waits for the device
        return time.perf_counter() - start

    def _seen(self, view: View, optical: Tensor, sar: Tensor, size: tuple[int, int]) -> Tensor:
        seen = (view.of(each).contiguous(memory_format=torch.channels_last) for each in (optical, sar))
        with autocast(self.device, self.dtype):
            scores = self._run(*seen)
        # class by class in memory, as they are stitched: over channels-last scores softmax takes half as long again
        return view.undone(scores.float().contiguous().softmax(1), size)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Convolutions run in that type; float32 is without autocast."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


def mean_of(scores: Iterable[Tensor]) -> Tensor:
    """Mean of tensors of one shape, on the device of the first, which is written over."""
    each = iter(scores)
    total, count = next(each), 1
    for count, other in enumerate(each, 2):  # noqa: B007
        total += other.to(total.device)
    return total if count == 1 else total.div_(count)


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
        torch.zeros(1, device=device).item()  # "meta" gives tensors, and no numbers back
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
