"""What is broken is told in one clear error, and nothing is left of the attempt."""

import io
import re
import shutil
import tarfile
import warnings
import zipfile

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from rsfuse.errors import GridMismatchError, OutputError, RsfuseError, SceneError


def only(folder, pattern):
    (found,) = folder.glob(pattern)
    return found


def cut_short(pattern, share=0.6):
    """Only so much of a file reached the disk."""

    def cut(path):
        file = only(path, pattern) if path.is_dir() else path
        file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
        return path

    return cut


def without(*patterns):
    def take_away(path):
        for pattern in patterns:
            only(path, pattern).unlink()
        return path

    return take_away


def saying(pattern, text):
    def write(path):
        only(path, pattern).write_text(text)
        return path

    return write


def replaced(pattern, old, new):
    def replace(path):
        file = only(path, pattern)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        return path

    return replace


def packed_with(name, kind=tarfile.REGTYPE, link=""):
    """An archive of the product with one member more."""

    def pack(path):
        archive = path.with_name(path.name + ".tar.gz")
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(path, arcname=path.name)
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            member.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"evil"))
        shutil.rmtree(path)
        return archive

    return pack


def zipped(path):
    archive = path.with_name(path.name + ".tar.gz")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "a zip by another name")
    shutil.rmtree(path)
    return archive


def emptied(path):
    shutil.rmtree(path)
    path.mkdir()
    return path


def other_image(path):
    """The image of another scene under the name of this one."""
    image = only(path, "*MSS1.tiff")
    with rasterio.open(image) as file:
        lay(image, file.read()[:, :-8])
    return path


def lay(image, pixels, **form):
    """Other pixels under the name of an image; GDAL itself would take what lies beside it away."""
    count, height, width = pixels.shape
    form |= {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(image.with_name("other.tif"), "w", photometric="MINISBLACK", **form) as file:
            file.write(pixels)
    image.with_name("other.tif").replace(image)


def with_bytes(pattern, data):
    def write(path):
        only(path, pattern).write_bytes(data)
        return path

    return write


# what is done to a product, what is asked for besides, what the error names, what its hint says
OPTICAL = {
    "truncated image": (cut_short("*MSS1.tiff"), {}, r"MSS1\.tiff", "copy"),
    "image of no bytes": (with_bytes("*MSS1.tiff", b""), {}, r"MSS1\.tiff", ""),
    "image that is a text": (saying("*MSS1.tiff", "<html>404</html>"), {}, r"MSS1\.tiff", ""),
    "no polynomials": (without("*MSS1.rpb"), {}, r"MSS1\.tiff.*polynomials", r"\.rpb"),
    "no polynomials at all": (without("*MSS1.rpb", "*PAN1.rpb"), {}, r"polynomials", r"\.rpb"),
    "polynomials cut short": (cut_short("*MSS1.rpb", 0.7), {}, r"MSS1\.rpb", "copy"),
    "polynomials of no bytes": (with_bytes("*MSS1.rpb", b""), {}, r"MSS1\.rpb", "copy"),
    "polynomials that are bytes": (with_bytes("*MSS1.rpb", bytes(range(256)) * 8), {}, r"MSS1\.rpb", "copy"),
    "a coefficient that is no number": (replaced("*MSS1.rpb", "lineOffset = ", "lineOffset = x"), {}, "lineOffset", ""),
    "XML of another satellite": (replaced("*MSS1.xml", "<SatelliteID>GF1<", "<SatelliteID>GF2<"), {}, "GF2.*GF1", ""),
    "XML of another camera": (replaced("*MSS1.xml", "<SensorID>PMS1<", "<SensorID>WFV3<"), {}, "WFV3.*PMS1", "copy"),
    "XML that is none": (saying("*MSS1.xml", "not an XML <"), {}, r"MSS1\.xml", "copy"),
    "XML cut short": (cut_short("*MSS1.xml"), {}, r"MSS1\.xml", "copy"),
    "XML with entities": (
        saying("*MSS1.xml", '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>'),
        {},
        r"MSS1\.xml defines entities",
        "",
    ),
    "image of another size": (other_image, {}, r"64 x 60 px.*56 x 60 px", "copy"),
    "empty folder": (emptied, {}, "no image", "Gaofen"),
    "sharpening without PAN": (without("*PAN1.tiff"), {"sharpen": "gsa"}, "no panchromatic image", "rsfuse info"),
    "sharpening without MS": (without("*MSS1.tiff"), {"sharpen": "gsa"}, "no multispectral image", "rsfuse info"),
    "PAN without PAN": (without("*PAN1.tiff"), {"image": "pan"}, "no panchromatic image", "rsfuse info"),
    "sharpening onto coarse pixels": (lambda path: path, {"sharpen": "gsa", "gsd": 8.0}, "nothing to sharpen", "gsd"),
    "a SAR wish": (lambda path: path, {"linear": True}, "not of a SAR", "leave out"),
    "a SAR quantity": (lambda path: path, {"quantity": "sigma0"}, "sigma0 is of SAR", "--as"),
    "a CRS that is none": (lambda path: path, {"crs": "EPSG:99999999"}, "99999999", "EPSG:32650"),
    "a CRS of elsewhere": (lambda path: path, {"crs": "EPSG:5041", "gsd": 1e-4}, "GSD", "--gsd"),
    "no such coefficients": (lambda path: path, {"coefficients": "none.csv"}, r"none\.csv", ""),
    "../ in an archive": (packed_with("../evil.txt"), {}, r"'\.\./evil\.txt' lies outside", "do not unpack"),
    "/ in an archive": (packed_with("/tmp/evil.txt"), {}, "'/tmp/evil.txt' lies outside", "do not unpack"),
    "a/../../ in an archive": (packed_with("a/../../evil.txt"), {}, "lies outside", "do not unpack"),
    "a link out of an archive": (packed_with("a", tarfile.SYMTYPE, "/etc/passwd"), {}, "lies outside", "do not unpack"),
    "a device in an archive": (packed_with("a", tarfile.CHRTYPE), {}, "neither a file nor a folder", "do not unpack"),
    "a zip that is called tar.gz": (zipped, {}, r"cannot be read as an archive", "download"),
}
SAR = {
    "truncated image": (cut_short("*_HV_*.tiff"), {}, r"_HV_.*\.tiff", "copy"),
    "no constant": (replaced("*.meta.xml", "<HV>30.5</HV>", "<HV>NULL</HV>"), {}, "CalibrationConst of HV", "--cal"),
    "no qualify value": (replaced("*.meta.xml", "<HV>30.125</HV>", "<HV>NULL</HV>"), {}, "QualifyValue of HV", "meta"),
    "no meta.xml": (without("*.meta.xml"), {}, "QualifyValue", "meta.xml"),
    "meta.xml of an optical scene": (
        replaced("*.meta.xml", "<satellite>GF3<", "<satellite>GF1<"),
        {},
        "GF1.*GF3",
        "copy",
    ),
    "meta.xml that is none": (saying("*.meta.xml", "<product><a></product>"), {}, r"meta\.xml is no XML", "copy"),
    "no polynomials": (without("*_HH_*.rpb", "*_HV_*.rpb"), {}, "polynomials", r"\.rpb"),
    "incidence that is none": (saying("*.incidence.xml", "<incidence"), {}, r"incidence\.xml is no XML", "copy"),
    "no such polarisation": (lambda path: path, {"polarisations": ("VV",)}, "no polarisation VV; it has HH", "choose"),
    "an optical wish": (lambda path: path, {"sharpen": "gsa"}, "is of a SAR", "leave out"),
    "an optical quantity": (lambda path: path, {"quantity": "reflectance"}, "reflectance is of optical", "--as"),
    "size of another image": (replaced("*.meta.xml", "<width>160<", "<width>161<"), {}, "192 x 161 px.*160", "copy"),
}


@pytest.mark.parametrize(
    ("kind", "name"), [*(("pms", name) for name in OPTICAL), *(("gf3", name) for name in SAR)], ids=lambda each: each
)
def test_a_broken_product_is_told_of_and_leaves_nothing(gaofen, prepared, left_behind, tmp_path, kind, name):
    damage, wish, said, hint = (OPTICAL if kind == "pms" else SAR)[name]
    path = damage(getattr(gaofen, f"write_{kind}")(tmp_path).path)
    if "coefficients" in wish:
        wish = {"coefficients": tmp_path / wish["coefficients"]}
    check_refused(prepared, left_behind, path, said, hint, **wish)


def check_refused(prepared, left_behind, path, said, hint, *, kind=SceneError, **wish):
    before = left_behind()
    with pytest.raises(RsfuseError, match=said) as told:
        prepared(path, **wish)
    assert left_behind() == before
    assert isinstance(told.value, kind)
    assert "\n" not in str(told.value)
    assert told.value.hint
    assert re.search(hint, told.value.hint)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97, 0.9999])
@pytest.mark.parametrize("kind", ["pms", "gf3"])
def test_an_archive_that_is_cut_short_is_told_of(gaofen, prepared, left_behind, tmp_path, kind, share):
    path = getattr(gaofen, f"write_{kind}")(tmp_path, layout=gaofen.Layout(archive=".tar.gz")).path
    cut_short("", share)(path)
    check_refused(prepared, left_behind, path, r"tar\.gz", "copy or download")


def test_an_image_cut_short_in_an_archive_is_told_of(gaofen, prepared, left_behind, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    cut_short("*MSS1.tiff")(scene.path)
    archive = scene.path.with_name("scene.tar")
    with tarfile.open(archive, "w") as tar:
        tar.add(scene.path, arcname=scene.name)
    check_refused(prepared, left_behind, archive, r"MSS1\.tiff", "copy")


@pytest.mark.parametrize("wish", [{}, {"sharpen": "gsa"}], ids=str)
def test_rows_in_the_middle_that_cannot_be_read_are_told_of(gaofen, prepared, left_behind, tmp_path, wish):
    scene = gaofen.write_pms(tmp_path)
    image = only(scene.path, "*MSS1.tiff")
    lay(image, scene.pixels["MS"], compress="DEFLATE", blockysize=8)
    data = bytearray(image.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    image.write_bytes(bytes(data))
    check_refused(prepared, left_behind, scene.path, r"MSS1\.tiff", "", **wish)


def test_an_output_that_exists_or_is_an_input_is_not_touched(gaofen, prepared, left_behind, tmp_path):
    scene = gaofen.write_pms(tmp_path, layout=gaofen.Layout(folder="delivered"))
    dem = gaofen.write_dem(tmp_path / "dem.tif", 10.0)
    (tmp_path / "there.tif").write_text("mine")
    image = f"delivered/{scene.name}-MSS1.tiff"
    before, whole = left_behind(), {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name, wish, said in (
        ("there.tif", {}, "exists already"),
        (image, {}, "exists already"),
        (image, {"overwrite": True}, "of the product"),
        ("dem.tif", {"overwrite": True, "dem": dem}, "the DEM"),
        ("dem.tif", {"overwrite": True, "like": dem}, "--like"),
        ("delivered", {"overwrite": True}, "is a folder"),
        ("none/scene.tif", {}, "no folder"),
    ):
        with pytest.raises(OutputError, match=said) as told:
            prepared(scene.path, name, **wish)
        assert told.value.hint
        assert left_behind() == before
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == whole


@pytest.mark.parametrize("ending", ["PAN1.tiff", "MSS1.rpb", "MSS1.xml"])
def test_no_file_of_the_product_is_written_over(gaofen, prepared, tmp_path, ending):
    scene = gaofen.write_pms(tmp_path, layout=gaofen.Layout(folder="delivered"))
    file = scene.path / f"{scene.name}-{ending}"
    before = file.read_bytes()
    with pytest.raises(OutputError, match="of the product"):
        prepared(scene.path, f"delivered/{file.name}", overwrite=True)
    assert file.read_bytes() == before


def test_an_archive_is_not_written_over(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path, layout=gaofen.Layout(archive=".tar.gz"))
    with pytest.raises(OutputError, match="the product"):
        prepared(scene.path, scene.path.name, overwrite=True)


def test_a_table_of_coefficients_is_not_written_over(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    table = tmp_path / "mine.csv"
    table.write_text("satellite,sensor,part,year,gains\nGF1,PMS1,ms,2018,1 1 1 1\n")
    with pytest.raises(OutputError, match="coefficients"):
        prepared(scene.path, "mine.csv", overwrite=True, coefficients=table)


def test_what_lies_elsewhere_is_told_with_both_places(gaofen, prepared, left_behind, write_raster, tmp_path):
    scene = gaofen.write_pms(tmp_path)
    far = Affine(10, 0, 700_000, 0, -10, 4_500_000)
    like = write_raster("far.tif", np.ones((1, 20, 20), "float32"), crs="EPSG:32650", transform=far)
    nowhere = write_raster("nowhere.tif", np.ones((1, 20, 20), "float32"))
    both = r"lon 116\.\d+ .* lat 39\.\d+ .*lat 40\."
    check_refused(prepared, left_behind, scene.path, both, "grid", kind=GridMismatchError, like=like)
    check_refused(prepared, left_behind, scene.path, r"far\.tif.*", "", kind=GridMismatchError, dem=like)
    check_refused(prepared, left_behind, scene.path, r"nowhere\.tif has no CRS", "--like", like=nowhere)
    check_refused(prepared, left_behind, scene.path, r"nowhere\.tif", "", dem=nowhere)
    text = tmp_path / "text.tif"
    text.write_text("no raster")
    for wish in ({"like": text}, {"dem": text}, {"like": tmp_path / "none.tif"}, {"dem": tmp_path / "none.tif"}):
        check_refused(prepared, left_behind, scene.path, r"(text|none)\.tif", "", **wish)


def test_paths_that_hold_nothing_are_told_of(prepared, left_behind, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    for path, said in (("none", "none"), ("empty", "empty"), ("notes.txt", "notes"), ("none.tar.gz", "none")):
        check_refused(prepared, left_behind, tmp_path / path, said, "")
