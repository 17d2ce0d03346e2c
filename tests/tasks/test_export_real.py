"""A trained network as a graph, on the ground."""

import pytest

from rsfuse.tasks.export import ExportSettings, Images, export

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_bundle_that_ships_maps_a_city_as_torch_does(shared_data, tmp_path, precision):
    city = shared_data("san_antonio")
    images = Images(scene=city / "optical.tif", sar=city / "sar.tif")
    report = export("sentinel-10m", tmp_path / "onnx", ExportSettings(precision=precision, images=images))
    assert report.exported.agreement.patches == 8
    assert report.measured.differing <= 0.001
    assert report.measured.largest_error <= (1e-3 if precision == "float32" else 0.05)
