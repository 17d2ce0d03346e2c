"""Gaofen-3 products in every polarisation, level and layout."""

import shutil
from datetime import date

import numpy as np
import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.opening import open_source
from rsfuse.raster.products.opened import open_product

TAGS = ("AHV", "DH", "DV", "HHHV", "HVHH", "VVVH", "VHVV", "HH", "VV")
LAYOUTS = {
    "folder": {},
    "nested": {"nested": 1},
    "renamed": {"folder": "my scene"},
    "lower case": {"lower": True},
    "rpc": {"model_suffix": ".rpc"},
    "RPB, tif": {"model_suffix": ".RPB", "suffix": ".tif"},
    "gbk": {"encoding": "gbk"},
    "tar.gz": {"archive": ".tar.gz"},
    "tgz, nested": {"archive": ".tgz", "nested": 1, "model_suffix": ".rpc"},
    "tar, renamed": {"archive": ".tar", "folder": "2020"},
}


def check_pixels(product, made):
    for image in product.images:
        (channel,) = image.bands
        key = channel if channel in made.pixels else f"{channel}_strip_{image.part}"
        with open_source(image.source, image.file) as file:
            np.testing.assert_array_equal(file.read(), made.pixels[key])


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("level", ["L1A", "L1B", "L2"])
def test_every_tag_and_level_is_understood(gaofen, tmp_path, tag, level):
    made = gaofen.write_gf3(tmp_path, tag, level)
    product = open_product(made.path)
    channels = gaofen.CHANNELS[tag]
    assert product.missing == ()
    assert product.name == made.name
    assert tuple(image.bands for image in product.images) == tuple((channel,) for channel in channels)
    assert all((image.model is None) == (level == "L2") for image in product.images)
    assert (product.facts.satellite, product.facts.mode, product.facts.level) == ("GF3", "FSII", level)
    assert product.facts.qualify == {each: gaofen.QUALIFY[each] for each in channels}
    assert product.facts.constant_db == {each: gaofen.CONSTANT_DB[each] for each in channels}
    assert product.understood["polarisations"] == f"{', '.join(channels)} ({tag})"
    check_pixels(product, made)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("satellite", ["GF3", "GF3B", "GF3C"])
def test_every_layout_is_understood(gaofen, tmp_path, satellite, layout):
    made = gaofen.write_gf3(tmp_path, satellite=satellite, layout=gaofen.Layout(**layout))
    product = open_product(made.path)
    assert product.missing == ()
    assert product.name.lower() == made.name.lower()
    assert product.facts.satellite == satellite
    assert product.understood["acquired"] == date(2020, 7, 18).isoformat()
    check_pixels(product, made)


def test_pixels_of_l1a_are_measured_on_the_ground(gaofen, tmp_path):
    along, across = open_product(gaofen.write_gf3(tmp_path).path).facts.spacing_m
    assert along == pytest.approx(6760 / 1300)
    assert across == pytest.approx(299.792458 / (2 * 66.6667) / np.sin(np.radians(35)), rel=1e-9)


@pytest.mark.parametrize("level", ["L1B", "L2"])
def test_those_of_detected_levels_are_told(gaofen, tmp_path, level):
    tags = {"heightspace": "9", "widthspace": "11"}
    product = open_product(gaofen.write_gf3(tmp_path, level=level, layout=gaofen.Layout(tags=tags)).path)
    assert product.facts.spacing_m == (9.0, 11.0)
    assert product.images[0].gsd_m == 11.0


def test_without_the_speed_on_the_ground_that_of_the_orbit_is_slowed_down(gaofen, tmp_path):
    layout = gaofen.Layout(tags={"groundVelocity": None})
    assert open_product(gaofen.write_gf3(tmp_path, layout=layout).path).facts.spacing_m[0] == pytest.approx(
        5.2, rel=5e-3
    )


def test_without_rates_the_told_spacing_is_taken_for_slant_range(gaofen, tmp_path):
    layout = gaofen.Layout(tags={"eqvFs": "NULL", "eqvPRF": None})
    along, across = open_product(gaofen.write_gf3(tmp_path, layout=layout).path).facts.spacing_m
    assert (along, across) == (5.2, pytest.approx(2.2485 / np.sin(np.radians(35))))


def test_the_angle_of_incidence_is_told_for_each_column(gaofen, tmp_path):
    facts = open_product(gaofen.write_gf3(tmp_path).path).facts
    np.testing.assert_allclose(facts.incidence_deg, np.linspace(34, 36, 160), atol=1e-6)


def test_without_incidence_xml_the_ends_of_the_range_are_taken(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path)
    next(made.path.glob("*.incidence.xml")).unlink()
    product = open_product(made.path)
    assert product.facts.incidence_deg == (34.0, 36.0)
    assert product.missing == ("there is no incidence.xml: the angles of columns are those between near and far range",)
    assert product.facts.spacing_m[1] == pytest.approx(2.2484 / np.sin(np.radians(35)), rel=1e-4)


@pytest.mark.parametrize(
    ("tags", "name", "sentence"),
    [
        ({"CalibrationConst/HV": "NULL"}, "constant_db", "the CalibrationConst of HV is not told"),
        ({"CalibrationConst/HV": None}, "constant_db", "the CalibrationConst of HV is not told"),
        ({"QualifyValue/HV": "NULL"}, "qualify", "the QualifyValue of HV is not told"),
    ],
)
def test_what_says_null_is_none_and_told(gaofen, tmp_path, tags, name, sentence):
    product = open_product(gaofen.write_gf3(tmp_path, layout=gaofen.Layout(tags=tags)).path)
    values = getattr(product.facts, name)
    assert values["HV"] is None
    assert values["HH"] is not None
    assert product.missing == (sentence,)


def test_without_angles_and_rates_there_is_no_spacing(gaofen, tmp_path):
    gone = ("incidenceAngleNearRange", "incidenceValue")
    product = open_product(gaofen.write_gf3(tmp_path, layout=gaofen.Layout(tags=dict.fromkeys(gone))).path)
    assert product.facts.spacing_m is None
    assert product.missing == ("the angles of incidence are not told", "the spacing of pixels is not told")


def test_without_meta_xml_the_product_opens_and_says_so(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path)
    next(made.path.glob("*.meta.xml")).unlink()
    product = open_product(made.path)
    assert product.facts.qualify == {"HH": None, "HV": None}
    assert "there is no meta.xml: nobody says what the numbers stand for" in product.missing
    assert product.name == made.name, "incidence.xml still says the tag"


def test_a_polarisation_that_the_tag_promises_is_missed(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "AHV")
    for file in made.path.glob("*_VH_*"):
        file.unlink()
    product = open_product(made.path)
    assert product.missing == ("there is no VH image",)
    assert [image.bands for image in product.images] == [("HH",), ("HV",), ("VV",)]


def test_polynomials_of_another_polarisation_will_do(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path)
    next(made.path.glob("*_HV_*.rpb")).unlink()
    product = open_product(made.path)
    assert product.missing == ()
    assert product.images[0].model == product.images[1].model


def test_but_its_own_come_first(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path)
    text = next(made.path.glob("*_HV_*.rpb"))
    text.write_text(text.read_text().replace("lineOffset = 95.5", "lineOffset = 96.5"))
    assert [image.model.rpc.line_off for image in open_product(made.path).images] == [95.5, 96.5]


def test_those_of_another_strip_will_not(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "HHHV", "L1B", strips=2)
    next(made.path.glob("*_HV_*strip_1.rpb")).unlink()
    images = {(image.bands[0], image.part): image for image in open_product(made.path).images}
    assert images["HV", 1].model == images["HH", 1].model != images["HH", 0].model


def test_an_image_on_a_map_does_not_need_them(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "HH", "L2")
    image = next(made.path.glob("*.tiff"))
    image.with_suffix(".rpb").write_text(gaofen.rpb_text(made.rpcs["HH"]))
    product = open_product(made.path)
    assert [image.model for image in product.images] == [None]
    assert product.missing == ()


def test_without_any_it_is_told_that_nobody_says_where_images_lie(gaofen, tmp_path):
    product = open_product(gaofen.write_gf3(tmp_path, "VV", layout=gaofen.Layout(model_suffix="")).path)
    assert [image.model for image in product.images] == [None]
    assert product.missing[0].startswith("there is no RPB beside")


@pytest.mark.parametrize("spelling", ["_strip_0", "_Strip_0", "-strip0"])
@pytest.mark.parametrize("tag", ["DH", "HHHV"])
def test_strips_are_parts(gaofen, tmp_path, tag, spelling):
    layout = gaofen.Layout(tags={"width": "440"})  # of the whole swath
    made = gaofen.write_gf3(tmp_path, tag, "L1B", strips=3, layout=layout)
    for file in list(made.path.iterdir()):
        for number in "012":
            if f"_strip_{number}" in file.name:
                file.rename(file.with_name(file.name.replace(f"_strip_{number}", spelling.replace("0", number))))
    product = open_product(made.path)
    channels = gaofen.CHANNELS[tag]
    assert [(image.bands[0], image.part) for image in product.images] == [(c, n) for c in channels for n in range(3)]
    assert product.images[0].model != product.images[1].model
    assert product.missing == ("the angles of incidence are told of the whole swath, not of its strips",)
    check_pixels(product, made)


def test_a_missing_strip_is_told(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "HHHV", "L1B", strips=2)
    next(made.path.glob("*_HV_*strip_1.tiff")).unlink()
    assert "there are strips [0] of HV, of [0, 1]" in open_product(made.path).missing


@pytest.mark.parametrize(("satellite", "text"), [("GF3", "GF1"), ("GF3", "GF-2"), ("GF3B", "GF3C")])
def test_the_xml_of_another_satellite_is_refused(gaofen, tmp_path, satellite, text):
    made = gaofen.write_gf3(tmp_path, satellite=satellite, layout=gaofen.Layout(tags={"satellite": text}))
    with pytest.raises(SceneError, match=rf"meta\.xml is of {text.replace('-', '')}, .* of {satellite}"):
        open_product(made.path)


@pytest.mark.parametrize("text", ["GF3", "GF-3B", "GAOFEN", "NULL"])
def test_the_name_of_the_family_is_not(gaofen, tmp_path, text):
    made = gaofen.write_gf3(tmp_path, satellite="GF3B", layout=gaofen.Layout(tags={"satellite": text}))
    assert open_product(made.path).facts.satellite == "GF3B"


def test_the_xml_of_a_camera_is_refused(gaofen, tmp_path):
    made, camera = gaofen.write_gf3(tmp_path), gaofen.write_wfv(tmp_path)
    shutil.copy(next(camera.path.glob("*.xml")), next(made.path.glob("*.meta.xml")))
    with pytest.raises(SceneError, match=r"meta\.xml is of GF1, the images beside it are of GF3"):
        open_product(made.path)


def test_meta_xml_of_another_scene_is_not_taken(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path)
    meta = next(made.path.glob("*.meta.xml"))
    meta.rename(meta.with_name(meta.name.replace("020743", "020744")))
    assert "there is no meta.xml: nobody says what the numbers stand for" in open_product(made.path).missing


@pytest.mark.parametrize("tag", ["width", "height"])
def test_meta_xml_of_an_image_of_another_size_is_refused(gaofen, tmp_path, tag):
    made = gaofen.write_gf3(tmp_path, layout=gaofen.Layout(tags={tag: "9000"}))
    with pytest.raises(SceneError, match=r"meta\.xml tells of .*9000.* px, .*_HH_.*\.tiff has 192 x 160 px"):
        open_product(made.path)


@pytest.mark.parametrize(("level", "other"), [("L1A", "L1B"), ("L1B", "L1A")])
def test_an_image_of_another_level_than_its_name_says_is_refused(gaofen, tmp_path, level, other):
    made = gaofen.write_gf3(tmp_path, "HH", level)
    for file in list(made.path.iterdir()):
        file.rename(file.with_name(file.name.replace(level, other)))
    with pytest.raises(SceneError, match=rf"tiff has \d of the \d bands of level {other}"):
        open_product(made.path)


def test_a_level_nobody_knows_is_refused(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "HH")
    for file in list(made.path.iterdir()):
        file.rename(file.with_name(file.name.replace("L1A", "L4")))
    with pytest.raises(SceneError, match="of level L4, rsfuse knows L1A, L1B, L2"):
        open_product(made.path)


def test_what_was_understood_is_told(gaofen, tmp_path):
    said = open_product(gaofen.write_gf3(tmp_path).path).understood
    assert said["mode"] == "FSII"
    assert said["calibration constant"] == "HH 31.25 dB, HV 30.5 dB"
    assert said["qualify value"] == "HH 60.25, HV 30.125"
    assert said["incidence"] == "34.00 to 36.00 deg"
    assert said["spacing"] == "5.2 m along the track, 3.92 m across, on the ground"
    assert said["looks"] == "1 x 1 (azimuth x range)"
    assert said["HV"].endswith("_HV_L10004935216.tiff: 192 x 160 px, 2 bands of int16")
    assert said["RPC"] == "of 2 of 2 images, stated error 1.5 m bias and 0.25 m random"
