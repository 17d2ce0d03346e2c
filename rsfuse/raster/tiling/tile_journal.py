"""The journal of a tile set in the making: what was asked for, and which units are done.

It lies in the folder of the tiles. A run that was stopped at any moment is gone on with by asking for the same again;
who asks for something else is told what differs.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rsfuse.errors import OutputError, TileSetError
from rsfuse.raster.asked import compare, plain
from rsfuse.raster.disk import replace_text, writing
from rsfuse.raster.manifest import LAYERS, TILES, Manifest, SceneEntry, read_manifest

JOURNAL = ".journal"
"""Folder beside the tiles, gone when they are complete."""

_ASKED = "asked.json"


class TileJournal:
    """What is known in a folder of an earlier run.

    Args:
        folder: of the tiles.
        asked: options and scenes of this run, as plain data.
        overwrite: whether an earlier run's tiles may go.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, overwrite: bool) -> None:
        self.folder, self.records = folder, folder / JOURNAL
        self._asked = plain(asked)
        self._anew = overwrite

    @property
    def begun(self) -> bool:
        """Whether a run to be gone on with has begun to cut: it has checked everything before."""
        return (self.records / _ASKED).is_file() and not self._anew

    def finished(self) -> Manifest | None:
        """The manifest of an earlier run that asked for the same and came to its end.

        Raises:
            TileSetError: if an earlier run asked for something else.
            OutputError: if the folder holds what no run has left.
        """
        if self.folder.is_file():
            raise OutputError(f"{self.folder} is a file", hint="choose another --out")
        self._check_ours()
        if self._anew:
            return None
        if (self.folder / TILES).is_file():
            manifest = read_manifest(self.folder)
            compare(self.folder, asked_of(manifest), self._asked, kind=TileSetError)
            self.end()  # a run may have been stopped right before
            return manifest
        if self.begun:
            before = json.loads((self.records / _ASKED).read_text(encoding="utf-8"))
            compare(self.folder, before, self._asked, kind=TileSetError)
        return None

    def begin(self, layers: Sequence[str]) -> None:
        """Make the folders, and write down what was asked for; what an older run has left goes, or is gone on with.

        Raises:
            OutputError: if the folder cannot be made.
        """
        with writing(self.folder):
            self.records.mkdir(parents=True, exist_ok=True)
            if not self.begun:
                self._clear()  # stopped in here, the next run finds the folder of records, and clears up again
                replace_text(self.records / _ASKED, json.dumps(self._asked, indent=1))
                self._anew = False
            for name in layers:
                (self.folder / name).mkdir(exist_ok=True)

    def end(self) -> None:
        """Forget how it was made; the manifest is there now."""
        shutil.rmtree(self.records, ignore_errors=True)

    def _check_ours(self) -> None:
        """Refuse a folder of somebody else's; with leave to overwrite, only one whose rasters would be lost."""
        if (self.folder / TILES).is_file() or self.records.is_dir() or not self.folder.is_dir():
            return
        rasters = [path for layer in LAYERS for path in (self.folder / layer).glob("*.tif")]
        if rasters:
            raise OutputError(
                f"{self.folder} holds {len(rasters)} rasters that no run has left, {rasters[0]} for one",
                hint="choose another --out",
            )
        if any(self.folder.iterdir()) and not self._anew:
            raise OutputError(
                f"{self.folder} is not empty, and holds no tiles of an earlier run",
                hint="choose another --out, or add --overwrite to put a tile set beside what is there",
            )

    def _clear(self) -> None:
        """Remove what a tile set consists of, the manifest first."""
        (self.folder / TILES).unlink(missing_ok=True)
        for path in self.records.iterdir():
            path.unlink()
        for folder in (self.folder / layer for layer in LAYERS):
            for tile in folder.glob("*.tif"):
                tile.unlink()
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def asked_of(manifest: Manifest) -> dict[str, Any]:
    """What was asked for when a finished set was made."""
    return asked_for(manifest.legend, manifest.options, manifest.scenes)


def asked_for(legend: Mapping[str, Any], options: Mapping[str, Any], scenes: Sequence[SceneEntry]) -> dict[str, Any]:
    """Legend, options and scenes as they are compared: scenes by name, by the size of their files, and by their age."""
    return {
        "legend": legend,
        **options,
        "scenes": [f"{scene.name} ({scene.bytes} bytes)" for scene in scenes],
        "scenes modified": [f"{scene.name} at {scene.modified}" for scene in scenes],
    }
