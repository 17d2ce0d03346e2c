"""`rsfuse tile`: from labelled scenes, a public data set, or a scene to be sharpened, to training tiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rsfuse.cli import options, show
from rsfuse.cli.tile_idle import given, is_drawn, refuse_beside, refuse_idle
from rsfuse.cli.tile_patches import PanMs, cut_patches, list_patches
from rsfuse.cli.tile_report import show_tiles
from rsfuse.errors import TileSetError

if TYPE_CHECKING:
    from rsfuse.raster.crop import Crop
    from rsfuse.raster.datasets.dataset import Dataset

_WHAT, _HOW, _SPLIT, _RUN = "What is cut", "How it is cut", "What trains and what judges", "How it runs"


def tile(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tiles.", show_default=False)],
    optical: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Optical rasters, or folders of them; with --dataset the root of the data set.", show_default=False
        ),
    ] = None,
    sar: Annotated[
        list[Path] | None,
        typer.Option(
            "--sar",
            help="SAR raster, once for each optical one in their order, or a folder with files of the same names.",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            help="Labels, likewise or one file for all: a raster on any grid (nearest), or polygons.",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            metavar="NAME",
            help="Public data set: whu-opt-sar, ddhr, pie-rgb-sar, yyx-opt-sar, deepglobe, inria, pancollection; "
            "or folders, which --layout describes.",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = "",
    layout: Annotated[
        Path | None,
        typer.Option("--layout", help="YAML that describes folders.", show_default=False, rich_help_panel=_WHAT),
    ] = None,
    legend: options.LegendName = "",
    wald: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--wald",
            metavar="PAN MS",
            help="To learn sharpening: patches of this scene, reduced by the ratio of its pixels. Sizes and places "
            "are in pixels of MS.",
            show_default=False,
            rich_help_panel=_WHAT,
        ),
    ] = None,
    ms_bands: options.MsBands = None,
    sensor: options.Sensor = "other",
    align: options.Align = False,
    maximum: Annotated[
        int | None,
        typer.Option(
            "--maximum",
            min=1,
            help="With --wald: the sensor's largest digital number, such as 2047.",
            show_default="that of the scene, all bits set",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    label_field: Annotated[
        str | None,
        typer.Option(
            "--label-field",
            help="Attribute of polygons that says their class.",
            show_default="the obvious one",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    optical_bands: options.OpticalBands = None,
    sar_bands: options.SarBands = None,
    crop: Annotated[
        str,
        typer.Option(
            "--crop",
            metavar="LEFT,BOTTOM,RIGHT,TOP or FILE",
            help="Part to cut: bounds in the scene's coordinates, or polygons, outside of which nothing is labelled.",
            show_default="all",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    window: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(
            "--window",
            metavar="COLUMN ROW WIDTH HEIGHT",
            help="Part to cut, in pixels.",
            show_default="all",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            min=16,
            help="Side of a tile in pixels.",
            show_default="512, 64 with --wald, or what suits the data set",
            rich_help_panel=_HOW,
        ),
    ] = None,
    halo: Annotated[
        int,
        typer.Option(
            "--halo", min=0, help="Pixels that a tile shares with its neighbour, on each side.", rich_help_panel=_HOW
        ),
    ] = 0,
    edge: Annotated[
        Literal["drop", "shift"] | None,
        typer.Option(
            "--edge",
            help="What fills no tile at the edge: drop it, or shift the last tile back over its neighbour.",
            show_default="drop, or what suits the data set",
            rich_help_panel=_HOW,
        ),
    ] = None,
    min_valid: Annotated[
        float,
        typer.Option(
            "--min-valid",
            min=0,
            max=1,
            help="Leave out tiles with a smaller share of pixels with data.",
            rich_help_panel=_HOW,
        ),
    ] = 0.1,
    manifest_only: Annotated[
        bool,
        typer.Option(
            "--manifest-only", help="Copy no pixel: training reads windows of the scenes.", rich_help_panel=_HOW
        ),
    ] = False,
    survey: Annotated[
        bool,
        typer.Option(
            "--survey/--no-survey",
            help="With --manifest-only: look at every pixel now, or count classes when training starts.",
            rich_help_panel=_HOW,
        ),
    ] = True,
    compress: Annotated[
        Literal["scene", "none", "zstd", "deflate"],
        typer.Option(
            "--compress", help="Compression of the tiles; scene: that of the scene's own file.", rich_help_panel=_HOW
        ),
    ] = "scene",
    split_by: Annotated[
        Literal["auto", "scene", "blocks", "list", "random"],
        typer.Option(
            "--split-by",
            help="auto: the data set's own lists, else whole scenes where there are four, else blocks. random leaks.",
            rich_help_panel=_SPLIT,
        ),
    ] = "auto",
    val: Annotated[
        float, typer.Option("--val", min=0, max=1, help="Share of tiles for validation.", rich_help_panel=_SPLIT)
    ] = 0.15,
    test: Annotated[
        float, typer.Option("--test", min=0, max=1, help="Share of tiles for testing.", rich_help_panel=_SPLIT)
    ] = 0.15,
    split: Annotated[
        Literal["train", "val", "test"] | None,
        typer.Option("--split", help="Put every tile into this split.", show_default=False, rich_help_panel=_SPLIT),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            metavar="SPLIT=FILE",
            help="File with a name of a scene on each line, such as train=train.txt; once for each split.",
            show_default=False,
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option(
            "--block",
            min=16,
            help="Side of the blocks in pixels.",
            show_default="1 to 8 tiles",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    guard: Annotated[
        int | None,
        typer.Option(
            "--guard",
            min=0,
            help="Pixels at least between training tiles and all others; no fewer than --size, or with --wald than "
            "twice what filters reach.",
            show_default="--size",
            rich_help_panel=_SPLIT,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the chance in a split.", rich_help_panel=_SPLIT)] = 0,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", min=1, help="Processes side by side.", show_default="as many as help", rich_help_panel=_RUN
        ),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Cut scenes into training tiles: optical, SAR and labels side by side, with a manifest.

    A run that was stopped goes on when the same command is given again; with --wald it begins anew.
    """
    refuse_idle(
        {
            "--layout": bool(layout) and dataset != "folders",
            "--label-field": bool(label_field) and not any(is_drawn(path) for path in labels or ()),
            "--split": bool(split) and (split_by != "auto" or bool(lists)),
            "--list": bool(lists) and split_by not in ("auto", "list"),
            "--block": block is not None and split_by not in ("auto", "blocks"),
            "--no-survey": not (survey or manifest_only),
        }
    )
    refuse_beside(given(context), wald=bool(wald))
    if not (optical or wald):
        raise TileSetError(
            "nothing is named to cut", hint="name optical rasters, --dataset NAME and a root, or --wald PAN MS"
        )
    if dataset == "pancollection":
        list_patches(optical or [], out, overwrite=overwrite, as_json=as_json)
        return
    from dataclasses import replace

    from rsfuse.geometry.split import Shares
    from rsfuse.raster.scene import Bands
    from rsfuse.raster.sharpening.wald import WaldSettings
    from rsfuse.raster.sharpening.wald_plan import WaldCover
    from rsfuse.raster.tiling.scene_lists import read_scene_lists
    from rsfuse.raster.tiling.scene_splits import SplitRule
    from rsfuse.tasks.tile import TileSettings
    from rsfuse.tasks.tile import tile as cut

    rule = SplitRule(
        by="none" if split else "list" if lists else split_by,
        shares=Shares(val, test),
        seed=seed,
        block=block,
        gap=guard,
        everything=split or "train",
    )
    if wald:
        cover = WaldCover(size or WaldCover.size, halo, window)
        reduce = WaldSettings(cover, rule, maximum=maximum, overwrite=overwrite)
        cut_patches(PanMs(*wald, ms_bands, align), sensor, out, reduce, as_json=as_json)
        return
    chosen = _dataset(optical or [], sar or [], labels or [], dataset=dataset, layout=layout, legend=legend)
    settings = TileSettings(
        size=size,
        halo=halo,
        edge=edge,
        rule=replace(rule, names=read_scene_lists(lists or [], chosen.scenes)),
        crop=_crop(crop, window),
        bands=Bands(optical_bands, sar_bands),
        label_field=label_field,
        min_valid=min_valid,
        copy=not manifest_only,
        survey=survey,
        compression=compress,
        workers=workers,
        overwrite=overwrite,
    )
    with show.progress("looking at pixels" if manifest_only else "cutting", "parts") as progress:
        report = cut(chosen, out, settings, progress=progress)
    show_tiles(report, as_json=as_json)


def _dataset(
    optical: list[Path], sar: list[Path], labels: list[Path], *, dataset: str, layout: Path | None, legend: str
) -> Dataset:
    """The data set that these options mean."""
    from dataclasses import replace

    from rsfuse.raster.datasets.folders import read_folders
    from rsfuse.raster.datasets.registry import open_dataset
    from rsfuse.raster.legend_file import find_coding, find_legend
    from rsfuse.raster.tiling.own_scenes import own_dataset

    if not dataset:
        if not labels:
            raise TileSetError(
                "there are no labels", hint="name them: --labels FILE, or a public data set: --dataset NAME"
            )
        known = (find_legend(legend), find_coding(legend)) if legend else (None, None)
        return own_dataset(optical, sar, labels, *known)
    if len(optical) != 1 or sar or labels:
        raise TileSetError(
            f"--dataset {dataset} finds all files itself, under one root: {len(optical)} paths, {len(sar)} for --sar "
            f"and {len(labels)} for --labels are given",
            hint=f"give the root alone: rsfuse tile --dataset {dataset} ROOT -o tiles",
        )
    if dataset == "folders":
        if layout is None:
            raise TileSetError("nothing describes the folders", hint="add --layout FILE, a YAML file")
        found = read_folders(optical[0], layout)
    else:
        found = open_dataset(dataset, optical[0])
    return replace(found, legend=find_legend(legend), coding=find_coding(legend)) if legend else found


def _crop(text: str, window: tuple[int, int, int, int] | None) -> Crop:
    from rsfuse.raster.crop import Crop, parse_crop

    if text and window:
        raise TileSetError("--crop and --window are both given", hint="give one of them")
    return Crop(pixels=window) if window else parse_crop(text)
