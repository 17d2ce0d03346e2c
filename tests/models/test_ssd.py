"""The Mamba-2 scan against a loop over tokens, and its four paths over a map against a loop over places."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rsfuse_models.layers.ss2d import SS2D, SelectiveScan
from rsfuse_models.layers.ssd import recurrence, ssd


def make_sequence(length, *, dtype=torch.float32, batch=2, heads=3, channels=4, states=5):
    generator = torch.Generator().manual_seed(length)

    def draw(*shape):
        return torch.randn(batch, length, *shape, generator=generator, dtype=dtype)

    a = -0.1 - torch.rand(heads, generator=generator, dtype=dtype)
    return draw(heads, channels), torch.nn.functional.softplus(draw(heads)), a, draw(states), draw(states)


def scan_by_hand(x, dt, a, b, c):
    """Token by token and head by head in float64; y and the state (B, R, N, P) after the last token."""
    x, dt, a, b, c = (part.detach().double().numpy() for part in (x, dt, a, b, c))
    y = np.zeros_like(x)
    last = np.zeros((x.shape[0], x.shape[2], b.shape[-1], x.shape[3]))
    for sample, head in np.ndindex(x.shape[0], x.shape[2]):
        h = np.zeros((b.shape[-1], x.shape[3]))
        for t in range(x.shape[1]):
            step = dt[sample, t, head]
            h = np.exp(step * a[head]) * h + step * np.outer(b[sample, t], x[sample, t, head])
            y[sample, t, head] = c[sample, t] @ h
        last[sample, head] = h
    return y, last


@pytest.mark.parametrize("length", [1, 7, 16, 37, 101])
@pytest.mark.parametrize(("chunk", "block"), [(1, 5), (3, None), (8, 1), (8, 2), (16, None), (64, None), (256, 3)])
def test_the_scan_by_chunks_is_the_scan_by_tokens(length, chunk, block):
    sequence = make_sequence(length)
    expected, last = scan_by_hand(*sequence)
    y, state = ssd(*sequence, chunk=chunk, block=block)
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(state.numpy(), last, atol=1e-5, rtol=1e-5)


def test_the_reference_recurrence_is_the_scan_by_hand():
    sequence = make_sequence(37, dtype=torch.float64)
    np.testing.assert_allclose(recurrence(*sequence).numpy(), scan_by_hand(*sequence)[0], atol=1e-12)


@pytest.mark.parametrize(("chunk", "block"), [(4, None), (4, 2), (64, None)])
def test_the_gradients_are_those_of_the_recurrence(chunk, block):
    sequence = [part.requires_grad_() for part in make_sequence(23, dtype=torch.float64)]
    weights = torch.randn(sequence[0].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    by_tokens = torch.autograd.grad((recurrence(*sequence) * weights).sum(), sequence)
    by_chunks = torch.autograd.grad((ssd(*sequence, chunk=chunk, block=block)[0] * weights).sum(), sequence)
    for ours, theirs in zip(by_chunks, by_tokens, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)


def test_the_gradients_are_those_of_finite_differences():
    sequence = [part.requires_grad_() for part in make_sequence(5, dtype=torch.float64, batch=1, heads=2, channels=2)]
    assert torch.autograd.gradcheck(lambda *parts: ssd(*parts, chunk=2, block=2), sequence)


@pytest.mark.parametrize("cut", [1, 8, 13])
def test_a_scan_goes_on_from_a_state(cut):
    x, dt, a, b, c = make_sequence(30)
    y, state = ssd(x, dt, a, b, c, chunk=8)
    first, between = ssd(x[:, :cut], dt[:, :cut], a, b[:, :cut], c[:, :cut], chunk=8)
    second, after = ssd(x[:, cut:], dt[:, cut:], a, b[:, cut:], c[:, cut:], chunk=8, state=between)
    torch.testing.assert_close(torch.cat([first, second], dim=1), y, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after, state, atol=1e-5, rtol=1e-5)


def test_steps_so_large_that_all_is_forgotten_keep_finite_gradients():
    x, dt, a, b, c = make_sequence(40)
    dt = (1000 * dt).requires_grad_()
    y, _ = ssd(x, dt, a, b, c, chunk=16)
    np.testing.assert_allclose(y.detach().numpy(), scan_by_hand(x, dt, a, b, c)[0], rtol=1e-4, atol=1e-2)
    y.sum().backward()
    assert dt.grad.isfinite().all()


def test_a_fast_beginning_does_not_blur_a_slow_end():
    x, dt, a, b, c = make_sequence(640)
    dt[:, :320] *= 50
    dt[:, 320:] *= 1e-3
    y, _ = ssd(x, dt, a, b, c, chunk=16)
    expected = scan_by_hand(x, dt, a, b, c)[0]
    late = slice(336, None)  # chunks in which all steps are small
    np.testing.assert_allclose(y.numpy()[:, late], expected[:, late], rtol=1e-4, atol=1e-4)


class Largest(TorchDispatchMode):
    """Remembers the most numbers that one operation wrote, without those that only put parts together."""

    def __init__(self, *, without=("aten.cat",)):
        super().__init__()
        self.without, self.numel = without, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        fresh = isinstance(result, torch.Tensor) and not (func.is_view or str(func).startswith(self.without))
        self.numel = max(self.numel, result.numel() if fresh else 0)
        return result


def largest(run, **options):
    with torch.no_grad(), Largest(**options) as mode:
        run()
    return mode.numel


def test_what_a_scan_holds_depends_on_the_block_and_not_on_the_length():
    short, long = make_sequence(60), make_sequence(607)  # 607 is prime: no chunk divides it
    assert largest(lambda: ssd(*short, chunk=8, block=2)) == largest(lambda: ssd(*long, chunk=8, block=2))
    assert largest(lambda: ssd(*long, chunk=8)) > 5 * largest(lambda: ssd(*long, chunk=8, block=2))


def test_half_precision_is_scanned_in_float32():
    x, dt, a, b, c = make_sequence(20)
    half = [part.bfloat16() for part in (x, dt, a, b, c)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = ssd(*half, chunk=8)
    assert y.dtype == state.dtype == torch.float32
    torch.testing.assert_close(y, ssd(*(part.float() for part in half), chunk=8)[0])


@pytest.mark.parametrize(("chunk", "block"), [(0, None), (8, 0)])
def test_chunks_of_nothing_are_refused(chunk, block):
    with pytest.raises(ValueError, match=f"chunk is {chunk}, block {block}; both must be 1 or more"):
        ssd(*make_sequence(4), chunk=chunk, block=block)


def path(height, width, direction):
    """Places in the order in which a direction visits them."""
    places = [(row, column) for row in range(height) for column in range(width)]
    if direction % 2:
        places.sort(key=lambda place: (place[1], place[0]))
    return places[::-1] if direction >= 2 else places


def make_mixer(channels=32, *, chunk=4, block=2):
    torch.manual_seed(0)
    mixer = SS2D(channels, state=3, chunk=chunk, block=block)
    with torch.no_grad():  # away from the start, where every decay and every skip is alike
        for scan in mixer.scans:
            scan.log_rate.normal_(std=0.5)
            scan.skip.normal_()
    return mixer


def scan_map_by_hand(mixer, features):
    """The sum of the four scans, place by place, from the weights alone."""
    merged = np.zeros(features.shape)
    values = features.detach().double().numpy()
    for direction, scan in enumerate(mixer.scans):
        weights = {key: value.detach().double().numpy() for key, value in scan.state_dict().items()}
        heads = len(weights["log_rate"])
        rate, states = -np.exp(weights["log_rate"]), (len(weights["project.weight"]) - heads) // 2
        for sample in range(len(values)):
            h = np.zeros((heads, states, features.shape[-1] // heads))
            for row, column in path(*features.shape[1:3], direction):
                x = values[sample, row, column]
                step, b, c = np.split(weights["project.weight"] @ x, [heads, heads + states])
                dt = np.log1p(np.exp(step + weights["step_bias"]))
                for head, own in enumerate(x.reshape(heads, -1)):
                    h[head] = np.exp(dt[head] * rate[head]) * h[head] + dt[head] * np.outer(b, own)
                merged[sample, row, column] += np.concatenate([c @ state for state in h]) + weights["skip"] * x
    return merged


@pytest.mark.parametrize("size", [(5, 6), (1, 9), (9, 1), (3, 11)])
@pytest.mark.parametrize(("chunk", "block"), [(4, 1), (4, 3), (64, 16)])
def test_the_four_scans_add_up_place_by_place(size, chunk, block):
    mixer = make_mixer(chunk=chunk, block=block)
    features = torch.randn(2, *size, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        merged = mixer.scan(features)
    np.testing.assert_allclose(merged.numpy(), scan_map_by_hand(mixer, features), atol=1e-5, rtol=1e-5)


def test_under_autocast_the_steps_are_those_of_float32():
    mixer = make_mixer()
    generator = torch.Generator().manual_seed(1)
    features = torch.randint(-2, 3, (1, 5, 6, 32), generator=generator).float()
    with torch.no_grad():  # whole numbers for b and c, which bfloat16 holds exactly: what is rounded is the steps
        for scan in mixer.scans:
            of_maps = scan.project.weight[scan.heads :]
            of_maps.copy_(torch.randint(-1, 2, of_maps.shape, generator=generator))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            merged = mixer.scan(features)
    np.testing.assert_allclose(merged.numpy(), scan_map_by_hand(mixer, features), atol=1e-3, rtol=1e-5)


def test_the_gradients_do_not_depend_on_how_many_lines_go_at_a_time():
    generator = torch.Generator().manual_seed(1)
    features, weights = (torch.randn(1, 7, 5, 32, generator=generator, dtype=torch.float64) for _ in range(2))
    gradients = []
    for chunk, block in ((2, 1), (8, 100)):
        mixer = make_mixer(chunk=chunk, block=block).double()
        (mixer(features) * weights).sum().backward()
        gradients.append([weight.grad for weight in mixer.parameters()])
    for few, all_at_once in zip(*gradients, strict=True):
        torch.testing.assert_close(few, all_at_once, atol=1e-10, rtol=1e-10)


def test_a_map_is_mixed_without_a_copy_per_direction():
    mixer = make_mixer(chunk=8, block=4)
    features = torch.randn(1, 64, 64, 32)
    assert largest(lambda: mixer.scan(features)) == features.numel()


def test_around_the_scans_stand_a_convolution_a_norm_and_two_projections():
    mixer = make_mixer()
    features = torch.randn(2, 5, 6, 32, generator=torch.Generator().manual_seed(1))
    weights = mixer.state_dict()
    x = (features @ weights["project_in.weight"].T).double().numpy()
    around = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = weights["convolution.weight"][:, 0].double().numpy()
    filtered = sum(around[:, r : r + 5, c : c + 6] * kernel[:, r, c] for r in range(3) for c in range(3))
    scanned = scan_map_by_hand(mixer, torch.nn.functional.gelu(torch.from_numpy(filtered)))
    spread = (scanned.var(-1, keepdims=True) + 1e-5) ** 0.5
    expected = (scanned - scanned.mean(-1, keepdims=True)) / spread @ weights["project_out.weight"].T.double().numpy()
    with torch.no_grad():
        np.testing.assert_allclose(mixer(features).numpy(), expected, atol=1e-4)


def test_a_scan_begins_as_published():
    scan = SelectiveScan(48, state=4, chunk=8)
    assert scan.heads == 3
    assert not scan.log_rate.any()
    assert torch.equal(scan.skip, torch.ones(48))
    assert 0 <= scan.step_bias.min() <= scan.step_bias.max() < 0.1


def test_channels_that_do_not_make_whole_heads_are_refused():
    with pytest.raises(ValueError, match="40 channels do not divide into 3 heads of 16 at most"):
        SS2D(40)
