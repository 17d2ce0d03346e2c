"""Networks on torch, on whatever device there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.predictor import Precision
from rsfuse.learn.inference.room import free_memory, with_overhead
from rsfuse.learn.inference.views import Look, View, scalings, views
from rsfuse.learn.runtimes.memory import forward_bytes, largest_side
from rsfuse.learn.runtimes.tensors import TensorArrays, telling_of_memory

Run = Callable[[Tensor, Tensor], Tensor]


class EagerPredictor:
    """A bundle that maps land cover, awake on a device of torch; see `Predictor`.

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

    patch = None

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
        self._device = choose_device(device)
        self._dtype = choose_dtype(precision, self._device)
        self.device, self.precision = str(self._device), str(self._dtype).removeprefix("torch.")
        self.arrays = TensorArrays(self._device)
        # channels-last: convolutions on CPU and tensor cores alike want their channels side by side
        self.network = bundle.network().to(self._device).to(memory_format=torch.channels_last)
        self.looks, self.whole, self._views = tuple(looks), whole, views(looks)
        self.inputs = scalings(bundle.manifest, looks)
        self._method = "score_whole" if whole and hasattr(self.network, "score_whole") else "forward"
        run = getattr(self.network, self._method)
        self._run: Run = torch.compile(run) if compiled else run

    @property
    def outputs(self) -> int:
        """K, how many classes it tells apart."""
        return len(self.bundle.legend)

    def score(self, optical: Tensor, sar: Tensor) -> Tensor:
        """Class probabilities (B, K, h, w) of scaled pixels (B, C, h, w) and (B, S, h, w), on the device, float32.

        Raises:
            MemoryError: if that of the device does not suffice.
        """
        size = (optical.shape[-2], optical.shape[-1])
        with torch.inference_mode(), telling_of_memory():
            return self.arrays.mean(self._seen(view, optical, sar, size) for view in self._views)

    def pass_bytes(self, size: tuple[int, int], batch: int) -> int | None:
        """See `Predictor`."""
        found = forward_bytes(self.network, self._channels, size, batch, dtype=self._dtype, method=self._method)
        return None if found is None else with_overhead(found)

    def free_bytes(self) -> int:
        """Bytes that can still be had: on a GPU with what torch keeps unused, on a CPU within the cgroup."""
        if self._device.type != "cuda":
            return free_memory()
        free: int = torch.cuda.mem_get_info(self._device)[0]
        return free + torch.cuda.memory_reserved(self._device) - torch.cuda.memory_allocated(self._device)

    def largest_side(self, budget: int) -> int | None:
        """See `Predictor`."""
        multiple = int(getattr(self.network, "multiple", 1))
        return largest_side(self.network, self._channels, multiple, budget, dtype=self._dtype, method=self._method)

    @property
    def _channels(self) -> tuple[int, int]:
        inputs = self.bundle.manifest.inputs
        return len(inputs.optical), len(inputs.sar)

    def _seen(self, view: View, optical: Tensor, sar: Tensor, size: tuple[int, int]) -> Tensor:
        seen = (view.of(each, self.arrays).contiguous(memory_format=torch.channels_last) for each in (optical, sar))
        with autocast(self._device, self._dtype):
            scores = self._run(*seen)
        # class by class in memory, as they are stitched: over channels-last scores softmax takes half as long again
        found: Tensor = view.undone(scores.float().contiguous().softmax(1), size, self.arrays)
        return found


class EagerSharpeningPredictor:
    """A bundle that sharpens, awake on a device of torch; see `SharpeningPredictor`.

    Args:
        bundle: what to run.
        device: as in `EagerPredictor`.
        precision: likewise.

    Raises:
        BundleError: if the device is not there, or the weights are not.
    """

    patch = None

    def __init__(self, bundle: SharpeningBundle, *, device: str = "auto", precision: Precision = "auto") -> None:
        self.bundle = bundle
        self._device = choose_device(device)
        self._dtype = choose_dtype(precision, self._device)
        self.device, self.arrays = str(self._device), TensorArrays(self._device)
        # channels-last, as the conveyor delivers
        self.network = bundle.network().to(self._device).to(memory_format=torch.channels_last)

    @property
    def outputs(self) -> int:
        """B, how many bands it sharpens."""
        return len(self.bundle.manifest.inputs.ms)

    def score(self, pan: Tensor, ms: Tensor) -> Tensor:
        """Sharpened (N, B, h, w) of pan (N, 1, h, w) and ms (N, B, h / ratio, w / ratio), all over the divisor.

        Raises:
            MemoryError: if that of the device does not suffice.
        """
        with torch.inference_mode(), telling_of_memory(), autocast(self._device, self._dtype):
            sharp: Tensor = self.network(pan, ms)
            return sharp.float().contiguous()  # band by band in memory, as they are stitched


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    """Convolutions run in that type; float32 is without autocast."""
    return torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32)


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
