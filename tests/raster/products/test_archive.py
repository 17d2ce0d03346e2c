"""Archives are read in place, and those that mean harm are refused before they can do any."""

import gzip
import io
import tarfile

import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.opening import open_source
from rsfuse.raster.products import archive as archives
from rsfuse.raster.products.archive import files_of, is_archive


def pack(path, members, mode="w:gz"):
    """Writes an archive of (name or TarInfo, bytes)."""
    with tarfile.open(path, mode) as tar:
        for member, data in members:
            info = tarfile.TarInfo(member) if isinstance(member, str) else member
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = [("scene/a.xml", b"<a/>"), ("scene/a.tiff", b"image"), ("top.RPB", b"text")]


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar", ".TAR.GZ"])
def test_an_archive_is_listed_and_its_texts_are_read(tmp_path, ending):
    path = pack(tmp_path / f"a b{ending}", GOOD, "w" if ending == ".tar" else "w:gz")
    files = files_of(path)
    assert is_archive(path)
    assert files.names == ("top.RPB", "scene/a.tiff", "scene/a.xml")
    assert (files.read("scene/a.xml"), files.read("top.RPB")) == (b"<a/>", b"text")
    assert sorted(tmp_path.iterdir()) == [path], "nothing is unpacked"


@pytest.mark.parametrize("nested", [0, 2])
@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar", ".TAR.GZ"])
@pytest.mark.parametrize("where", ["with space", "a.tar", "{brace},", "北京"])
def test_gdal_opens_the_images_of_an_archive_wherever_it_lies(gaofen, tmp_path, where, ending, nested):
    (tmp_path / where).mkdir()
    made = gaofen.write_wfv(tmp_path / where, layout=gaofen.Layout(archive=".tar", nested=nested))
    path = made.path.with_name("scene" + ending)
    path.write_bytes(made.path.read_bytes() if ending == ".tar" else gzip.compress(made.path.read_bytes(), 1))
    files = files_of(path)
    (image,) = files.ending(".tiff")
    with open_source(files.source(image), image) as file:
        assert (file.read() == made.pixels["MS"]).all()
    assert {*path.parent.iterdir()} == {path, made.path}, "GDAL leaves nothing beside it"


def test_a_folder_gives_the_same_files_as_its_archive(gaofen, tmp_path):
    folder = files_of(gaofen.write_pms(tmp_path / "folder").path)
    packed = files_of(gaofen.write_pms(tmp_path / "packed", layout=gaofen.Layout(archive=".tar.gz")).path)
    assert folder.names == packed.names
    assert all(folder.read(name) == packed.read(name) for name in folder.ending(".xml", ".rpb"))


def test_members_that_begin_with_a_dot_and_a_slash_are_found_and_files_of_other_systems_are_not(tmp_path):
    names = ["./a.xml", "./__MACOSX/a.xml", "./._a.xml", ".git/a.xml", "b//c.xml"]
    assert files_of(pack(tmp_path / "a.tar", [(name, b"<a/>") for name in names], "w")).names == ("a.xml", "b/c.xml")


def test_files_beside_each_other_are_found_in_any_case(tmp_path):
    for name in ("A.TIFF", "a.RPB", "b.tiff"):
        (tmp_path / name).write_bytes(b"")
    files = files_of(tmp_path)
    assert files.beside("A.TIFF", ".rpb", ".rpc") == "a.RPB"
    assert files.beside("b.tiff", ".rpb", ".rpc") is None
    assert files.ending(".tiff") == ("A.TIFF", "b.tiff")


OUTSIDE = ["../a.xml", "a/../../b.xml", "/etc/a.xml", "..\\a.xml", "C:\\a.xml", "a/../b.xml", ".."]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
def test_members_that_would_land_outside_are_refused(tmp_path, name, ending):
    path = pack(tmp_path / f"a{ending}", [*GOOD, (name, b"x")], "w" if ending == ".tar" else "w:gz")
    with pytest.raises(SceneError, match=r"is not the archive of a product: .* lies outside it"):
        files_of(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
@pytest.mark.parametrize("target", ["/etc/hostname", "../../a", "../.."])
def test_links_that_point_outside_are_refused(tmp_path, kind, target):
    path = pack(tmp_path / "a.tar.gz", [*GOOD, (special("scene/link", kind, target), b"")])
    with pytest.raises(SceneError, match="'scene/link' lies outside it"):
        files_of(path)


@pytest.mark.parametrize(("kind", "target"), [(tarfile.SYMTYPE, "../top.RPB"), (tarfile.LNKTYPE, "scene/a.xml")])
def test_links_that_point_inside_are_passed_over(tmp_path, kind, target):
    path = pack(tmp_path / "a.tar.gz", [*GOOD, (special("scene/link.xml", kind, target), b"")])
    assert files_of(path).names == ("top.RPB", "scene/a.tiff", "scene/a.xml")


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_are_refused(tmp_path, kind):
    with pytest.raises(SceneError, match="'pipe' is neither a file nor a folder"):
        files_of(pack(tmp_path / "a.tar", [(special("pipe", kind), b"")], "w"))


def test_too_many_files_are_refused(tmp_path):
    path = pack(tmp_path / "a.tar.gz", [(f"{number}.jpg", b"") for number in range(10_001)])
    with pytest.raises(SceneError, match="more than 10000 files"):
        files_of(path)


@pytest.mark.parametrize(("size", "why"), [(20 * 10**9, r"20 GB, \d+ times"), (2 * 10**12, "2000 GB")])
def test_a_bomb_is_refused_by_what_its_headers_claim_before_it_is_unpacked(tmp_path, size, why):
    info = tarfile.TarInfo("a.tiff")
    info.size = size
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)))
    with pytest.raises(SceneError, match=why):
        files_of(path)


def test_more_than_any_product_is_refused_however_well_it_is_packed(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.tar", GOOD, "w")
    monkeypatch.setattr(archives, "_MOST_ARCHIVE_BYTES", 10)
    with pytest.raises(SceneError, match="its files would be"):
        files_of(path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_header_that_claims_to_be_huge_is_not_read_into_memory(tmp_path, kind):
    info = special("a", kind)
    info.size = 10**11
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(SceneError, match="claims to be 100000000"):
        files_of(path)


def test_a_text_that_is_much_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_BYTES", 600)
    long = [("a.xml", b" " * 601)]
    (tmp_path / "a.xml").write_bytes(b" " * 601)
    with pytest.raises(SceneError, match=r"a\.xml is .* MiB long"):
        files_of(pack(tmp_path / "a.tar", long, "w"))
    with pytest.raises(SceneError, match=r"a\.xml is .* MiB long"):
        files_of(tmp_path).read("a.xml")
    monkeypatch.setattr(archives, "_MOST_TEXT_BYTES", 900)
    with pytest.raises(SceneError, match=r"b\.xml is .* MiB long"):
        files_of(pack(tmp_path / "b.tar", [("a.xml", b" " * 500), ("b.xml", b" " * 500)], "w"))


@pytest.mark.parametrize("ending", [".tar.gz", ".tar"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.85])
def test_a_truncated_archive_is_refused_by_name(gaofen, tmp_path, ending, kept):
    path = gaofen.write_wfv(tmp_path, layout=gaofen.Layout(archive=ending, folder="scene")).path
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(SceneError, match=rf"scene\{ending} cannot be read as an archive") as failure:
        files_of(path)
    assert "truncated" in failure.value.hint


def test_an_archive_whose_last_bytes_are_wrong_is_refused(tmp_path):
    path = pack(tmp_path / "a.tar.gz", GOOD)
    data = bytearray(path.read_bytes())
    data[-8] ^= 1  # of the checksum
    path.write_bytes(data)
    with pytest.raises(SceneError, match="CRC check failed"):
        files_of(path)


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar"])
@pytest.mark.parametrize("data", [b"", b"text", bytes(range(256)) * 8])
def test_what_is_no_archive_is_refused(tmp_path, ending, data):
    path = tmp_path / f"a{ending}"
    path.write_bytes(data)
    with pytest.raises(SceneError, match="cannot be read as an archive"):
        files_of(path)


def test_a_folder_of_very_many_files_is_none_of_a_product(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_MOST_FILES", 3)
    for name in "abcd":
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(SceneError, match="more than 3 files"):
        files_of(tmp_path)


def test_folders_far_below_are_not_looked_into(tmp_path):
    deep = tmp_path.joinpath(*"abcd")
    deep.mkdir(parents=True)
    (deep / "a.xml").write_bytes(b"")
    (deep.parent / "b.xml").write_bytes(b"")
    assert files_of(tmp_path).names == ("a/b/c/b.xml",)
