"""Polynomials as texts: both kinds say the same, and what is damaged is refused."""

import re

import pytest
import rasterio

from rsfuse.errors import SceneError
from rsfuse.raster.products.rpb import parse_rpb


@pytest.fixture(scope="module")
def rpc(gaofen):
    return gaofen.synthetic_rpc(gaofen.View((192, 160), (5.0, 4.0)))


def as_lines(rpc):
    """The other kind of text, with units, as some vendors write it."""
    said = rpc.to_gdal()
    text = ""
    for key, value in said.items():
        numbers = value.split()
        if key.endswith("COEFF"):
            text += "".join(f"{key}_{number}: {each}\n" for number, each in enumerate(numbers, 1))
        else:
            text += f"{key}: {value} pixels\n"
    return text


def same(one, other):
    return one.to_dict() == other.to_dict()


def test_an_rpb_is_read_as_it_was_written(gaofen, rpc):
    assert same(parse_rpb(gaofen.rpb_text(rpc), "a.rpb"), rpc)


def test_the_other_kind_says_the_same(rpc):
    assert same(parse_rpb(as_lines(rpc), "a.rpc"), rpc)


def test_case_spaces_and_ends_of_lines_do_not_matter(gaofen, rpc):
    text = gaofen.rpb_text(rpc).replace("lineOffset", "LINEOFFSET").replace("\n", "\r\n").replace(" = ", "=")
    assert same(parse_rpb(text, "a.rpb"), rpc)


def test_errors_may_be_missing(gaofen, rpc):
    text = re.sub(r"\terr(Bias|Rand).*\n", "", gaofen.rpb_text(rpc))
    read = parse_rpb(text, "a.rpb")
    assert (read.err_bias, read.err_rand) == (None, None)
    assert read.line_num_coeff == rpc.line_num_coeff


def test_gdal_reads_the_same_of_an_rpb(gaofen, tmp_path):
    made = gaofen.write_pms(tmp_path)
    (image,) = made.path.glob("*PAN1.tiff")
    with rasterio.open(image) as file:
        assert same(parse_rpb(image.with_suffix(".rpb").read_text(), "a.rpb"), file.rpcs)


@pytest.mark.parametrize(
    ("pattern", "instead", "why"),
    [
        (r"\tlineOffset.*\n", "", "does not say lineOffset"),
        (r"lineOffset = \S+", "lineOffset = NULL;", "lineOffset is 'NULL'"),
        (r"lineOffset = \S+", "lineOffset = nan;", "lineOffset is not finite"),
        (r"heightScale = \S+", "heightScale = 0;", "heightScale is 0"),
        (r"(?s)sampDenCoef = .*?;\n", "", "does not say sampDenCoef"),
        (r"(?s)(sampDenCoef = \(\n[^,]*),.*?\);", r"\1);", "sampDenCoef has 1 numbers, not 20"),
        (
            r"(?s)sampNumCoef = .*?;\n",
            "sampNumCoef = (" + "0, " * 19 + "0);",
            "all coefficients of sampNumCoef are 0",
        ),
        (r"(?s)BEGIN.*", "", "does not say lineOffset"),
        (r"(?s).*", "", "does not say lineOffset"),
    ],
)
def test_a_damaged_one_is_refused_with_what_is_wrong(gaofen, rpc, pattern, instead, why):
    text = re.sub(pattern, instead, gaofen.rpb_text(rpc), count=1)
    with pytest.raises(SceneError, match=rf"^the polynomials in a\.rpb cannot be used: .*{re.escape(why)}"):
        parse_rpb(text, "a.rpb")


def test_another_order_of_coefficients_is_refused(gaofen, rpc):
    with pytest.raises(SceneError, match="in the order of RPC00A"):
        parse_rpb(gaofen.rpb_text(rpc).replace("RPC00B", "RPC00A"), "a.rpb")
