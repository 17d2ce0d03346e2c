"""Statistics of bands: numpy's numbers, and what stands for several scenes."""

import numpy as np
import pytest

from rsfuse.raster.statistics import BandStatistics, SceneStatistics, merge_statistics


def test_statistics_are_numpys():
    values = np.random.default_rng(0).normal(5, 2, 10_000).astype(np.float32)
    band = BandStatistics.of("red", "uint16", values)
    assert (band.name, band.dtype) == ("red", "uint16")
    assert (band.minimum, band.maximum) == (values.min(), values.max())
    assert (band.mean, band.std) == pytest.approx((values.mean(), values.std()), rel=1e-5)
    assert list(band.percentiles) == [1, 2, 50, 98, 99]
    for at, value in band.percentiles.items():
        assert (values < value).mean() == pytest.approx(at / 100, abs=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16"])
@pytest.mark.parametrize("count", [1, 2, 997])
def test_statistics_of_whole_numbers_are_those_of_the_same_numbers_as_floats(dtype, count):
    limits = np.iinfo(dtype)
    values = np.random.default_rng(count).integers(limits.min, limits.max, count, dtype=dtype, endpoint=True)
    counted, sorted_ = (BandStatistics.of("a", dtype, each) for each in (values, values.astype(np.float64)))
    assert (counted.minimum, counted.maximum) == (sorted_.minimum, sorted_.maximum)
    assert counted.mean == pytest.approx(sorted_.mean)
    assert counted.std == pytest.approx(sorted_.std)
    assert counted.percentiles == pytest.approx(sorted_.percentiles)


def test_json_and_back_is_the_same():
    values = np.arange(100, dtype=np.float32)
    scene = SceneStatistics(optical=(BandStatistics.of("a", "uint8", values),), sar=())
    assert SceneStatistics.model_validate_json(scene.model_dump_json()) == scene


def test_merged_mean_and_deviation_are_those_of_scenes_of_one_size_put_together():
    chance = np.random.default_rng(1)
    parts = [chance.normal(mean, 3, 5000).astype(np.float32) for mean in (0, 10, 4)]
    scenes = [SceneStatistics(optical=(BandStatistics.of("a", "int16", part),), sar=()) for part in parts]
    merged, together = merge_statistics(scenes).optical[0], np.concatenate(parts)
    assert (merged.mean, merged.std) == pytest.approx((together.mean(), together.std()), rel=1e-4)
    assert (merged.minimum, merged.maximum) == (together.min(), together.max())
    assert merged.percentiles[50] == pytest.approx(np.mean([np.median(part) for part in parts]))
    assert merge_statistics(scenes[:1]) == scenes[0]


def test_sar_is_that_of_the_scenes_that_have_it():
    bands = [BandStatistics.of("a", "uint8", np.arange(9, dtype=np.float32) + shift) for shift in (0, 10, 50)]
    lacking, *having = (
        SceneStatistics(optical=(band,), sar=sar)
        for band, sar in zip(bands, ((), (bands[1],), (bands[2],)), strict=True)
    )
    for order in ([lacking, *having], [*having, lacking]):
        merged = merge_statistics(order)
        assert merged.optical[0].mean == pytest.approx(4 + (0 + 10 + 50) / 3)
        assert merged.sar[0].mean == pytest.approx(4 + (10 + 50) / 2)
    assert merge_statistics([lacking, lacking]).sar == ()


def test_scenes_with_other_bands_cannot_be_merged():
    band = BandStatistics.of("a", "uint8", np.arange(9, dtype=np.float32))
    with pytest.raises(ValueError, match="shorter"):
        merge_statistics([SceneStatistics(optical=(band, band), sar=()), SceneStatistics(optical=(band,), sar=())])
    with pytest.raises(ValueError, match="shorter"):
        merge_statistics([SceneStatistics(optical=(band,), sar=(band,) * count) for count in (2, 1)])
    with pytest.raises(ValueError, match="no scene"):
        merge_statistics([])
