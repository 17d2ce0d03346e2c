"""The files of a product where they lie: in a folder, or in an archive that is read in place and never unpacked."""

from __future__ import annotations

import gzip
import os
import posixpath
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath

from rsfuse.errors import SceneError
from rsfuse.raster.products.metadata import MOST_BYTES

ARCHIVES = (".tar.gz", ".tgz", ".tar")

_TEXTS = (".xml", ".rpb", ".rpc", "_rpc.txt")
_MOST_FILES = 10_000
_MOST_TEXT_BYTES = 4 * MOST_BYTES  # of all texts of an archive together, which are held in memory
_MOST_ARCHIVE_BYTES = 10**12
_BOMB_BYTES, _BOMB_RATIO = 10 * 10**9, 1000  # images of satellites shrink to a half, never to a thousandth
_DEEPEST = 3  # folders below that of the product; agencies and programs that unpack add one or two
_SKIPPED_BYTES = 2**20  # of an archive, at a time


@dataclass(frozen=True)
class Files(ABC):
    """Files of a product.

    Args:
        path: of the folder or archive.
        names: of the files in it, with forward slashes, those on top first.
    """

    path: Path
    names: tuple[str, ...]

    @abstractmethod
    def read(self, name: str) -> bytes:
        """A text of the product.

        Raises:
            SceneError: if it is much too long, or cannot be read.
        """

    @abstractmethod
    def source(self, name: str) -> str:
        """What GDAL opens to read an image."""

    def ending(self, *endings: str) -> tuple[str, ...]:
        """Names that end so, in upper or lower case."""
        return tuple(name for name in self.names if name.lower().endswith(endings))

    def beside(self, name: str, *endings: str) -> str | None:
        """The file that differs from another only in its ending, the first of these that there is."""
        stem = str(PurePosixPath(name).with_suffix("")).lower()
        lower = {each.lower(): each for each in reversed(self.names)}
        return next((lower[stem + ending] for ending in endings if stem + ending in lower), None)


class FolderFiles(Files):
    """Files in a folder."""

    def read(self, name: str) -> bytes:
        """A text of the product."""
        path = self.path / name
        try:
            if path.stat().st_size > MOST_BYTES:
                raise _too_long(name, path.stat().st_size)
            return path.read_bytes()
        except OSError as error:
            raise SceneError(
                f"{path} cannot be read: {error.strerror}", hint="check the file and its rights"
            ) from error

    def source(self, name: str) -> str:
        """What GDAL opens to read an image."""
        return str(self.path / name)


@dataclass(frozen=True)
class ArchiveFiles(Files):
    """Files in an archive: where each begins and how long it is, and its texts, which were read while it was listed."""

    members: Mapping[str, tuple[int, int]]
    texts: Mapping[str, bytes]

    def read(self, name: str) -> bytes:
        """A text of the product."""
        return self.texts[name]

    def source(self, name: str) -> str:
        """What GDAL opens to read an image.

        Not its own way into archives: that lists them a second time, and misses members with long names.
        """
        begin, size = self.members[name]
        archive = str(self.path.absolute())
        return f"/vsisubfile/{begin}_{size},{archive if is_plain(self.path) else '/vsigzip/' + archive}"


def is_archive(path: Path) -> bool:
    """Whether a path ends like that of an archive."""
    return path.name.lower().endswith(ARCHIVES)


def is_plain(path: Path) -> bool:
    """Whether an archive is not compressed."""
    return path.name.lower().endswith(".tar")


def files_of(path: Path) -> Files:
    """The files of a folder or archive.

    An archive is passed through once, to its end, which is also what finds out that it is whole.

    Raises:
        SceneError: if an archive is damaged, or holds what no product does: files that would land elsewhere if it was
            unpacked, or far too many, or far too large ones.
    """
    return _list_archive(path) if is_archive(path) else _list_folder(path)


def _list_folder(path: Path) -> FolderFiles:
    names: list[str] = []
    for above, folders, files in os.walk(path):
        here = Path(above).relative_to(path)
        folders[:] = [] if len(here.parts) == _DEEPEST else [each for each in folders if not _is_hidden(each)]
        names += [(here / file).as_posix() for file in files if not _is_hidden(file)]
        if len(names) > _MOST_FILES:
            raise SceneError(
                f"{path} holds more than {_MOST_FILES} files: it is not the folder of one product",
                hint="name the folder of the product",
            )
    return FolderFiles(path, _ordered(names))


def _list_archive(path: Path) -> ArchiveFiles:
    os.environ.setdefault("CPL_VSIL_GZIP_WRITE_PROPERTIES", "NO")  # or GDAL leaves a file beside what it unpacks
    members: dict[str, tuple[int, int]] = {}
    texts: dict[str, bytes] = {}
    total = 0
    with _unpacking(path) as archive:
        for count, member in enumerate(archive, 1):
            _check_member(path, member)
            total += member.size
            _check_size(path, count, total)
            name = posixpath.normpath(member.name)
            if not member.isreg() or member.issparse() or any(map(_is_hidden, PurePosixPath(name).parts)):
                continue
            members[name] = member.offset_data, member.size
            if name.lower().endswith(_TEXTS):
                texts[name] = _text(archive, member, sum(map(len, texts.values())))
    return ArchiveFiles(path, _ordered(members), members, texts)


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(dict.fromkeys(names), key=lambda name: (name.count("/"), name)))


def _is_hidden(part: str) -> bool:
    """Whether a file or folder is none of the product's: programs of other systems leave such beside files."""
    return part.startswith(".") or part == "__MACOSX"


@contextmanager
def _unpacking(path: Path) -> Iterator[tarfile.TarFile]:
    """An archive, to be gone through; whatever shows that it is damaged becomes an error of the user's."""
    try:
        with (
            path.open("rb") as file,
            file if is_plain(path) else gzip.GzipFile(fileobj=file) as stream,
            tarfile.open(fileobj=_Forward(stream), mode="r:") as archive,
        ):
            yield archive
            _read_on(stream)
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:  # ValueError: a size that is none
        raise SceneError(
            f"{path} cannot be read as an archive: {error}",
            hint="it is probably truncated: copy or download it again",
        ) from error


def _read_on(stream: gzip.GzipFile | BufferedReader) -> None:
    """Read to the end of the stream, where the checksum of a packed one stands; what follows the members is short."""
    for _ in range(MOST_BYTES // _SKIPPED_BYTES):
        if not stream.read(_SKIPPED_BYTES):
            return


class _Forward(RawIOBase):
    """A stream that is read ahead only, and never much at a time, whatever the header of a member claims."""

    def __init__(self, stream: gzip.GzipFile | BufferedReader) -> None:
        self._stream = stream

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MOST_BYTES:
            raise tarfile.ReadError(f"a header claims to be {size} bytes long")
        return self._stream.read(size)

    def seek(self, position: int, whence: int = os.SEEK_SET) -> int:
        assert whence == os.SEEK_SET, "so does tarfile"
        if not isinstance(self._stream, gzip.GzipFile):
            return self._stream.seek(position)
        while (ahead := position - self.tell()) > 0 and self._stream.read(min(ahead, _SKIPPED_BYTES)):
            pass
        return self.tell()


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    """Refuse what would land outside the folder into which it is unpacked, and what is neither file nor folder."""
    linked = member.issym() or member.islnk()
    above = posixpath.dirname(member.name) if member.issym() else ""
    for name in (member.name, *([posixpath.join(above, member.linkname)] if linked else [])):
        plain = name.replace("\\", "/")
        if plain.startswith("/") or posixpath.normpath(plain).split("/")[0] == ".." or plain[1:2] == ":":
            raise _refused(path, f"{member.name!r} lies outside it")
    if not linked and ".." in member.name.replace("\\", "/").split("/"):
        raise _refused(path, f"{member.name!r} lies outside it")
    if member.isdev():
        raise _refused(path, f"{member.name!r} is neither a file nor a folder")


def _check_size(path: Path, count: int, total: int) -> None:
    if count > _MOST_FILES:
        raise _refused(path, f"it holds more than {_MOST_FILES} files")
    ratio = total / max(path.stat().st_size, 1)
    if total > _MOST_ARCHIVE_BYTES or (total > _BOMB_BYTES and ratio > _BOMB_RATIO):
        raise _refused(path, f"its files would be {total / 1e9:.0f} GB, {ratio:.0f} times as much as the archive")


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo, held: int) -> bytes:
    if member.size > MOST_BYTES or held + member.size > _MOST_TEXT_BYTES:
        raise _too_long(member.name, member.size)
    file = archive.extractfile(member)
    assert file is not None, "only plain files are read"
    data = file.read()
    if len(data) < member.size:
        raise EOFError(f"{member.name} ends too early")
    return data


def _refused(path: Path, why: str) -> SceneError:
    return SceneError(
        f"{path} is not the archive of a product: {why}",
        hint="do not unpack it; get the product from where it was made",
    )


def _too_long(name: str, size: int) -> SceneError:
    return SceneError(
        f"{name} is {size / 2**20:.0f} MiB long, more than a text of a product ever is",
        hint="it is not what its name says: copy the product again",
    )
