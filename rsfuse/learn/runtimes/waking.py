"""Bundles are woken on what they were made for: weights on torch, graphs on onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.files import bundle_names
from rsfuse.learn.bundles.land_cover import Bundle
from rsfuse.learn.bundles.sharpening import SharpeningBundle
from rsfuse.learn.inference.predictor import Precision, Predictor, SharpeningPredictor
from rsfuse.learn.inference.views import Look


def wake(
    bundle: Bundle,
    *,
    device: str = "auto",
    precision: Precision = "auto",
    looks: Sequence[Look] = (),
    whole: bool = False,
    compiled: bool = False,
) -> Predictor:
    """A bundle that maps land cover, ready to be run; see `EagerPredictor` and `ExportedPredictor`.

    Raises:
        BundleError: if the device is not there, the network cannot be loaded, or it cannot be run so.
    """
    if bundle.manifest.onnx is None:
        _check_torch(bundle)
        from rsfuse.learn.runtimes.eager import EagerPredictor

        return EagerPredictor(bundle, device=device, precision=precision, looks=looks, whole=whole, compiled=compiled)
    for asked, option in ((whole, "--whole"), (compiled, "--compile")):
        if asked:
            _refuse(bundle, option, f"it takes patches of {bundle.manifest.patch.size} px, without torch")
    if precision not in ("auto", bundle.manifest.onnx.precision):
        _refuse(bundle, f"--precision {precision}", f"it was exported in {bundle.manifest.onnx.precision}")
    from rsfuse.learn.runtimes.exported import ExportedPredictor

    return ExportedPredictor(bundle, device=device, looks=looks)


def wake_sharpening(bundle: SharpeningBundle, *, device: str = "auto") -> SharpeningPredictor:
    """A bundle that sharpens, ready to be run.

    Raises:
        BundleError: if the device is not there, or the network cannot be loaded.
    """
    if bundle.manifest.onnx is None:
        _check_torch(bundle)
        from rsfuse.learn.runtimes.eager import EagerSharpeningPredictor

        return EagerSharpeningPredictor(bundle, device=device)
    from rsfuse.learn.runtimes.exported import ExportedSharpeningPredictor

    return ExportedSharpeningPredictor(bundle, device=device)


def _check_torch(bundle: Bundle | SharpeningBundle) -> None:
    """Refuse weights of torch where that is not installed, and say what does without it."""
    if find_spec("torch") is None:
        graph = f"{bundle.name}-onnx"
        other = f"--bundle {graph}" if graph in bundle_names() else "rsfuse export it where torch is"
        raise BundleError(
            f"bundle {bundle.name} has weights for torch, which is not installed",
            hint=f"take its graph, which needs no torch: {other}; or pip install 'rsfuse[full]'",
        )


def _refuse(bundle: Bundle, option: str, why: str) -> None:
    raise BundleError(
        f"{option} is not for exported bundles, and {bundle.name} is one: {why}",
        hint=f"leave out {option}, or name the bundle that it was exported from",
    )
