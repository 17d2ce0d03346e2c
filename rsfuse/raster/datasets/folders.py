"""Data sets of one's own: folders of pictures and masks, described by a YAML file (`FolderLayout`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.dataset import Dataset, SceneFiles
from rsfuse.raster.datasets.folder_layout import FolderLayout, legend_of, read_layout
from rsfuse.raster.datasets.folder_splits import FoundScene, list_files, split_source, splits_of

_BESIDE = (".aux.xml", ".ovr", ".msk")
"""Ends of names that GDAL gives to what it lays beside any raster."""
_SAME_STEM = {".tfw", ".jgw", ".pgw", ".wld", ".prj", ".shx", ".dbf", ".cpg", ".qix", ".sbn", ".sbx", ".qmd", ".qml"}
"""Endings of what lies beside a raster or a Shapefile under the same name."""


def read_folders(root: Path, layout: Path) -> Dataset:
    """The scenes that lie under a root as a layout says. No pixel is read.

    Every file in a folder that a pattern looks into belongs to a scene, and every scene has all its files. The name of
    a scene is the values of the fields of `optical`, joined by "_", with "-" for blanks and signs.

    Args:
        root: of the data set.
        layout: YAML file, see `FolderLayout`.

    Raises:
        TileSetError: if the layout cannot be, a file is missing or belongs to no scene, two scenes have one name, or
            the split does not name every scene exactly once or tears a group apart.
        LegendMismatchError: if there is no such legend, or it is none.
    """
    plan = read_layout(layout)
    legend, coding = legend_of(plan, layout)
    if not root.is_dir():
        raise TileSetError(f"there is no folder {root}", hint="name the root folder of the data set")
    scenes = _scenes(root, plan)
    _check_files(root, plan, scenes, layout)
    splits = splits_of(scenes, plan, root, layout) if plan.split else {}
    return Dataset(
        name=plan.name,
        scenes=tuple(
            SceneFiles(
                each.name,
                each.files["optical"],
                each.files.get("sar"),
                each.files["labels"],
                splits.get(each.name),
                each.group,
            )
            for each in scenes
        ),
        legend=legend,
        coding=coding,
        optical_bands=plan.bands.optical,
        sar_bands=plan.bands.sar,
        size=plan.size,
        edge=plan.edge,
        chips=plan.chips,
        split_source=split_source(plan, layout),
        notes=(*plan.notes, *_left_out(root, plan, scenes)),
    )


def _scenes(root: Path, plan: FolderLayout) -> list[FoundScene]:
    """What matches `optical`, in the order of the names; the other files are where they should be, there or not."""
    matches = {
        path: fields
        for path in plan.optical.files_under(root)
        if (fields := plan.optical.match(path.relative_to(root).as_posix())) is not None
    }
    others = [pattern for layer, pattern in plan.patterns.items() if layer != "optical"]
    # in one folder, "{id}.tif" also matches the "{id}_mask.tif" of another
    taken = {root / pattern.fill(fields) for fields in matches.values() for pattern in others}
    found = [_scene(root, plan, fields) for path, fields in matches.items() if path not in taken]
    if not found:
        shown = [str(path.relative_to(root)) for path in islice(_walk(root), 5)]
        raise TileSetError(
            f"no file under {root} is like optical {str(plan.optical)!r}; there is {', '.join(shown) or 'no file'}",
            hint="name the root that the patterns start from, or change the pattern",
        )
    found.sort(key=lambda scene: scene.name)
    for one, other in pairwise(found):
        if one.name == other.name:
            raise TileSetError(
                f"{one.files['optical']} and {other.files['optical']} both make a scene called {one.name!r}",
                hint="rename one: blanks and signs do not tell scenes apart",
            )
    return found


def _scene(root: Path, plan: FolderLayout, fields: dict[str, str]) -> FoundScene:
    name = "_".join(re.sub(r"[^\w.-]", "-", fields[field]) for field in plan.optical.fields)
    files = {layer: root / pattern.fill(fields) for layer, pattern in plan.patterns.items()}
    return FoundScene(name, fields, files, fields[plan.group] if plan.group else "")


def _check_files(root: Path, plan: FolderLayout, scenes: list[FoundScene], layout: Path) -> None:
    extra = _extra(root, plan, scenes, layout)
    missing = [(each, layer) for each in scenes for layer, path in each.files.items() if not path.is_file()]
    if missing:
        first, layer = missing[0]
        told = f"; {len(extra)} belong to none, the first is {extra[0][1]}" if extra else ""
        raise TileSetError(
            f"{len(missing)} files are missing: the first is {first.files[layer]}, {layer} of scene {first.name!r}, "
            f"which goes with {first.files['optical']}{told}",
            hint=f"download what is missing, move away what has no partner, or change the pattern in {layout}",
        )
    if extra:
        layer, path = extra[0]
        raise TileSetError(
            f"{len(extra)} files belong to no scene: the first is {path}; {layer} is {str(plan.patterns[layer])!r}",
            hint=f"move away what has no partner, or change the pattern in {layout}",
        )


def _extra(root: Path, plan: FolderLayout, scenes: list[FoundScene], layout: Path) -> list[tuple[str, Path]]:
    """Files in folders that a pattern looks into, with its layer, that belong to no scene."""
    known = {path for each in scenes for path in each.files.values()}
    stems = {path.with_suffix("") for path in known}
    # the layout, its legend and its lists may lie there, too
    own = {path.resolve() for path in (layout, *list_files(plan, root, layout).values())}
    if isinstance(plan.legend, str):
        own.add((layout.parent / plan.legend).resolve())
    found = {path: layer for layer, pattern in plan.patterns.items() for path in pattern.files_under(root)}
    return [
        (layer, path)
        for path, layer in sorted(found.items())
        if path not in known
        and not path.name.lower().endswith(_BESIDE)
        and not (path.suffix.lower() in _SAME_STEM and path.with_suffix("") in stems)
        and path.resolve() not in own
    ]


def _left_out(root: Path, plan: FolderLayout, scenes: list[FoundScene]) -> Iterator[str]:
    """A sentence on folders that a field fits and that nevertheless hold nothing."""
    used = {parent for each in scenes for path in each.files.values() for parent in path.parents}
    dead = [folder for folder in plan.optical.folders_under(root)[1] if folder not in used]
    if dead:
        names = ", ".join(folder.relative_to(root).as_posix() for folder in dead[:5])
        yield f"{len(dead)} folder(s) hold no files like {plan.optical} and were left out: {names}."


def _walk(root: Path) -> Iterator[Path]:
    """Files under a folder, hidden ones aside, one after the other."""
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))
