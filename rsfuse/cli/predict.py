"""`rsfuse predict`: the main job."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from rsfuse.cli import options, predict_coreg, predict_options, predict_report, show
from rsfuse.cli.predict_scenes import Job, are_several, find_pairs, make_folder, place_maps
from rsfuse.errors import RsfuseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rsfuse.learn.inference.predictor import Predictor
    from rsfuse.learn.inference.views import Look
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.predict import PredictSettings

_WRITTEN, _MAPPED, _MACHINE = "What is written", "How it is mapped", "The machine"
_FAILED = 2


class _Look(Enum):
    """Ways of test-time augmentation; Typer takes no list of literals."""

    FLIPS = "flips"
    TURNS = "turns"
    SCALES = "scales"
    ANCHORS = "anchors"


def predict(
    scenes: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="SCENE",
            help="Optical raster: anything GDAL reads, any bands. Several, or a list (CSV or GeoJSON with the columns "
            "optical, sar, name), are mapped one after the other.",
            show_default=False,
        ),
    ] = None,
    sar: options.Sar = None,
    sar_dir: Annotated[
        Path | None,
        typer.Option("--sar-dir", help="Folder of SAR rasters: each scene gets the one that covers most of it."),
    ] = None,
    out: Annotated[
        str | None,  # a path forgets the slash at its end
        typer.Option(
            "--out",
            "-o",
            metavar="PATH",
            help="The map; of several scenes, or where it ends with a slash, a folder for the maps.",
            show_default="SCENE_landcover.tif in the current folder",
        ),
    ] = None,
    bundle: Annotated[
        list[str] | None,
        typer.Option(
            "--bundle",
            help="Trained bundle: a name that `rsfuse bundles` lists, or a folder. Given again, both are averaged.",
            show_default="sentinel-10m; without torch sentinel-10m-onnx",
        ),
    ] = None,
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    crop: Annotated[
        str,
        typer.Option(
            "--crop",
            "--bounds",
            "--aoi",
            metavar="LEFT,BOTTOM,RIGHT,TOP or FILE",
            help="Part to map: bounds in the scene's coordinates, or polygons, outside of which nothing is mapped.",
            show_default="all",
        ),
    ] = "",
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Write how sure each pixel is, 0 to 254.", rich_help_panel=_WRITTEN)
    ] = False,
    probabilities: Annotated[
        Literal["uint8", "float16"] | None,
        typer.Option(
            "--probabilities",
            help="Write the probability of every class: uint8 as 0 to 254, float16 rounded to half precision in a "
            "float32 file, which every program reads.",
            rich_help_panel=_WRITTEN,
        ),
    ] = None,
    validity: Annotated[
        bool,
        typer.Option(
            "--validity", help="Write which sensors saw each pixel: 1 optical, 2 SAR, 3 both.", rich_help_panel=_WRITTEN
        ),
    ] = False,
    polygons: Annotated[
        Path | None,
        typer.Option("--polygons", help="Write the map as polygons, too: a GeoPackage.", rich_help_panel=_WRITTEN),
    ] = None,
    min_area: Annotated[
        float,
        typer.Option(
            "--min-area", min=0, help="Smallest of the --polygons, in square metres.", rich_help_panel=_WRITTEN
        ),
    ] = 0.0,
    stac: Annotated[
        bool, typer.Option("--stac", help="Write a STAC item beside the map.", rich_help_panel=_WRITTEN)
    ] = False,
    overlap: Annotated[
        int | None,
        typer.Option(
            "--overlap",
            min=0,
            help="Pixels that neighbouring patches share; an even number.",
            show_default="as the bundle says",
            rich_help_panel=_MAPPED,
        ),
    ] = None,
    blend: Annotated[
        Literal["hann", "gaussian", "crop"],
        typer.Option(help="Where patches overlap: blend their probabilities, or cut halfway.", rich_help_panel=_MAPPED),
    ] = "hann",
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Let the network see the whole image at once.", rich_help_panel=_MAPPED),
    ] = False,
    coreg: Annotated[
        Literal["warn", "fail", "off"],
        typer.Option(
            "--coreg",
            help="Before it starts, see whether the SAR lies on the optical; if not: warn or fail. off does not look.",
            rich_help_panel=_MAPPED,
        ),
    ] = "warn",
    tta: Annotated[
        list[_Look] | None,
        typer.Option(
            "--tta",
            help="Test-time augmentation: average over flips (2 passes), quarter turns (4), scales (3), or anchors of "
            "the scaling (up to 5); may be given again.",
            rich_help_panel=_MAPPED,
        ),
    ] = None,
    device: options.Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Of convolutions; auto is float16 on a GPU.", rich_help_panel=_MACHINE),
    ] = "auto",
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="torch.compile the network first: pays off on large scenes.", rich_help_panel=_MACHINE
        ),
    ] = False,
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            parser=options.parse_batch,
            metavar="N or auto",
            help="Patches that go through the network together; halved where memory does not suffice.",
            rich_help_panel=_MACHINE,
        ),
    ] = "auto",  # type: ignore[assignment]  # Typer parses defaults, too
    max_memory: Annotated[
        int | None,
        typer.Option(
            "--max-memory",
            parser=options.parse_size,
            metavar="SIZE",
            help="Memory to stay under, such as 2G: the batch is made to fit.",
            show_default="no limit",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    readers: Annotated[
        int, typer.Option("--readers", min=1, help="Threads that read the scene.", rich_help_panel=_MACHINE)
    ] = 2,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print patches, memory, bytes and time; write nothing.")
    ] = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Map scenes: optical and SAR in, land cover GeoTIFFs out; scenes far larger than memory too.

    A run that was stopped, however it was, goes on where it was when it is started again with the same options.
    """
    from rsfuse.learn.bundles.land_cover import Bundle, default_bundle
    from rsfuse.learn.runtimes.waking import wake
    from rsfuse.raster.crop import parse_crop
    from rsfuse.raster.scene import Bands
    from rsfuse.tasks.predict import PredictSettings

    pairs = find_pairs(scenes or [], sar, sar_dir)
    several = are_several(scenes or [], sar_dir, out)
    jobs = place_maps(pairs, out, several=several)
    settings = PredictSettings(
        overlap=overlap,
        blend=blend,
        batch_size=batch_size or None,
        max_memory=max_memory,
        readers=readers,
        crop=parse_crop(crop),
        confidence=confidence,
        probabilities=probabilities,
        validity=validity,
        polygons=polygons,
        min_area_m2=min_area,
        stac=stac,
        overwrite=overwrite,
    )
    bands = Bands(optical_bands, sar_bands)
    predict_options.check_written(settings, pairs)
    predict_options.check_bands(bands, pairs)
    looks = cast("tuple[Look, ...]", tuple(each.value for each in tta or ()))
    run = partial(wake, device=device, precision=precision, looks=looks, whole=whole, compiled=compiled)
    predictors = [run(Bundle.open(name)) for name in bundle or [default_bundle()]]
    predict_options.check_overlap(overlap, predictors[0].bundle.manifest.patch.size, whole=whole)
    work = _Work(predictors, settings, bands, coreg, dry_run=dry_run, as_json=as_json)
    work.check(jobs, scenes or [])
    if several:
        work.map_all(jobs)
    else:
        work.map_one(jobs[0])


class _Work:
    """The same for every scene of a call."""

    def __init__(
        self,
        predictors: Sequence[Predictor],
        settings: PredictSettings,
        bands: Bands,
        on_shift: predict_coreg.OnShift,
        *,
        dry_run: bool,
        as_json: bool,
    ) -> None:
        self._predictors, self._settings, self._bands, self._on_shift = predictors, settings, bands, on_shift
        self._dry_run, self._as_json = dry_run, as_json

    def check(self, jobs: Sequence[Job], named: Sequence[Path]) -> None:
        """Refuse to write over what is read, or over what is written by the same call.

        Args:
            jobs: what is mapped.
            named: the files that the user has named, lists among them.

        Raises:
            OutputError: naming the file.
        """
        from rsfuse.raster.outputs import check_outputs
        from rsfuse.tasks.predict_outputs import inputs_of, outputs_of

        legend = self._predictors[0].bundle.legend
        outputs = [each for job in jobs for each in outputs_of(job.output, legend, self._settings)]
        paired = [path for job in jobs for path in (job.pair.optical, job.pair.sar) if path is not None]
        rasters = dict.fromkeys([*paired, *named])
        check_outputs(outputs, inputs_of(rasters, self._settings, [each.bundle.folder for each in self._predictors]))

    def map_one(self, job: Job) -> None:
        """Map a scene and say what came out."""
        told = self._map(job)
        if self._as_json:
            show.document(told)

    def map_all(self, jobs: Sequence[Job]) -> None:
        """Map scenes one after the other into a folder; one that fails stops no other, and is told again at the end.

        Raises:
            Exit: with 2, if one has failed.
            OutputError: if the folder cannot be made.
        """
        if not self._dry_run:
            make_folder(jobs[0].output.parent)
        told: list[dict[str, Any]] = []
        for number, job in enumerate(jobs, 1):
            pair = job.pair
            show.note(f"{number} of {len(jobs)}: {pair.optical or '-'} + {pair.sar or '-'}")
            about = {"name": pair.name, "optical": pair.optical, "sar": pair.sar}
            try:
                told.append({**about, **self._map(job)})
            except RsfuseError as error:
                show.error(error)
                told.append({**about, "error": str(error), "hint": error.hint})
        failed = [each for each in told if "error" in each]
        if self._as_json:
            show.document({"scenes": told, "failed": len(failed)})
        if failed:
            names = ", ".join(each["name"] for each in failed)
            show.warning(f"{len(failed)} of {len(jobs)} scenes failed: {names}")
            raise typer.Exit(_FAILED)

    def _map(self, job: Job) -> dict[str, Any]:
        from rsfuse.raster.scene import Scene
        from rsfuse.tasks.predict import plan
        from rsfuse.tasks.predict import predict as map_scene

        pair = job.pair
        with Scene(pair.optical, pair.sar, bands=self._bands) as scene:
            if self._dry_run:
                planned = plan(scene, self._predictors, self._settings)
                if not self._as_json:
                    predict_report.tell_plan(pair.name, planned)
                return predict_report.plan_document(planned)
            checked = predict_coreg.look(pair, self._bands, self._on_shift)
            with show.progress("predicting", "patches") as progress:
                report = map_scene(scene, self._predictors, job.output, self._settings, progress)
        if not self._as_json:
            predict_report.tell(report, checked)
        return predict_report.document(report, self._predictors, checked)
