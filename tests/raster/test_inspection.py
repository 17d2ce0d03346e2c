"""What is known of scenes before a pixel is read, and which of them do not go together."""

import math
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from rsfuse.coding import LabelCoding
from rsfuse.errors import GridMismatchError, SceneError, TileSetError
from rsfuse.geometry.grid import Grid
from rsfuse.legends import LEGENDS
from rsfuse.raster.crop import Crop
from rsfuse.raster.datasets.dataset import SceneFiles
from rsfuse.raster.labelled import SceneSource
from rsfuse.raster.manifest import SceneEntry
from rsfuse.raster.scene import Bands
from rsfuse.raster.statistics import BandStatistics, SceneStatistics
from rsfuse.raster.tiling.inspection import (
    BandNames,
    SceneFacts,
    check_alike,
    check_scale,
    inspect,
    with_paths,
    with_units,
)

PLACE = Affine(10.0, 0.0, 480_000.0, 0.0, -10.0, 6_680_000.0)
CODING = LabelCoding.of(LEGENDS["sentinel-5"])


@pytest.fixture
def source(write_raster, noise):
    """A function from changes of a source to one of 40 x 120 px with a SAR that begins 30 px further right."""
    optical = write_raster("optical.tif", noise((3, 40, 120), "uint16"), descriptions=("red", "green", "blue"))
    sar = write_raster("sar.tif", noise((1, 40, 120), "float32"), transform=PLACE * Affine.translation(30, 0))
    labels = write_raster("labels.tif", noise((1, 40, 120)))
    return lambda **changes: replace(SceneSource(SceneFiles("a", optical, sar, labels), CODING), **changes)


def test_the_facts_of_a_scene_are_those_of_its_files(source):
    facts = inspect(source(crop=Crop(pixels=(5, 6, 70, 30))), BandNames())
    files = source().files
    assert facts.entry == SceneEntry(
        name="a", optical="optical.tif", sar="sar.tif", labels="labels.tif", crs="EPSG:32722", statistics=None,
        modified=facts.entry.modified,
        bytes=sum(path.stat().st_size for path in (files.optical, files.sar, files.labels)), gsd_m=facts.entry.gsd_m,
    )  # fmt: skip
    assert facts.entry.gsd_m == pytest.approx(10, rel=0.005)
    last = max(path.stat().st_mtime for path in (files.optical, files.sar, files.labels))
    assert datetime.fromisoformat(facts.entry.modified).timestamp() == pytest.approx(last)
    assert (facts.grid, facts.window) == (Grid(CRS.from_epsg(32722), PLACE, (40, 120)), Window(5, 6, 70, 30))
    assert facts.bands == (("red", "green", "blue"), ("band 1",))
    assert facts.dtypes == ("uint16", "float32")
    assert facts.layers == ("optical", "sar", "labels")
    assert facts.bytes_per_pixel == 3 * 2 + 4 + 1
    assert facts.sar_overlap == pytest.approx(0.75)
    assert check_alike([facts]) == ["the SAR of 1 scene(s) does not cover the optical, least that of 'a': 75%"]


def test_a_scene_without_sar_and_labels_has_one_layer(source):
    facts = inspect(source(files=SceneFiles("a", source().files.optical)), BandNames())
    assert facts.layers == ("optical",)
    assert (facts.bands[1], facts.dtypes[1], facts.sar_overlap, facts.bytes_per_pixel) == ((), None, 1.0, 7)


@pytest.mark.parametrize(("shape", "blocks", "strips"), [
    ((64, 256), {}, True), ((64, 256), {"tiled": True, "blockxsize": 16, "blockysize": 16}, False),
    ((64, 64), {"blockysize": 64}, False),
])  # fmt: skip
def test_files_in_strips_are_known(source, write_raster, noise, shape, blocks, strips):
    path = write_raster("b.tif", noise((1, *shape), "uint16"), **({"blockysize": 8} | blocks))
    assert inspect(source(files=SceneFiles("b", path)), BandNames()).strips is strips


def test_bands_are_called_as_the_data_set_calls_them(source):
    names = BandNames(("r", "g", "b"), ("VV",))
    assert inspect(source(), names).bands == (("r", "g", "b"), ("VV",))
    chosen = Bands((3, 1), (1,))
    assert names.chosen(chosen) == BandNames(("b", "r"), ("VV",))
    assert inspect(source(bands=chosen), names.chosen(chosen)).bands == (("b", "r"), ("VV",))
    assert names.chosen(Bands((4, 1))).optical == ("band 4", "r")
    assert BandNames().chosen(chosen) == BandNames()
    with pytest.raises(SceneError, match=r"optical\.tif has 3 band\(s\), the data set has 2 \(r, g\)"):
        inspect(source(), BandNames(("r", "g")))


def test_paths_are_absolute_where_tiles_are_read_from_the_scene(source, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    files = source().files
    near = replace(source(), files=SceneFiles("a", files.optical.relative_to(tmp_path), None, files.labels))
    entry = with_paths(inspect(near, BandNames()).entry, near)
    assert (entry.optical, entry.sar, entry.labels) == (str(files.optical), None, str(files.labels))


def facts(name, **changes):
    entry = SceneEntry(
        name=name, optical=f"{name}.tif", sar=f"{name}_s.tif", labels=f"{name}_l.tif", bytes=1, crs="EPSG:32722",
        gsd_m=10.0, statistics=None,
    )  # fmt: skip
    known = {name: changes.pop(name) for name in list(changes) if name in SceneEntry.model_fields}
    usual = SceneFacts(
        entry.model_copy(update=known), Grid(CRS.from_epsg(32722), PLACE, (40, 50)), Window(0, 0, 50, 40),
        (("red", "green"), ("VV",)), ("uint8", "float32"), (("", ""), ("",)), False, 1.0,
    )  # fmt: skip
    return replace(usual, **changes)


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"sar": None}, TileSetError, "scene 'a' has sar, scene 'b' has none"),
        ({"labels": None}, TileSetError, "scene 'a' has labels, scene 'b' has none"),
        ({"bands": (("red",), ("VV",))}, SceneError, r"'a' \(a\.tif\) has 2 optical bands, 'b' \(b\.tif\) has 1"),
        ({"bands": (("red", "green"), ("VV", "VH"))}, SceneError, "has 1 SAR bands, 'b' .* has 2"),
        ({"dtypes": ("uint16", "float32")}, SceneError, "has optical of uint8, 'b' .* has uint16"),
        ({"dtypes": ("uint8", "uint8")}, SceneError, "has SAR of float32, 'b' .* has uint8"),
        ({"gsd_m": 15.1}, GridMismatchError, r"'a' has 10\.00 m a pixel, scene 'b' 15\.10 m"),
        ({"gsd_m": 6.6}, GridMismatchError, r"'b' has 6\.60 m a pixel, scene 'a' 10\.00 m"),
    ],
)
def test_scenes_that_differ_too_much_are_refused(change, kind, told):
    with pytest.raises(kind, match=told) as caught:
        check_alike([facts("a"), facts("same"), facts("b", **change)])
    assert caught.value.hint


def test_a_lonely_layer_is_told_whichever_scene_comes_first():
    with pytest.raises(TileSetError, match="scene 'b' has sar, scene 'a' has none"):
        check_alike([facts("a", sar=None), facts("b")])


@pytest.mark.parametrize("change", [{"gsd_m": 14.9}, {"gsd_m": math.nan}, {"bands": (("r", "g"), ("band 1",))}])
def test_scenes_that_differ_a_little_go_together(change):
    assert check_alike([facts("a"), facts("b", **change)]) == []


def test_another_crs_and_a_sar_that_does_not_cover_are_told():
    told = check_alike(
        [facts("a", crs="EPSG:4326"), facts("b", sar_overlap=0.5), facts("c", crs=None, sar_overlap=0.9)]
    )
    assert told == [
        "the scenes have 3 coordinate reference systems: EPSG:32722, EPSG:4326, none",
        "the SAR of 2 scene(s) does not cover the optical, least that of 'b': 50%",
    ]


def band(values, dtype="float32"):
    return BandStatistics.of("band 1", dtype, np.asarray(values, np.float32))


def statistics(optical, sar=None):
    return SceneStatistics(optical=(band(optical),), sar=() if sar is None else (band(sar),))


DB, POWER = np.linspace(-25, 3, 500), np.linspace(0.003, 1.2, 500)
DN, REFLECTANCE = np.arange(1, 5000), np.linspace(0.01, 0.4, 500)


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        ((DN,), (REFLECTANCE,), r"optical of scene 'b' reaches 0\.39.* that of scene 'a' 4899"),
        ((DN, DB), (DN, POWER), "SAR of scene 'b' reaches 1.* that of scene 'a' 2"),
        ((DN, DN), (DN, POWER), "SAR of scene 'b' reaches"),
    ],
)
def test_another_scale_is_refused_with_the_numbers(one, two, told):
    for order in (("a", "b"), ("b", "a")):
        both = {"a": statistics(*one), "b": statistics(*two)}
        with pytest.raises(SceneError, match=f"the {told}.*: another scale"):
            check_scale({name: both[name] for name in order})


@pytest.mark.parametrize(
    ("one", "two"),
    [((DN, DB), (DN / 20, DB - 15)), ((REFLECTANCE,), (REFLECTANCE * 2,)), ((DN, POWER), (DN, POWER * 30))],
)
def test_another_season_is_not_another_scale(one, two):
    check_scale({"a": statistics(*one), "b": statistics(*two)})
    check_scale({"a": statistics(*one)})
    check_scale({})


def test_the_two_that_are_named_are_on_two_scales():
    with pytest.raises(SceneError) as caught:
        check_scale({"a": statistics(DN, DB), "b": statistics(DN, DB - 20), "odd": statistics(DN, POWER)})
    assert "'odd'" in str(caught.value)


def test_units_are_those_of_the_files_or_told_from_the_values():
    found = SceneStatistics(optical=(band([1, 2], "uint8"), band([0.5])), sar=(band([-9, -8]), band([1]), band([1])))
    names = (("red", "green"), ("VV", "VH", "HH"))
    told = with_units(found, names, (("", "reflectance"), ("", "", "sigma0")))
    assert [(each.name, each.unit) for each in told.optical] == [("red", "DN"), ("green", "reflectance")]
    assert [(each.name, each.unit) for each in told.sar] == [("VV", "dB"), ("VH", "linear"), ("HH", "sigma0")]
    assert told.sar[0].mean == found.sar[0].mean
