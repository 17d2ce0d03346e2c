"""XML of products: in any encoding and case, and never trusted."""

import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.products import metadata
from rsfuse.raster.products.metadata import as_number, first_of, number_of, numbers_of, parse_xml, tag_of, text_of

TEXT = "<ProductMetaData><Station>密云</Station><solarzenith> 22.5 </solarzenith></ProductMetaData>"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb2312", "gb18030", "utf-16"])
@pytest.mark.parametrize("declared", [True, False])
def test_an_xml_is_read_in_every_encoding_whether_it_says_which_or_not(encoding, declared):
    said = f'<?xml version="1.0" encoding="{encoding}"?>\n' if declared else ""
    assert text_of(parse_xml((said + TEXT).encode(encoding), "a.xml"), "Station") == "密云"


def test_an_xml_that_says_a_wrong_encoding_is_read():
    data = b'<?xml version="1.0" encoding="UTF-8"?>' + TEXT.encode("gbk")
    assert text_of(parse_xml(data, "a.xml"), "Station") == "密云"


def test_tags_are_found_in_any_case_and_namespace_by_the_first_of_their_names_that_says_something():
    root = parse_xml(b'<p xmlns="urn:x"><IMAGEGSD>NULL</IMAGEGSD><ImageGSDLine>8</ImageGSDLine></p>', "a.xml")
    assert number_of(root, "ImageGSD", "ImageGSDLine", "ImageGSDSample") == 8.0
    assert text_of(root, "ImageGSD") is None
    assert tag_of(root) == "p"
    assert tag_of(first_of(root, "imagegsd")) == "imagegsd"
    assert first_of(root, "p") is None


@pytest.mark.parametrize("text", ["NULL", "null", "", " ", "nan", "inf", "N/A", "abc", "1,2", None])
def test_what_is_no_number_is_none(text):
    assert as_number(text) is None


def test_all_numbers_of_a_repeated_tag_are_read_in_their_order():
    root = parse_xml(b"<a><v>3</v><b><v>1</v></b><v>NULL</v><v>2.5</v></a>", "a.xml")
    assert numbers_of(root, "V") == (3.0, 1.0, 2.5)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gbk"])
def test_entities_are_refused_in_every_encoding(encoding):
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]><a>&c;</a>'
    with pytest.raises(SceneError, match=r"a\.xml defines entities"):
        parse_xml(bomb.encode(encoding), "a.xml")


def test_a_file_outside_is_not_read():
    with pytest.raises(SceneError, match="entities"):
        parse_xml(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>', "a.xml")


@pytest.mark.parametrize("data", [b"", b"<a>", b"no xml", b"<a></b>", b"\x00\x01\x02", b"<a>&b;</a>"])
def test_what_is_no_xml_is_refused_by_name(data):
    with pytest.raises(SceneError, match=r"a\.xml is no XML"):
        parse_xml(data, "a.xml")


def test_an_xml_that_is_much_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(metadata, "MOST_BYTES", 100)
    with pytest.raises(SceneError, match=r"a\.xml is 0 MiB long"):
        parse_xml(b"<a>" + b" " * 100 + b"</a>", "a.xml")
