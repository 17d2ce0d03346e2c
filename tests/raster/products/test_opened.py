"""A product is told from everything else, and from another one, before it is opened."""

import shutil

import pytest

from rsfuse.errors import SceneError
from rsfuse.raster.products.opened import is_product, open_product


def rename_all(made, new):
    """Call every file of a product something else."""
    for file in list(made.path.iterdir()):
        file.rename(file.with_name(file.name.replace(made.name, new)))


@pytest.mark.parametrize("writer", ["write_pms", "write_wfv", "write_gf6_wfv", "write_gf3"])
@pytest.mark.parametrize(
    "layout",
    [{}, {"nested": 1}, {"folder": "mine"}, {"folder": "mine", "nested": 1}, {"archive": ".tgz"}, {"lower": True}],
    ids=str,
)
def test_products_are_told_by_names(gaofen, tmp_path, writer, layout):
    made = getattr(gaofen, writer)(tmp_path, layout=gaofen.Layout(**layout))
    assert is_product(made.path)
    assert open_product(made.path).images


def test_other_things_are_not_products(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "GF1_thing.tif").write_bytes(b"")
    alone = tmp_path / "GF1_WFV1_E116.5_N39.4_20180530_L1A0003229120.tiff"
    alone.write_bytes(b"")
    (tmp_path / "scene.tif").write_bytes(b"")
    for path in (tmp_path / "folder", alone, tmp_path / "scene.tif", tmp_path / "none", tmp_path / "none.tar.gz"):
        assert not is_product(path), path


@pytest.mark.parametrize("ending", ["PAN1.tiff", "MSS1.xml", "PAN1.rpb"])
def test_a_product_is_opened_by_any_of_its_files(gaofen, tmp_path, ending):
    made = gaofen.write_pms(tmp_path)
    (file,) = made.path.glob(f"*{ending}")
    assert is_product(file)
    assert open_product(file).images == open_product(made.path).images


@pytest.mark.parametrize("ending", [".meta.xml", "_HV_L10004935216.tiff"])
def test_so_is_one_of_a_radar(gaofen, tmp_path, ending):
    made = gaofen.write_gf3(tmp_path)
    (file,) = made.path.glob(f"*{ending}")
    assert is_product(file)
    assert open_product(file).images == open_product(made.path).images


@pytest.mark.parametrize("archive", [False, True])
def test_a_folder_of_two_scenes_is_refused_with_their_names_and_one_of_them_opens(gaofen, tmp_path, archive):
    one = gaofen.write_pms(tmp_path / "one", layout=gaofen.Layout(folder="both"))
    two = gaofen.write_pms(tmp_path / "two", camera=2, layout=gaofen.Layout(folder="both"))
    shutil.copytree(two.path, one.path, dirs_exist_ok=True)
    path = one.path
    if archive:
        path = tmp_path / "both.tar.gz"
        shutil.make_archive(str(tmp_path / "both"), "gztar", one.path)
    with pytest.raises(SceneError, match=f"holds several scenes: {one.name}, {two.name}") as failure:
        open_product(path)
    assert "name an image" in failure.value.hint
    assert open_product(next(one.path.glob("*PMS2*PAN2.tiff"))).name == two.name


def test_a_product_whose_files_are_called_something_else_is_known_by_its_xml(gaofen, tmp_path):
    made = gaofen.write_pms(tmp_path, "GF2", layout=gaofen.Layout(folder="mine"))
    rename_all(made, "field")
    product = open_product(made.path)
    assert (product.name, product.facts.satellite, product.facts.sensor) == ("mine", "GF2", "PMS1")
    assert (product.facts.acquired.isoformat(), product.facts.sun_zenith_deg) == ("2018-05-30", 22.5)
    assert {image.role for image in product.images} == {"pan", "ms"}
    assert product.missing == ()


def test_so_is_one_of_a_radar_whose_files_still_say_their_polarisation(gaofen, tmp_path):
    made = gaofen.write_gf3(tmp_path, "VHVV", layout=gaofen.Layout(folder="mine"))
    for file in list(made.path.iterdir()):
        tag = next((each for each in ("VH", "VV") if f"_{each}_" in file.name), "")
        file.rename(file.with_name(f"sea_{tag}{file.suffix}" if tag else f"sea.{file.name.split('.', 3)[-1]}"))
    product = open_product(made.path)
    assert [image.bands for image in product.images] == [("VV",), ("VH",)]
    assert (product.facts.satellite, product.facts.level, product.facts.mode) == ("GF3", "L1A", "FSII")
    assert product.facts.constant_db == {"VV": 31.0, "VH": 30.75}
    assert product.missing == ()


@pytest.mark.parametrize("name", ["folder", "a.tar.gz"])
def test_what_holds_no_image_is_refused(gaofen, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "readme.xml").write_text("<a/>")
    if name != "folder":
        shutil.make_archive(str(tmp_path / "a"), "gztar", tmp_path / "folder")
    with pytest.raises(SceneError, match="holds no image of a product that rsfuse knows"):
        open_product(tmp_path / name)


def test_what_is_not_there_is_refused(tmp_path):
    with pytest.raises(SceneError, match="does not exist"):
        open_product(tmp_path / "GF1_PMS1_E116.5_N39.4_20180530_L1A0003229119")


def test_a_file_of_another_name_is_refused(tmp_path):
    (tmp_path / "scene.tif").write_bytes(b"")
    with pytest.raises(SceneError, match=r"scene\.tif is not named like an image of a product"):
        open_product(tmp_path / "scene.tif")


def test_opening_leaves_nothing_behind(gaofen, tmp_path):
    made = [
        gaofen.write_pms(tmp_path, layout=gaofen.Layout(archive=".tar.gz")),
        gaofen.write_gf3(tmp_path, layout=gaofen.Layout(archive=".tar")),
        gaofen.write_wfv(tmp_path),
    ]
    before = sorted(tmp_path.rglob("*"))
    for each in made:
        open_product(each.path)
    assert sorted(tmp_path.rglob("*")) == before
