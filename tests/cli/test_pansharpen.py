"""`rsfuse pansharpen PAN MS -o SHARP.TIF`: what it says, and what it leaves."""

import json
import re

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from scipy.ndimage import gaussian_filter

PLACE, SIDE = Affine(1, 0, 500_000, 0, -1, 4_000_000), 640
KEYS = ["output", "method", "sensor", "ratio", "offset", "aligned", "repeats", "preview", "megapixels", "seconds"]


@pytest.fixture(scope="module")
def scenery():
    """A panchromatic image of fields and roads with a margin of 4 px around it."""
    chance = np.random.default_rng(0)
    fields = sum(gaussian_filter(chance.normal(0, 200 * size, (SIDE + 8,) * 2), size) for size in (2, 4, 12))
    return np.clip(1000 + fields + 150 * (fields > 0), 100, 2000)


@pytest.fixture
def pair(raster, scenery):
    """pan.tif, and ms.tif of four bands at ratio 4; both in one place, or the second (right, down) in PAN pixels."""

    def write(right=0, down=0, **options):
        ms = scenery[4 - down :, 4 - right :][:SIDE, :SIDE].reshape(SIDE // 4, 4, SIDE // 4, 4).mean((1, 3))
        bands = np.stack([ms * gain for gain in (0.5, 0.7, 0.9, 1.0)]).astype(np.uint16)
        raster("pan.tif", side=SIDE, values=scenery[None, 4:-4, 4:-4].astype(np.uint16), transform=PLACE, **options)
        raster("ms.tif", side=SIDE // 4, values=bands, transform=PLACE * Affine.scale(4), **options)
        return "pan.tif", "ms.tif", "-o", "sharp.tif"

    return write


def answer(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_a_pair_becomes_one_raster_by_gsa(rsfuse, pair, tmp_path):
    told = rsfuse("pansharpen", *pair())
    assert told.exit_code == 0, told.stderr
    assert re.search(r"gsa: 0\.4 megapixels at ratio 4 in \d+\.\d s", told.stdout)
    assert "written: sharp.tif" in told.stdout
    assert "warning" not in told.stderr
    with rasterio.open(tmp_path / "sharp.tif") as file:
        assert (file.count, file.shape, file.transform, file.dtypes[0]) == (4, (SIDE, SIDE), PLACE, "uint16")


def test_the_document_tells_all_of_it(rsfuse, pair, tmp_path):
    settings = "--method", "mtf-glp", "--sensor", "gf2", "--ms-bands", "3,1", "--preview", "look.png", "--json"
    told = answer(rsfuse("pansharpen", *pair(), *settings))
    assert list(told) == [*KEYS, "peak_memory_mb"]
    assert (told["output"], told["method"], told["sensor"]) == ("sharp.tif", "mtf-glp", "gf2")
    assert (told["ratio"], told["repeats"], told["aligned"], told["preview"]) == (4, 1, False, "look.png")
    assert told["megapixels"] == pytest.approx(SIDE**2 / 1e6, rel=1e-2)
    assert abs(told["offset"]["dx_px"]) < 0.15
    assert told["offset"]["accepted"] <= told["offset"]["tiles"]
    with Image.open(tmp_path / "look.png") as picture:
        assert picture.size[0] > 3 * 400
    assert rasterio.open(tmp_path / "sharp.tif").count == 2


def test_without_coordinates_the_offset_is_measured_as_well(rsfuse, pair):
    told = answer(rsfuse("pansharpen", *pair(crs=None), "--json"))
    assert told["ratio"] == 4
    assert abs(told["offset"]["dx_px"]) < 0.15


def test_a_pair_that_lies_aside_is_warned_of_and_aligned_on_request(rsfuse, pair):
    shifted = pair(right=3, down=-2)
    plain = rsfuse("pansharpen", *shifted, "--quiet")
    assert re.search(
        r"lies 0\.[89]\d of its pixels aside .*\+0\.7\d right, -0\.\d+ down.*--align undoes it", plain.stderr
    )
    aligned = rsfuse("pansharpen", *shifted, "--align", "--overwrite")
    assert "warning" not in aligned.stderr
    assert re.search(r"\+0\.7\d px right, -0\.\d+ px down, undone", aligned.stdout)


def test_where_nothing_can_be_told_of_the_offset_align_says_so(rsfuse, pair):
    paths = pair()
    for path in paths[:2]:
        with rasterio.open(path, "r+") as file:
            file.write(np.full_like(file.read(), 300))
    told = rsfuse("pansharpen", *paths, "--align")
    assert told.exit_code == 0
    assert "--align had nothing to go by" in told.stderr


def test_repeated_pixels_are_warned_of(rsfuse, pair, raster, scenery):
    pair()
    small = scenery[4:-4:8, 4:-4:8].astype(np.uint16).repeat(2, 0).repeat(2, 1)
    raster("ms.tif", side=SIDE // 4, values=small[None], transform=PLACE * Affine.scale(4))
    told = rsfuse("pansharpen", "pan.tif", "ms.tif", "-o", "sharp.tif")
    assert re.search(r"stands 2 x 2 times.*-outsize 50% 50% -r nearest", told.stderr)


MISTAKES = {
    "swapped": ("ms.tif pan.tif -o s.tif", r"ms\.tif has 4 bands, a panchromatic raster has one", "before the other"),
    "ratio 1": (
        "pan.tif pan.tif -o s.tif",
        r"640 x 640 px\) is 1 x 1 pixels .* 1\.5 to 16",
        "not enlarged",
    ),
    "elsewhere": ("pan.tif far.tif -o s.tif", r"far\.tif lies elsewhere", ""),
    "no such file": ("pan.tif none.tif -o s.tif", r"none\.tif", ""),
    "no raster": ("pan.tif text.tif -o s.tif", r"text\.tif", ""),
    "no such sensor": ("pan.tif ms.tif -o s.tif --sensor gf22", "'gf22'", "gf2"),
    "other bands": ("pan.tif ms.tif -o s.tif --sensor wv2", "8 multispectral bands, the raster 4", "--ms-bands"),
    "no such band": ("pan.tif ms.tif -o s.tif --ms-bands 1,9", "no band 9", "1, 2, 3, 4"),
    "over an input": ("pan.tif ms.tif -o ms.tif --overwrite", r"ms\.tif .* multispectral raster", "another name"),
    "exists": ("pan.tif ms.tif -o there.tif", r"there\.tif exists already", "--overwrite"),
    "no folder": ("pan.tif ms.tif -o none/s.tif", "no folder none", "mkdir"),
    "two methods": ("pan.tif ms.tif -o s.tif --method gs --bundle b", "--method gs", "one of them"),
    "no such bundle": ("pan.tif ms.tif -o s.tif --bundle nowhere", "nowhere", ""),
}


@pytest.mark.parametrize(("arguments", "told", "hint"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_what_to_do_and_leaves_nothing(rsfuse, pair, raster, tmp_path, arguments, told, hint):
    pair()
    raster("far.tif", bands=4, side=SIDE // 4, transform=Affine.translation(9000, 0) * PLACE * Affine.scale(4))
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "there.tif").write_text("mine")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = rsfuse("pansharpen", *arguments.split())
    assert result.exit_code == 2
    error, *rest = result.stderr.splitlines()
    assert re.search(rf"^error: .*{told}", error)
    assert re.search(rf"^hint: .*{hint}", rest[-1])
    assert len(rest) == 1
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["look", "look.txt"])
def test_a_preview_of_another_kind_is_told_before_the_work(rsfuse, pair, tmp_path, name):
    result = rsfuse("pansharpen", *pair(), "--preview", name)
    assert result.exit_code == 2
    assert f"{name} would be a PNG picture" in result.stderr
    assert not (tmp_path / "sharp.tif").exists()


def test_help_names_every_method_and_sensor(rsfuse):
    told = rsfuse("pansharpen", "--help").stdout
    for word in (
        "exp",
        "brovey",
        "gs",
        "gsa",
        "mtf-glp",
        "mtf-glp-fs",
        "bdsd-pc",
        "gf1",
        "gf2",
        "wv3",
        "--align",
        "COG",
    ):
        assert word in told


def test_a_near_infrared_that_the_file_calls_transparency_is_told_of_and_taken_on_request(rsfuse, raster, tmp_path):
    chance = np.random.default_rng(0)
    raster("pan.tif", side=SIDE, values=chance.integers(20, 240, (1, SIDE, SIDE)).astype(np.uint8), transform=PLACE)
    bands = chance.integers(20, 240, (4, SIDE // 4, SIDE // 4)).astype(np.uint8)
    raster("ms.tif", side=SIDE // 4, values=bands, transform=PLACE * Affine.scale(4))
    with rasterio.open(tmp_path / "ms.tif") as file:
        assert file.colorinterp[3].name == "alpha"
    told = rsfuse("pansharpen", "pan.tif", "ms.tif", "-o", "three.tif")
    assert "band 4 of the multispectral raster is called transparency" in " ".join(told.stderr.split())
    assert rasterio.open(tmp_path / "three.tif").count == 3
    told = rsfuse("pansharpen", "pan.tif", "ms.tif", "-o", "four.tif", "--ms-bands", "1,2,3,4")
    assert "transparency" not in told.stderr
    with rasterio.open(tmp_path / "four.tif") as file:
        assert (file.count, "alpha" in [each.name for each in file.colorinterp]) == (4, False)
    scored = rsfuse(
        "eval", "--sharpening", "four.tif", "--pan", "pan.tif", "--ms", "ms.tif", "--ms-bands", "1,2,3,4", "--json"
    )
    assert scored.exit_code == 0
