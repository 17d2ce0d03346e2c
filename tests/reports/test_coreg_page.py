"""The page about a pair tells what was measured, where, and needs nothing but itself."""

import base64
import io
import math
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from scipy import ndimage

from rsfuse.errors import OutputError
from rsfuse.geometry.correction import Correction
from rsfuse.geometry.registration import Limits, Registration, TileShifts, TileState
from rsfuse.geometry.shift_field import AffineField
from rsfuse.raster.registration.checked import Checked
from rsfuse.raster.registration.overlay import Overlay
from rsfuse.reports.coreg.checkerboards import draw_spot, spots
from rsfuse.reports.coreg.ground import Ground
from rsfuse.reports.coreg.looks import looks
from rsfuse.reports.coreg.page import CoregPage, write_page

HEIGHT, WIDTH = 320, 400
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
MOVED = PLACE * Affine.translation(7, 5)  # the grid of the corrected SAR
LIMITS = Limits(ce90=1.5, median=0.75)
VOID = {"meta", "img"}


class Page(HTMLParser):
    """The page as a tree; names of attributes are in small letters."""

    def __init__(self, text):
        super().__init__()
        self.root = ElementTree.Element("page")
        self.text, self._open = text, [self.root]
        self.feed(text)
        assert self._open == [self.root]  # every element is closed

    def handle_starttag(self, tag, attrs):
        made = ElementTree.SubElement(self._open[-1], tag, {key: value or "" for key, value in attrs})
        if tag not in VOID:
            self._open.append(made)

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag

    def handle_data(self, data):
        ElementTree.SubElement(self._open[-1], "text-node").text = data

    def all(self, tag, kind=None):
        return [each for each in self.root.iter(tag) if kind in (None, *each.get("class", "").split())]

    def row(self, name):
        """Cells of the rows of tables that begin so."""
        rows = [[said(cell) for cell in row] for row in self.all("tr")]
        return next(cells[1:] for cells in rows if cells[0].startswith(name))

    def map(self, told):
        return next(each for each in self.all("svg") if each.get("aria-label") == told)


def said(node):
    return "".join(node.itertext())


def numbers(text):
    return [float(each) for each in re.findall(r"-?\d+(?:\.\d+)?", text)]


def shown(image):
    data = image.get("src", image.get("href")).removeprefix("data:image/jpeg;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)


def write(path, pixels, *, crs="EPSG:32650", transform=PLACE):
    profile = {
        "driver": "GTiff",
        "count": 1,
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "dtype": pixels.dtype,
    }
    with rasterio.open(path, "w", crs=crs, transform=transform, **profile) as file:
        file.write(pixels, 1)
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    ground = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(HEIGHT, WIDTH)), 4)
    ground = (120 + 60 * ground / np.abs(ground).max()).astype("u1")
    ground[:, WIDTH // 2 :] += 60  # the east is bright
    speckled = (ground * np.random.default_rng(1).gamma(8, 1 / 8, ground.shape)).astype("f4")
    return SimpleNamespace(
        pixels=ground,
        optical=write(folder / "optical.tif", ground),
        sar=write(folder / "sar.tif", speckled),
        fixed=write(folder / "fixed.tif", speckled, transform=MOVED),
    )


def measured(shift, shape, *, seed=0, accepted=60, others=(12, 5, 3)):
    """Tiles all over, and what they say."""
    chance = np.random.default_rng(seed)
    states = np.repeat(list(TileState), [accepted, *others]).astype("u1")
    places = chance.uniform(40, np.array(shape[::-1]) - 40, (len(states), 2))
    shifts = np.array(shift) + chance.normal(0, 0.3, places.shape)
    shifts[states == TileState.EMPTY] = np.nan
    peaks, margins = chance.uniform(0.2, 0.5, len(states)), chance.uniform(0.03, 0.1, len(states))
    return Registration(TileShifts(places, shifts, peaks, margins, states, shape))


def check(optical, sar, shift=(0.0, 0.0), **options):
    overlay = Overlay(optical, sar)
    found = measured(shift, overlay.grid.shape, **options)
    return Checked(overlay, found, found.verdict(LIMITS))


def render(tmp_path, before, after=None, correction=None):
    path = tmp_path / "report.html"
    write_page(CoregPage(before, after, LIMITS, correction), path)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture
def before(files):
    return check(files.optical, files.sar, (3.0, -4.0))


@pytest.fixture
def after(files):
    return check(files.optical, files.fixed, seed=1, accepted=50)


@pytest.fixture
def fixed(tmp_path, before, after):
    correction = Correction(
        "affine", AffineField(np.zeros((2, 2)), np.zeros(2)), {"shift": 2.344, "affine": 0.678, "local": math.nan}
    )
    return render(tmp_path, before, after, correction)


def test_figures_are_those_of_the_registrations_in_pixels_and_metres(fixed, before, after):
    counts = {"tiles": (80, 70), "accepted": (60, 50), "rejected": (12, 12), "without t": (5, 5), "without d": (3, 3)}
    assert {name: tuple(map(int, fixed.row(name))) for name in counts} == counts
    both = before.found, after.found
    figures = {"RMSE": "rmse", "RMSE less": "debiased_rmse", "noise": "noise"}
    expected = {name: [getattr(found, figure) for found in both] for name, figure in figures.items()}
    expected |= {f"CE{share}": [found.ce(share) for found in both] for share in (90, 95)}
    expected |= {f"median d{axis}": [found.median[at] for found in both] for at, axis in enumerate("xy")}
    for name, px in expected.items():
        told = [float(each) for each in fixed.row(name)]
        assert told[::2] == pytest.approx(px, abs=0.006), name
        assert told[1::2] == pytest.approx(np.array(px) * before.overlay.gsd_m, abs=0.07), name
    assert before.overlay.gsd_m == pytest.approx(10, rel=0.01)


def test_a_field_that_turns_and_grows_is_told_as_that(tmp_path, files):
    overlay = Overlay(files.optical, files.sar)
    found = measured((0, 0), overlay.grid.shape)
    field = AffineField(np.array([[2e-3, -3e-3], [3e-3, 1e-3]]), np.zeros(2))
    tiles = replace(found.tiles, shifts=field.at(found.tiles.places))
    page = render(tmp_path, Checked(overlay, Registration(tiles), found.verdict()))
    told = [float(page.row(name)[0].replace(",", "")) for name in ("scale across", "scale down", "rotation", "shear")]
    assert told == pytest.approx([2000, 1000, 3, 0], abs=0.06)  # right goes down, down goes left: clockwise
    assert page.row("tiles that an affine") == ["100%"]


def test_verdicts_limits_and_names_are_told(fixed, before, after):
    told = [said(each) for each in fixed.all("div", "verdict")]
    assert told[0] == f"before: sar.tifFAIL{before.verdict.why}"
    assert told[1] == f"after: fixed.tifPASS{after.verdict.why}"
    assert said(fixed.all("h1")[0]) == "optical.tif and sar.tif"
    assert re.search(r"1\.5 px \(CE90\).* 0\.75 px", said(fixed.root))


def test_the_correction_and_what_others_would_have_left_are_told(fixed):
    assert fixed.row("one shift") == ["2.34", ""]
    assert fixed.row("affine: ") == ["0.68", "applied"]
    assert fixed.row("local") == ["-", ""]


def test_every_accepted_tile_has_an_arrow_from_its_place_along_its_shift(fixed, before):
    arrows = fixed.map("shifts before")
    drawn = [each for group in arrows.iter("g") for each in group if group.get("class") == "arrows"]
    tiles = before.found.tiles
    assert len(drawn) == tiles.count(TileState.ACCEPTED)
    scale = numbers(arrows.get("viewbox"))[2] / WIDTH
    factor = numbers(next(said(each) for each in fixed.all("p", "legend") if "arrows" in said(each)))[0]
    told = {said(each): each.get("d") for each in drawn}
    for at in np.flatnonzero(tiles.is_accepted):
        dx, dy = tiles.shifts[at]
        outline = next(way for name, way in told.items() if name.startswith(f"{dx:+.2f}, {dy:+.2f} px"))
        corners = np.array(numbers(outline.split("zM")[1])).reshape(7, 2)
        start, tip = corners[[0, 6]].mean(0), corners[3]
        assert start == pytest.approx(tiles.places[at] * scale, abs=0.2)
        assert tip - start == pytest.approx(tiles.shifts[at] * factor * scale, abs=0.3)


def test_tiles_of_another_grid_are_drawn_where_they_lie_on_the_ground(before, after):
    ground = Ground(before.overlay, (WIDTH, HEIGHT))  # a unit is a pixel
    assert after.overlay.grid.transform == MOVED
    assert ground.places(before) == pytest.approx(before.found.tiles.places)
    assert ground.places(after) == pytest.approx(after.found.tiles.places + np.array([7, 5]))


def test_every_tile_has_a_sign_and_every_state_its_own(fixed):
    signs = next(iter(fixed.map("states of tiles before").iter("g")))
    kinds = Counter((sign.tag, sign.get("fill"), sign.get("r")) for sign in signs)
    assert sorted(kinds.values()) == [3, 5, 12, 60]
    assert {"60 accepted", "50 accepted"} <= {said(each) for each in fixed.all("span", "key")}


def test_circles_of_the_scatter_are_as_large_as_they_say(fixed, before):
    scatter = fixed.map("scatter of shifts before")
    circles = {each.get("class"): float(each.get("r")) for each in scatter if each.tag == "circle"}
    assert circles["ce90"] / circles["limit"] == pytest.approx(before.found.ce(90) / LIMITS.ce90, rel=0.01)
    dots = next(each for each in scatter if each.get("class") == "dots")
    assert len(dots) == before.found.tiles.count(TileState.ACCEPTED)


def test_bars_of_both_looks_hold_all_their_tiles(fixed):
    bars = next(each for each in fixed.map("lengths of shifts") if each.get("class") == "bars")
    heights = Counter()
    for bar in bars:
        heights[bar.get("fill")] += float(bar.get("height"))
    one, other = heights.values()
    assert one == pytest.approx(other, rel=0.02) != 0


def test_checkerboards_are_at_the_best_the_median_and_the_worst_tile(fixed, before):
    lengths = np.hypot(*before.found.tiles.shifts[before.found.tiles.is_accepted].T)
    captions = [said(each) for each in fixed.all("figcaption")]
    for at, length in enumerate((lengths.min(), np.sort(lengths)[len(lengths) // 2], lengths.max())):
        assert f"({length:.2f} px)" in captions[2 * at]
        assert captions[2 * at].startswith("before: ")
        assert captions[2 * at + 1].startswith("after: ")
    assert len(captions) == 6
    assert [said(each) for each in fixed.all("h3")][-3:] == ["best", "median", "worst"]


def test_a_checkerboard_shows_the_same_ground_before_and_after(before, after):
    pair = looks(before, after)
    for spot in spots(pair[0]):
        one, other = (shown(each) for each in draw_spot(spot, pair).iter("img"))
        assert one.shape == (256, 256, 3)
        inner = np.s_[4:60, 4:60]  # the first square, optical: grey, and the same in both
        assert np.ptp(one[inner], axis=-1).max() <= 6
        assert one[inner].std() > 5
        assert np.abs(one[inner] - other[inner]).mean() < 0.2 * np.abs(one[inner] - other[64:120, 64:120]).mean() + 12
        assert (one[4:60, 68:124, 0] - one[4:60, 68:124, 2]).mean() > 20  # SAR: yellowish


def test_the_ground_is_read_once_square_by_square_and_lies_as_it_is(tmp_path):
    height, width = 1300, 2500
    pixels = np.repeat([[40, 220]], height, 0).repeat(width // 2, 1).astype("u1")
    path = write(tmp_path / "wide.tif", pixels)
    with Overlay(path, path) as overlay:
        read, seen = overlay.optical, np.zeros((height, width), int)

        def counted(window, factor=1):
            assert max(window.width, window.height) <= 1024
            seen[window.toslices()] += 1
            return read(window, factor)

        overlay.optical = counted
        ground = Ground(overlay, (500, 500))
    assert seen.max() == 1
    assert seen.mean() > 0.99  # less than one pixel of the picture is left at the edges
    assert ground.size == pytest.approx((500, 260))
    picture = shown(next(ground.definition.iter("image")))
    assert max(picture.shape) <= 1000
    assert picture[:, : picture.shape[1] // 2 - 4].mean() + 80 < picture[:, picture.shape[1] // 2 + 4 :].mean()


def test_names_may_hold_any_sign(tmp_path, files):
    strange = tmp_path / "a<b>&\"c'.tif"
    strange.write_bytes(files.optical.read_bytes())
    page = render(tmp_path, check(strange, files.sar))
    assert said(page.all("h1")[0]) == f"{strange.name} and sar.tif"
    assert said(page.all("title")[0]) == said(page.all("h1")[0])
    assert "a<b>" not in page.text


def test_nothing_is_loaded_from_elsewhere_and_drawings_are_whole(fixed):
    for node in fixed.root.iter():
        for key, value in node.attrib.items():
            if key in {"src", "href", "xlink:href", "data", "srcset", "action"}:
                assert value.startswith(("#", "data:image/")), (node.tag, key)
    assert not {"script", "link", "iframe", "object", "base"} & {node.tag for node in fixed.root.iter()}
    assert not re.search(r"url\(|@import|https?:", fixed.text)
    drawings = [ElementTree.fromstring(each) for each in re.findall(r"<svg.*?</svg>", fixed.text, re.DOTALL)]
    assert len(drawings) > 7
    ids = [node.get("id") for node in fixed.root.iter() if node.get("id")]
    assert len(set(ids)) == len(ids)
    assert {node.get("href") for node in fixed.all("use")} == {f"#{each}" for each in ids}
    assert len(fixed.text) < 3e6


@pytest.mark.parametrize("accepted", [0, 1, 2, 9])
def test_few_tiles_or_none_make_a_page_with_dashes(tmp_path, files, accepted):
    before = check(files.optical, files.sar, (1.0, 1.0), accepted=accepted)
    page = render(tmp_path, before)
    assert "INCONCLUSIVE" in said(page.root)
    assert page.row("noise") == ["-", "-"]
    assert page.row("rotation") == ["-"]
    assert (page.row("CE90") == ["-", "-"]) == (accepted == 0)
    assert len(page.all("img")) == min(accepted, 3)
    assert ("there are no shifts to draw" in said(page.root)) == (accepted == 0)
    assert "after" not in {said(each) for each in page.all("h3")}
    assert not broken(page)


def test_a_pair_without_coordinates_has_no_metres(tmp_path, files):
    paths = [write(tmp_path / name, files.pixels, crs=None) for name in ("one.tif", "two.tif")]
    page = render(tmp_path, check(*paths), check(*paths, seed=1))
    assert page.row("CE90")[1::2] == ["-", "-"]
    assert not broken(page)


def test_a_raster_smaller_than_a_checkerboard_and_without_data_has_a_page(tmp_path):
    empty = write(tmp_path / "empty.tif", np.full((90, 120), np.nan, "f4"))
    page = render(tmp_path, check(empty, empty))
    assert shown(page.all("img")[0]).shape == (88, 88, 3)
    assert not broken(page)


def broken(page):
    """Values that are no numbers, outside pictures."""
    text = re.sub(r"data:image/jpeg;base64,[^\"]*|<style>.*?</style>", "", page.text, flags=re.DOTALL)
    return re.findall(r".{20}\b(?:nan|inf)\b.{20}", text)


def test_what_is_there_is_replaced_and_what_cannot_be_written_is_told(tmp_path, before):
    path = tmp_path / "report.html"
    path.write_text("old")
    write_page(CoregPage(before, None, LIMITS, None), path)
    assert path.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(OutputError, match="cannot be written"):
        write_page(CoregPage(before, None, LIMITS, None), tmp_path / "nowhere/report.html")
