"""Optical products in every layout: what is there is understood, what is not is told, what does not fit is refused."""

import re
import shutil
from datetime import date

import numpy as np
import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.opening import open_source
from rsfuse.raster.products.opened import open_product

COLOURS = ("blue", "green", "red", "nir")
EIGHT = (*COLOURS, "red edge 1", "red edge 2", "purple", "yellow")
LAYOUTS = {
    "folder": {},
    "nested": {"nested": 1},
    "renamed": {"folder": "my scene"},
    "lower case": {"lower": True},
    "tif": {"suffix": ".tif"},
    "TIFF and RPB": {"suffix": ".TIFF", "model_suffix": ".RPB"},
    "rpc": {"model_suffix": ".rpc"},
    "gbk": {"encoding": "gbk"},
    "gbk, not said": {"encoding": "gbk", "declared": False},
    "tar.gz": {"archive": ".tar.gz"},
    "tgz, nested": {"archive": ".tgz", "nested": 1},
    "tar, renamed": {"archive": ".tar", "folder": "2018"},
    "tags in other case": {"renamed": {"SolarZenith": "SOLARZENITH", "SatelliteID": "satelliteid"}},
    "other tags": {"renamed": {"SolarZenith": "SunZenith", "ImageGSD": "ImageGSDLine"}},
}


def write(gaofen, root, satellite, **layout):
    """PMS of a satellite, or WFV: "GF1 WFV"."""
    satellite, _, sensor = satellite.partition(" ")
    made = gaofen.Layout(**layout)
    if not sensor:
        return gaofen.write_pms(root, satellite, layout=made)
    return (
        gaofen.write_gf6_wfv(root, layout=made)
        if satellite == "GF6"
        else gaofen.write_wfv(root, satellite, layout=made)
    )


def check_images(product, made):
    """Every image is what was written, and its model puts the ground where it was seen."""
    for image in product.images:
        key = "PAN" if image.role == "pan" else str(image.part or "MS")
        with open_source(image.source, image.file) as file:
            np.testing.assert_array_equal(file.read(), made.pixels[key])
        rpc = made.rpcs[key]
        point = (np.array([each]) for each in (rpc.long_off, rpc.lat_off, rpc.height_off))
        column, row = image.model.to_image(*point)
        num, den = np.array(rpc.samp_num_coeff[0]), np.array(rpc.line_num_coeff[0])
        assert column[0] == pytest.approx(rpc.samp_off + 0.5 + rpc.samp_scale * num, abs=1e-9)
        assert row[0] == pytest.approx(rpc.line_off + 0.5 + rpc.line_scale * den, abs=1e-9)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("satellite", ["GF1", "GF1B", "GF1 WFV", "GF6 WFV"])
def test_a_product_is_understood_in_every_layout(gaofen, tmp_path, satellite, layout):
    made = write(gaofen, tmp_path, satellite, **layout)
    product = open_product(made.path)
    assert product.missing == ()
    assert product.path == made.path
    assert product.name.lower() == made.name.lower()
    assert product.facts.satellite == satellite.partition(" ")[0]
    assert (product.facts.acquired, product.facts.sun_zenith_deg) == (date(2018, 5, 30), 22.5)
    assert len(product.images) == len(made.pixels)
    check_images(product, made)


@pytest.mark.parametrize(
    ("satellite", "sensor", "gsds_m"),
    [
        ("GF1", "PMS1", (2.0, 8.0)),
        ("GF1B", "PMS", (2.0, 8.0)),
        ("GF1C", "PMS", (2.0, 8.0)),
        ("GF1D", "PMS", (2.0, 8.0)),
        ("GF2", "PMS1", (1.0, 4.0)),
        ("GF6", "PMS", (2.0, 8.0)),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_pms_has_a_fine_and_a_coloured_image(gaofen, tmp_path, satellite, sensor, gsds_m, told):
    tags = {} if told else dict.fromkeys(("ImageGSD", "ImageGSDLine", "ImageGSDSample"))
    product = open_product(write(gaofen, tmp_path, satellite, tags=tags).path)
    (pan,), (ms,) = product.of("pan"), product.of("ms")
    assert product.facts.sensor == sensor
    assert (pan.bands, ms.bands) == (("pan",), COLOURS)
    assert (pan.gsd_m, ms.gsd_m) == gsds_m
    assert (pan.part, ms.part) == (0, 0)


@pytest.mark.parametrize("camera", [1, 2, 3, 4])
def test_wfv_has_one_image(gaofen, tmp_path, camera):
    product = open_product(gaofen.write_wfv(tmp_path, camera=camera).path)
    (image,) = product.images
    assert (product.facts.sensor, image.role, image.bands, image.gsd_m) == (f"WFV{camera}", "ms", COLOURS, 16.0)


def test_wfv_of_gf6_has_three_parts_of_eight_bands(gaofen, tmp_path):
    product = open_product(gaofen.write_gf6_wfv(tmp_path).path)
    assert [(image.role, image.part, image.bands) for image in product.images] == [("ms", n, EIGHT) for n in (1, 2, 3)]
    assert product.facts.sensor == "WFV"


def test_what_was_understood_is_told(gaofen, tmp_path):
    said = open_product(gaofen.write_pms(tmp_path).path).understood
    assert said["satellite"] == "GF1"
    assert (said["sensor"], said["acquired"], said["level"]) == ("PMS1", "2018-05-30", "L1A")
    assert said["pan"].endswith("-PAN1.tiff: 256 x 240 px, 1 band of uint16, 2 m; pan")
    assert said["ms"].endswith("-MSS1.tiff: 64 x 60 px, 4 bands of uint16, 8 m; blue, green, red, nir")
    assert said["RPC"] == "of 2 of 2 images, stated error 1.5 m bias and 0.25 m random"
    assert said["sun"] == "zenith 22.5 deg, elevation 67.5 deg"


def test_the_elevation_of_the_sun_will_do(gaofen, tmp_path):
    layout = gaofen.Layout(renamed={"SolarZenith": "SolarElevation"})
    assert open_product(gaofen.write_pms(tmp_path, layout=layout).path).facts.sun_zenith_deg == 67.5


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("*.rpb", "there is no RPB beside .*-PAN1.tiff, nor coordinates in it"),
        ("*MSS1.rpb", "there is no RPB beside .*-MSS1.tiff, nor coordinates in it"),
        ("*MSS1.xml", "there is no XML beside .*-MSS1.tiff"),
        ("*.xml", "nobody says how high the sun stood"),
        ("*PAN1*", "there is no pan image"),
        ("*MSS1*", "there is no ms image"),
    ],
)
def test_what_is_not_there_is_told(gaofen, tmp_path, pattern, sentence):
    made = gaofen.write_pms(tmp_path)
    for file in made.path.glob(pattern):
        file.unlink()
    product = open_product(made.path)
    assert any(re.match(sentence, each) for each in product.missing), product.missing
    assert product.facts.acquired == date(2018, 5, 30)


def test_a_missing_part_is_told(gaofen, tmp_path):
    made = gaofen.write_gf6_wfv(tmp_path)
    for file in made.path.glob("*-2.*"):
        file.unlink()
    product = open_product(made.path)
    assert product.missing == ("part 2 of 3 is not there",)
    assert [image.part for image in product.images] == [1, 3]


@pytest.mark.parametrize("text", [None, "NULL", "", "abc"])
def test_a_sun_that_is_not_told_is_missing(gaofen, tmp_path, text):
    product = open_product(gaofen.write_pms(tmp_path, layout=gaofen.Layout(tags={"SolarZenith": text})).path)
    assert product.facts.sun_zenith_deg is None
    assert product.missing == ("nobody says how high the sun stood",)
    assert "sun" not in product.understood


@pytest.mark.parametrize("text", ["GF2", "GF-2", "gf02", "GF1B", "GF3"])
def test_the_xml_of_another_satellite_is_refused_by_name(gaofen, tmp_path, text):
    made = gaofen.write_pms(tmp_path, layout=gaofen.Layout(tags={"SatelliteID": text}))
    with pytest.raises(
        SceneError, match=r"PAN1\.xml is of GF\w+ PMS1, .*PAN1\.tiff is of GF1 PMS1|MSS1\.xml is of"
    ) as told:
        open_product(made.path)
    assert "not of one product" in told.value.hint


@pytest.mark.parametrize("text", ["WFV1", "PMS2", "PAN2", "WFV"])
def test_the_xml_of_another_camera_is_refused(gaofen, tmp_path, text):
    made = gaofen.write_pms(tmp_path, layout=gaofen.Layout(tags={"SensorID": text}))
    with pytest.raises(SceneError, match=f"xml is of GF1 {text}, .*tiff is of GF1 PMS1"):
        open_product(made.path)


@pytest.mark.parametrize("text", ["PMS", "PAN1", "MSS1", "pms-1", "CCD", "NULL"])
def test_other_words_for_the_same_camera_are_not(gaofen, tmp_path, text):
    made = gaofen.write_pms(tmp_path, layout=gaofen.Layout(tags={"SensorID": text, "SatelliteID": "GF-1"}))
    assert open_product(made.path).facts.sensor == "PMS1"


def test_the_xml_of_a_radar_is_refused(gaofen, tmp_path):
    made, sar = gaofen.write_wfv(tmp_path), gaofen.write_gf3(tmp_path)
    shutil.copy(next(sar.path.glob("*.meta.xml")), next(made.path.glob("*.xml")))
    with pytest.raises(SceneError, match=r"xml is of GF3 SAR, .*tiff is of GF1 WFV1"):
        open_product(made.path)


@pytest.mark.parametrize("tag", ["WidthInPixels", "HeightInPixels"])
@pytest.mark.parametrize("archive", ["", ".tar.gz"])
def test_an_xml_of_an_image_of_another_size_is_refused_by_both_names(gaofen, tmp_path, tag, archive):
    made = gaofen.write_wfv(tmp_path, layout=gaofen.Layout(archive=archive, tags={tag: "4500"}))
    with pytest.raises(SceneError, match=r"0003229120\.xml tells of .*4500.* px, .*\.tiff has 96 x 80 px"):
        open_product(made.path)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_image_is_told_by_its_name(gaofen, tmp_path, kept):
    made = gaofen.write_pms(tmp_path)
    (image,) = made.path.glob("*PAN1.tiff")
    image.write_bytes(image.read_bytes()[: int(image.stat().st_size * kept)])
    with pytest.raises(SceneError, match=r"PAN1\.tiff cannot be read"):
        open_product(made.path)


def test_damaged_polynomials_are_told_by_their_name(gaofen, tmp_path):
    made = gaofen.write_pms(tmp_path)
    (text,) = made.path.glob("*PAN1.rpb")
    text.write_text(text.read_text()[:700])
    with pytest.raises(SceneError, match=r"the polynomials in .*PAN1\.rpb cannot be used"):
        open_product(made.path)


def test_a_truncated_xml_is_told_by_its_name(gaofen, tmp_path):
    made = gaofen.write_pms(tmp_path)
    (xml,) = made.path.glob("*PAN1.xml")
    xml.write_text(xml.read_text()[:700])
    with pytest.raises(SceneError, match=r"PAN1\.xml is no XML"):
        open_product(made.path)


def test_what_users_made_of_images_is_not_taken_for_one(gaofen, tmp_path):
    made = gaofen.write_pms(tmp_path)
    (image,) = made.path.glob("*PAN1.tiff")
    for name in (f"{image.stem}_rectify.tiff", f"{made.name}.tif", "optical.tif", f"{image.stem}.tif"):
        shutil.copy(image, image.with_name(name))
    check_images(product := open_product(made.path), made)
    assert len(product.images) == 2


def test_a_value_added_level_needs_no_polynomials(gaofen, tmp_path):
    made = gaofen.write_wfv(tmp_path)
    other = made.name.replace("L1A", "L2A_")
    for file in list(made.path.iterdir()):
        file.rename(file.with_name(file.name.replace(made.name, other)))
    product = open_product(made.path)
    assert product.images[0].model is None
    assert product.missing[0].startswith("there is no RPB beside")


def test_polynomials_in_the_image_itself_will_do(gaofen, tmp_path):
    made = gaofen.write_wfv(tmp_path, layout=gaofen.Layout(model_suffix=""))
    (image,) = made.path.glob("*.tiff")
    gaofen.write_tiff(image, made.pixels["MS"], rpcs=made.rpcs["MS"])
    check_images(product := open_product(made.path), made)
    assert product.missing == ()
