"""Names of scenes, as real ones are spelt and as users spell them."""

from datetime import date

import pytest

from rsfuse.raster.products.names import channels_of, day_of, parse_file, parse_name, satellite_of

OPTICAL = {  # satellite, sensor, day, level
    "GF1_PMS1_E65.2_N26.6_20130927_L1A0000090284": ("GF1", "PMS1", date(2013, 9, 27), "L1A"),
    "GF1_WFV1_E73.2_N39.7_20131008_L1A0000095560": ("GF1", "WFV1", date(2013, 10, 8), "L1A"),
    "GF1B_PMS_E117.1_N30.2_20190121_L1A1227579261": ("GF1B", "PMS", date(2019, 1, 21), "L1A"),
    "GF1C_PMS_E117.1_N30.2_20190121_L1A1227579261": ("GF1C", "PMS", date(2019, 1, 21), "L1A"),
    "GF1D_PMS_E117.1_N30.2_20190121_L1A1227579261": ("GF1D", "PMS", date(2019, 1, 21), "L1A"),
    "GF2_PMS2_E102.1_N31.7_20201109_L1A0005176265": ("GF2", "PMS2", date(2020, 11, 9), "L1A"),
    "GF1_PMS2_E113.9_N34.4_20181125_L5A_0003622463": ("GF1", "PMS2", date(2018, 11, 25), "L5A"),
    "GF6_PMS_E114.5_N32.8_20190115_L1A1119839616": ("GF6", "PMS", date(2019, 1, 15), "L1A"),
    "GF6_WFV_E100.0_N40.2_20190126_L1A1119842986": ("GF6", "WFV", date(2019, 1, 26), "L1A"),
    "gf1_pms1_e65.2_n26.6_20130927_l1a0000090284": ("GF1", "PMS1", date(2013, 9, 27), "L1A"),
    "GF2_PMS1_W70.1_S33.4_20200101_L1A0004500001": ("GF2", "PMS1", date(2020, 1, 1), "L1A"),
    "GF1_PMS1_E116.53712_N39.40123_20180530_L1A0003229119": ("GF1", "PMS1", date(2018, 5, 30), "L1A"),
    "GF1_WFV4_E116_N39_20180530_L2A0003229119": ("GF1", "WFV4", date(2018, 5, 30), "L2A"),
    "GF1__PMS1_E116.5N39.4_20180530L1A0003229119": ("GF1", "PMS1", date(2018, 5, 30), "L1A"),
}
SAR = {  # satellite, mode, level, tag
    "GF3_KAS_FSII_020743_E115.8_N28.1_20200718_L1A_HHHV_L10004935216": ("GF3", "FSII", "L1A", "HHHV"),
    "GF3_KAS_WSC_000823_E122.8_N39.8_20161005_L1A_VHVV_L10002039504": ("GF3", "WSC", "L1A", "VHVV"),
    "GF3_SAY_UFS_000605_E114.5_N30.6_20160920_L2_DH_L20001842290": ("GF3", "UFS", "L2", "DH"),
    "GF3_KAS_SL_015331_W95.9_N41.3_20190709_L1B_HH_L10004110001": ("GF3", "SL", "L1B", "HH"),
    "GF3_MDJ_QPSI_006377_E139.7_N35.4_20171026_L1A_AHV_L10002710612": ("GF3", "QPSI", "L1A", "AHV"),
    "GF3B_KRN_FSI_008623_E117.9_N32.2_20220330_L1A_VVVH_L10003094723": ("GF3B", "FSI", "L1A", "VVVH"),
    "gf3c_mdj_nsc_009498_e121.2_n34.1_20230530_l1a_hvhh_l10003226453": ("GF3C", "NSC", "L1A", "HVHH"),
}
NO_PRODUCTS = (
    "scene",
    "GF1_PMS1_rectified",
    "GF1_PMS1_E65.2_N26.6_20131327_L1A0000090284",
    "GF7_DLC_E129.3_N45.9_20200429_L1L0000091709",
    "S1A_IW_GRDH_1SDV_20200718T101010_20200718T101035_033512_03E22F_1234",
)


@pytest.mark.parametrize(("name", "said"), OPTICAL.items())
def test_the_name_of_an_optical_scene_is_understood(name, said):
    found = parse_name(name)
    assert found.rest == ""
    assert (found.scene.satellite, found.scene.sensor, found.scene.acquired, found.scene.level) == said
    assert found.scene.text == name


@pytest.mark.parametrize(("name", "said"), SAR.items())
def test_the_name_of_a_sar_scene_is_understood(name, said):
    found = parse_name(name)
    assert found.rest == ""
    assert (found.scene.satellite, found.scene.mode, found.scene.level, found.scene.tag) == said


@pytest.mark.parametrize("name", NO_PRODUCTS)
def test_other_names_are_not(name):
    assert parse_name(name) is None


@pytest.mark.parametrize("rest", ["-MSS1", "-PAN1", "-MUX", "-3", "_strip_0", ".meta", ".incidence", "_thumb", ""])
@pytest.mark.parametrize("name", [*list(OPTICAL)[:3], *list(SAR)[:3]])
def test_what_follows_the_scene_in_the_name_of_a_file_is_told_apart(name, rest):
    assert parse_file(f"above/{name}{rest}.tiff").rest == rest


def test_files_of_one_scene_have_one_key_whatever_their_spelling_and_polarisation():
    name = "GF3_KAS_FSII_020743_E115.8_N28.1_20200718_L1A_{}_L10004935216"
    keys = {parse_name(name.format(tag)).scene.key for tag in ("HHHV", "HH", "HV")}
    assert keys == {parse_name(name.format("hh").lower()).scene.key}
    assert parse_name(name.format("HH").replace("020743", "020744")).scene.key not in keys


@pytest.mark.parametrize("halves", [("PMS1", "PMS2"), ("WFV1", "WFV2")])
def test_two_cameras_are_two_scenes(halves):
    one, two = (parse_name(f"GF1_{each}_E116.5_N39.4_20180530_L1A0003229119").scene.key for each in halves)
    assert one != two


@pytest.mark.parametrize(
    ("tag", "channels"),
    [
        ("AHV", ("HH", "HV", "VH", "VV")),
        ("DH", ("HH",)),
        ("DV", ("VV",)),
        ("HHHV", ("HH", "HV")),
        ("HVHH", ("HH", "HV")),
        ("VVVH", ("VV", "VH")),
        ("VHVV", ("VV", "VH")),
        ("hh", ("HH",)),
        ("HHHVVHVV", ("HH", "HV", "VH", "VV")),
        ("ADV", ()),
        ("HHH", ()),
    ],
)
def test_a_tag_promises_polarisations(tag, channels):
    assert channels_of(tag) == channels


@pytest.mark.parametrize(
    ("text", "satellite"),
    [("GF1", "GF1"), ("GF-1", "GF1"), ("gf01", "GF1"), ("GF-1B", "GF1B"), ("ZY3", None), ("", None), (None, None)],
)
def test_a_satellite_is_known_in_other_spellings(text, satellite):
    assert satellite_of(text) == satellite


@pytest.mark.parametrize("text", ["2018-05-30 03:16:04", "2018/5/30", "20180530", " 2018-05-30T03:16:04.5Z"])
def test_a_day_is_read_from_what_begins_with_it(text):
    assert day_of(text) == date(2018, 5, 30)


@pytest.mark.parametrize("text", ["2018-13-30", "", "yesterday", None])
def test_what_is_no_day_is_none(text):
    assert day_of(text) is None
