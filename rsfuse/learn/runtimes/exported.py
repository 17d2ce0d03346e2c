"""Networks on onnxruntime; nothing here knows torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.exported import Exported
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.arrays import Floats
from rsfuse.learn.inference.room import free_memory, with_overhead
from rsfuse.learn.inference.views import Look, View, scalings, views
from rsfuse.learn.runtimes.ndarrays import NdArrays
from rsfuse.learn.runtimes.session import Session, Shape

Shapes = Mapping[str, tuple[int, int, int]]


class ExportedPredictor:
    """An exported bundle that maps land cover, awake on a device of onnxruntime; see `Predictor`.

    Args:
        bundle: what to run.
        device: see `Session`.
        looks: test-time augmentation, but for "scales": it takes patches of one size.

    Raises:
        BundleError: if the device is not there, the graph cannot be read, or it cannot look at a scene so.
    """

    whole = False

    def __init__(self, bundle: Bundle, *, device: str = "auto", looks: Sequence[Look] = ()) -> None:
        if "scales" in looks:
            raise BundleError(
                f"bundle {bundle.name} is exported for patches of one size and cannot look at several scales",
                hint="leave out --tta scales, or run the bundle that it was exported from",
            )
        self.bundle, self.looks, self._views = bundle, tuple(looks), views(looks)
        self.inputs, self.arrays = scalings(bundle.manifest, looks), NdArrays()
        self.patch, channels = bundle.manifest.patch.size, bundle.manifest.inputs
        square = self.patch, self.patch
        takes = {"optical": (len(channels.optical), *square), "sar": (len(channels.sar), *square)}
        self._session = _awake(bundle, device, takes, {"probabilities": (len(bundle.legend), *square)})
        self.device = self._session.device
        self.precision = f"{_graph_of(bundle).precision} (onnx)"  # other numbers than torch's, if only in last digits

    @property
    def outputs(self) -> int:
        """K, how many classes it tells apart."""
        return len(self.bundle.legend)

    def score(self, optical: Floats, sar: Floats) -> Floats:
        """Class probabilities (B, K, h, w) of scaled pixels (B, C, h, w) and (B, S, h, w).

        Raises:
            MemoryError: if that of the device does not suffice.
            BundleError: if the graph cannot be run, or gives no numbers.
        """
        found: Floats = self.arrays.mean(self._seen(view, optical, sar) for view in self._views)
        return found

    def pass_bytes(self, size: tuple[int, int], batch: int) -> int | None:
        """See `Predictor`; what was told by torch of one patch when it was exported."""
        patch = _graph_of(self.bundle).patch_bytes
        return None if patch is None else with_overhead(batch * patch)

    def free_bytes(self) -> int:
        """Bytes that can still be had of this machine; nobody asks for those of a GPU."""
        return free_memory()

    def largest_side(self, budget: int) -> int | None:
        """The side of its patches."""
        return self.patch

    def _seen(self, view: View, optical: Floats, sar: Floats) -> Floats:
        seen = {"optical": view.of(optical, self.arrays), "sar": view.of(sar, self.arrays)}
        scores = self._session.run("probabilities", seen)
        if np.isnan(scores[:, 0]).any():  # of one class as of all
            raise BundleError(
                f"the graph of bundle {self.bundle.name} ({self.precision}) gives no numbers for some pixels (NaN)",
                hint="its numbers grow too large for half precision: export it in float32",
            )
        found: Floats = view.undone(scores, (self.patch, self.patch), self.arrays)
        return found


class ExportedSharpeningPredictor:
    """An exported bundle that sharpens, awake on a device of onnxruntime; see `SharpeningPredictor`.

    Args:
        bundle: what to run.
        device: see `Session`.

    Raises:
        BundleError: if the device is not there, or the graph cannot be read.
    """

    def __init__(self, bundle: SharpeningBundle, *, device: str = "auto") -> None:
        self.bundle, self.arrays = bundle, NdArrays()
        self.patch, coarse = bundle.manifest.patch.size, bundle.manifest.patch.size // bundle.manifest.ratio
        takes = {"pan": (1, self.patch, self.patch), "ms": (self.outputs, coarse, coarse)}
        self._session = _awake(bundle, device, takes, {"sharp": (self.outputs, self.patch, self.patch)})
        self.device = self._session.device

    @property
    def outputs(self) -> int:
        """B, how many bands it sharpens."""
        return len(self.bundle.manifest.inputs.ms)

    def score(self, pan: Floats, ms: Floats) -> Floats:
        """Sharpened (N, B, h, w) of pan (N, 1, h, w) and ms (N, B, h / ratio, w / ratio), all over the divisor.

        Raises:
            MemoryError: if that of the device does not suffice.
        """
        return self._session.run("sharp", {"pan": pan, "ms": ms})


def _awake(bundle: Bundle | SharpeningBundle, device: str, inputs: Shapes, output: Shapes) -> Session:
    """A session whose graph is that of the manifest."""
    session = Session(bundle.weights, device)
    wanted = {name: shape for name, shape in inputs.items() if shape[0]}  # a graph has no input of no channels
    given = {name: shape for name, shape in session.outputs.items() if name in output}
    if session.inputs != wanted or given != output:
        raise BundleError(
            f"{bundle.weights} is not the graph of bundle {bundle.name}: it takes {_named(session.inputs)} and gives "
            f"{_named(session.outputs)}, where the manifest wants {_named(wanted)} and {_named(output)}",
            hint="copy the bundle anew, or export it anew",
        )
    return session


def _named(shapes: Mapping[str, Shape]) -> str:
    """Such as "optical 3 x 128 x 128"; without a size where it is no float with a free batch."""
    return ", ".join(f"{name} {' x '.join(map(str, shape))}".rstrip() for name, shape in shapes.items()) or "nothing"


def _graph_of(bundle: Bundle) -> Exported:
    if bundle.manifest.onnx is None:
        raise ValueError(f"bundle {bundle.name} is not exported")
    return bundle.manifest.onnx
