"""How much memory a forward pass of torch takes, told without running it."""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from math import ceil, isqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from rsfuse.learn.inference.room import HOLES, KEPT, with_overhead

__all__ = ["forward_bytes", "largest_side"]

PROBES = (192, 384)  # px: sides of the two squares that tell how a network grows
TOO_MANY_STEPS = 1.5  # a network whose steps grow by more from one to the other goes through its maps in strips


def forward_bytes(
    network: nn.Module,
    channels: tuple[int, int],
    size: tuple[int, int],
    batch: int = 1,
    *,
    dtype: torch.dtype = torch.float32,
    method: str = "forward",
) -> int | None:
    """Bytes of tensors at the fullest moment of `Predictor.score`: inputs, activations, scores and probabilities.

    Not the weights, which are there already, but the copies of them that autocast makes; not what kernels and
    allocators need for themselves, see `with_overhead`. Exact within this, but for networks that take a step per strip
    of a large image (F2Net): following each would take as long as running them, so that two small images tell.

    Args:
        network: in evaluation mode, on the device where it would run; left as it is.
        channels: optical and SAR bands.
        size: height and width in pixels.
        batch: images at once.
        dtype: that autocast is to use; float32 is without autocast.
        method: of the network, from optical and SAR to scores. One that enters inference_mode itself
            (`F2Net.score_whole`) is followed less closely, up to a tenth below the truth.

    Returns:
        None if the network looks at numbers and so cannot be followed without them.
    """
    return _Estimate(network, channels, dtype, method).bytes(size, batch)


def largest_side(
    network: nn.Module,
    channels: tuple[int, int],
    multiple: int,
    budget: int,
    *,
    dtype: torch.dtype = torch.float32,
    method: str = "forward",
) -> int | None:
    """Side in pixels of the largest square image whose forward pass, with overhead, fits a budget.

    Args:
        network: in evaluation mode, on the device where it would run; left as it is.
        channels: optical and SAR bands.
        multiple: that the side is to be of, in pixels.
        budget: bytes.
        dtype: that autocast is to use; float32 is without autocast.
        method: of the network, from optical and SAR to scores.

    Returns:
        0 if not even the smallest fits; None if the network looks at numbers.
    """
    estimate = _Estimate(network, channels, dtype, method)
    if estimate.line is None:
        return None

    def fits(count: int) -> bool:
        return with_overhead(estimate.bytes((count * multiple,) * 2) or 0) <= budget

    pixels = max(0, int(estimate.line.pixels((budget - KEPT) / HOLES)))
    guess = isqrt(pixels) // multiple  # good where bytes grow with the area
    # the smallest fits or nothing does; at the highest the inputs alone do not fit
    low, high = 0, isqrt(max(0, budget) // (sum(channels) * torch.float32.itemsize)) // multiple + 1
    for count in (int(0.99 * guess), ceil(1.01 * guess) + 1):
        if low < count < high:
            low, high = (count, high) if fits(count) else (low, count)
    return multiple * (low + bisect_right(range(low + 1, high), 0, key=lambda count: 0 if fits(count) else 1))


@dataclass(frozen=True)
class _Line:
    """Bytes as a constant and a rate per pixel of all images of a batch."""

    constant: float
    rate: float

    def bytes(self, pixels: int) -> int:
        return ceil(self.constant + self.rate * pixels)

    def pixels(self, size: float) -> float:
        return (size - self.constant) / self.rate


class _Estimate:
    """Follows forward passes of one network."""

    def __init__(self, network: nn.Module, channels: tuple[int, int], dtype: torch.dtype, method: str) -> None:
        self._network, self._channels, self._dtype, self._method = network, channels, dtype, method
        self._device = next((weight.device for weight in network.parameters()), torch.device("cpu"))

    def bytes(self, size: tuple[int, int], batch: int = 1) -> int | None:
        """Exact where the steps do not depend on the size, or the image is small; else from the line."""
        pixels = batch * size[0] * size[1]
        if pixels > PROBES[-1] ** 2 and self._in_strips:
            return None if self.line is None else self.line.bytes(pixels)
        followed = self._follow(size, batch)
        return None if followed is None else followed.peak

    @cached_property
    def line(self) -> _Line | None:
        """Through the two probes."""
        small, large = self._probes
        if small is None or large is None:
            return None
        rate = (large.peak - small.peak) / (PROBES[1] ** 2 - PROBES[0] ** 2)
        return _Line(large.peak - rate * PROBES[1] ** 2, rate)

    @property
    def _in_strips(self) -> bool:
        small, large = self._probes
        return small is not None and large is not None and large.steps > TOO_MANY_STEPS * small.steps

    @cached_property
    def _probes(self) -> tuple[_Living | None, _Living | None]:
        small, large = (self._follow((side, side), 1) for side in PROBES)
        return small, large

    def _follow(self, size: tuple[int, int], batch: int) -> _Living | None:
        """A forward pass of shapes without numbers, as `Predictor.score` does it."""
        try:
            with FakeTensorMode(allow_non_fake_inputs=True) as fakes:
                network, weights = _without_numbers(self._network, fakes)
                # not inference_mode, in which compound operations would come undivided; it keeps as little
                living = _Living(weights)
                with living, torch.no_grad(), self._autocast():
                    images = [torch.empty(batch, *size, count, device=self._device) for count in self._channels]
                    optical, sar = (image.permute(0, 3, 1, 2) for image in images)
                    scores: Tensor = getattr(network, self._method)(optical, sar)
                    scores.float().softmax(1)
                return living
        except (RuntimeError, NotImplementedError):
            return None

    def _autocast(self) -> AbstractContextManager[None]:
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device.type, dtype=self._dtype)


def _without_numbers(network: nn.Module, fakes: FakeTensorMode) -> tuple[nn.Module, list[Tensor]]:
    """A copy of a network whose weights have shapes alone, and these."""
    held = [*network.parameters(), *network.buffers()]
    weights: list[Tensor] = [fakes.from_tensor(tensor) for tensor in held]
    # deepcopy takes them for copies that it has made already
    return copy.deepcopy(network, dict(zip(map(id, held), weights, strict=True))), weights


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that live, operation by operation.

    Args:
        weights: not counted.
    """

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak, self.steps = 0, 0
        # weak references: they let a storage go, but nothing else takes its number as long as they are there
        self._known = {reference.cdata: reference for reference in map(_reference, weights)}
        self._living: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.prim.device.default:  # a question, asked before every other operation
            return func(*args)
        made = func(*args, **(kwargs or {}))
        self.steps += 1
        new = [self._hold(each) for each in (made if isinstance(made, list | tuple) else [made])]
        if any(new):  # most operations are views; without a new storage there is no new peak
            self._living = {number: held for number, held in self._living.items() if not _expired(held[0])}
            scratch = _SCRATCH.get(func.name(), _nothing)(args[0] if args else None)
            self.peak = max(self.peak, scratch + sum(size for _, size in self._living.values()))
        return made

    def _hold(self, made: Any) -> bool:
        """Whether it is a tensor whose storage was not there before."""
        if not isinstance(made, Tensor):
            return False
        storage = made.untyped_storage()
        if storage._cdata in self._known or storage._cdata in self._living:
            return False
        self._living[storage._cdata] = _reference(made), int(storage.nbytes())
        return True


def _reference(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def _expired(reference: StorageWeakRef) -> bool:
    return bool(reference.expired())  # type: ignore[no-untyped-call]


def _nothing(_: Any) -> int:
    return 0


def _copied(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _made_contiguous(tensor: Tensor) -> int:
    return 0 if tensor.is_contiguous() else _copied(tensor)


# tensors that operations make for themselves while they run: the inverse transform copies its spectrum, which it spoils
_SCRATCH: dict[str, Callable[[Any], int]] = {"aten::_fft_c2r": _copied, "aten::_softmax": _made_contiguous}
