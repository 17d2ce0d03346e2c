"""The folder of an exported bundle: checked before the work, and there at the end or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rsfuse.errors import OutputError
from rsfuse.learn.bundles.files import CARD, GRAPH, MANIFEST
from rsfuse.raster.disk import check_space, writing

_OWN = {MANIFEST, GRAPH, f"{GRAPH}.data", CARD, "tensorrt"}  # the last are engines that TensorRT made of the graph


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that holds anything but an exported bundle that may be replaced.

    Raises:
        OutputError: saying what it holds, or that it cannot be.
    """
    if not folder.resolve().parent.is_dir():
        raise OutputError(f"there is no folder {folder.parent}", hint=f"make it first: mkdir -p {folder.parent}")
    if folder.is_file():
        raise OutputError(f"{folder} is a file", hint="choose another --out")
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    ours = {MANIFEST, GRAPH} <= held <= _OWN
    if held and not (ours and overwrite):
        raise OutputError(
            f"{folder} is not empty: it holds {', '.join(sorted(held)[:3])}",
            hint="choose another --out" + (", or add --overwrite to replace the exported bundle" if ours else ""),
        )


@contextmanager
def drafted(folder: Path, needed: int) -> Iterator[Path]:
    """A hidden folder beside the one that it becomes when all went well; what is there is replaced then.

    Args:
        folder: what `check_folder` let pass.
        needed: bytes that go into it at most.

    Raises:
        OutputError: if the disk is full, or nothing may be written there.
    """
    place = folder.resolve()
    with writing(folder):
        check_space(place, needed)
        with TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as hidden:
            draft = Path(hidden) / "bundle"
            draft.mkdir()
            yield draft
            if place.is_dir():
                place.rename(Path(hidden) / "replaced")
            draft.rename(place)
