"""`rsfuse eval`: several maps, polygons, reports in files, and runs beside each other."""

import csv
import json

import numpy as np
import pytest
import rasterio
from affine import Affine

SIDE = 96
PLACE = Affine(10, 0, 500_000, 0, -10, 4_000_000)
LEGEND = """
classes:
  - {code: 1, name: water, color: "#2166ac", from: [1, sea]}
  - {code: 2, name: land, color: "#d6604d"}
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "legend.yaml").write_text(LEGEND)

    def write(name, codes, transform=PLACE):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        shape = {"height": codes.shape[0], "width": codes.shape[1], "count": 1, "dtype": "uint8", "nodata": 255}
        with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32650", transform=transform, **shape) as file:
            file.write(codes, 1)
        return path

    return write


def halves(wrong=0):
    """Water on the left, land on the right; so many columns of water are mapped as land."""
    codes = np.full((SIDE, SIDE), 1, np.uint8)
    codes[:, SIDE // 2 - wrong :] = 2
    return codes


@pytest.fixture
def score(rsfuse, write):
    def score(name, wrong, *more):
        mapped, labels = write(f"{name}.tif", halves(wrong)), write("labels.tif", halves())
        return rsfuse("eval", mapped, labels, "--legend", "legend.yaml", *more)

    return score


def test_all_maps_of_a_folder_are_judged_together(rsfuse, write, tmp_path):
    for name, wrong in (("a", 0), ("b", 24)):
        write(f"maps/{name}_landcover.tif", halves(wrong))
        write(f"maps/{name}_landcover_confidence.tif", halves())
        write(f"labels/{name}.tif", halves())
    done = rsfuse("eval", "maps", "labels", "--legend", "legend.yaml", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["oa"] == pytest.approx(1 - 24 / SIDE / 2)
    assert told["pixels"] == 2 * SIDE**2
    (tmp_path / "labels" / "b.tif").unlink()
    done = rsfuse("eval", "maps", "labels", "--legend", "legend.yaml")
    assert done.exit_code == 2
    assert "1 of 2 maps in maps have no labels in labels; the first is b_landcover.tif" in done.stderr


def test_polygons_judge_where_they_are(rsfuse, write, tmp_path):
    mapped = write("map.tif", halves(8))
    corners = [[0, 0], [SIDE // 2, 0], [SIDE // 2, SIDE // 2], [0, SIDE // 2], [0, 0]]
    ring = [list(PLACE * each) for each in corners]
    feature = {"type": "Feature", "properties": {"kind": "Sea"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
    drawn = tmp_path / "drawn.geojson"
    drawn.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
    done = rsfuse("eval", mapped, drawn, "--legend", "legend.yaml", "--label-field", "kind", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pixels"] == SIDE**2 // 4
    assert told["oa"] == pytest.approx(1 - 8 / (SIDE // 2))


def test_points_judge_the_pixels_that_they_lie_in(rsfuse, write, tmp_path):
    mapped = write("map.tif", halves(8))
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
    features = []
    for column, row, kind in (
        (3, 5, "water"),
        (47, 9, "water"),
        (39.99, 9, "water"),
        (90, 95, "land"),
        (500, 5, "land"),
    ):
        place = list(PLACE * (column, row + 0.4))
        point = {"type": "Point", "coordinates": place}
        features.append({"type": "Feature", "properties": {"class": kind}, "geometry": point})
    points = tmp_path / "points.geojson"
    points.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    done = rsfuse("eval", mapped, points, "--legend", "legend.yaml", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pixels"] == 4  # one lies elsewhere
    assert told["confusion"] == [[2, 1], [0, 1]]


def test_the_grid_that_counts_is_the_users(rsfuse, write):
    mapped = write("map.tif", halves())
    labels = write("labels.tif", np.kron(halves(), np.ones((2, 2), np.uint8)), PLACE * Affine.scale(0.5))
    pixels = [
        json.loads(rsfuse("eval", mapped, labels, "--legend", "legend.yaml", "--on", on, "--json").stdout)["pixels"]
        for on in ("map", "labels")
    ]
    assert pixels == [SIDE**2, 4 * SIDE**2]


def test_scores_are_written_as_their_files_end(score, tmp_path):
    reports = [f"scores.{ending}" for ending in ("csv", "md", "json", "html")]
    done = score("map", 12, *(each for path in reports for each in ("--report", path)))
    assert done.exit_code == 0, done.stderr
    told = json.loads((tmp_path / "scores.json").read_text())
    rows = list(csv.DictReader((tmp_path / "scores.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["water", "land"]
    assert [float(row["iou"]) for row in rows] == pytest.approx([each["iou"] for each in told["classes"]])
    table = (tmp_path / "scores.md").read_text()
    assert f"| 1 | water | {told['classes'][0]['iou']:.4f} |" in table
    assert f"{told['miou']:.4f}" in table
    page = (tmp_path / "scores.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert "water" in page
    assert score("map", 12, "--report", "scores.csv").exit_code == 2  # it is there already
    done = score("map", 12, "--report", "scores.xlsx")
    assert done.exit_code == 2
    assert ".html, .csv, .md, .json" in done.stderr


def test_runs_are_compared(score, rsfuse, tmp_path):
    for name, wrong in (("good", 2), ("bad", 30)):
        assert score(name, wrong, "--report", f"{name}.json").exit_code == 0
    done = rsfuse("eval", "good.json", "bad.json", "--json", "--report", "runs.md")
    assert done.exit_code == 0, done.stderr
    good, bad = json.loads(done.stdout)["runs"]
    assert (good["run"], bad["run"]) == ("good.json", "bad.json")
    assert good["oa"] == pytest.approx(1 - 2 / SIDE)
    assert bad["iou"]["water"] == pytest.approx(18 / 48)
    assert f"| bad.json | {bad['oa']:.4f} |" in (tmp_path / "runs.md").read_text()
    assert "good.json" in rsfuse("eval", "good.json", "bad.json").stdout
    (tmp_path / "bad.json").write_text("{}")
    done = rsfuse("eval", "good.json", "bad.json")
    assert done.exit_code == 2
    assert "bad.json holds no scores" in done.stderr


def test_what_else_is_known_is_told(score, write, tmp_path):
    rival = write("rival.tif", halves(3))
    confidence = np.full((SIDE, SIDE), 127, np.uint8)
    confidence[:, :8] = 254
    write("map_confidence.tif", confidence)
    done = score("map", 6, "--json", "--boundary", 2, "--boundary", 8, "--against", rival, "--stratified")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert [each["tolerance_px"] for each in told["boundary"]] == [2, 8]
    assert [each["mf1"] for each in told["boundary"]] == [0, 1]  # it lies six pixels aside
    half = SIDE * (SIDE - 8)
    right = half - 6 * SIDE
    assert told["calibration"]["ece"] == pytest.approx((right / half - 0.5) * half / SIDE**2, abs=1e-6)
    assert told["mcnemar"]["only_other_right"] == 3 * SIDE
    assert told["mcnemar"]["only_this_right"] == 0
    water, land = told["estimated"]["classes"]
    assert water["area"][0] + land["area"][0] == pytest.approx(SIDE**2 * 100)
    assert water["area"][0] == pytest.approx(SIDE**2 / 2 * 100)  # put right: the map has six columns less
    assert told["fwiou"] == pytest.approx(np.mean([each["iou"] for each in told["classes"]]))
    plain = score("map", 6, "--boundary", 2, "--against", rival, "--stratified").stdout
    for words in ("boundaries at 2 px", "expected calibration error", "McNemar p", "estimated OA"):
        assert words in plain


def test_one_rival_judges_one_map(rsfuse, write):
    for name in ("a", "b"):
        write(f"maps/{name}.tif", halves())
        write(f"labels/{name}.tif", halves())
    done = rsfuse("eval", "maps", "labels", "--legend", "legend.yaml", "--against", "maps/a.tif")
    assert done.exit_code == 2
    assert "there are 2 to compare it with" in done.stderr
