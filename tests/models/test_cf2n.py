"""CF2N and the contract of sharpeners, and real scenes that it has to learn by heart."""

import inspect

import numpy as np
import pytest
import rasterio
import torch
from torch.nn import functional as F

from rsfuse_models import create_sharpener
from rsfuse_models.cf2n import CF2N
from rsfuse_models.layers.interpolation import interpolate_continued
from rsfuse_models.sharpening import SharpeningNetwork


def build(*, bands=4, ratio=4, **options):
    torch.manual_seed(0)
    return CF2N(bands=bands, ratio=ratio, **{"channels": 6} | options)


def build_awake(**options):
    """A network whose last layer is no longer 0."""
    network = build(**options)
    torch.nn.init.normal_(network.project.weight, std=0.2)
    return network


def inputs(network, height=8, width=6, *, batch=2):
    """Pairs on a multispectral grid of height x width."""
    generator = torch.Generator().manual_seed(1)
    pan = torch.rand(batch, 1, height * network.ratio, width * network.ratio, generator=generator)
    return pan, torch.rand(batch, network.bands, height, width, generator=generator)


# the contract


@pytest.mark.parametrize("bands", [1, 4, 8])
@pytest.mark.parametrize(("ratio", "size"), [(2, (7, 5)), (4, (4, 3)), (4, (1, 1)), (1, (9, 7)), (1, (8, 6))])
@pytest.mark.parametrize("training", [True, False])
def test_the_result_has_the_size_of_the_panchromatic_image(bands, ratio, size, training):
    network = build_awake(bands=bands, ratio=ratio).train(training)
    pan, ms = inputs(network, *size)
    sharp = network(pan, ms)
    assert sharp.shape == (2, bands, *pan.shape[-2:])
    assert sharp.isfinite().all()


@pytest.mark.parametrize("ratio", [1, 2, 4])
def test_an_untrained_network_interpolates(ratio):
    network = build(ratio=ratio)
    pan, ms = inputs(network, 6, 8)
    assert torch.equal(network(pan, ms), interpolate_continued(ms, ratio))


def test_padding_is_the_edge_pixel_again():
    network = build_awake(ratio=1)
    pan, ms = inputs(network, 7, 9)
    padded = [F.pad(image, (0, 1, 0, 1), mode="replicate") for image in (pan, ms)]
    torch.testing.assert_close(network(pan, ms), network(*padded)[..., :7, :9])


@pytest.mark.parametrize("dim", [-2, -1])
def test_an_edge_does_not_see_the_opposite_one(dim):
    network = build()
    pan, ms = inputs(network, 24, 24)
    other = ms.clone()
    other.select(dim, -1).fill_(9.0)
    sharp, changed = (network(pan, image).narrow(dim, 0, 4 * 15) for image in (ms, other))  # 23 - 8 samples
    assert torch.equal(sharp, changed)


def test_the_edges_of_a_ramp_keep_to_its_ends():
    ramp = torch.linspace(0.1, 0.8, 8).expand(1, 4, 8, 8)
    with torch.no_grad():
        sharp = build()(torch.zeros(1, 1, 32, 32), ramp)
    assert (sharp[..., :2] - 0.1).abs().max() < 0.02
    assert (sharp[..., -2:] - 0.8).abs().max() < 0.02


class Repeat(SharpeningNetwork):
    """Repeats pixels, and remembers the sizes that it was given."""

    def sharpen(self, pan, ms):
        self.seen = pan.shape[-2:], ms.shape[-2:]
        return ms.repeat_interleave(self.ratio, -2).repeat_interleave(self.ratio, -1) + pan


@pytest.mark.parametrize(
    ("ratio", "multiple", "size", "seen"),
    [(4, 8, (3, 4), (4, 4)), (4, 6, (4, 5), (6, 6)), (3, 2, (3, 4), (4, 4)), (2, 16, (9, 1), (16, 8))],
)
def test_both_images_are_padded_by_the_same_multispectral_pixels(ratio, multiple, size, seen):
    network = Repeat(bands=2, ratio=ratio, multiple=multiple)
    pan, ms = inputs(network, *size)
    sharp = network(pan, ms)
    assert network.seen == (tuple(side * ratio for side in seen), seen)
    assert all(side * ratio % multiple == 0 for side in seen)
    torch.testing.assert_close(sharp, network.sharpen(pan, ms))


def test_gradients_reach_every_parameter():
    network = build()
    with torch.no_grad():
        for weight in network.parameters():  # what starts at 0 hides what lies before it
            weight.add_(0.01 if not weight.any() else 0)
    network(*inputs(network)).square().mean().backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle, f"no gradient reaches {idle}"
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@pytest.mark.parametrize("training", [True, False])
def test_an_image_does_not_depend_on_its_batch(training):
    network = build_awake().double().train(training)  # so that the order of sums does not matter
    pan, ms = (image.double() for image in inputs(network, batch=3))
    torch.testing.assert_close(network(pan, ms)[1:2], network(pan[1:2], ms[1:2]), atol=1e-10, rtol=0)


def test_both_images_have_a_say():
    network = build_awake()
    pan, ms = inputs(network)
    added = network(pan, ms) - interpolate_continued(ms, 4)
    assert not torch.allclose(network(pan.flip(0), ms) - interpolate_continued(ms, 4), added)
    assert not torch.allclose(network(pan, ms.flip(0)) - interpolate_continued(ms.flip(0), 4), added)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_autocast_agrees_with_float32(dtype):
    network = build_awake()
    pan, ms = inputs(network)
    with torch.no_grad():
        exact = network(pan, ms)
        with torch.autocast("cpu", dtype=dtype):
            rough = network(pan, ms)
    assert rough.isfinite().all()
    added = exact - interpolate_continued(ms, 4)
    assert added.std() > 0.01
    assert (rough - exact).abs().mean() < 0.05 * added.std()


def test_a_state_dict_carries_the_whole_network():
    network = build_awake()
    torch.manual_seed(9)
    twin = CF2N(bands=4, channels=6)
    twin.load_state_dict(network.state_dict())
    sample = inputs(network)
    assert torch.equal(twin(*sample), network(*sample))


def weights_after_a_step(seed):
    """All weights before and after."""
    torch.manual_seed(seed)
    network = CF2N(bands=4, channels=6)
    pan, ms = inputs(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    before = torch.nn.utils.parameters_to_vector(network.parameters()).detach()
    F.l1_loss(network(pan, ms), pan.expand(-1, 4, -1, -1)).backward()
    optimiser.step()
    return before, torch.nn.utils.parameters_to_vector(network.parameters()).detach()


def test_a_training_step_can_be_repeated_to_the_bit():
    (before, after), (_, again), (_, other) = (weights_after_a_step(seed) for seed in (3, 3, 4))
    assert torch.equal(after, again)
    assert not torch.equal(after, before)
    assert not torch.equal(after, other)


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "sizes"), [(4, [(5, 3), (3, 7)]), (1, [(17, 11), (9, 7)])])
def test_the_compiler_takes_it_in_one_piece_at_one_size_and_the_next(ratio, sizes):
    network = build_awake(ratio=ratio, channels=4, stages=1).eval()
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    for size in sizes:  # from the second one on they are variables of the compiled network
        pan, ms = inputs(network, *size)
        with torch.no_grad():
            torch.testing.assert_close(compiled(pan, ms), network(pan, ms), atol=1e-4, rtol=1e-4)


def test_nothing_of_a_batch_stays_on_the_network():
    network = build()
    held = [set(vars(module)) for module in network.modules()]
    network(*inputs(network))
    assert [set(vars(module)) for module in network.modules()] == held


def test_what_does_not_fit_is_refused_with_the_numbers():
    network = build()
    pan, ms = inputs(network, 8, 6)
    with pytest.raises(ValueError, match="1 and 3 channels; this network takes 1 and 4"):
        network(pan, ms[:, :3])
    with pytest.raises(ValueError, match="4 and 4 channels; this network takes 1 and 4"):
        network(pan.expand(-1, 4, -1, -1), ms)
    with pytest.raises(ValueError, match="2 panchromatic and 1 multispectral"):
        network(pan, ms[:1])
    with pytest.raises(ValueError, match="is 31 x 24, the multispectral one 8 x 6; at ratio 4 it must be 32 x 24"):
        network(pan[..., :31, :], ms)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ratio": 3}, "ratio is 3; .* powers of two"),
        ({"ratio": 0}, "ratio 0 and multiple 2 must be at least 1"),
        ({"bands": 0}, "bands 0, ratio 4"),
        ({"kernel": 4}, "kernel is 4"),
        ({"kernel": 1}, "kernel is 1"),
        ({"stages": 0}, "channels 6 and stages 0"),
        ({"channels": 0}, "channels 0 and stages 3"),
    ],
)
def test_an_option_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        build(**wrong)


def test_the_constructor_is_a_recipe_schema():
    parameters = inspect.signature(CF2N, eval_str=True).parameters
    assert list(parameters) == ["bands", "ratio", "channels", "kernel", "stages"]
    for position, parameter in enumerate(parameters.values()):
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is int
        assert (parameter.default is parameter.empty) == (position == 0)


@pytest.mark.parametrize(("bands", "count"), [(4, 625_363), (8, 632_411)])
def test_the_network_has_the_size_that_is_written_down(bands, count):
    assert sum(weight.numel() for weight in CF2N(bands=bands).parameters()) == count


# real scenes


def decimation(size, ratio, gain=0.3):
    """(size / ratio, size): Gaussian of this gain at the coarse Nyquist frequency, about the centre of each cell."""
    centres = ratio * np.arange(size // ratio) + (ratio - 1) / 2
    sigma = ratio * np.sqrt(-2 * np.log(gain)) / np.pi
    weights = np.exp(-((np.arange(size) - centres[:, None]) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdims=True)


def degrade(image, ratio):
    """(H, W, bands) to (bands, H / ratio, W / ratio)."""
    rows, columns = (decimation(size, ratio) for size in image.shape[:2])
    return rows @ image.transpose(2, 0, 1) @ columns.T


def read_matlab(path):
    """Panchromatic and multispectral image (H, W, bands), over the sensor's largest number."""
    from scipy.io import loadmat

    scene = loadmat(path)
    top = 2.0 ** scene["L"].item() - 1
    return scene["I_PAN"][..., None] / top, scene["I_MS"] / top


def read_spacenet(folder):
    """The same of WorldView-2 over Rotterdam, 11 bits."""
    images = []
    for name in ("pan1.tif", "ms1.tif"):
        with rasterio.open(folder / name) as source:
            images.append(source.read().transpose(1, 2, 0) / 2047)
    return images


def make_tiles(pan, truth, ratio, side=64):
    """Eight tiles by Wald's protocol: panchromatic, multispectral, and the original multispectral as the truth."""
    pan, ms, truth = degrade(pan, ratio), degrade(truth, ratio), truth.transpose(2, 0, 1)
    corners = [(y, x) for y in (32, 192) for x in (16, 80, 144, 208)]
    tiles = []
    for image, step in ((pan, 1), (ms, ratio), (truth, 1)):
        cuts = [image[:, y // step : (y + side) // step, x // step : (x + side) // step] for y, x in corners]
        tiles.append(torch.tensor(np.stack(cuts), dtype=torch.float32))
    return tiles


def geoeye(shared_data):
    return make_tiles(*read_matlab(shared_data("pansharpening") / "imgGE1.mat"), ratio=4)


def worldview(shared_data):
    return make_tiles(*read_matlab(shared_data("pansharpening") / "imgWV2.mat"), ratio=4)


def worldview_half(shared_data):
    return make_tiles(*read_spacenet(shared_data("spacenet6")), ratio=2)


def ergas(truth, made, ratio):
    """100 / r sqrt(mean over bands of MSE / mean of the truth squared), averaged over the tiles."""
    errors = (made - truth).square().mean((-2, -1)) / truth.mean((-2, -1)).square()
    return (100 / ratio * errors.mean(1).sqrt()).mean().item()


def train(network, pan, ms, truth, epochs):
    """L1 on two tiles a step; Adam with a short warm-up and a cosine."""
    optimiser = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, 4 * epochs, pct_start=0.05)
    for _ in range(epochs):
        for pair in torch.randperm(8).split(2):
            optimiser.zero_grad()
            F.l1_loss(network(pan[pair], ms[pair]), truth[pair]).backward()
            optimiser.step()
            schedule.step()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scene", "bands", "ratio", "epochs"), [(geoeye, 4, 4, 250), (worldview, 8, 4, 75), (worldview_half, 4, 2, 75)]
)
def test_real_tiles_are_learnt_to_half_the_error_of_bicubic_interpolation(scene, bands, ratio, epochs, shared_data):
    pan, ms, truth = scene(shared_data)
    bicubic = ergas(truth, F.interpolate(ms, scale_factor=ratio, mode="bicubic"), ratio)
    torch.manual_seed(0)
    network = CF2N(bands=bands, ratio=ratio, channels=16)
    train(network, pan, ms, truth, epochs)
    with torch.no_grad():
        assert ergas(truth, network.eval()(pan, ms), ratio) < bicubic / 2


def test_it_is_built_by_name_and_another_name_is_answered_with_it():
    assert isinstance(create_sharpener("cf2n", bands=4, ratio=2, channels=4), CF2N)
    with pytest.raises(ValueError, match="'cf2'; choose one of cf2n"):
        create_sharpener("cf2", bands=4)
