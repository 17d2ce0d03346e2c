"""The invertible network against its equations in numpy, its own inverse, and weights gone wild."""

import numpy as np
import pytest
import torch

from rsfuse_models.layers.invertible import EXPONENT_BOUND, AffineCoupling, InvertedResidual, InvertibleNetwork


def make_map(channels, height, width, *, seed=1):
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(seed))


def make_network(channels, *, nodes=3, disturbance=0.0):
    torch.manual_seed(0)
    network = InvertibleNetwork(channels, nodes=nodes)
    with torch.no_grad():
        for node in network.nodes:
            node.shuffle.weight.add_(disturbance * torch.randn_like(node.shuffle.weight))
    return network


class Oracle:
    """One coupling in float64 by loops over places; weights out of the module's state."""

    def __init__(self, node):
        self.state = {key: value.double().numpy() for key, value in node.state_dict().items()}

    def dense(self, name, x):
        return np.einsum("oc,bchw->bohw", self.state[f"{name}.weight"][:, :, 0, 0], x)

    def depthwise(self, name, x):
        kernel, (height, width), out = self.state[f"{name}.weight"][:, 0], x.shape[-2:], np.zeros_like(x)
        for v, u in np.ndindex(height, width):
            for dv, du in np.ndindex(3, 3):
                row, column = np.clip(v + dv - 1, 0, height - 1), np.clip(u + du - 1, 0, width - 1)
                out[..., v, u] += kernel[:, dv, du] * x[..., row, column]
        return out

    def residual(self, name, x):
        x = np.clip(self.dense(f"{name}.0", x), 0, 6)
        x = np.clip(self.depthwise(f"{name}.2", x), 0, 6)
        return self.dense(f"{name}.4", x)

    def __call__(self, x):
        x = self.dense("shuffle", x)
        half = x.shape[1] // 2
        first, second = x[:, :half], x[:, half:]
        second = second + self.residual("phi", first)
        exponent = 2 * np.tanh(self.residual("rho", second) / 2)
        first = first * np.exp(exponent) + self.residual("eta", second)
        return np.concatenate([first, second], axis=1)


@pytest.mark.parametrize("channels", [2, 5, 8])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (5, 3)])
def test_a_coupling_is_its_equations(channels, size):
    torch.manual_seed(0)
    node, features = AffineCoupling(channels).double(), make_map(channels, *size).double() * 3
    with torch.no_grad():
        np.testing.assert_allclose(node(features).numpy(), Oracle(node)(features.numpy()), atol=1e-10)


@pytest.mark.parametrize("disturbance", [0.0, 0.1])
@pytest.mark.parametrize("channels", [2, 3, 5, 16])
@pytest.mark.parametrize("size", [(1, 1), (6, 5)])
def test_the_inverse_recovers_the_input(channels, size, disturbance):
    network, features = make_network(channels, disturbance=disturbance), make_map(channels, *size)
    with torch.no_grad():
        made = network(features)
        assert made.shape == features.shape
        assert (made - features).abs().mean() > 0.1
        torch.testing.assert_close(network.inverse(made), features, atol=1e-4, rtol=1e-4)


def test_the_inverse_undoes_the_nodes_last_one_first():
    network, features = make_network(6, nodes=2), make_map(6, 3, 4)
    first, second = network.nodes
    with torch.no_grad():
        torch.testing.assert_close(network(features), second(first(features)))
        torch.testing.assert_close(first(network.inverse(second(features))), features, atol=1e-4, rtol=1e-4)


def test_what_training_makes_of_the_shuffle_can_be_inverted_and_a_singular_one_says_so():
    network = make_network(8)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    for step in range(5):
        loss = (network(make_map(8, 4, 4, seed=step)) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    matrix = network.nodes[0].shuffle.weight.detach().flatten(1)
    assert (matrix @ matrix.T - torch.eye(8)).abs().max() > 1e-3
    features = make_map(8, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(network.inverse(network(features)), features, atol=1e-4, rtol=1e-4)
        network.nodes[0].shuffle.weight.zero_()
        with pytest.raises(torch.linalg.LinAlgError, match="singular"):
            network.inverse(features)


def test_the_shuffle_begins_as_a_rotation():
    matrix = make_network(7).nodes[0].shuffle.weight.detach().flatten(1)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(7), atol=1e-5, rtol=0)
    assert (matrix - torch.eye(7)).abs().max() > 0.1


def overgrown_node(sign):
    """Its exponent would be far beyond all bounds."""
    torch.manual_seed(0)
    node = AffineCoupling(6)
    for weight in node.eta.parameters():
        torch.nn.init.zeros_(weight)
    for weight in node.rho.parameters():
        torch.nn.init.constant_(weight, 1e4)
    torch.nn.init.constant_(list(node.rho.parameters())[-1], sign * 1e4)
    return node


@pytest.mark.parametrize("sign", [1, -1])
def test_a_coupling_scales_by_no_more_than_its_bound_whatever_the_weights(sign):
    node, features = overgrown_node(sign), make_map(6, 4, 4)
    with torch.no_grad():
        scale = (node(features)[:, :3] / node.shuffle(features)[:, :3]).abs()
    limit = np.exp(EXPONENT_BOUND)
    assert 1 / limit * 0.999 < scale.min() <= scale.max() < limit * 1.001
    assert (scale.log() * sign).max().item() == pytest.approx(EXPONENT_BOUND, abs=1e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("sign", [1, -1])
def test_half_precision_stays_finite_with_huge_exponents(dtype, sign):
    node, features = overgrown_node(sign), make_map(6, 4, 4)
    with torch.autocast("cpu", dtype=dtype):
        made = node(features)
    made.square().sum().backward()
    assert made.isfinite().all()
    assert made.abs().max() < torch.finfo(torch.float16).max
    assert all(weight.grad.isfinite().all() for weight in node.parameters())


def test_half_precision_can_be_inverted_as_far_as_it_goes():
    network, features = make_network(8), make_map(8, 4, 4)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        restored = network.inverse(network(features)).float()
    assert (restored - features).abs().mean() < 0.05


def test_odd_channels_give_the_second_half_one_more():
    assert AffineCoupling(7).halves == (3, 4)
    assert InvertedResidual(3, 4)(make_map(3, 2, 2)).shape == (2, 4, 2, 2)


def test_gradients_reach_every_weight():
    network = make_network(5)
    network(make_map(5, 4, 4)).square().sum().backward()
    assert all(weight.grad.any() for weight in network.parameters())


@pytest.mark.parametrize(
    ("channels", "nodes", "message"), [(1, 3, "1 channels have no two halves"), (4, 0, "nodes is 0")]
)
def test_what_cannot_be_coupled_is_refused(channels, nodes, message):
    with pytest.raises(ValueError, match=message):
        InvertibleNetwork(channels, nodes=nodes)
