"""The JSON table behind every manifest."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from rsfuse.errors import OutputError, TileSetError
from rsfuse.raster.table import read_table, write_table

FIELDS = {"name": "string", "index": "integer", "valid": "number", "whole": "boolean", "classes": "any"}
RECORDS = [
    {"name": "Köln_0", "index": 0, "valid": 0.1 + 0.2, "whole": True, "classes": {"1": 12}},
    {"name": "Köln_1", "index": 2**40, "valid": math.nan, "whole": False, "classes": [1, 2, 3]},
]
HEADER = {"version": 2, "gsd_m": math.nan, "bands": ("red", "nir"), "deep": {"er": [0.1, None, "π"]}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiles.json"
    write_table(path, HEADER, RECORDS, FIELDS)
    return path


def test_what_was_written_is_read_with_none_for_nan(path):
    header, records = read_table(path)
    assert header == {"version": 2, "gsd_m": None, "bands": ["red", "nir"], "deep": {"er": [0.1, None, "π"]}}
    assert records == [RECORDS[0], RECORDS[1] | {"valid": None}]


def test_pandas_opens_it_with_one_row_a_record(path):
    table = pd.read_json(path, orient="table", precise_float=True)
    assert list(table.columns) == list(FIELDS)
    assert table["name"].tolist() == ["Köln_0", "Köln_1"]
    assert table["index"].tolist() == [0, 2**40]
    assert table["index"].dtype == np.int64
    assert table["whole"].dtype == np.bool_
    assert table["valid"][0] == 0.1 + 0.2
    assert np.isnan(table["valid"][1])
    assert table["classes"].tolist() == [{"1": 12}, [1, 2, 3]]


def test_an_empty_table_is_one_for_pandas_too(tmp_path):
    path = tmp_path / "tiles.json"
    write_table(path, {}, [], FIELDS)
    assert read_table(path) == ({}, [])
    table = pd.read_json(path, orient="table")
    assert list(table.columns) == list(FIELDS)
    assert len(table) == 0


def test_every_record_has_a_line_of_its_own(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if "Köln" in line]
    assert [json.loads(row.rstrip(","))["name"] for row in rows] == ["Köln_0", "Köln_1"]


def test_the_same_table_is_the_same_bytes_whatever_the_order_of_a_records_keys(path, tmp_path):
    turned = [dict(reversed(record.items())) for record in RECORDS]
    write_table(tmp_path / "again.json", HEADER, turned, FIELDS)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_write_that_fails_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_table(path, {"far": math.inf}, RECORDS, FIELDS)
    with pytest.raises(ValueError, match="record 1 has"):
        write_table(path, HEADER, [RECORDS[0], {"name": "alone"}], FIELDS)
    with pytest.raises(ValueError, match=r"unknown types .'name': 'text'"):
        write_table(path, HEADER, RECORDS, FIELDS | {"name": "text"})
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["tiles.json"]


def test_a_full_disk_is_told_and_the_old_file_stays(small_disk):
    path = small_disk(64) / "tiles.json"
    write_table(path, HEADER, RECORDS, FIELDS)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="the disk is full"):
        write_table(path, HEADER, RECORDS * 2000, FIELDS)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == ["tiles.json"]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/tiles\.json cannot be written"):
        write_table(tmp_path / "nowhere/tiles.json", HEADER, RECORDS, FIELDS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is damaged"),
        ("\xff", "is damaged"),
        ("[]", "has no 'schema'"),
        ('{"version": 1, "tiles": []}', "has no 'schema'"),
        ('{"schema": {"fields": []}, "data": []}', "has no 'rsfuse'"),
        ('{"schema": {"fields": []}, "data": {}, "rsfuse": {}}', "has no 'data'"),
        ('{"schema": {}, "data": [], "rsfuse": {}}', "does not name its columns"),
        ('{"schema": {"fields": [{"name": "a"}]}, "data": [{"a": 1}, {"b": 1}], "rsfuse": {}}', "row 1 has b"),
        ('{"schema": {"fields": [{"name": "a"}]}, "data": [7], "rsfuse": {}}', "row 0 has 7; the columns are a"),
    ],
)
def test_what_is_no_table_is_told_with_its_path(tmp_path, text, told):
    path = tmp_path / "tiles.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(TileSetError, match=told) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


def test_a_missing_table_is_told(tmp_path):
    with pytest.raises(TileSetError, match=r"tiles\.json cannot be read"):
        read_table(tmp_path / "tiles.json")
