"""Nobody can tell from the pixels how a scene was cut up, how many threads worked on it, or which grid was around."""

import numpy as np
import pytest
from affine import Affine

import rsfuse.raster.growing as growing
import rsfuse.raster.map_parts as map_parts
import rsfuse.raster.ortho.laid_out as laid_out
from rsfuse.raster import in_order

WISHES = {
    "optical": ("pms", {}),
    "optical, cubic, hills": ("pms", {"kernel": "cubic", "dem": True, "gsd": 2.5}),
    "optical, nearest, digital numbers": ("pms", {"kernel": "nearest", "quantity": "dn", "gsd": 3.0}),
    "optical, averaged": ("pms", {"image": "pan", "gsd": 5.0}),
    "sharpened, hills": ("pms", {"sharpen": "gsa", "dem": True}),
    "joined": ("gf6_wfv", {"quantity": "radiance"}),
    "SAR": ("gf3", {}),
    "SAR, cubic, hills, looks, filter, incidence": (
        "gf3",
        {"kernel": "cubic", "dem": True, "looks": (2, 3), "speckle": ("refined-lee", 7), "incidence": True},
    ),
    "SAR, wide filter": ("gf3", {"speckle": ("frost", 11), "looks": (1, 2)}),
    "SAR, gamma map": ("gf3", {"speckle": ("gamma-map", 5), "linear": True, "quantity": "gamma0"}),
}


@pytest.fixture
def cut(monkeypatch):
    """Cut a scene into blocks of so many pixels, made by so many threads, of strips of so many rows."""

    def cut_into(block, threads, rows):
        monkeypatch.setattr(growing, "BLOCK", block)
        monkeypatch.setattr(map_parts, "BLOCK", block)
        monkeypatch.setattr(in_order, "usable_cores", lambda: threads)
        monkeypatch.setattr(laid_out, "_STRIP_BYTES", 1)
        monkeypatch.setattr(laid_out, "_LEAST_ROWS", rows)

    return cut_into


@pytest.mark.parametrize("name", WISHES)
def test_blocks_strips_and_threads_change_no_bit(gaofen, prepared, tmp_path, cut, name):
    kind, wish = WISHES[name]
    relief = 80.0 if wish.get("dem") else 0.0
    scene = getattr(gaofen, f"write_{kind}")(tmp_path, layout=gaofen.Layout(relief_m=relief))
    wish = dict(wish) | ({"dem": gaofen.write_dem(tmp_path / "dem.tif", relief)} if relief else {})
    cut(4096, 1, 4096)
    whole = prepared(scene.path, "whole.tif", **wish)
    assert whole.valid.mean() > 0.4
    cut(80, 3, 17)
    parts = prepared(scene.path, "parts.tif", **wish)
    assert parts.transform == whole.transform
    if "sharpen" in wish:  # whose filters multiply matrices, which round as their size will have it
        np.testing.assert_allclose(parts.pixels, whole.pixels, rtol=1e-5, atol=1e-7)
    else:
        np.testing.assert_array_equal(parts.pixels, whole.pixels)


def test_threads_and_strips_change_no_bit_of_a_sharpened_scene(gaofen, prepared, tmp_path, cut):
    scene = gaofen.write_pms(tmp_path)
    cut(64, 1, 4096)
    whole = prepared(scene.path, "whole.tif", sharpen="gsa")
    cut(64, 3, 17)
    np.testing.assert_array_equal(prepared(scene.path, "parts.tif", sharpen="gsa").pixels, whole.pixels)


@pytest.mark.parametrize("name", ["optical, cubic, hills", "SAR, wide filter", "joined"])
def test_a_part_of_a_grid_holds_what_the_whole_holds_there(gaofen, prepared, write_raster, tmp_path, name):
    kind, wish = WISHES[name]
    scene = getattr(gaofen, f"write_{kind}")(tmp_path)
    wish = dict(wish) | ({"dem": gaofen.write_dem(tmp_path / "dem.tif", 80.0)} if wish.get("dem") else {})
    whole = prepared(scene.path, "whole.tif", **wish)
    wish.pop("gsd", None)
    here = np.s_[37:97, 41:91]
    corner = whole.transform * Affine.translation(41, 37)
    like = write_raster("like.tif", np.ones((1, 60, 50), "uint8"), crs=whole.crs, transform=corner)
    part = prepared(scene.path, "part.tif", like=like, **wish)
    both = part.valid & whole.valid[here]
    assert (part.valid != whole.valid[here]).mean() < 0.01
    assert both.mean() > 0.5
    spread = np.ptp(whole.pixels[:, whole.valid])
    assert np.abs(part.pixels - whole.pixels[:, *here])[:, both].max() < 1e-3 * spread  # its lattice has other nodes
