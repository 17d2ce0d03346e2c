"""A product, whoever made it: a folder or an archive, told by the names in it, else by its XML."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from rsfuse.errors import SceneError
from rsfuse.raster.products import gaofen_optical, gaofen_sar, sentinel1, sentinel2
from rsfuse.raster.products.archive import ARCHIVES, Files, files_of, is_archive
from rsfuse.raster.products.gaofen_optical import IMAGES
from rsfuse.raster.products.metadata import parse_xml
from rsfuse.raster.products.names import SceneName, parse_file, parse_name
from rsfuse.raster.products.product import Product

_SAFES = ((sentinel1.is_safe, sentinel1.open_safe), (sentinel2.is_safe, sentinel2.open_safe))
_BESIDE = (".xml", ".rpb", ".rpc")  # what lies beside an image of a product
_LOOKED_AT = 2000  # files of a folder, to see whether it is a product
_MOST_XMLS = 50  # that are read to find out what a product is whose names say nothing


def is_product(path: Path) -> bool:
    """Whether this looks like a product: by names alone, without opening anything.

    Args:
        path: of a folder, an archive, or an image or XML of a product.
    """
    if any(is_safe(path) for is_safe, _ in _SAFES):
        return True
    if path.is_dir():
        return parse_name(path.name) is not None or any(map(_is_image, islice(_names_in(path), _LOOKED_AT)))
    if is_archive(path):
        return path.is_file()
    said = parse_file(path.name)
    if not path.is_file() or said is None:
        return False
    return path.suffix.lower() in _BESIDE or any(_stem(each) == _stem(path) for each in _siblings(path))


def open_product(path: Path) -> Product:
    """A scene as an agency delivered it.

    Args:
        path: of its folder, its archive (.tar.gz, .tgz or .tar, read in place), or one of its images or XML.

    Raises:
        SceneError: if it is no product that rsfuse knows, holds several scenes, or is damaged.
    """
    if not path.exists():
        raise SceneError(f"{path} does not exist", hint="check the path")
    for is_safe, open_safe in _SAFES:
        if is_safe(path):
            return open_safe(path)
    if path.is_dir() or is_archive(path):
        files, wanted = files_of(path), None
    else:
        files, wanted = files_of(path.parent), _scene_of_file(path)
    scenes = {key: names for key, names in _scenes(files).items() if wanted is None or key == wanted.key}
    if len(scenes) > 1:
        raise SceneError(
            f"{path} holds several scenes: {', '.join(_scene_text(names) for names in scenes.values())}",
            hint="name an image of the one that you mean",
        )
    if scenes:
        (names,) = scenes.values()
        return _read(files, names)
    return _read_unnamed(files)


def _read(files: Files, names: Sequence[str]) -> Product:
    """The scene of these images, whose names say of what it is."""
    said = parse_file(names[0])
    assert said is not None, "images were told by their names"
    reader = gaofen_sar.read_gaofen3 if said.scene.sensor == "SAR" else gaofen_optical.read_optical
    return reader(files, said.scene, names)


def _read_unnamed(files: Files) -> Product:
    """A scene whose files were called something else: its XML says what it is."""
    for xml in islice(files.ending(".xml"), _MOST_XMLS):
        fields = parse_xml(files.read(xml), xml)
        text = files.path.name
        images = [name for name in files.ending(*IMAGES) if files.beside(name, ".xml")]
        if images and (scene := gaofen_optical.scene_of(fields, text)):
            return gaofen_optical.read_optical(files, scene, images)
        images = [name for name in files.ending(*IMAGES) if gaofen_sar.channel_of(name)]
        if images and (scene := gaofen_sar.scene_of(fields, text)):
            return gaofen_sar.read_gaofen3(files, scene, images)
    raise SceneError(
        f"{files.path} holds no image of a product that rsfuse knows",
        hint="give a folder or archive of Gaofen-1, -2, -3 or -6, or a SAFE folder of Sentinel-1 or -2",
    )


def _scenes(files: Files) -> dict[tuple[str, ...], list[str]]:
    """Images by the scenes that their names say; of files of one name in several folders the one on top counts."""
    scenes: dict[tuple[str, ...], dict[str, str]] = {}
    for name in filter(_is_image, files.names):
        said = parse_file(name)
        assert said is not None, "images are told by their names"
        scenes.setdefault(said.scene.key, {}).setdefault(Path(name).stem.lower(), name)
    return {key: list(names.values()) for key, names in scenes.items()}


def _scene_text(names: Sequence[str]) -> str:
    said = parse_file(names[0])
    return said.scene.text if said else names[0]


def _scene_of_file(path: Path) -> SceneName:
    said = parse_file(path.name)
    if said is None:
        raise SceneError(
            f"{path} is not named like an image of a product",
            hint=f"give the folder of the product, or its archive ({', '.join(ARCHIVES)})",
        )
    return said.scene


def _is_image(name: str) -> bool:
    return gaofen_optical.is_image(name) or gaofen_sar.is_image(name)


def _names_in(folder: Path) -> Iterator[str]:
    """Names of the files of a folder and of the folders in it."""
    for above, folders, files in os.walk(folder):
        if Path(above) != folder:
            folders.clear()
        yield from files


def _siblings(path: Path) -> Iterator[Path]:
    return (each for each in path.parent.iterdir() if each.suffix.lower() in _BESIDE)


def _stem(path: Path) -> str:
    return path.stem.lower()
