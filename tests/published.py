"""Public data sets in miniature: their folders, names, kinds of files and codes, with noise for pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from PIL import Image

FAR_M = 5_000  # between the corners of two scenes
WHU_CODES = (0, 10, 20, 30, 40, 50, 60, 70)
DEEPGLOBE_COLORS = ((0, 0, 0), (0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255))


def write(path: Path, pixels: np.ndarray, east: float = 0.0) -> None:
    """Writes (bands, h, w) of 8 bits as what the path's ending says; a GeoTIFF lies so many metres to the east."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".tif":
        Image.fromarray(pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)).save(path)
        return
    _, height, width = pixels.shape
    place = {"crs": "EPSG:32649", "transform": Affine(5.0, 0.0, 500_000.0 + east, 0.0, -5.0, 3_400_000.0)}
    profile = {"driver": "GTiff", "count": len(pixels), "height": height, "width": width, "dtype": "uint8"}
    with rasterio.open(path, "w", photometric="MINISBLACK", **profile, **place) as file:
        file.write(pixels)


DUBAI_COLORS = ((60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58), (226, 169, 41), (155, 155, 155))


class Publisher:
    """Writes data sets under a root, as their authors lay them out."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._random = np.random.default_rng(0)
        self._names: list[str] = []

    def _write(self, path: str, pixels: np.ndarray) -> Path:
        """No two scenes lie on each other, and all layers of one do."""
        name = Path(path).stem.removesuffix("_sat").removesuffix("_mask")
        if name not in self._names:
            self._names.append(name)
        write(self.root / path, pixels.astype(np.uint8), FAR_M * self._names.index(name))
        return self.root / path

    def picture(self, path: str, bands: int = 3, size: int | tuple[int, int] = 16) -> Path:
        shape = (size, size) if isinstance(size, int) else size
        return self._write(path, self._random.integers(0, 255, (bands, *shape)))

    def codes(self, path: str, codes: Sequence[int], size: int | tuple[int, int] = 16) -> Path:
        shape = (size, size) if isinstance(size, int) else size
        return self._write(path, self._random.choice(codes, (1, *shape)))

    def colors(self, path: str, colors: Sequence[tuple[int, int, int]], size: int = 16) -> Path:
        chosen = np.array(colors)[self._random.integers(0, len(colors), (size, size))]
        return self._write(path, np.moveaxis(chosen, -1, 0))

    def text(self, path: str, lines: Iterable[str]) -> Path:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return self.root / path

    def triple(
        self, folders: Sequence[str], name: str, codes: Sequence[int], *, bands: tuple[int, int], **size
    ) -> None:
        """Optical, SAR and labels as .tif files of one name."""
        self.picture(f"{folders[0]}/{name}.tif", bands[0], **size)
        self.picture(f"{folders[1]}/{name}.tif", bands[1], **size)
        self.codes(f"{folders[2]}/{name}.tif", codes, **size)

    def whu(self, names: Iterable[str], under: str = "", size: tuple[int, int] = (20, 30)) -> None:
        for name in names:
            folders = [f"{under}{folder}" for folder in ("optical", "sar", "lbl")]
            self.triple(folders, name, WHU_CODES, bands=(4, 1), size=size)

    def whu_pad(self, names: Iterable[str]) -> None:
        for name in names:
            self.triple([f"all_512x512/{folder}" for folder in ("opt", "sar", "lbl8")], name, range(8), bands=(3, 1))

    def whu_asanet(self, names: Iterable[str], split: str) -> None:
        for name in names:
            folders = [f"crop512/{split}/{folder}_dir" for folder in ("opt", "sar", "ann")]
            self.triple(folders, name, range(8), bands=(4, 1))

    def whu_solc(self, names: Iterable[str], split: str) -> None:
        for name in names:
            self.triple([f"{split}/{folder}" for folder in ("opt", "sar", "lbl")], name, range(8), bands=(4, 1), size=8)

    def ddhr(self, names: Iterable[str], subset: str = "korea/256_cloud", size: int = 32) -> None:
        for name in names:
            self.picture(f"{subset}/GF2/{name}.jpg", 3, size)
            self.picture(f"{subset}/GF3/{name}.jpg", 1, size)
            self.codes(f"{subset}/label/{name}.png", (0, 1, 2, 3, 4, 255), size)

    def ddhr_list(self, path: str, names: Iterable[str]) -> None:
        """As published: paths of all three on the machine of the authors."""
        there = "/workspace/someone/DATA/korea/256_cloud"
        self.text(path, (f"{there}/GF2/{n}.jpg {there}/GF3/{n}.jpg {there}/label/{n}.png" for n in names))

    def pie(self, names: Iterable[str]) -> None:
        for name in names:
            self.triple(("rgb", "sar", "label"), name, range(6), bands=(3, 1))

    def yyx(self, names: Iterable[str], folders: Sequence[str] = ("optical", "sar", "label")) -> None:
        for name in names:
            self.picture(f"{folders[0]}/{name}.png", 3)
            self.picture(f"{folders[1]}/{name}.png", 1)
            self.codes(f"{folders[2]}/{name}.png", range(7))

    def deepglobe(self, names: Iterable[str], under: str = "", *, masks: bool = True) -> None:
        for name in names:
            self.picture(f"{under}{name}_sat.jpg")
            if masks:
                self.colors(f"{under}{name}_mask.png", DEEPGLOBE_COLORS)

    def deepglobe_prepared(self, names: Iterable[str], split: str) -> None:
        for name in names:
            self.picture(f"img_dir/{split}/{name}_sat.jpg")
            self.codes(f"ann_dir/{split}/{name}_mask.png", range(7))

    def inria(self, names: Iterable[str], under: str = "AerialImageDataset/train/") -> None:
        for name in names:
            self.picture(f"{under}images/{name}.tif")
            self.codes(f"{under}gt/{name}.tif", (0, 255))

    def inria_fctl(self, names: Iterable[str]) -> None:
        for name in names:
            self.picture(f"{name}_sat.tif")
            self.codes(f"{name}_mask.tif", (0, 255))

    def inria_prepared(self, names: Iterable[str], split: str, suffix: str = ".tif") -> None:
        for name in names:
            self.picture(f"img_dir/{split}/{name}_sat{suffix}")
            self.codes(f"ann_dir/{split}/{name}_mask.png", (0, 1))

    def dubai(self, areas: Iterable[str], images: Iterable[str]) -> None:
        """Masks of every second area number their colours in a table of their own, another one each."""
        for place, area in enumerate(areas):
            for image in images:
                self.picture(f"{area}/images/{image}.jpg")
                mask = self.colors(f"{area}/masks/{image}.png", DUBAI_COLORS)
                if place % 2:
                    numbers = self._random.permutation(len(DUBAI_COLORS))
                    table = Image.new("P", (1, 1))
                    table.putpalette(np.array(DUBAI_COLORS, np.uint8)[numbers].tobytes())
                    Image.open(mask).quantize(palette=table, dither=Image.Dither.NONE).save(mask)
