"""One contract over all networks."""

import inspect
import os
import subprocess
import sys

import pytest
import torch

from rsfuse_models import NETWORKS, create_network, network_names

# small, and without the chance that would make two passes differ
OPTIONS = {
    "early-fusion": {"encoder": "tu-test_resnet"},
    "f2net": {
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
    },
    "late-fusion": {"encoder": "test_resnet", "channels": 16, "aux_channels": 8, "drop_path": 0.0, "dropout": 0.0},
    "mfafnet": {"widths": (8, 12, 16), "low_shares": (0.25, 0.5, 0.5), "heads": (1, 2, 4), "nodes": 2, "dropout": 0.0},
    "pad": {"encoder": "test_resnet", "channels": 16, "aux_channels": 8, "drop_path": 0.0, "dropout": 0.0},
    "whfnet": {
        "optical_encoder": "test_resnet",
        "sar_encoder": "test_resnet",
        "channels": 16,
        "aux_channels": 8,
        "optical_drop_path": 0.0,
        "sar_drop_path": 0.0,
        "dropout": 0.0,
    },
}
every_network = pytest.mark.parametrize("name", network_names())


def build(name, *, optical_channels=4, sar_channels=2, num_classes=7):
    torch.manual_seed(0)
    return create_network(
        name,
        optical_channels=optical_channels,
        sar_channels=sar_channels,
        num_classes=num_classes,
        **OPTIONS[name],
    )


def inputs(network, height, width, *, batch=2):
    generator = torch.Generator().manual_seed(1)
    size = height, width
    return tuple(
        torch.randn(batch, count, *size, generator=generator)
        for count in (network.optical_channels, network.sar_channels)
    )


def total(output):
    terms = [output.scores, *output.auxiliary.values()]
    return sum(scores.float().logsumexp(1).mean() for scores in terms) + sum(output.penalties.values())


@every_network
@pytest.mark.parametrize(("height", "width"), [(32, 64), (33, 65), (97, 47), (1, 31)])
@pytest.mark.parametrize("training", [True, False])
def test_scores_have_the_size_of_the_input_whatever_it_is(name, height, width, training):
    network = build(name).train(training)
    optical, sar = inputs(network, height, width)
    output = network.forward_training(optical, sar)
    assert network(optical, sar).shape == output.scores.shape == (2, 7, height, width)
    assert all(scores.shape == output.scores.shape for scores in output.auxiliary.values())
    assert all(penalty.shape == () and penalty >= 0 for penalty in output.penalties.values())


@every_network
def test_padding_is_the_edge_pixel_again(name):
    network = build(name).eval()
    optical, sar = inputs(network, 40, 50)
    below, right = -40 % network.multiple, -50 % network.multiple
    padded = [torch.nn.functional.pad(image, (0, right, 0, below), mode="replicate") for image in (optical, sar)]
    with torch.no_grad():
        torch.testing.assert_close(network(optical, sar), network(*padded)[..., :40, :50])


@every_network
@pytest.mark.parametrize(("optical_channels", "sar_channels"), [(1, 1), (3, 1), (5, 3), (13, 4)])
def test_any_number_of_bands_goes_in(name, optical_channels, sar_channels):
    network = build(name, optical_channels=optical_channels, sar_channels=sar_channels).eval()
    assert network(*inputs(network, 32, 64)).isfinite().all()


@every_network
def test_gradients_reach_every_parameter(name):
    network = build(name)
    with torch.no_grad():
        for weight in network.parameters():  # what starts at 0 (a residual branch) hides what lies before it
            weight.add_(0.01 if not weight.any() else 0)
    total(network.forward_training(*inputs(network, 64, 64))).backward()
    idle = [key for key, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert not idle, f"no gradient reaches {idle}"
    assert all(weight.grad.isfinite().all() for weight in network.parameters())


@every_network
def test_one_image_alone_can_be_learnt_from(name):
    network = build(name)
    output = network.forward_training(*inputs(network, 64, 64, batch=1))
    total(output).backward()
    assert output.scores.isfinite().all()


@every_network
def test_a_patch_does_not_depend_on_its_batch(name):
    network = build(name).eval()
    optical, sar = inputs(network, 64, 64, batch=3)
    with torch.no_grad():
        alone, together = network(optical[:1], sar[:1]), network(optical, sar)[:1]
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)


@every_network
def test_both_sensors_have_a_say(name):
    network = build(name).eval()
    optical, sar = inputs(network, 32, 32)
    with torch.no_grad():
        scores = network(optical, sar)
        assert not torch.allclose(network(optical.flip(0), sar), scores)
        assert not torch.allclose(network(optical, sar.flip(0)), scores)


@every_network
def test_forward_training_gives_the_scores_of_forward(name):
    network = build(name).eval()
    optical, sar = inputs(network, 32, 64)
    torch.testing.assert_close(network.forward_training(optical, sar).scores, network(optical, sar))


@every_network
def test_a_state_dict_carries_the_whole_network(name):
    network = build(name)
    total(
        network.forward_training(*inputs(network, 32, 64))
    ).backward()  # running statistics that are not the first ones
    torch.manual_seed(9)
    twin = create_network(name, optical_channels=4, sar_channels=2, num_classes=7, **OPTIONS[name])
    twin.load_state_dict(network.state_dict())
    sample = inputs(network, 32, 64)
    torch.testing.assert_close(twin.eval()(*sample), network.eval()(*sample))


@every_network
def test_nothing_of_a_batch_stays_on_the_network(name):
    network = build(name)
    network.forward_training(*inputs(network, 32, 64)).scores.mean()
    held = [
        (type(module).__name__, key)
        for module in network.modules()
        for key, value in vars(module).items()
        if isinstance(value, torch.Tensor) or (isinstance(value, (list, tuple)) and any(map(torch.is_tensor, value)))
    ]
    assert not held


@every_network
def test_bfloat16_autocast_agrees_with_float32(name):
    network = build(name).eval()
    optical, sar = inputs(network, 32, 64)
    with torch.no_grad():
        exact = network(optical, sar)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(optical, sar).float()
    assert (rough - exact).abs().mean() < 0.1 * exact.std()


@every_network
def test_what_does_not_fit_is_refused_with_the_numbers(name):
    network = build(name)
    optical, sar = inputs(network, 32, 64)
    with pytest.raises(ValueError, match="must agree"):
        network(optical, sar[..., :32])
    with pytest.raises(ValueError, match="3 and 2 channels; this network takes 4 and 2"):
        network(optical[:, :3], sar)


@every_network
@pytest.mark.parametrize("num_classes", [2, 20])
def test_any_number_of_classes_comes_out(name, num_classes):
    network = build(name, num_classes=num_classes).eval()
    assert network(*inputs(network, 32, 32)).shape == (2, num_classes, 32, 32)


@every_network
def test_a_seed_decides_over_weights_and_over_chance_in_training(name):
    def after_one_step(seed):
        torch.manual_seed(seed)
        usual = {key: value for key, value in OPTIONS[name].items() if "drop" not in key}  # chance as by default
        network = create_network(name, optical_channels=4, sar_channels=2, num_classes=7, **usual)
        total(network.forward_training(*inputs(network, 32, 64))).backward()
        return [(weight.detach(), weight.grad) for weight in network.parameters()]

    first, again, other = (after_one_step(seed) for seed in (0, 0, 1))
    assert all(
        torch.equal(a, b) for pair, twin in zip(first, again, strict=True) for a, b in zip(pair, twin, strict=True)
    )
    assert not all(torch.equal(pair[1], twin[1]) for pair, twin in zip(first, other, strict=True))


@pytest.mark.slow
@every_network
def test_the_compiler_takes_it_in_one_piece(name):
    network = build(name).eval()
    torch.compiler.reset()  # all networks share `forward`, and the compiler counts how often it took that
    compiled = torch.compile(network, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        for size in ((32, 33), (40, 64)):
            sample = inputs(network, *size)
            torch.testing.assert_close(compiled(*sample), network(*sample), atol=1e-4, rtol=1e-4)


@every_network
def test_the_constructor_is_a_recipe_schema(name):
    parameters = inspect.signature(NETWORKS[name], eval_str=True).parameters
    assert list(parameters)[:3] == ["optical_channels", "sar_channels", "num_classes"]
    for position, parameter in enumerate(parameters.values()):
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty
        assert (parameter.default is parameter.empty) == (position < 3)


def test_names_and_networks_agree():
    assert tuple(NETWORKS) == network_names() == tuple(sorted(NETWORKS))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'padd'; choose one of .*pad"):
        create_network("padd")


def test_names_come_without_torch():
    code = "import sys, rsfuse_models; rsfuse_models.network_names(); sys.exit('torch' in sys.modules)"
    path = os.pathsep.join(entry for entry in sys.path if entry)
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": path})
