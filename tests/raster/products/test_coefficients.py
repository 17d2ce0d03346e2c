"""Coefficients of Gaofen's cameras: those of the year, or of the nearest, and what is known of them is told."""

import re
from datetime import date

import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.products.coefficients import Coefficients, read_coefficients, shipped_coefficients
from rsfuse.raster.products.product import OpticalFacts

PMS = ["GF1 PMS1", "GF1 PMS2", "GF1B PMS", "GF1C PMS", "GF1D PMS", "GF2 PMS1", "GF2 PMS2", "GF6 PMS"]
WFV = ["GF1 WFV1", "GF1 WFV2", "GF1 WFV3", "GF1 WFV4"]
HEADER = "satellite,sensor,part,year,gains\n"


def facts(name, year):
    satellite, sensor = name.split()
    return OpticalFacts(satellite, sensor, date(year, 6, 1), 30.0)


@pytest.fixture
def write(tmp_path):
    """A function from the text of a table to its path."""

    def write(text):
        path = tmp_path / "own.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture(scope="module")
def shipped():
    return shipped_coefficients()


@pytest.mark.parametrize(
    ("name", "part", "bands"),
    [(name, "ms", 4) for name in PMS + WFV] + [(name, "pan", 1) for name in PMS] + [("GF6 WFV", "ms", 8)],
)
def test_every_camera_has_coefficients_of_each_band(shipped, name, part, bands):
    for year in range(2013, 2026):
        found = shipped.find(facts(name, year), part, bands)
        assert (len(found.gains), len(found.offsets)) == (bands, bands)
        assert all(0.02 < gain < 0.3 for gain in found.gains)  # a full 10 bits of it are some hundred W m-2 sr-1 um-1
        assert all(abs(offset) < 14 for offset in found.offsets)
        assert len(found.esun) == (0 if name.startswith("GF6") else bands)
        assert all(1060 < esun < 1970 for esun in found.esun)


def test_each_year_of_a_camera_stands_in_one_line_and_doubts_have_reasons(shipped):
    dated = [(line.satellite, line.sensor, line.part, line.year) for line in shipped.lines if line.gains]
    sunny = [(line.satellite, line.sensor, line.part) for line in shipped.lines if line.esun]
    assert len(set(dated)) == len(dated)
    assert len(set(sunny)) == len(sunny)
    assert all(line.note for line in shipped.lines if line.trust == "doubtful")
    assert all("CRESDA notice" in line.source for line in shipped.lines if line.trust == "good")


def test_values_are_those_that_were_published(shipped):
    found = shipped.find(facts("GF1 PMS1", 2017), "ms", 4)
    assert found.gains == (0.1424, 0.1177, 0.1194, 0.1135)
    assert found.offsets == (0, 0, 0, 0)
    assert found.esun == (1945.29, 1854.1, 1542.9, 1080.77)
    assert shipped.find(facts("GF1 PMS2", 2017), "pan", 1).gains == (0.1365,)
    found = shipped.find(facts("GF2 PMS1", 2014), "ms", 4)
    assert found.gains == (0.1585, 0.1883, 0.174, 0.1897)
    assert found.offsets == (-0.8765, -0.9742, -0.7652, -0.7233)
    found = shipped.find(facts("GF1 PMS1", 2013), "pan", 1)
    assert (found.gains, found.offsets) == ((0.1886,), (-13.127,))


def test_what_was_published_the_other_way_round_is_turned(shipped):
    found = shipped.find(facts("GF1 WFV2", 2013), "ms", 4)
    radiance = [gain * 600 + offset for gain, offset in zip(found.gains, found.offsets, strict=True)]
    by_hand = [(600 - 0.0125) / 6.014, (600 - 0.0193) / 6.823, (600 - 0.0429) / 9.451, (600 - 0.0011) / 8.996]
    assert radiance == pytest.approx(by_hand)


def test_a_notice_that_was_seen_needs_no_warning(shipped):
    found = shipped.find(facts("GF1 WFV3", 2017), "ms", 4)
    assert found.warnings == ()
    assert found.told == "coefficients of 2017 for GF1 WFV3 (ms): CRESDA notice of 2017"
    assert "GF1 WFV3" in found.esun_told


@pytest.mark.parametrize(("asked", "year"), [(2010, 2013), (2018, 2018), (2026, 2021)])
def test_the_nearest_year_is_taken_and_both_are_named(shipped, asked, year):
    found = shipped.find(facts("GF1 WFV1", asked), "ms", 4)
    assert found.year == year
    missed = [warning for warning in found.warnings if "no calibration coefficients of" in warning]
    assert len(missed) == (asked != year)
    assert all(str(asked) in warning and str(year) in warning for warning in missed)


def test_of_two_years_equally_near_the_earlier_is_taken(write):
    text = "satellite,sensor,part,year,gains\nGF7,DLC,pan,2024,0.3\nGF7,DLC,pan,2020,0.1\n"
    table = read_coefficients(write(text))
    assert table.find(facts("GF7 DLC", 2022), "pan", 1).gains == (0.1,)
    assert table.find(facts("GF7 DLC", 2023), "pan", 1).gains == (0.3,)


@pytest.mark.parametrize(
    ("name", "year", "part", "told"),
    [
        ("GF1 PMS1", 2018, "ms", "not compared with the official notice"),
        ("GF1 PMS2", 2019, "ms", "doubtful: equal to those of PMS1"),
        ("GF1 PMS2", 2020, "pan", "doubtful: equal to those of 2021 and of PMS1"),
        ("GF1B PMS", 2018, "ms", "doubtful: far below those of 2020"),
        ("GF1D PMS", 2019, "pan", "doubtful: far below those of 2020"),
        ("GF2 PMS2", 2015, "pan", "doubtful: equal to that of PMS1; other tables say 0"),
        ("GF1 WFV1", 2019, "ms", "another table has 0.1647 for the green band"),
    ],
)
def test_what_is_less_than_certain_is_told(shipped, name, year, part, told):
    (warning,) = shipped.find(facts(name, year), part, 4 if part == "ms" else 1).warnings
    assert told in warning
    assert str(year) in warning
    assert name in warning


def test_a_tables_zero_is_no_gain(shipped):
    assert shipped.find(facts("GF2 PMS2", 2015), "pan", 1).gains == (0.1538,)


def test_a_users_line_goes_before_ours_and_other_years_stay(write):
    table = read_coefficients(write(HEADER + "GF1,PMS1,ms,2018,0.1 0.2 0.3 0.4\n"))
    found = table.find(facts("GF1 PMS1", 2018), "ms", 4)
    assert found.gains == (0.1, 0.2, 0.3, 0.4)
    assert found.offsets == (0, 0, 0, 0)
    assert found.told.endswith("own.csv, line 2")
    assert found.warnings == ()
    assert found.esun == (1945.29, 1854.1, 1542.9, 1080.77)  # of which the user says nothing
    assert table.find(facts("GF1 PMS1", 2017), "ms", 4).gains == (0.1424, 0.1177, 0.1194, 0.1135)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff# mine\n\n Satellite ; Sensor;part;YEAR;gains;offsets;esun;source\n,;\n"
        'gf-7; dlc;PAN;2022;0.15;-1;1370;"the lab; by letter"\n',
        "part,sensor,satellite,esun,offsets,gains,year,source\r\n"
        'pan,DLC,GF 7,1370,-1.0,15e-2,2022,"the lab; by letter"\n',
    ],
)
def test_a_table_may_be_written_as_people_write(write, text):
    found = read_coefficients(write(text)).find(facts("GF7 DLC", 2022), "pan", 1)
    assert (found.gains, found.offsets, found.esun) == ((0.15,), (-1.0,), (1370.0,))
    assert "the lab; by letter" in found.told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no coefficients"),
        (HEADER, "holds no coefficients"),
        (b"\xff\xfe\x00", "cannot be read"),
        (HEADER + "GF7,DLC,pan,2022,0.1\nGF7,DLC,pan,soon,0.1\n", "line 3: year"),
        (HEADER + "GF7,DLC,pan,22,0.1\n", "line 2: year"),
        (HEADER + "GF7,DLC,nir,2022,0.1\n", "line 2: part"),
        (HEADER + "GF7,DLC,pan,2022,0.1 x\n", r"line 2: gains\.1"),
        (HEADER + "GF7,DLC,pan,2022,0\n", r"line 2: gains\.0"),
        (HEADER + "GF7,DLC,pan,2022,nan\n", r"line 2: gains\.0"),
        (HEADER + "GF7,DLC,pan,,0.1\n", "line 2: .*gains are of a year"),
        (HEADER + "GF7,DLC,pan,2022,\n", "line 2: .*neither gains nor esun"),
        (HEADER + ",DLC,pan,2022,0.1\n", "line 2: satellite is missing"),
        (HEADER + "# no\nGF7,DLC,ms,2022,0.1,0.2\n", "line 3, has 6 cells, the header 5"),
        (HEADER + 'GF7,"DLC,pan,2022,0.1\n', "line 2: "),
        (HEADER.replace("gains", "gain") + "GF7,DLC,pan,2022,0.1\n", "gain: no such key; did you mean 'gains'"),
        (HEADER.replace("gains", "gains,offsets") + "GF7,DLC,pan,2022,0.1 0.2,3\n", "2 gains, 1 offsets"),
        (HEADER.replace("gains", "offsets,esun") + "GF7,DLC,pan,2022,3,1370\n", "1 offsets, 1 esun"),
        (HEADER.replace("gains", "gains,form") + "GF7,DLC,pan,2022,3,square\n", "line 2: form"),
    ],
)
def test_a_mistake_is_told_with_its_line(write, text, told):
    with pytest.raises(SceneError, match=told) as caught:
        read_coefficients(write(text))
    assert "own.csv" in str(caught.value)
    assert caught.value.hint


def test_a_table_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SceneError, match=r"none\.csv cannot be read"):
        read_coefficients(tmp_path / "none.csv")


def test_the_hint_for_an_unknown_camera_is_a_table_that_works_once_it_is_filled_in(write, shipped):
    with pytest.raises(SceneError, match=r"of GF1B WFV \(ms\) are known") as caught:
        shipped.find(facts("GF1B WFV", 2020), "ms", 4)
    hint = caught.value.hint
    assert "--as dn" in hint
    _, header, _, line, _ = hint.split("'")
    line = re.sub(r"\b[GBE](\d)\b", r"\1", line).replace("YEAR", "2020")
    found = read_coefficients(write(f"{header}\n{line}\n")).find(facts("GF1B WFV", 2020), "ms", 4)
    assert found.gains == found.offsets == found.esun == (1, 2, 3, 4)


def test_coefficients_of_other_bands_are_refused(write, shipped):
    with pytest.raises(SceneError, match="has 3 bands, its calibration coefficients 4"):
        shipped.find(facts("GF1 PMS1", 2018), "ms", 3)
    table = read_coefficients(write("satellite,sensor,part,esun\nGF6,PMS,ms,1900 1800 1500\n"))
    with pytest.raises(SceneError, match=r"has 4 bands, its calibration coefficients 3 \(own.csv, line 2\)"):
        table.find(facts("GF6 PMS", 2018), "ms", 4)


def test_an_empty_table_knows_no_camera():
    with pytest.raises(SceneError, match="GF1 PMS1"):
        Coefficients(()).find(facts("GF1 PMS1", 2018), "ms", 4)
