"""The heads: sizes, and maps too small for batch statistics."""

import pytest
import torch
from torch import nn

from rsfuse_models.layers.heads import FCNHead, MapNorm, UPerHead, resize


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_uper_head_answers_at_the_size_of_its_finest_map(count):
    maps = [torch.randn(2, 4 + level, 24 >> level, 40 >> level) for level in range(count)]
    head = UPerHead([4 + level for level in range(count)], 5, channels=8)
    assert head(maps).shape == (2, 5, 24, 40)


def test_the_uper_head_hears_every_level():
    torch.manual_seed(0)
    maps = [torch.randn(2, 4, 16 >> level, 16 >> level, requires_grad=True) for level in range(4)]
    UPerHead([4] * 4, 3, channels=8, dropout=0.0)(maps).square().sum().backward()
    assert all(features.grad.abs().sum() > 0 for features in maps)


def test_heads_train_on_one_image_of_one_pixel():
    head = UPerHead([4, 6], 3, channels=8)
    head([torch.randn(1, 4, 2, 2), torch.randn(1, 6, 1, 1)]).sum().backward()
    FCNHead(6, 3, channels=8)(torch.randn(1, 6, 1, 1)).sum().backward()
    assert all(weight.grad.isfinite().all() for weight in head.parameters())


def test_map_norm_is_batch_norm_wherever_there_is_a_variance():
    torch.manual_seed(0)
    ours, stock = MapNorm(3), nn.BatchNorm2d(3)
    for features in (torch.randn(1, 3, 1, 2), torch.randn(2, 3, 1, 1), torch.randn(2, 3, 4, 4)):
        torch.testing.assert_close(ours(features), stock(features))
    torch.testing.assert_close(ours.state_dict(), stock.state_dict())


def test_map_norm_leaves_its_statistics_alone_where_a_single_value_has_none():
    norm = MapNorm(3)
    before = {key: value.clone() for key, value in norm.state_dict().items()}
    features = torch.randn(1, 3, 1, 1)
    in_training = norm(features)
    torch.testing.assert_close(norm.state_dict(), before)
    torch.testing.assert_close(in_training, norm.eval()(features))


def test_map_norm_becomes_synchronised_when_a_trainer_asks():
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(UPerHead([4, 6], 3, channels=8))
    assert not any(type(module) is MapNorm for module in converted.modules())
    assert any(isinstance(module, nn.SyncBatchNorm) for module in converted.modules())


def test_resize_keeps_a_plane_a_plane_away_from_the_edges():
    rows, columns = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    plane = (2 * rows + 3 * columns)[None, None]
    fine = resize(plane, (16, 16))[0, 0, 1:-1, 1:-1]
    torch.testing.assert_close(fine.diff(dim=0), torch.full((13, 14), 1.0))
    torch.testing.assert_close(fine.diff(dim=1), torch.full((14, 13), 1.5))
