"""`rsfuse eval --sharpening`: scores of a sharpened raster, in tables, documents and files."""

import json

import numpy as np
import pytest
from affine import Affine
from scipy import ndimage

from rsfuse.cli import app
from rsfuse.tasks.evaluate_sharpening import CUT

PLACE = Affine(2, 0, 500_000, 0, -2, 4_000_000)
SIDE = 96


@pytest.fixture
def files(raster):
    """A sharpened raster, one that it should be, and the pair that it was made of."""

    def noise(bands, side, seed):
        ground = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((bands, side, side)), (0, 2, 2))
        return (500 + 2000 * ground).clip(1).astype(np.uint16)

    sharp = noise(4, SIDE, 0)
    raster("sharp.tif", side=SIDE, values=sharp, transform=PLACE)
    raster("reference.tif", side=SIDE, values=sharp + noise(4, SIDE, 1) // 20, transform=PLACE)
    raster("pan.tif", side=SIDE, values=noise(1, SIDE, 2), transform=PLACE)
    raster("ms.tif", side=SIDE // 4, values=noise(4, SIDE // 4, 3), transform=PLACE * Affine.scale(4))


PAIR = "--pan", "pan.tif", "--ms", "ms.tif"


def test_both_resolutions_are_one_document(rsfuse, files):
    done = rsfuse("eval", "--sharpening", "sharp.tif", "reference.tif", *PAIR, "--sensor", "ikonos", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == {"sharp", "reduced", "full", "conventions", "pixels", "seconds"}
    assert {"sam", "ergas", "scc", "psnr", "q2n"} <= set(told["reduced"])
    assert {"d_lambda", "d_s", "qnr", "d_lambda_k", "hqnr"} <= set(told["full"])
    assert told["pixels"] == (SIDE - 41) ** 2
    rules = told["conventions"]
    assert (rules["block"], rules["cut"], rules["ratio"], rules["maximum"]) == (32, 21, 4, 2047)
    assert (rules["sensor"], rules["gains"]) == ("ikonos", [0.26, 0.28, 0.29, 0.28])


def test_either_is_told_alone(rsfuse, files):
    reduced = json.loads(rsfuse("eval", "--sharpening", "sharp.tif", "reference.tif", "--json").stdout)
    full = json.loads(rsfuse("eval", "--sharpening", "sharp.tif", *PAIR, "--json").stdout)
    assert reduced["full"] is None
    assert full["reduced"] is None
    assert full["pixels"] == SIDE**2


def test_options_reach_the_scores(rsfuse, files):
    def score(*more):
        done = rsfuse("eval", "--sharpening", "sharp.tif", "reference.tif", "--json", *more)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    plain = score("--cut", "0")
    assert plain["pixels"] == SIDE**2
    assert score("--cut", "0", "--ratio", "2")["reduced"]["ergas"] == pytest.approx(2 * plain["reduced"]["ergas"])
    louder = score("--cut", "0", "--maximum", "20470")["reduced"]["psnr"]
    assert louder == pytest.approx(plain["reduced"]["psnr"] + 20)
    assert score("--ms-bands", "4,3,2,1")["reduced"]["sam"] > 2 * plain["reduced"]["sam"]


def test_the_tables_say_what_is_ideal(rsfuse, files):
    done = rsfuse("eval", "--sharpening", "sharp.tif", "reference.tif", *PAIR)
    for words in (("SAM (degrees)", "0"), ("PSNR (dB)", "inf"), ("Q2n (Q4)", "1"), ("HQNR", "1"), ("band 4",)):
        assert any(all(word in line for word in words) for line in done.stdout.splitlines()), words
    assert "cut: 21" in done.stdout


def test_scores_are_written_by_the_ending_of_a_file(rsfuse, files, tmp_path):
    reports = [each for ending in ("csv", "md", "json") for each in ("--report", f"scores.{ending}")]
    asked = ("eval", "--sharpening", "sharp.tif", "reference.tif", *PAIR)
    told = json.loads(rsfuse(*asked, *reports, "--json").stdout)
    assert json.loads((tmp_path / "scores.json").read_text()) == told
    head, *rows = (tmp_path / "scores.csv").read_text().splitlines()
    assert head == "resolution,score,value,ideal"
    assert len(rows) == 10
    values = dict(line.split(",")[1:3] for line in rows)
    assert float(values["hqnr"]) == told["full"]["hqnr"]
    assert f"| ERGAS | {told['reduced']['ergas']:.4f} | 0 |" in (tmp_path / "scores.md").read_text()
    assert "exists already" in rsfuse(*asked, *reports).stderr


def test_scores_of_images_that_are_the_same_can_be_written(rsfuse, files, tmp_path):
    done = rsfuse("eval", "--sharpening", "sharp.tif", "sharp.tif", "--report", "s.json", "--report", "s.csv", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads((tmp_path / "s.json").read_text())["reduced"]["psnr"] is None
    assert "reduced,psnr,inf,inf" in (tmp_path / "s.csv").read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--sharpening", "sharp.tif"), "there is 1 file"),
        (("--sharpening",), "there are 0 files"),
        (("--sharpening", "sharp.tif", "reference.tif", "ms.tif"), "there are 3 files"),
        (("--sharpening", "sharp.tif", "--pan", "pan.tif"), "--pan is given without --ms"),
        (("--sharpening", "sharp.tif", "--ms", "ms.tif"), "--ms is given without --pan"),
        (("--sharpening", "sharp.tif", "reference.tif", "--legend", "ddhr"), "--sharpening knows no --legend"),
        (("sharp.tif", "reference.tif", "--ratio", "2", *PAIR), "--pan, --ms, --ratio"),
        (("sharp.tif", "reference.tif", "--cut", "3"), "--cut"),
        (("--sharpening", "sharp.tif", "reference.tif", "--report", "s.html"), "these scores as s.html"),
        (("--sharpening", "sharp.tif", "ms.tif"), "sharp.tif has 96 x 96 px, ms.tif has 24 x 24 px"),
        (("--sharpening", "sharp.tif", *PAIR, "--sensor", "wv2"), "the sensor has 8 multispectral bands"),
        (("--sharpening", "sharp.tif", *PAIR, "--sensor", "gf7x"), "no sensor is called"),
        (("--sharpening", "sharp.tif", "nowhere.tif"), "nowhere.tif does not exist"),
        (("--sharpening", "sharp.tif", "reference.tif", "--cut", "45"), "7 x 7 are left"),
    ],
)
def test_a_mistake_is_one_error_with_a_hint(rsfuse, files, arguments, told):
    done = rsfuse("eval", *arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "hint:" in done.stderr
    assert done.stdout == ""


def test_a_report_never_replaces_what_is_read(rsfuse, files, tmp_path):
    (tmp_path / "pan.csv").symlink_to(tmp_path / "pan.tif")
    done = rsfuse("eval", "--sharpening", "sharp.tif", *PAIR, "--report", "pan.csv", "--overwrite")
    assert done.exit_code == 2
    assert "never written over" in done.stderr


def test_what_cut_means_is_told_where_one_looks():
    import typer

    options = {each.name: each for each in typer.main.get_command(app).commands["eval"].params}
    assert "20 px out at the top and left, 21 at the bottom" in options["cut"].help
    assert options["cut"].default == CUT
    assert options["cut"].rich_help_panel == options["sharpening"].rich_help_panel == "Pan-sharpening"
