"""Export: a bundle of torch in, one for onnxruntime out that is known to say the same."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rsfuse.errors import BundleError
from rsfuse.learn.bundles.exported import Agreement, Exported, GraphPrecision
from rsfuse.learn.bundles.files import GRAPH, describe
from rsfuse.learn.bundles.land_cover import Bundle, PatchSize
from rsfuse.learn.bundles.sharpening import SharpeningBundle, open_any_bundle
from rsfuse.learn.bundles.stored import stored_bytes
from rsfuse.learn.export.agreement import AT_ONCE, Measured, compare, run_graph, run_network
from rsfuse.learn.export.card import exported_card
from rsfuse.learn.export.folder import check_folder, drafted
from rsfuse.learn.export.graph import write_graph
from rsfuse.learn.export.inputs import graph_inputs, graph_patch
from rsfuse.learn.export.land_cover import scene_samples, tile_samples
from rsfuse.learn.export.noise import noise_samples
from rsfuse.learn.export.samples import NOISE, PatchSamples
from rsfuse.learn.export.sharpening import pair_samples, set_samples
from rsfuse.learn.inference.room import free_memory, with_overhead
from rsfuse.learn.runtimes.memory import forward_bytes
from rsfuse.raster.scene import Bands
from rsfuse.tasks.progress import Stages, unseen

LARGEST_ERROR = 1e-3
"""What a graph in float32 may be off, of the largest score: more is no rounding."""
TOLERANCE = 1e-3
"""Share of pixels that may become another class, where the user says nothing."""

_ROOM = 6  # times the weights, which may be stored in half precision; the graph has matrices of its own as well


@dataclass(frozen=True)
class Images:
    """Real images to compare on; none of them for noise.

    Args:
        tiles: folder of tiles, or of patches for sharpening.
        scene: the optical raster, or the panchromatic one.
        sar: of the same place, for land cover.
        ms: of the same place, for sharpening.
        bands: of optical and SAR.
        ms_bands: of the multispectral raster, in this order, counted from 1; None for all.
    """

    tiles: Path | None = None
    scene: Path | None = None
    sar: Path | None = None
    ms: Path | None = None
    bands: Bands = field(default_factory=Bands)
    ms_bands: tuple[int, ...] | None = None


NO_IMAGES = Images()


@dataclass(frozen=True)
class ExportSettings:
    """What a user may choose.

    Args:
        precision: of weights and of what is computed.
        patch: side of patches in pixels, which a graph cannot change; None for the bundle's.
        images: what graph and network are compared on.
        tolerance: share of pixels that may become another class; of sharpened numbers, may be another by more than 1.
        overwrite: replace an exported bundle that is there.
    """

    precision: GraphPrecision = "float32"
    patch: int | None = None
    images: Images = NO_IMAGES
    tolerance: float = TOLERANCE
    overwrite: bool = False


DEFAULTS = ExportSettings()


@dataclass(frozen=True)
class ExportReport:
    """What was written, and how it compares.

    Args:
        output: folder of the exported bundle.
        bundle: name of the one that it was exported from.
        network: its name.
        patch: side of the patches and their halo.
        padded: side that the network makes of it inside; the same where it divides.
        exported: what the manifest says.
        measured: how far graph and network agree.
        bytes: of the weights, and of the graph.
        seconds: that it took.
    """

    output: Path
    bundle: str
    network: str
    patch: PatchSize
    padded: int
    exported: Exported
    measured: Measured
    bytes: tuple[int, int]
    seconds: float

    @property
    def is_real(self) -> bool:
        """Whether real images were looked at."""
        return self.exported.agreement.samples != NOISE

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        exported, measured = self.exported, self.measured
        return {
            "output": str(self.output),
            "bundle": self.bundle,
            "network": self.network,
            "patch": self.patch.size,
            "padded": self.padded,
            "precision": exported.precision,
            "opset": exported.opset,
            "weights_mb": round(self.bytes[0] / 1e6, 3),
            "graph_mb": round(self.bytes[1] / 1e6, 3),
            "samples": exported.agreement.samples,
            "patches": exported.agreement.patches,
            "largest_error": measured.largest_error,
            "differing": measured.differing,
            "mean_error": measured.mean_error,
            "miou": None if measured.miou is None else dict(zip(("torch", "onnx"), measured.miou, strict=True)),
            "seconds": round(self.seconds, 2),
        }


def export(
    bundle: str | Path, folder: Path, settings: ExportSettings = DEFAULTS, stages: Stages = unseen
) -> ExportReport:
    """Write a bundle's network as a graph, compare the two, and leave a bundle that runs without torch.

    Args:
        bundle: by the name it ships under, or by its folder; for land cover or for sharpening.
        folder: of the exported bundle; it is there at the end or not at all.
        settings: what a user may choose.
        stages: told of the parts of the work.

    Raises:
        OutputError: if the folder holds something that may not be replaced, or cannot be written.
        BundleError: if there is no such bundle, it is exported already, has no graph, or the graph says something else.
        RsfuseError: if the images to compare on do not fit, or are damaged.
    """
    start, opened = time.monotonic(), open_any_bundle(bundle)
    check_folder(folder, overwrite=settings.overwrite)
    if opened.manifest.onnx is not None:
        raise BundleError(
            f"bundle {opened.name} is exported already ({opened.manifest.onnx.precision})",
            hint="name the bundle that it was exported from",
        )
    work = _Export(opened, settings)
    work.check_memory()
    with stages("reading", "patches") as progress:
        samples = work.samples()
        progress(len(samples.patches), len(samples.patches))
    weights = stored_bytes(opened.weights)
    with drafted(folder, _ROOM * weights) as draft:
        exported, measured = work.write(draft, samples, stages)
        graph = stored_bytes(draft / GRAPH)
    return ExportReport(
        output=folder,
        bundle=opened.name,
        network=str(opened.manifest.network["name"]),
        patch=work.patch,
        padded=work.padded,
        exported=exported,
        measured=measured,
        bytes=(weights, graph),
        seconds=time.monotonic() - start,
    )


class _Export:
    """A bundle that is being exported with one user's settings."""

    def __init__(self, bundle: Bundle | SharpeningBundle, settings: ExportSettings) -> None:
        self.bundle, self.settings = bundle, settings
        self.patch = graph_patch(bundle, settings.patch)
        self.network = bundle.network()
        self.inputs = graph_inputs(bundle, self.patch.size)

    @property
    def padded(self) -> int:
        """Side that the network makes of a patch's."""
        multiple = int(getattr(self.network, "multiple", 1))
        return -(-self.patch.size // multiple) * multiple

    def check_memory(self) -> None:
        """Refuse patches that torch cannot see here, as far as that can be told."""
        needed = with_overhead(AT_ONCE * (self._patch_bytes or 0))
        if needed > free_memory():
            raise BundleError(
                f"{AT_ONCE} patches of {self.patch.size} px need about {needed / 1e9:,.1f} GB in torch, "
                f"{free_memory() / 1e9:.1f} GB are free",
                hint="choose a smaller --patch",
            )

    def samples(self) -> PatchSamples:
        """The patches to compare on."""
        bundle, images, side = self.bundle, self.settings.images, self.patch.size
        _check_images(bundle, images)
        if images == NO_IMAGES:
            return noise_samples(bundle, side)
        if isinstance(bundle, Bundle):
            if images.tiles is not None:
                return tile_samples(bundle, images.tiles, side)
            return scene_samples(bundle, images.scene, images.sar, side, bands=images.bands)
        if images.tiles is not None:
            return set_samples(bundle, images.tiles, side)
        assert images.scene is not None
        assert images.ms is not None
        return pair_samples(bundle, images.scene, images.ms, side, bands=images.ms_bands)

    def write(self, folder: Path, samples: PatchSamples, stages: Stages) -> tuple[Exported, Measured]:
        """The files of the exported bundle; none that makes it one where the graph is not good enough."""
        precision = self.settings.precision
        with stages(f"writing {precision}", "graphs") as progress:
            opset = write_graph(self.network, self.inputs, folder / GRAPH, precision)
            progress(1, 1)
        measured = self._measure(folder / GRAPH, samples, stages)
        self._check(measured, samples)
        agreement = Agreement(
            samples=samples.told,
            patches=len(samples.patches),
            largest_error=measured.largest_error,
            differing=measured.differing,
        )
        exported = Exported(precision=precision, opset=opset, patch_bytes=self._patch_bytes, agreement=agreement)
        manifest = self.bundle.manifest.model_copy(update={"onnx": exported, "patch": self.patch})
        maps = isinstance(self.bundle, Bundle)
        describe(folder, manifest, exported_card(self.bundle.card, exported, self.patch.size, maps=maps))
        return exported, measured

    def _measure(self, graph: Path, samples: PatchSamples, stages: Stages) -> Measured:
        bundle = self.bundle
        divisor = bundle.manifest.inputs.divisor if isinstance(bundle, SharpeningBundle) else None
        maps = divisor is None
        expect, find = run_network(self.network, maps=maps), run_graph(graph, self.inputs, maps=maps)
        with stages("comparing", "patches") as progress:
            return compare(expect, find, samples.patches, divisor=divisor, progress=progress)

    def _check(self, measured: Measured, samples: PatchSamples) -> None:
        """Refuse a graph that says something else than its network. NaN is no number that passes."""
        precision, tolerance, error = self.settings.precision, self.settings.tolerance, measured.largest_error
        is_exact = error <= LARGEST_ERROR if precision == "float32" else error < float("inf")
        if is_exact and measured.differing <= tolerance:
            return
        what = "pixels another class" if isinstance(self.bundle, Bundle) else "numbers another value, by more than 1,"
        raise BundleError(
            f"the graph of bundle {self.bundle.name} in {precision} gives {measured.differing:.3%} of {what} than "
            f"torch on {len(samples.patches)} patches of {samples.told}, where {tolerance:.3%} may differ; its largest "
            f"error is {error:.1e} of the largest number{_told_miou(measured)}",
            hint=_advice(self.settings, is_exact=is_exact),
        )

    @cached_property
    def _patch_bytes(self) -> int | None:
        """Of tensors of one patch; a network that sharpens cannot be followed."""
        if isinstance(self.bundle, SharpeningBundle):
            return None
        first, second = (each.channels for each in self.inputs)
        return forward_bytes(self.network, (first, second), (self.patch.size,) * 2)


def _check_images(bundle: Bundle | SharpeningBundle, images: Images) -> None:
    """Refuse images of another kind than the bundle's, or of two kinds."""
    maps = isinstance(bundle, Bundle)
    if images.tiles is not None and images != Images(tiles=images.tiles):
        raise BundleError("the patches to compare on would be those of --tiles and of a scene", hint="give one of them")
    if maps and images.ms is not None:
        raise BundleError(f"bundle {bundle.name} maps land cover, --ms is for sharpening", hint="leave it out")
    if not maps and images.sar is not None:
        raise BundleError(f"bundle {bundle.name} sharpens, --sar is for land cover", hint="leave it out")
    if not maps and (images.scene is None) != (images.ms is None):
        raise BundleError(
            f"bundle {bundle.name} sharpens a panchromatic raster and a multispectral one, one of them is named",
            hint="give both: --scene PAN --ms MS",
        )


def _told_miou(measured: Measured) -> str:
    return "" if measured.miou is None else "; its mIoU is {1:.4f}, that of torch {0:.4f}".format(*measured.miou)


def _advice(settings: ExportSettings, *, is_exact: bool) -> str:
    if not is_exact:
        return (
            "keep the bundle of torch, or export it in float32"
            if settings.precision != "float32"
            else ("keep the bundle of torch, and report this with the network section of its bundle.yaml")
        )
    looked = "" if settings.images != NO_IMAGES else "look at real images, which noise is not: --tiles or --scene; or "
    milder = {"float32": "", "float16": ", or keep --precision float32", "int8": ", or --precision float16 or float32"}
    kept = milder[settings.precision]
    return f"{looked}allow more: --tolerance 0.01{kept}"
