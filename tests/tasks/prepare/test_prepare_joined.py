"""Images that belong together: panchromatic and multispectral ones, the three of a wide view, strips of a swath."""

import numpy as np
import pytest
from rasterio.transform import RPCTransformer
from scipy.ndimage import binary_erosion, gaussian_filter

from rsfuse.errors import SceneError

METHODS = ("brovey", "gs", "mtf-glp", "bdsd-pc")


def correlation(ones, others):
    return np.corrcoef(ones, others)[0, 1]


def detail(image, valid):
    """What is finer than multispectral pixels, where all around is known."""
    inner = binary_erosion(valid, iterations=8)
    return (image - gaussian_filter(np.where(valid, image, image[valid].mean()), 2))[inner]


@pytest.mark.parametrize("satellite", ["GF1", "GF2"])
def test_sharpened_bands_lie_on_the_panchromatic_grid_and_show_what_it_shows(gaofen, prepared, tmp_path, satellite):
    scene = gaofen.write_pms(tmp_path, satellite)
    sharp = prepared(scene.path, sharpen="gsa")
    pan = prepared(scene.path, "pan.tif", image="pan")
    plain = prepared(scene.path, "plain.tif", like=tmp_path / "pan.tif")
    assert sharp.names == sharp.report.bands == ("blue", "green", "red", "nir")
    assert (sharp.transform, sharp.crs, sharp.valid.shape) == (pan.transform, pan.crs, pan.valid.shape)
    assert sharp.tags["RSFUSE_SHARPENED"] == "gsa"
    assert sharp.tags["RSFUSE_QUANTITY"] == "reflectance"
    both = sharp.valid & plain.valid
    assert both.mean() > 0.6
    truth = gaofen.texture(*sharp.lonlat)
    for band, blurred in zip(sharp.pixels, plain.pixels, strict=True):
        assert correlation(band[both], truth[both]) > correlation(blurred[both], truth[both])
        found, before = (correlation(detail(each, both), detail(truth, both)) for each in (band, blurred))
        assert found > 0.8
        assert found > before + 0.1
        assert band[both].mean() == pytest.approx(blurred[both].mean(), rel=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_other_methods_come_nearer_to_the_ground(gaofen, prepared, tmp_path, method):
    scene = gaofen.write_pms(tmp_path)
    sharp = prepared(scene.path, sharpen=method, quantity="radiance")
    plain = prepared(scene.path, "plain.tif", like=tmp_path / "scene.tif", quantity="radiance")
    both = binary_erosion(sharp.valid & plain.valid, iterations=8)
    shown = 100 + gaofen.texture(*sharp.lonlat) * 500  # digital numbers of the first band
    errors = [np.sqrt(((each.pixels[0] / 0.153 - shown)[both] ** 2).mean()) for each in (sharp, plain)]
    assert errors[0] < 0.8 * errors[1]


def test_sharpened_digital_numbers_are_whole_numbers(gaofen, prepared, tmp_path):
    made = prepared(gaofen.write_pms(tmp_path).path, sharpen="gsa", quantity="dn")
    assert (made.pixels.dtype, made.nodata) == (np.uint16, 0)
    assert (made.pixels[:, made.valid] > 0).all()


def test_over_hills_both_images_are_brought_to_the_same_ground(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path, layout=gaofen.Layout(relief_m=80.0))
    made = prepared(scene.path, sharpen="gsa", dem=gaofen.write_dem(tmp_path / "dem.tif", 80.0))
    truth = gaofen.texture(*made.lonlat)
    assert correlation(detail(made.pixels[0], made.valid), detail(truth, made.valid)) > 0.8


def test_a_multispectral_image_without_a_panchromatic_one_beside_it_is_not_sharpened(gaofen, prepared, tmp_path):
    with pytest.raises(SceneError, match="no panchromatic image"):
        prepared(gaofen.write_wfv(tmp_path).path, sharpen="gsa")


def parts_of(rpcs, shape, made, border=(0, 0)):
    """Where the pixels of a result lie in each of the images that were joined, rows and columns at the edge aside."""
    inside = []
    for rpc in rpcs:
        with RPCTransformer(rpc, rpc_height=60.0) as transformer:
            rows, columns = transformer.rowcol(*(each.ravel() for each in made.lonlat), op=np.positive)
        within = [
            (np.reshape(each, made.valid.shape) >= edge) & (np.reshape(each, made.valid.shape) < side - edge)
            for each, edge, side in zip((rows, columns), border, shape, strict=True)
        ]
        inside.append(within[0] & within[1])
    return np.stack(inside)


def test_the_three_images_of_the_wide_view_of_gf6_become_one_without_a_seam(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf6_wfv(tmp_path)
    made = prepared(scene.path, quantity="dn")
    inside = parts_of(scene.rpcs.values(), (96, 80), made)
    assert (made.valid == inside.any(0)).mean() > 0.999  # no gap
    assert inside.sum(0).max() == 2  # they overlap
    truth = gaofen.texture(*made.lonlat)
    for band, pixels in enumerate(made.pixels):
        expected = 100 + 20 * band + truth * (500 + 40 * band)
        away = np.abs(pixels - expected)[made.valid]
        seam = np.abs(pixels - expected)[inside.sum(0) == 2]
        assert correlation(pixels[made.valid], expected[made.valid]) > 0.75
        assert seam.mean() < 1.1 * away.mean() + 1  # no worse where two meet


def test_each_part_of_gf6_brought_to_the_grid_of_the_whole_is_what_the_whole_shows(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf6_wfv(tmp_path / "whole")
    whole = prepared(scene.path, "whole.tif", quantity="dn")
    found = []
    for part in (1, 2, 3):
        alone = gaofen.write_gf6_wfv(tmp_path / f"only {part}")
        for file in alone.path.iterdir():
            if f"-{part}." not in file.name:
                file.unlink()
        made = prepared(alone.path, f"{part}.tif", quantity="dn", like=tmp_path / "whole.tif")
        assert sum("is not there" in each for each in made.report.product.missing) == 2
        assert ((made.pixels == whole.pixels).all(0) | ~made.valid).mean() > 0.9
        found.append((made.pixels == whole.pixels).all(0) & made.valid)
    assert (np.any(found, 0) == whole.valid).all()  # every pixel is one part's, none is made of two


def test_a_part_of_gf6_that_is_missing_is_told_of(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf6_wfv(tmp_path)
    for file in scene.path.glob("*-2.*"):
        file.unlink()
    made = prepared(scene.path, quantity="dn")
    assert any("part 2" in each for each in made.report.product.missing)
    assert any("part 2" in each for each in made.report.warnings)


@pytest.mark.parametrize("strips", [2, 3])
def test_strips_of_a_swath_become_one_without_a_seam(gaofen, prepared, tmp_path, strips):
    scene = gaofen.write_gf3(tmp_path, "HHHV", "L1B", strips=strips)
    made = prepared(scene.path, speckle=("lee", 7))
    assert made.names == ("HH", "HV")
    rpcs = [rpc for key, rpc in scene.rpcs.items() if key.startswith("HH")]
    assert len(rpcs) == strips
    inside = parts_of(rpcs, (192, 160), made, gaofen.BORDER)
    assert (made.valid == inside.any(0)).mean() > 0.999  # no gap
    truth = gaofen.texture(*made.lonlat)
    for name, decibels in zip(made.names, made.pixels, strict=True):
        expected = gaofen.SIGMA0_DB[name] + 14 * (truth - 0.5)
        away = (decibels - expected)[made.valid]
        assert abs(np.median(away)) < 0.5
        overlap = made.valid & (inside.sum(0) > 1)
        assert abs(np.median((decibels - expected)[overlap])) < 0.7
        assert correlation(decibels[made.valid], expected[made.valid]) > 0.75


@pytest.mark.parametrize("spelt", ["_Strip_", "-strip", "_STRIP_"])
def test_strips_are_known_however_they_are_spelt(gaofen, prepared, tmp_path, spelt):
    scene = gaofen.write_gf3(tmp_path, "HH", "L1B", strips=2)
    for file in list(scene.path.glob("*_strip_*")):
        file.rename(file.with_name(file.name.replace("_strip_", spelt)))
    made = prepared(scene.path)
    expected = prepared(gaofen.write_gf3(tmp_path / "usual", "HH", "L1B", strips=2).path, "usual.tif")
    np.testing.assert_array_equal(made.pixels, expected.pixels)


def test_a_polarisation_that_the_tag_promises_and_that_is_missing_is_told_of(gaofen, prepared, tmp_path):
    scene = gaofen.write_gf3(tmp_path, "HHHV")
    for file in scene.path.glob("*_HV_*"):
        file.unlink()
    made = prepared(scene.path)
    assert made.names == ("HH",)
    assert any("HV" in each for each in made.report.product.missing)
    assert any("HV" in each for each in made.report.warnings)


def test_an_image_that_is_named_itself_is_the_only_one(gaofen, prepared, tmp_path):
    scene = gaofen.write_pms(tmp_path / "pms")
    assert prepared(next(scene.path.glob("*PAN1.tiff")), "pan.tif").names == ("pan",)
    assert len(prepared(next(scene.path.glob("*MSS1.tiff")), "ms.tif").names) == 4
    assert len(prepared(next(scene.path.glob("*PAN1.tiff")), "sharp.tif", quantity="dn").names) == 1
    scene = gaofen.write_gf3(tmp_path / "gf3")
    assert prepared(next(scene.path.glob("*_HV_*.tiff")), "hv.tif").names == ("HV",)
    scene = gaofen.write_gf6_wfv(tmp_path / "gf6")
    whole = prepared(scene.path, "whole.tif", quantity="dn")
    assert prepared(next(scene.path.glob("*-2.tiff")), "two.tif", quantity="dn").valid.sum() < whole.valid.sum() / 2
