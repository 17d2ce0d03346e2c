"""The memory of a forward pass is told without running it, and is what the profiler counts when it runs."""

from typing import ClassVar

import psutil
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from rsfuse.learn.inference.room import _cgroup_room, free_memory, with_overhead
from rsfuse.learn.runtimes.memory import forward_bytes, largest_side
from rsfuse_models import create_network, network_names

CHANNELS = 4, 2
SMALL = {
    "early-fusion": {"encoder": "tu-test_resnet"},
    "f2net": {
        "width": 8,
        "groups": 2,
        "depths": (1, 1, 1, 1),
        "dims": (8, 16, 24, 32),
        "state": 8,
        "short_width": 8,
        "vit_layers": 1,
        "vit_dim": 24,
        "fused": 16,
    },
    "late-fusion": {"encoder": "test_resnet", "channels": 16, "aux_channels": 8},
    "mfafnet": {"widths": (8, 12, 16), "low_shares": (0.25, 0.5, 0.5), "heads": (1, 2, 4), "nodes": 2},
    "pad": {"encoder": "test_resnet", "channels": 16, "aux_channels": 8},
    "whfnet": {"optical_encoder": "test_resnet", "sar_encoder": "test_resnet", "channels": 16, "aux_channels": 8},
}


def build(name):
    torch.manual_seed(0)
    network = create_network(name, optical_channels=4, sar_channels=2, num_classes=5, **SMALL[name])
    return network.eval().to(memory_format=torch.channels_last)


def measured(forward, size, batch=1, dtype=torch.float32):
    """Peak of the bytes that torch allocates and frees while `Predictor.score` would run, as its profiler tells."""
    with (
        profile(activities=[ProfilerActivity.CPU], profile_memory=True) as run,
        torch.inference_mode(),
        torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32),
    ):
        images = [torch.empty(batch, *size, count).fill_(0.5).permute(0, 3, 1, 2) for count in CHANNELS]
        scores = forward(*images)
        scores.float().softmax(1)
    events = [event for event in run.profiler.kineto_results.events() if event.name() == "[memory]"]
    peak = now = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


class Pointwise(nn.Module):
    """Two linear maps of all bands, pixel by pixel; the bands between them are many."""

    def __init__(self, between=50):
        super().__init__()
        self.first, self.last = nn.Linear(sum(CHANNELS), between), nn.Linear(between, 3)

    def forward(self, optical, sar):
        pixels = torch.cat([optical, sar], 1).permute(0, 2, 3, 1)
        return self.last(self.first(pixels).relu_()).permute(0, 3, 1, 2)


class FirstBands(nn.Module):
    """Has no weights, and makes nothing."""

    def forward(self, optical, sar):
        return optical[:, :3]


class EveryPair(Pointwise):
    """Bytes grow with the square of the area."""

    def forward(self, optical, sar):
        scores = super().forward(optical, sar)
        pixels = scores.flatten(2)
        return scores + (pixels.transpose(1, 2) @ pixels).mean()


class RowByRow(Pointwise):
    """Steps grow with the size."""

    followed: ClassVar[list[int]] = []

    def forward(self, optical, sar):
        self.followed.append(optical.shape[2])
        rows = zip(optical.split(4, 2), sar.split(4, 2), strict=True)
        return torch.cat([super(RowByRow, self).forward(*row) for row in rows], 2)


class Picky(Pointwise):
    """Looks at numbers."""

    def __init__(self, look):
        super().__init__()
        self.look = look

    def forward(self, optical, sar):
        self.look(optical)
        return super().forward(optical, sar)


@pytest.mark.parametrize("name", network_names())
def test_the_estimate_is_what_the_profiler_counts(name):
    network, size = build(name), (64, 32) if name == "f2net" else (320, 256)
    # convolutions may take room for themselves, and how much depends on the machine; little, at this size
    assert forward_bytes(network, CHANNELS, size) == pytest.approx(measured(network, size), rel=0.1)


def test_the_peak_of_a_small_network_is_the_sum_of_what_is_alive_then():
    height, width, batch = 30, 20, 3
    alive = (
        6 + 6 + 50 + 3
    )  # images, both in one, between, and scores: relu_ and views add nothing, weights do not count
    assert forward_bytes(Pointwise(), CHANNELS, (height, width), batch) == 4 * alive * height * width * batch


def test_probabilities_count_too():
    # images, of which the scores are a part, a copy of the scores with classes first, and the probabilities
    assert forward_bytes(FirstBands(), CHANNELS, (10, 10)) == 4 * (6 + 3 + 3) * 100


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("between", [1, 50, 5000])
def test_autocast_changes_the_bytes_as_it_does_in_truth(dtype, between):
    network = Pointwise(between)
    expected = measured(network, (40, 40), 2, dtype)
    # some processors take room of their own to convolve bfloat16: 8 % was seen
    near = 0.01 if dtype == torch.float32 else 0.1
    assert forward_bytes(network, CHANNELS, (40, 40), 2, dtype=dtype) == pytest.approx(expected, rel=near)


def test_the_same_network_at_another_entrance():
    network = build("f2net")
    less = forward_bytes(network, CHANNELS, (96, 96), method="score_whole")
    assert less < 0.9 * forward_bytes(network, CHANNELS, (96, 96))
    assert less == pytest.approx(measured(network.score_whole, (96, 96)), rel=0.2)


def test_the_network_is_left_as_it_is():
    network = build("late-fusion")
    before = {name: (value.data_ptr(), value.clone()) for name, value in network.state_dict().items()}
    forward_bytes(network, CHANNELS, (64, 64))
    after = network.state_dict()
    assert {name: value.data_ptr() for name, value in after.items()} == {n: place for n, (place, _) in before.items()}
    assert all(torch.equal(value, before[name][1]) for name, value in after.items())
    assert network(torch.zeros(1, 4, 32, 32), torch.zeros(1, 2, 32, 32)).shape == (1, 5, 32, 32)


@pytest.mark.parametrize("look", [torch.nonzero, lambda image: image.max().item()])
def test_a_network_that_looks_at_numbers_cannot_be_told(look):
    assert forward_bytes(Picky(look), CHANNELS, (32, 32)) is None
    assert largest_side(Picky(look), CHANNELS, 32, 10**9) is None


def test_a_mistake_is_not_taken_for_that():
    with pytest.raises(ValueError, match="3 and 2 channels; this network takes 4 and 2"):
        forward_bytes(build("pad"), (3, 2), (32, 32))


def test_strips_of_a_large_image_are_not_followed_one_by_one():
    network = RowByRow()
    RowByRow.followed.clear()
    estimate = forward_bytes(network, CHANNELS, (1000, 500))
    assert max(RowByRow.followed) < 500
    assert estimate == pytest.approx(measured(network, (1000, 500)), rel=0.02)


@pytest.mark.parametrize(("network", "multiple"), [(Pointwise(), 8), (Pointwise(), 32), (EveryPair(), 2)])
@pytest.mark.parametrize("budget", [10**8, 3 * 10**9])
def test_the_largest_side_fits_and_the_next_does_not(network, multiple, budget):
    side = largest_side(network, CHANNELS, multiple, budget)
    assert side > 0
    assert side % multiple == 0
    here, next_ = (forward_bytes(network, CHANNELS, (each, each)) for each in (side, side + multiple))
    assert with_overhead(here) <= budget < with_overhead(next_)


@pytest.mark.parametrize("budget", [-1, 0, 10**6])
def test_nothing_fits_into_nothing(budget):
    assert largest_side(Pointwise(), CHANNELS, 32, budget) == 0


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_the_tightest_limit_of_a_cgroup_and_of_what_it_is_part_of_counts(tmp_path):
    own, mount = tmp_path / "own", tmp_path / "mount"
    own.write_text("0::/job/part\n")
    write(mount / "job/part", memory__max="max\n", memory__current="70\n")
    write(mount / "job", memory__max="1000\n", memory__current="400\n", memory__stat="anon 250\ninactive_file 100\n")
    write(mount, memory__max="5000\n", memory__current="450\n")
    assert min(_cgroup_room(own, mount)) == 1000 - 400 + 100


def test_a_cgroup_of_the_first_version_counts_alike(tmp_path):
    own, mount = tmp_path / "own", tmp_path / "mount"
    own.write_text("7:cpu:/elsewhere\n4:memory:/job\n0::/\n")
    names = {"memory__limit_in_bytes": "900", "memory__usage_in_bytes": "800", "memory__stat": "total_inactive_file 50"}
    write(mount / "memory", **names)  # as in a container, whose own folder is the root
    assert _cgroup_room(own, mount) == [150]


def test_a_cgroup_that_is_over_its_limit_has_no_room(tmp_path):
    own = tmp_path / "own"
    own.write_text("0::/\n")
    write(tmp_path, memory__max="100", memory__current="130")
    assert _cgroup_room(own, tmp_path) == [0]


def test_without_a_cgroup_there_is_no_limit(tmp_path):
    assert _cgroup_room(tmp_path / "none", tmp_path) == []


def test_free_memory_is_some_of_the_machine():
    assert 0 < free_memory() < psutil.virtual_memory().total
