"""Opening: GDAL's memory stays bounded, whatever the size of the scene."""

import os
import subprocess
import sys

import pytest
import rasterio

_READ = """
import sys
from pathlib import Path
from rasterio.windows import Window
from rsfuse.raster.scene import Scene

def resident_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))

with Scene(Path(sys.argv[1])) as scene:
    scene.read(Window(0, 0, 16, 16))
    before = resident_mb()
    for top in range(0, scene.grid.height, 512):
        for left in range(0, scene.grid.width, 2048):
            scene.read(Window(left, top, 2048, 512))
    print(resident_mb() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("chosen", [None, "32"])
def test_a_scene_larger_than_the_cache_is_read_in_little_memory(tmp_path, chosen):
    path = tmp_path / "large.tif"
    # sparse: nothing on the disk, 603 MB once it is decoded
    profile = {"count": 3, "dtype": "uint8", "height": 14336, "width": 14336, "crs": "EPSG:32722", "tiled": True}
    where = rasterio.transform.from_origin(480_000, 6_680_000, 10, 10)
    with rasterio.open(path, "w", driver="GTiff", sparse_ok=True, transform=where, **profile):
        pass
    environment = {key: value for key, value in os.environ.items() if key != "GDAL_CACHEMAX"}
    if chosen is not None:
        environment["GDAL_CACHEMAX"] = chosen  # the user's word counts
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < int(chosen or 256) + 80
