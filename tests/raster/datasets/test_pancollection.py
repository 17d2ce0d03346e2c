"""PanCollection in miniature: every layout it comes in, and every way in which a file is not what its name says."""

import re

import h5py
import numpy as np
import pytest

from rsfuse.errors import TileSetError
from rsfuse.raster.datasets.pancollection import SENSORS, read_pancollection
from rsfuse.raster.sharpening import values as patch_values
from rsfuse.raster.sharpening.values import measure_patches

TRAIN, VALID = "train_{}.h5", "valid_{}.h5"
REDUCED, FULL = "test_{}_multiExm1.h5", "test_{}_OrigScale_multiExm1.h5"
LAYOUTS = {
    "flat": {TRAIN: "", VALID: "", REDUCED: "", FULL: ""},
    "as distributed": {TRAIN: "training_data", VALID: "validation_data", REDUCED: "test_data/X", FULL: "test_data/X"},
    "as CF2N has it": {TRAIN: "x/train", VALID: "x/train", REDUCED: "x/test", FULL: "x/test"},
}


def arrays(sensor="qb", count=3, side=4, *, full=False, seed=0):
    """The arrays of a file, with the sensor's whole range in each."""
    bands, top = len(SENSORS[sensor].bands), SENSORS[sensor].maximum
    fine = (count, bands, 4 * side, 4 * side)
    shapes = {"ms": (count, bands, side, side), "pan": (count, 1, *fine[2:]), "lms": fine, "gt": fine}
    generator = np.random.default_rng(seed)
    made = {key: generator.integers(0, top + 1, shape).astype(np.float64) for key, shape in shapes.items()}
    for values in made.values():
        values.flat[:2] = 0, top
    if full:
        del made["gt"]
    return made


def write(path, held):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for key, values in held.items():
            file[key] = values
    return path


def write_all(root, sensor="qb", layout="flat", code=None):
    """All four files of a sensor; what each holds."""
    made = {}
    for seed, (pattern, folder) in enumerate(LAYOUTS[layout].items()):
        full = pattern == FULL
        held = arrays(sensor, 3 + seed, 8 if full else 4, full=full, seed=seed)
        path = write(root / folder / pattern.format(code or sensor), held)
        made[path.name] = held
    return made


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("sensor", SENSORS)
def test_every_layout_of_every_sensor_is_found(tmp_path, layout, sensor):
    write_all(tmp_path, sensor, layout)
    found = read_pancollection(tmp_path)
    assert found.sensor is SENSORS[sensor]
    assert [(file.path.name, file.split, file.patches, file.size) for file in found.files] == [
        (TRAIN.format(sensor), "train", 3, (16, 16)),
        (VALID.format(sensor), "val", 4, (16, 16)),
        (REDUCED.format(sensor), "test", 5, (16, 16)),
        (FULL.format(sensor), "full", 6, (32, 32)),
    ]
    assert all(file.path.is_absolute() and file.bytes == file.path.stat().st_size for file in found.files)
    assert found.notes == ()


def test_the_published_numbers_of_the_sensors():
    assert {code: (len(each.bands), each.maximum) for code, each in SENSORS.items()} == {
        "wv3": (8, 2047), "qb": (4, 2047), "gf2": (4, 1023), "wv2": (8, 2047),
    }  # fmt: skip


def test_names_with_the_number_of_patches_and_in_capitals_are_known(tmp_path):
    write(tmp_path / "train_qb_17139.h5", arrays())
    write(tmp_path / "valid_QB.h5", arrays())
    assert [file.split for file in read_pancollection(tmp_path).files] == ["train", "val"]


def test_tests_alone_are_a_set_with_a_note(tmp_path):
    write(tmp_path / REDUCED.format("wv2"), arrays("wv2"))
    found = read_pancollection(tmp_path)
    assert found.notes == ("There is no training file.", "There is no validation file.")
    assert measure_patches(found) is None


def test_what_nothing_reads_is_noted(tmp_path):
    write(tmp_path / "train_qb.h5", arrays() | {"ms_hp": np.zeros(3)})
    write(tmp_path / FULL.format("qb"), arrays())
    notes = read_pancollection(tmp_path).notes
    assert "train_qb.h5 also holds ms_hp, which nothing reads." in notes
    assert "test_qb_OrigScale_multiExm1.h5 also holds gt, which nothing reads." in notes


def test_hidden_files_are_passed_over(tmp_path):
    write_all(tmp_path)
    (tmp_path / "._train_qb.h5").write_bytes(b"left by a Mac")
    assert len(read_pancollection(tmp_path).files) == 4


def refused(root, *told):
    """The hint with which a folder is refused, after a message that tells all of these."""
    with pytest.raises(TileSetError) as caught:
        measure_patches(read_pancollection(root))
    missing = [each for each in told if not re.search(each, str(caught.value))]
    assert not missing, f"{caught.value} does not tell {missing}"
    return caught.value.hint


def test_several_sensors_are_named(tmp_path):
    write_all(tmp_path / "qb", "qb")
    write_all(tmp_path / "gf2", "gf2")
    assert "folder of one sensor" in refused(tmp_path, "2 sensors, gf2, qb")
    assert read_pancollection(tmp_path / "gf2").sensor.maximum == 1023


def test_no_folder_and_no_file_are_told(tmp_path):
    refused(tmp_path / "nowhere", "there is no folder .*nowhere")
    (tmp_path / "test_qb.mat").write_bytes(b"")
    assert ".mat" in refused(tmp_path, "hold no .h5 file")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("train_wv4.h5", "'wv4' is none of wv3, qb, gf2, wv2"),
        ("results.h5", "its name says no use"),
        ("test_qb.h5", "its name says no use"),
        ("test_qb_multiExm2.h5", "its name says no use"),
    ],
)
def test_a_strange_name_is_told_with_its_path(tmp_path, name, why):
    write_all(tmp_path)
    path = write(tmp_path / "more" / name, arrays())
    refused(tmp_path, str(path), why)


def test_two_files_for_one_use_are_told_with_both_paths(tmp_path):
    write_all(tmp_path)
    path = write(tmp_path / "old/train_qb_100.h5", arrays())
    refused(tmp_path, str(path), str(tmp_path / "train_qb.h5"), "both for train")


@pytest.mark.parametrize(("key", "use"), [("gt", TRAIN), ("ms", VALID), ("lms", REDUCED), ("pan", FULL)])
def test_a_missing_key_is_told_with_those_that_are_there(tmp_path, key, use):
    made = write_all(tmp_path)
    name = use.format("qb")
    del made[name][key]
    write(tmp_path / name, made[name])
    refused(tmp_path, f"{name} lacks {key}; it holds {', '.join(sorted(made[name]))}")


@pytest.mark.parametrize(
    ("key", "part", "told"),
    [
        ("pan", np.s_[:, :, :12], "'pan' is 3 x 1 x 12 x 16, with 'ms' of 3 x 4 x 4 x 4 it should be 3 x 1 x 16 x 16"),
        ("gt", np.s_[..., :8], "'gt' is 3 x 4 x 16 x 8, .* 3 x 4 x 16 x 16"),
        ("lms", np.s_[:, :3], "'lms' is 3 x 3 x 16 x 16, .* 3 x 4 x 16 x 16"),
        ("pan", np.s_[:2], "'pan' is 2 x 1 x 16 x 16, .* 3 x 1 x 16 x 16"),
        ("ms", np.s_[:, :3], "'ms' has 3 bands, QuickBird has 4"),
        ("ms", np.s_[0], "'ms' is 4 x 4 x 4, it should be patches x bands"),
        ("ms", np.s_[:0], "'ms' is 0 x 4 x 4 x 4, it should be patches"),
        ("gt", np.s_[0, 0, 0, 0], "'gt' is a single number"),
    ],
)
def test_shapes_that_do_not_go_together_are_told(tmp_path, key, part, told):
    held = arrays()
    held[key] = held[key][part]
    path = write(tmp_path / "train_qb.h5", held)
    refused(tmp_path, str(path), told)


def test_a_file_of_another_sensor_is_told_by_its_bands(tmp_path):
    write(tmp_path / "train_wv3.h5", arrays("qb"))
    refused(tmp_path, "'ms' has 4 bands, WorldView-3 has 8")


def test_text_is_no_patch(tmp_path):
    write(tmp_path / "train_qb.h5", arrays() | {"gt": np.full((3, 4, 16, 16), b"a")})
    refused(tmp_path, "holds no numbers", "'gt'")


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_file_that_is_cut_off_is_told(tmp_path, keep):
    path = write(tmp_path / "train_qb.h5", arrays())
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(len(whole) * keep)])
    assert "incomplete" in refused(tmp_path, str(path), "cannot be read as HDF5")


# values


def test_eleven_bits_in_a_file_of_gaofen_2_are_told_with_the_trap(tmp_path):
    held = arrays("gf2")
    held["gt"][1, 2, 3, 4] = 1530
    path = write(tmp_path / "train_gf2.h5", held)
    hint = refused(tmp_path, str(path), "patch 1 of 'gt' has values from 0 to 1530, Gaofen-2 gives 0 to 1023")
    assert "CF2N divides it by 2047" in hint


@pytest.mark.parametrize("value", [-1, 2048, np.nan, np.inf])
@pytest.mark.parametrize(("key", "use"), [("gt", TRAIN), ("gt", VALID), ("gt", REDUCED), ("ms", FULL), ("pan", FULL)])
def test_originals_keep_to_the_sensors_range(tmp_path, value, key, use):
    held = arrays(full=use == FULL)
    held[key][2, 0, 1, 1] = value
    write(tmp_path / use.format("qb"), held)
    refused(tmp_path, f"patch 2 of '{key}'", "QuickBird gives 0 to 2047")


@pytest.mark.parametrize("use", [TRAIN, REDUCED])
@pytest.mark.parametrize("key", ["ms", "pan"])
def test_a_filter_may_swing_over_the_range_a_little_and_no_further(tmp_path, key, use):
    held = arrays()
    held[key][1, 0, 0, 0], held[key][1, 0, 0, 1] = 2250, -200
    write(tmp_path / use.format("qb"), held)
    measure_patches(read_pancollection(tmp_path))
    held[key][1, 0, 0, 0] = 2350
    write(tmp_path / use.format("qb"), held)
    refused(tmp_path, f"patch 1 of '{key}' has values from -200 to 2350")


def test_nobody_minds_what_nothing_reads(tmp_path):
    held = arrays()
    held["lms"][0] = 1e6
    write(tmp_path / "train_qb.h5", held)
    measure_patches(read_pancollection(tmp_path))


def test_values_that_were_divided_already_are_told(tmp_path):
    write(tmp_path / "train_qb.h5", {key: values / 2047 for key, values in arrays().items()})
    refused(tmp_path, "no value of 'ms' is above 1; digital numbers go up to 2047")


@pytest.mark.parametrize("block_bytes", [1, 3000, 2**25])
@pytest.mark.parametrize("sample", [10, 100, 1_000_000])
def test_statistics_are_those_of_evenly_spaced_training_values(tmp_path, monkeypatch, block_bytes, sample):
    monkeypatch.setattr(patch_values, "_BLOCK_BYTES", block_bytes)
    made = write_all(tmp_path, "gf2")["train_gf2.h5"]
    statistics = measure_patches(read_pancollection(tmp_path), sample=sample)
    expected = [*zip(SENSORS["gf2"].bands, np.moveaxis(made["ms"], 1, 0), strict=True), ("pan", made["pan"])]
    for band, (name, values) in zip((*statistics.ms, statistics.pan), expected, strict=True):
        flat = values.ravel()
        step = next(k for k in range(1, flat.size + 2, 2) if k * sample >= flat.size)
        taken = np.array([flat[i] for i in range(0, flat.size, step)])
        assert len(taken) <= sample
        assert (band.name, band.dtype) == (name, "float64")
        assert (band.minimum, band.maximum) == (taken.min(), taken.max())
        assert band.mean == pytest.approx(taken.mean())
        assert band.std == pytest.approx(taken.std())
        assert band.percentiles[50] == pytest.approx(np.median(taken))
