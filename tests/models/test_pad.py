"""PAD against an equation by equation re-implementation in numpy, and the traps of its half spectrum."""

import numpy as np
import pytest
import torch

from rsfuse_models import create_network
from rsfuse_models.layers.heads import FCNHead, UPerHead
from rsfuse_models.pad import PAD, AmplitudeFusion, Fused, PADBlock, PhaseCorrection, SpatialFusion

SMALL = {"optical_channels": 3, "sar_channels": 1, "num_classes": 5, "encoder": "test_resnet", "channels": 16}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


class Oracle:
    """One fusion block in float64 on whole arrays, shifts and all; weights out of the module's state."""

    def __init__(self, block):
        self.state = {key: value.double().numpy() for key, value in block.state_dict().items()}

    def conv(self, name, x):
        weight, bias = self.state[f"{name}.weight"][:, :, 0, 0], self.state[f"{name}.bias"]
        return np.einsum("oc,bchw->bohw", weight, x) + bias[:, None, None]

    def __call__(self, optical, sar, spectrum):
        fused, residual = self.spatial(optical, sar)
        height, width = fused.shape[-2:]
        wave = np.fft.rfft2(fused, norm="ortho")
        for v in {0, height // 2 if height % 2 == 0 else 0}:  # real by symmetry: drop the rounding
            for u in {0, width // 2 if width % 2 == 0 else 0}:
                wave[..., v, u] = wave[..., v, u].real
        shift = spectrum == "paper"
        if shift:
            wave = np.fft.fftshift(wave, axes=(-2, -1))
        amplitude = abs(wave)
        phase = np.arctan2(wave.imag + 0.0, wave.real)
        edited = self.amplitude(amplitude, self.distance(height, width, shift))
        corrected = phase * (1 + sigmoid(self.conv("phase.gate.2", leaky(self.conv("phase.gate.0", phase)))))
        half = edited * np.exp(1j * corrected)
        if shift:
            half = np.fft.ifftshift(half, axes=(-2, -1))
            amplitude, edited = (np.fft.ifftshift(x, axes=(-2, -1)) for x in (amplitude, edited))
        return self.inverse(half, width) + residual, amplitude, edited

    def spatial(self, optical, sar):
        both = np.concatenate([optical, sar], axis=1)
        residual = self.conv("spatial.residual", both)
        gate = sigmoid(self.conv("spatial.gate", both))
        return self.conv("spatial.mix", np.concatenate([optical * gate, sar * (1 - gate)], axis=1)) + residual, residual

    def amplitude(self, amplitude, distance):
        mask = sigmoid(10 * (distance - sigmoid(self.state["amplitude.radius"])))
        high = leaky(self.conv("amplitude.perceptron.0", amplitude * mask))
        high = leaky(self.conv("amplitude.perceptron.2", high))
        high = self.conv("amplitude.perceptron.4", high)
        return self.conv("amplitude.mix", np.concatenate([amplitude, high], axis=1)) + amplitude

    @staticmethod
    def distance(height, width, shift):
        columns = width // 2 + 1
        if shift:
            v, u = np.indices((height, columns))
            distance = np.sqrt((u - columns // 2) ** 2 + (v - height // 2) ** 2)
        else:
            v, u = np.indices((height, columns))
            distance = np.sqrt((np.minimum(v, height - v) / height) ** 2 + (u / width) ** 2)
        return distance / distance.max()

    @staticmethod
    def inverse(half, width):
        """Real part of the full inverse, the right half filled by symmetry."""
        u = np.arange(half.shape[-1], width)
        v = -np.arange(half.shape[-2]) % half.shape[-2]
        full = np.concatenate([half, half[..., v, :][..., width - u].conj()], axis=-1)
        return np.fft.ifft2(full, norm="ortho").real


def make_block(spectrum="radial", phase_bias=0.0, channels=9):
    torch.manual_seed(0)
    amplitude = AmplitudeFusion(channels, radius=0.1, spectrum=spectrum)
    return PADBlock(channels, amplitude, PhaseCorrection(channels, bias=phase_bias))


def make_maps(height, width, channels=9):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(2, channels, height, width, generator=generator) for _ in range(2)]


@pytest.mark.parametrize("spectrum", ["paper", "radial"])
@pytest.mark.parametrize("size", [(8, 8), (16, 12), (7, 9), (6, 11), (9, 4)])
@pytest.mark.parametrize("phase_bias", [0.0, -4.0])
def test_a_block_is_the_paper_equation_by_equation(spectrum, size, phase_bias):
    block = make_block(spectrum, phase_bias)
    optical, sar = make_maps(*size)
    expected = Oracle(block)(optical.double().numpy(), sar.double().numpy(), spectrum)
    with torch.no_grad():
        fused = block(optical, sar)
    for ours, theirs in zip(fused, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs, atol=2e-4)
    assert fused.penalty.item() == pytest.approx(np.mean((expected[2] - expected[1]) ** 2), rel=1e-4)


def test_the_two_spectra_differ():
    blocks = make_block("paper"), make_block("radial")
    with torch.no_grad():
        paper, radial = (block(*make_maps(16, 16)).features for block in blocks)
    assert (paper - radial).abs().mean() > 1e-3


@pytest.mark.parametrize(("openness", "kept"), [(60.0, 0), (-60.0, 1)])
def test_the_spatial_gate_shares_out_between_the_sensors(openness, kept):
    torch.manual_seed(0)
    fusion = SpatialFusion(4)
    torch.nn.init.zeros_(fusion.gate.weight)
    torch.nn.init.constant_(fusion.gate.bias, openness)
    for layer in (fusion.mix, fusion.residual):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    with torch.no_grad():
        fusion.mix.weight[:, :, 0, 0] = torch.cat([torch.eye(4), torch.eye(4)], dim=1)  # the sum of both halves
    maps = make_maps(5, 6, channels=4)
    fused, residual = fusion(*maps)
    torch.testing.assert_close(fused, maps[kept])
    assert not residual.any()


def test_the_phase_is_stretched_by_one_to_two_alike_in_all_channels():
    torch.manual_seed(0)
    correction = PhaseCorrection(9, bias=0.0)
    phase = (torch.rand(2, 9, 8, 5) * 2 - 1) * torch.pi
    stretch = correction(phase) / phase
    assert 1 < stretch.min() <= stretch.max() < 2
    torch.testing.assert_close(stretch, stretch[:, :1].expand_as(stretch))


@pytest.mark.parametrize("bias", [0.0, -4.0])
def test_the_phase_bias_says_where_the_stretch_begins(bias):
    torch.manual_seed(0)
    stretch = PhaseCorrection(64, bias=bias)(torch.ones(1, 64, 4, 3)).mean().item()
    assert stretch == pytest.approx(1 + sigmoid(bias), abs=0.1 if bias == 0 else 0.01)


def test_the_radius_is_learned_and_parts_low_from_high():
    fusion = AmplitudeFusion(4, radius=0.1, spectrum="radial")
    assert fusion.radius.sigmoid().item() == pytest.approx(0.525, abs=1e-3)
    fusion(torch.rand(1, 4, 8, 5), (8, 8)).square().sum().backward()
    assert fusion.radius.grad != 0


def test_a_repeated_block_fuses_the_map_with_itself_and_averages_its_penalties():
    torch.manual_seed(0)
    network = create_network("pad", **SMALL, blocks=3, dropout=0.0).eval()
    stages = []
    for stage in network.fusion:
        for block in stage:
            block.register_forward_hook(lambda _, given, made: stages.append((given, made)))
    with torch.no_grad():
        output = network.forward_training(torch.randn(1, 3, 32, 32), torch.randn(1, 1, 32, 32))
    assert stages[1][0][0] is stages[1][0][1] is stages[0][1].features
    weights = np.array([0.5, 0.75, 1.0]) / 2.25
    penalties = np.array([made.penalty.item() for _, made in stages]).reshape(4, 3)
    assert output.penalties["amplitude"].item() == pytest.approx((penalties @ weights).sum(), rel=1e-5)


def test_paper_weights_rise_over_the_stages():
    sample = torch.randn(1, 3, 32, 32), torch.randn(1, 1, 32, 32)
    made = []
    totals = {}
    for weights in ("code", "paper"):
        torch.manual_seed(0)
        network = create_network("pad", **SMALL, amplitude_weights=weights).eval()
        made.clear()
        for stage in network.fusion:
            stage[0].register_forward_hook(lambda _, __, fused: made.append(fused.penalty.item()))
        with torch.no_grad():
            totals[weights] = network.forward_training(*sample).penalties["amplitude"].item()
    assert totals["code"] == pytest.approx(sum(made), rel=1e-5)
    assert totals["paper"] == pytest.approx(np.dot(made, np.linspace(0.5, 1, 4)), rel=1e-5)


def test_the_penalty_pulls_on_both_amplitudes_alike():
    before, after = (torch.rand(1, 2, 4, 3, requires_grad=True) for _ in range(2))
    Fused(before, amplitude=before, edited=after).penalty.backward()
    assert before.grad.any()
    torch.testing.assert_close(before.grad, -after.grad)


@pytest.mark.parametrize(
    ("stages", "multiple", "aux"), [((1, 2, 3), 16, 2), ((2, 4), 32, 1), ((0, 1), 4, 0), ((3,), 16, 0)]
)
def test_any_stages_can_be_fused_and_nothing_beyond_them_is_built(stages, multiple, aux):
    network = create_network("pad", **SMALL, stages=stages, aux_stage=aux, drop_path=0.0)
    assert network.multiple == multiple
    optical, sar = torch.randn(2, 3, 2 * multiple, 3 * multiple), torch.randn(2, 1, 2 * multiple, 3 * multiple)
    output = network.forward_training(optical, sar)
    assert output.scores.shape == (2, 5, 2 * multiple, 3 * multiple)
    assert list(output.auxiliary) == [f"stage{aux}"]
    (output.scores.square().mean() + output.auxiliary[f"stage{aux}"].square().mean()).backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"aux_stage": 4}, "aux_stage 4 is not among the 4"),
        ({"blocks": 0}, "blocks is 0"),
        ({"stages": (3, 1)}, r"\[3, 1\] must ascend"),
        ({"stages": (1, 9)}, r"lie in 0 \.\.\. 4"),
        ({"encoder": "resnet_of_none"}, "no feature encoder 'resnet_of_none'"),
        ({"pretrained": "imagenet-lite0"}, "not for 'test_resnet'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        create_network("pad", **SMALL | wrong)


def millions(module):
    return sum(weight.numel() for weight in module.parameters()) / 1e6


def test_parts_have_the_size_of_the_published_ones():
    widths = (192, 384, 768, 1536)
    with torch.device("meta"):
        blocks = [make_block(channels=width) for width in widths]
        head, auxiliary = UPerHead(widths, 7, channels=256), FCNHead(768, 7, channels=128)
    assert [round(millions(block), 3) for block in blocks] == [0.412, 1.644, 6.569, 26.261]
    assert round(millions(head), 2) == 11.95
    assert round(millions(auxiliary), 2) == 0.89


@pytest.mark.parametrize(("encoder", "size"), [("convnextv2_large", 440.6), ("convnextv2_tiny", 74.1)])
def test_the_whole_has_the_size_of_the_published_one(encoder, size):
    with torch.device("meta"):
        network = PAD(optical_channels=3, sar_channels=3, num_classes=7, encoder=encoder)
    assert millions(network) == pytest.approx(size, abs=0.1)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 9), (6, 11)])
def test_without_asf_and_psc_a_block_gives_its_spatial_mix_and_residual(height, width):
    torch.manual_seed(0)
    block = PADBlock(9, None, None)
    optical, sar = make_maps(height, width)
    mixed, residual = block.spatial(optical, sar)
    fused = block(optical, sar)
    torch.testing.assert_close(fused.features, mixed + residual, atol=1e-5, rtol=1e-5)
    assert fused.penalty == 0


@pytest.mark.parametrize(
    ("switch", "gone"),
    [("amplitude_fusion", ".amplitude."), ("phase_correction", ".phase."), ("multi_stage", "fusion.1")],
)
def test_an_ablation_takes_out_its_part_and_no_other(switch, gone):
    whole = {key for key, _ in create_network("pad", **SMALL).named_parameters()}
    network = create_network("pad", **SMALL, **{switch: False})
    part = {key for key, _ in network.named_parameters()}
    assert part < whole
    lost = whole - part
    expected = {key for key in whole if key.startswith("fusion.") and gone in key}
    if switch == "multi_stage":
        expected = {key for key in whole if key.startswith(("fusion.1", "fusion.2", "fusion.3"))}
    assert lost == expected
    output = network.forward_training(torch.randn(2, 3, 64, 64), torch.randn(2, 1, 64, 64))
    (output.scores.sum() + output.penalties["amplitude"]).backward()
    assert all(weight.grad is not None for key, weight in network.named_parameters() if "auxiliary" not in key)


def test_without_multi_stage_fusion_the_coarser_maps_are_added():
    network = create_network("pad", **SMALL, multi_stage=False).eval()
    optical, sar = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 64, 64)
    first, *others = zip(network.optical_encoder(optical), network.sar_encoder(sar), strict=True)
    maps = [network.fusion[0][0](*first).features, *map(sum, others)]
    expected = torch.nn.functional.interpolate(network.head(maps), size=(64, 64), mode="bilinear")
    torch.testing.assert_close(network(optical, sar), expected)


def test_the_radius_starts_where_it_is_told():
    network = create_network("pad", **SMALL, radius=0.5)
    assert all(stage[0].amplitude.radius.item() == 0.5 for stage in network.fusion)
