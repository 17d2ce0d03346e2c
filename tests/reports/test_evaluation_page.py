"""The page about an evaluation tells its scores, what is taken for what, and where the map is wrong."""

import base64
import io
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image

from rsfuse.errors import OutputError
from rsfuse.legend import LandClass, Legend
from rsfuse.metrics.confusion import Confusion
from rsfuse.metrics.evaluation import Evaluation, JudgedSample
from rsfuse.raster.compared import Compared
from rsfuse.reports.evaluation.page import EvaluationPage, write_page
from rsfuse.reports.evaluation.pictures import RIGHT, WRONG
from rsfuse.reports.evaluation.worst import Worst
from rsfuse.reports.html.colors import STEPS, contrast
from rsfuse.reports.thumbnails import dotted, hatched

STRANGE = "a<b> & \"c'"
WATER, WHITE, WOOD = (0, 0, 255), (255, 255, 255), (0, 120, 0)
LEGEND = Legend((LandClass(10, "water", WATER), LandClass(20, STRANGE, WHITE), LandClass(30, "wood", WOOD)), (0, 255))
COUNTS, UNMAPPED = [[800, 150, 49], [200, 1793, 0], [0, 0, 0]], [1, 7, 0]
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
HEIGHT, WIDTH = 700, 1124  # of a map: samples of 512, 512 and 100 px by 512 and 188 px


class Page:
    """The page as a tree."""

    def __init__(self, text):
        self.text = text
        self.root = ElementTree.fromstring(re.sub(r"<((?:meta|img)\b[^>]*)>", r"<\1/>", text.split("\n", 1)[1]))

    def all(self, tag, kind=None):
        return [each for each in self.root.iter(tag) if kind in (None, *each.get("class", "").split())]

    def drawing(self, told):
        return next(each for each in self.all("svg") if each.get("aria-label") == told)

    @property
    def scores(self):
        return {box.text: tuple(map(said, box)) for box in self.all("div", "score")}

    @property
    def classes(self):
        return [[said(cell) for cell in row] for row in self.all("table", "classes")[0].find("tbody")]


def said(node):
    return "".join(node.itertext())


def shown(image):
    data = image.get("src").removeprefix("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def judged(counts, unmapped=(0, 0, 0), *, source="map.tif", place=(0, 0)):
    return JudgedSample(source, place, Confusion(np.array(counts, np.int64), np.array(unmapped, np.int64)))


def wrong_of(wrong, pixels, **where):
    """A sample with so many wrong pixels."""
    right = (pixels - wrong) // 2
    return judged([[right, wrong, 0], [0, pixels - wrong - right, 0], [0, 0, 0]], **where)


def evaluation(*samples, legend=LEGEND):
    return Evaluation(legend, samples, "512 x 512 px of the map")


def render(tmp_path, scored, pairs=(), reopen=None):
    path = tmp_path / "report.html"
    write_page(EvaluationPage(scored, tuple(pairs), reopen), path)
    return Page(path.read_text(encoding="utf-8"))


def write(path, pixels):
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "crs": "EPSG:32650", "transform": PLACE}
    with rasterio.open(path, "w", height=pixels.shape[0], width=pixels.shape[1], **profile) as file:
        file.write(pixels, 1)
    return path


@pytest.fixture
def plain(tmp_path):
    return render(tmp_path, evaluation(judged(COUNTS, UNMAPPED)))


@pytest.fixture
def mapped(tmp_path):
    """A map, its labels, and what was found: the worst is in the south, the east has few labels."""
    chance = np.random.default_rng(0)
    labels = chance.choice(np.array([10, 20], "u1"), (HEIGHT, WIDTH))
    codes = labels.copy()
    codes[600:650, 512:712] = 255
    codes[10:40, 20:60] = 30
    labels[:, 1024:] = 0
    labels[300:310, 1030:1050] = 20
    codes[300:310, 1030:1050] = 10
    labels[660:670, 600:700] = 255
    pair = write(tmp_path / "map.tif", codes), write(tmp_path / "labels.tif", labels)
    samples = []
    for top in (0, 512):
        for left in (0, 512, 1024):
            part = np.s_[top : top + 512, left : left + 512]
            found = Confusion.of(LEGEND.to_index(labels[part]), LEGEND.to_index(codes[part]), 3)
            if found.pixels:
                samples.append(JudgedSample(str(pair[0]), (left, top), found))
    read = []

    def reopen(*paths):
        compared = Compared(*paths, legend=LEGEND)
        plain_read = compared.read
        compared.read = lambda window: read.append(window.flatten()) or plain_read(window)
        return compared

    return SimpleNamespace(
        pairs=[pair], scored=evaluation(*samples), labels=labels, codes=codes, reopen=reopen, read=read
    )


def test_scores_are_those_of_the_evaluation_and_say_what_they_are(tmp_path):
    samples = [judged(COUNTS, UNMAPPED), judged([[50, 0, 0], [0, 0, 0], [0, 0, 0]])]
    scored = evaluation(*samples)
    page = render(tmp_path, scored)
    totals = {name: f"{scored.to_dict()[name.lower()]:.4f}" for name in ("OA", "mIoU", "mF1", "kappa", "mKappa")}
    assert {name: each[0] for name, each in page.scores.items()} == totals
    assert totals["OA"] == f"{(2593 + 50) / 3050:.4f}"
    assert page.scores["mKappa"][1] == "mean kappa over 1 sample of 512 x 512 px of the map; 1 left out"
    assert page.scores["mIoU"][1] == "mean IoU of the 3 of 3 classes that occur"
    assert "3,050 labelled pixels" in said(page.root)
    assert "how good the labels are is not measured" in said(page.root)


def test_the_table_of_classes_has_their_scores_in_their_columns(plain):
    heads = [said(each) for each in plain.all("table", "classes")[0].find("thead").iter("th")]
    others = "precisionuser's accuracy", "recallproducer's accuracy"
    assert heads == ["class", "code", "IoU", *others, "F1", "labelled pixels", "share"]
    ratios = 800 / 1200, 800 / 1000, 800 / 1000, 1600 / 2000
    assert plain.classes[0] == ["water", "10", *(f"{each:.4f}" for each in ratios), "1,000", "33.33%"]
    ratios = 1793 / 2150, 1793 / 1943, 1793 / 2000, 3586 / 3943
    assert plain.classes[1] == [STRANGE, "20", *(f"{each:.4f}" for each in ratios), "2,000", "66.67%"]
    assert plain.classes[2] == ["wood", "30", "0.0000", "0.0000", "-", "0.0000", "0", "0.00%"]
    swatches = [each.get("fill") for each in plain.all("table", "classes")[0].iter("rect")]
    assert swatches == ["#0000ff", "#ffffff", "#007800"]


def test_every_cell_of_the_heat_map_has_its_share_its_count_and_its_colour(plain):
    drawn = plain.drawing("confusion of labels and map")
    cells = next(each for each in drawn.iter("g") if each.get("class") == "cells")
    names = (*LEGEND.names, "no class")
    counts = np.column_stack([COUNTS, UNMAPPED])
    pairs = [(row, column) for row in range(3) for column in range(4)]
    told = [f"{names[row]}, mapped as {names[column]}: {counts[row, column]:,} px" for row, column in pairs]
    assert [said(each.find("title")) for each in cells] == told
    texts = [each.find("text").text or "" for each in cells]
    assert texts == ["80", "15", "5", "<1", "10", "90", "", "<1", "-", "-", "-", "-"]
    squares = [each.find("rect") for each in cells]
    lefts, tops = (np.array([float(each.get(side)) for each in squares]).reshape(3, 4) for side in "xy")
    assert min(np.diff(lefts, axis=1).min(), np.diff(tops, axis=0).min()) > 20
    assert [at for at, each in enumerate(squares) if each.get("class") == "right"] == [0, 5, 10]
    brightness = [contrast(each.get("fill"), "#000000") for each in squares]
    assert brightness[5] < brightness[0] < brightness[1] < brightness[4] < brightness[2] < brightness[3]
    for cell, square in zip(cells, squares, strict=True):
        assert contrast(cell.find("text").get("fill"), square.get("fill")) >= 4.5


def test_almost_all_is_not_all(tmp_path):
    page = render(tmp_path, evaluation(judged([[999_999, 1, 0], [0, 5, 0], [0, 0, 0]])))
    assert [page.all("g", "cells")[0][at].find("text").text for at in (0, 1, 5)] == ["99", "<1", "100"]


def test_most_pixels_are_lost_by_the_errors_that_are_named(plain):
    told = "water mapped as wood (49 px); a<b> & \"c' mapped as no class (7 px); water mapped as no class (1 px)."
    assert f"a<b> & \"c' mapped as water (200 px); water mapped as a<b> & \"c' (150 px); {told}" in said(plain.root)


def test_long_names_stay_within_the_drawing(tmp_path):
    names = [f"{at} of very many kinds of land that people use" for at in range(20)]
    legend = Legend(tuple(LandClass(at, name, (at, 0, 0)) for at, name in enumerate(names)))
    sample = JudgedSample("map.tif", (0, 0), Confusion(np.eye(20, dtype=np.int64), np.zeros(20, np.int64)))
    drawn = render(tmp_path, evaluation(sample, legend=legend)).drawing("confusion of labels and map")
    width, height = (float(each) for each in drawn.get("viewBox").split()[2:])
    assert width <= 1140
    assert height <= 1100
    for text in [each for group in drawn.iter("g") if group.get("class") == "names" for each in group if len(each)]:
        name = said(text).removeprefix(full := said(text.find("title")))
        assert full.startswith(name.removesuffix("…"))
        assert len(name) <= 26
        if text.get("text-anchor") == "end":
            assert float(text.get("x")) - 6.5 * len(name) > 12
        else:
            x, y = map(float, re.match(r"translate\((\S+) (\S+)\)", text.get("transform")).groups())
            assert x + 4.6 * len(name) < width
            assert y - 4.6 * len(name) > 14


def test_bars_hold_all_samples_and_the_line_is_at_their_mean(tmp_path):
    samples = [wrong_of(wrong, 1000) for wrong in range(0, 500, 17)]
    page = render(tmp_path, evaluation(*samples, judged([[9, 0, 0], [0, 0, 0], [0, 0, 0]])))
    for name, total in (("OA", len(samples) + 1), ("kappa", len(samples))):
        drawn = page.drawing(f"{name} of samples")
        bars = next(each for each in drawn.iter("g") if each.get("class") == "bars")
        counts = [int(said(bar).split()[0]) for bar in bars]
        assert sum(counts) == total
        tops, heights = (np.array([float(bar.get(key)) for bar in bars]) for key in ("y", "height"))
        assert tops + heights == pytest.approx(np.full(20, 270 - 46), abs=0.11)
        assert heights == pytest.approx(np.array(counts) * heights.max() / max(counts), abs=0.11)
    lines = [float(each.get("x1")) for each in page.all("line", "average")]
    told = [said(each) for each in page.all("p", "legend") if "mean" in said(each)]
    for at, (line, text) in enumerate(zip(lines[::2], told, strict=True)):
        mean = float(re.search(r"mean (\S+)", text)[1])
        assert line == pytest.approx(58 + mean * (360 - 10 - 58), abs=0.1)
        assert ("left out: 1 with one class only" in text) == (at == 1)
    assert float(page.scores["mKappa"][0]) == mean
    tenth = np.percentile([each.confusion.kappa for each in samples], 10)
    assert f"one in ten is below {tenth:.4f}; left out" in told[1]


def test_samples_lie_at_their_places_in_the_colours_of_their_errors(tmp_path, mapped):
    page = render(tmp_path, mapped.scored, mapped.pairs, mapped.reopen)
    drawn = page.drawing("wrong pixels of map.tif")
    width, height = (float(each) for each in drawn.get("viewBox").split()[2:])
    assert width / height == pytest.approx(WIDTH / HEIGHT, rel=0.01)
    cells = next(each for each in drawn.iter("g") if each.get("class") == "errors")
    assert len(cells) == len(mapped.scored.samples) == 5
    for cell, sample in zip(cells, mapped.scored.samples, strict=True):
        left, top, wide, high = (float(cell.get(key)) * WIDTH / width for key in ("x", "y", "width", "height"))
        sides = min(512, WIDTH - sample.place[0]), min(512, HEIGHT - sample.place[1])
        middle = np.add(sample.place, np.divide(sides, 2))
        assert (left + wide / 2, top + high / 2) == pytest.approx(middle, abs=0.6)
        few = sample.confusion.pixels < 40_000
        assert (wide, high) == pytest.approx(np.multiply(sides, 0.5 if few else 1), abs=0.6)
    told = {sample.place: cell for cell, sample in zip(cells, mapped.scored.samples, strict=True)}
    assert told[1024, 0].get("fill") == STEPS[-1]  # all of few pixels
    assert said(told[1024, 0]) == "column 1,024, row 0: 100.0% of 200 px wrong"
    assert told[512, 512].get("fill") == STEPS[2]  # a tenth
    assert told[0, 0].get("fill") == STEPS[0]


def test_the_worst_have_most_wrong_pixels_and_enough_labels(mapped):
    assert [each.place for each in Worst(mapped.scored).samples] == [(512, 512), (0, 0)]
    many = evaluation(*(wrong_of(wrong, 1000, place=(wrong, 0)) for wrong in range(9)), wrong_of(499, 499))
    assert [each.place[0] for each in Worst(many).samples] == [8, 7, 6, 5, 4, 3]
    assert Worst(evaluation(wrong_of(400, 600), wrong_of(450, 1000, place=(7, 0)))).samples[0].place == (7, 0)
    half = evaluation(*(wrong_of(1, 1000) for _ in range(3)), wrong_of(500, 500, place=(5, 0)))
    assert Worst(half).samples[0].place == (5, 0)


def test_pictures_show_labels_map_and_differences_of_the_worst_alone(tmp_path, mapped):
    page = render(tmp_path, mapped.scored, mapped.pairs, mapped.reopen)
    assert mapped.read == [(512, 512, 512, 188), (0, 0, 512, 512)]
    labels, codes, differ = (shown(each) for each in page.all("img")[:3])
    truth, chart = (each[512:, 512:1024] for each in (mapped.labels, mapped.codes))
    assert labels.shape == (188, 512, 3)
    colors = {each.code: each.color for each in LEGEND}
    for code in (10, 20):
        assert (labels[truth == code] == colors[code]).all()
        assert (codes[chart == code] == colors[code]).all()
    unknown, empty = np.isin(truth, (0, 255)), chart == 255
    assert min(unknown.sum(), empty.sum()) > 0
    for picture in (labels, differ):
        assert (picture[unknown] == dotted(188, 512)[unknown]).all()
    assert (codes[empty] == hatched(188, 512)[empty]).all()
    assert (differ[~unknown & (truth == chart)] == RIGHT).all()
    assert (differ[~unknown & (truth != chart)] == WRONG).all()
    captions = [said(each) for each in page.all("figcaption")]
    wrong = int((~unknown & (truth != chart)).sum())
    assert captions[0].startswith(f"1: map.tif, column 512, row 512: {wrong:,} of {(~unknown).sum():,} labelled")
    assert captions[1].startswith("2: map.tif, column 0, row 0: 1,200 of 262,144 labelled pixels are wrong (0.5%)")
    assert [said(each) for each in page.all("g", "marks")[0]] == ["2", "1"]


def test_of_many_maps_six_are_opened_and_the_worst_among_them(tmp_path, mapped):
    (first, labels), opened = mapped.pairs[0], []
    pairs = [(tmp_path / f"m{at}.tif", labels) for at in range(9)]
    order = [3, 5, 0, 8, 7, 1]  # of wrong pixels
    bad = [
        wrong_of(900 - order.index(at) if at in order else 2, 2000, source=str(path))
        for at, (path, _) in enumerate(pairs)
    ]

    def reopen(path, judge):
        opened.append(path.name)
        return mapped.reopen(first, judge)

    page = render(tmp_path, evaluation(*bad), pairs, reopen)
    assert opened == [f"m{at}.tif" for at in sorted(order)]
    assert said(page.all("h1")[0]) == "m0.tif, m1.tif, m2.tif and 6 more"
    assert "6 of 9 maps" in said(page.root)
    assert [said(each)[0] for each in page.all("figcaption")] == list("123456")
    assert len(page.all("img")) == 18
    assert [len(each) for each in page.all("g", "errors")] == [1] * 6


def test_tiles_have_a_table_of_the_worst_instead_of_pictures(tmp_path):
    page = render(tmp_path, evaluation(*(wrong_of(at, 100, source=f"<tile {at}>") for at in range(30))))
    rows = [[said(cell) for cell in row] for row in page.all("table", "worst")[0].find("tbody")]
    assert [row[:4] for row in rows] == [[f"<tile {at}>", str(at), "100", f"{at}.0%"] for at in range(29, 23, -1)]
    assert said(page.all("h1")[0]) == "<tile 0>, <tile 1>, <tile 2> and 27 more"
    assert not page.all("img")


def test_names_may_hold_any_sign_and_nothing_is_loaded_from_elsewhere(tmp_path, mapped):
    page = render(tmp_path, mapped.scored, mapped.pairs, mapped.reopen)
    assert "a<b>" not in page.text
    assert STRANGE in [row[0] for row in page.classes]
    attributes = [each for node in page.root.iter() for each in node.attrib.items()]
    loaded = [value for key, value in attributes if key in {"src", "href", "data", "srcset", "action"}]
    assert all(each.startswith("data:image/") for each in loaded)
    assert not {"script", "link", "iframe", "object", "base"} & {node.tag for node in page.root.iter()}
    assert not re.search(r"url\(|@import|https?:", page.text)


EMPTY = [[0, 0, 0]] * 3


@pytest.mark.parametrize(
    ("samples", "oa", "kappa", "mkappa"),
    [
        ([], "no labelled pixel", "no labelled pixel", "no labelled pixel"),
        ([judged(EMPTY)], "no labelled pixel", "no labelled pixel", "no sample has a kappa that counts"),
        ([judged([[40, 0, 0], *EMPTY[1:]])], "1.0000", "one class only", "no sample has a kappa that counts"),
        ([judged(EMPTY, (40, 2, 0))], "0.0000", "0.0000", "0.0000"),
    ],
)
def test_what_is_not_defined_is_a_dash_with_the_reason(tmp_path, samples, oa, kappa, mkappa):
    page = render(tmp_path, evaluation(*samples))
    for name, expected in (("OA", oa), ("kappa", kappa), ("mKappa", mkappa)):
        value, told = page.scores[name]
        assert value == expected or (value == "-" and told.startswith(expected)), name
    assert page.classes[2][2:6] == ["-"] * 4
    assert ("No labelled pixel is wrong" in said(page.root)) == (kappa == "one class only" or "counts" in mkappa)
    assert not re.search(r"\b(?:nan|inf)\b", re.sub(r"<style>.*?</style>", "", page.text, flags=re.DOTALL))


def test_what_is_there_is_replaced_and_what_cannot_be_written_is_told(tmp_path):
    (tmp_path / "report.html").write_text("old")
    assert render(tmp_path, evaluation()).text.startswith("<!DOCTYPE html>")
    with pytest.raises(OutputError, match="cannot be written"):
        write_page(EvaluationPage(evaluation(), (), None), tmp_path / "nowhere/report.html")
