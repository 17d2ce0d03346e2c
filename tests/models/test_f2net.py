"""F2Net as a whole: its options, the balance of its gradients, and whole images against the plain way."""

from itertools import combinations

import pytest
import torch
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from rsfuse_models.f2net import F2Net
from rsfuse_models.f2net.branches import BranchEnd
from rsfuse_models.f2net.vit import PATCH, Attention
from rsfuse_models.losses import gradient_balance

SMALL = {
    "optical_channels": 3,
    "sar_channels": 1,
    "num_classes": 5,
    "width": 8,
    "groups": 2,
    "depths": (1, 1, 1, 1),
    "dims": (8, 16, 24, 32),
    "state": 8,
    "chunk": 16,
    "short_width": 8,
    "vit_layers": 1,
    "vit_dim": 24,
    "fused": 16,
    "drop_path": 0.0,
    "dropout": 0.0,
}
BRANCHES = ("high", "short", "long")
SUBSETS = [subset for count in (1, 2, 3) for subset in combinations(BRANCHES, count)]


def make(**options):
    torch.manual_seed(0)
    return F2Net(**(SMALL | options))


def inputs(height, width, *, batch=1, bands=(3, 1), dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, count, height, width, generator=generator, dtype=dtype) for count in bands]


def parameters(module):
    return sum(weight.numel() for weight in module.parameters())


def test_the_branches_have_the_published_sizes():
    network = F2Net(optical_channels=3, sar_channels=0, num_classes=7)
    millions = {name: parameters(trunk) / 1e6 for name, trunk in network.trunks.items()}
    assert millions == pytest.approx({"high": 11.36, "short": 13.8, "long": 3.85}, rel=0.01)
    assert parameters(network) / 1e6 == pytest.approx(29.98, rel=0.01)
    assert network.multiple == 32


# --- the network


@pytest.mark.parametrize("branches", SUBSETS, ids="+".join)
def test_any_branches_make_a_network(branches):
    network = make(branches=branches)
    output = network.forward_training(*inputs(40, 33, batch=2))
    assert output.scores.shape == (2, 5, 40, 33)
    assert set(network.trunks) == set(branches)
    assert set(output.branches) == (set(branches) if len(branches) > 1 else set())
    assert set(output.penalties) == ({"alignment"} if len(branches) > 1 and "high" in branches else set())


@pytest.mark.parametrize(
    "options",
    [
        {"fusion": "concat"},
        {"fusion": "add"},
        {"decomposition": "laplacian"},
        {"low_scale": 1},
        {"low_scale": 4},
        {"vit_keys": 3},
        {"vit_keys": None},
        {"alignment": False},
        {"balance": False},
        {"kernel": 5},
        {"optical_channels": 0},
        {"sar_channels": 0},
    ],
    ids=str,
)
def test_the_ablations_learn_with_every_weight(options):
    network = make(**options)
    with torch.no_grad():
        for weight in network.parameters():  # a norm that starts at 0 would hide what lies before it
            weight.add_(0.01 if not weight.any() else 0)
    output = network.forward_training(*inputs(64, 64, bands=(network.optical_channels, network.sar_channels)))
    assert ("alignment" in output.penalties) == options.get("alignment", True)
    assert bool(output.branches) == options.get("balance", True)
    (output.scores.logsumexp(1).mean() + sum(output.penalties.values())).backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle, f"no gradient reaches {idle}"


def test_the_coarse_map_is_fused_at_the_size_of_the_low_ones():
    network = make()
    sizes = {}
    for name, fusion in network.fusions.items():
        fusion.register_forward_hook(
            lambda _, maps, fused, name=name: sizes.update({name: [tuple(m.shape[-2:]) for m in (*maps, fused)]})
        )
    network(*inputs(96, 160))
    assert sizes == {"low": [(6, 10)] * 3, "high": [(6, 10), (3, 5), (6, 10)]}


def test_the_attention_is_exact_up_to_1024_pixels_and_needs_no_weights_of_its_own():
    attentions = [part for part in F2Net(**SMALL).modules() if isinstance(part, Attention)]
    assert [attention.keys for attention in attentions] == [1024 // (2 * PATCH)]
    exact, limited = make(vit_keys=None).eval(), make(vit_keys=4).eval()
    exact.load_state_dict(limited.state_dict())
    with torch.no_grad():
        small, large = inputs(64, 64), inputs(64, 80)  # 4 x 4 and 4 x 6 tokens
        assert torch.equal(limited(*small), exact(*small))
        assert not torch.allclose(limited(*large), exact(*large), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"branches": ()}, r"branches \[\] must be some of high, short, long"),
        ({"branches": ("high", "high")}, "each once"),
        ({"branches": ("middle",)}, "must be some of"),
        ({"decomposition": "fourier"}, "no decomposition is called 'fourier'"),
        ({"fusion": "max"}, "no fusion is called 'max'"),
        ({"low_scale": 0}, "low_scale is 0"),
        ({"depths": (1, 1)}, "2 depths and 4 dims"),
        ({"vit_heads": 5}, "24 channels do not divide into 5 heads"),
        ({"vit_keys": 0}, "0 keys a side"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


# --- the balance of the branches


def balance_of(network, optical, sar, labels):
    output = network.forward_training(optical, sar)
    return gradient_balance(F.cross_entropy(output.scores, labels), output.branches)


def make_balanced():
    network = make(branches=BRANCHES).double().eval()
    labels = torch.randint(5, (1, 32, 32), generator=torch.Generator().manual_seed(2))
    return network, (*inputs(32, 32, dtype=torch.float64), labels)


def test_a_branch_ends_with_a_norm_and_a_projection_and_these_are_balanced():
    network, (optical, sar, labels) = make_balanced()
    output = network.forward_training(optical, sar)
    F.cross_entropy(output.scores, labels).backward()
    norms = []
    for name, end in network.ends.items():
        assert isinstance(end, BranchEnd)
        assert all(ours is theirs for ours, theirs in zip(output.branches[name], end.parameters(), strict=True))
        norms.append(sum(weight.grad.square().sum() for weight in end.parameters()).sqrt())
    expected = sum(abs(norm - sum(norms) / 3) for norm in norms)
    torch.testing.assert_close(balance_of(network, optical, sar, labels), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "weight", ["head.2.weight", "fusions.high.mix_b.weight", "trunks.high.stages.3.0.mix.project_out.weight"]
)
def test_the_balance_is_learnt_from_by_second_derivatives(weight):
    network, sample = make_balanced()
    balance_of(network, *sample).backward()
    learnt = network.get_parameter(weight)
    direction = torch.randn(learnt.shape, dtype=learnt.dtype, generator=torch.Generator().manual_seed(3))
    slope, start, width = (learnt.grad * direction).sum().item(), learnt.detach().clone(), 1e-5
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            learnt.copy_(start + sign * width * direction)
        ends.append(balance_of(network, *sample).item())
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * width), rel=1e-3)
    assert slope != 0


def test_all_losses_together_train_on_one_image():
    network = make()
    optical, sar, labels = *inputs(32, 32), torch.zeros(1, 32, 32, dtype=torch.long)
    output = network.forward_training(optical, sar)
    loss = F.cross_entropy(output.scores, labels)
    (loss + 0.1 * output.penalties["alignment"] + 0.1 * gradient_balance(loss, output.branches)).backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in network.parameters())


# --- whole images


@pytest.mark.parametrize("rows", [1, 4, 12, 64, 1000])
@pytest.mark.parametrize("size", [(64, 96), (71, 45), (1, 130)])
def test_a_whole_image_in_strips_gives_the_same_scores(rows, size):
    network = make().eval()
    sample = inputs(*size, batch=2)
    with torch.no_grad():
        plain = network(*sample)
    whole = network.score_whole(*sample, rows=rows)
    assert plain.std() > 0.01
    torch.testing.assert_close(whole, plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        *({"branches": subset} for subset in SUBSETS[:-1]),
        {"low_scale": 1},
        {"low_scale": 3},
        {"low_scale": 4},
        {"vit_keys": 3},
        {"vit_keys": 5},
        {"vit_keys": None},
        {"kernel": 5},
        {"kernel": 1},
        {"decomposition": "laplacian"},
        {"decomposition": "laplacian", "low_scale": 3},
        {"sar_channels": 0},
        {"optical_channels": 0},
    ],
    ids=str,
)
def test_whole_images_know_every_option(options):
    network = make(**options).eval()
    sample = inputs(70, 50, bands=(network.optical_channels, network.sar_channels))
    with torch.no_grad():
        plain = network(*sample)
    torch.testing.assert_close(network.score_whole(*sample, rows=16), plain, atol=1e-5, rtol=1e-5)


class Largest(TorchDispatchMode):
    """Remembers the most numbers that one operation wrote."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor) and not func.is_view:
            self.numel = max(self.numel, result.numel())
        return result


def test_no_decomposed_map_of_a_whole_image_has_full_size():
    network = make(width=32).eval()
    sample = inputs(128, 96)
    full = 32 * 128 * 96
    with torch.no_grad(), Largest() as plain:
        network(*sample)
    with torch.no_grad(), Largest() as whole:
        network.score_whole(*sample, rows=8)
    assert whole.numel < full / 3 < full <= plain.numel


def test_whole_images_are_for_inference():
    network = make()
    with pytest.raises(ValueError, match="in training mode"):
        network.score_whole(*inputs(32, 32))
    with pytest.raises(ValueError, match="0 rows at a time are none"):
        network.eval().score_whole(*inputs(32, 32), rows=0)
    with pytest.raises(ValueError, match="must agree"):
        network.score_whole(inputs(32, 32)[0], inputs(32, 64)[1])
