"""timm's own weights: from the cache, from the hub, or an error instead of a hang."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants
from huggingface_hub.errors import EntryNotFoundError
from safetensors.torch import save_file

from rsfuse_models import create_network
from rsfuse_models.layers import hub
from rsfuse_models.layers.encoders import Encoder
from rsfuse_models.layers.pretrained import Start

ENCODER = "test_resnet"
HUB_ID = "timm/test_resnet.r160_in1k"
TIMM = Start("timm")


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """An empty cache, and no other."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def state():
    torch.manual_seed(0)
    return timm.create_model(ENCODER, pretrained=False).state_dict()


def refuse(*_, **__):
    raise AssertionError("the network was asked")


def nowhere(*_, **__):
    return "https://nowhere.invalid/file"  # a domain that never is


def as_cached(cache, hub_id, commit="0123abcd"):
    """Folder of a repository's files, laid out as the hub's client does it."""
    repository = cache / f"models--{hub_id.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    folder = repository / "snapshots" / commit
    folder.mkdir(parents=True)
    return folder


def test_the_encoder_of_these_tests_is_on_the_hub():
    assert timm.get_pretrained_cfg(ENCODER).hf_hub_id == HUB_ID


@pytest.mark.parametrize("file", hub.FILES)
def test_weights_in_the_cache_are_taken_without_the_network(monkeypatch, cache, state, file):
    monkeypatch.setattr(hub, "urlopen", refuse)
    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    path = as_cached(cache, HUB_ID) / file
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    filled = Encoder(ENCODER, 3, start=TIMM).trunk.state_dict()
    torch.testing.assert_close(filled["conv1.0.weight"], state["conv1.0.weight"], atol=0, rtol=0)


def test_weights_on_the_hub_are_downloaded_in_the_form_that_is_there(monkeypatch, tmp_path, state):
    asked = []

    def download(hub_id, file, revision):
        asked.append((hub_id, file, revision))
        if file == "model.safetensors":
            raise EntryNotFoundError(file)
        torch.save(state, tmp_path / file)
        return str(tmp_path / file)

    monkeypatch.setattr(hub, "hf_hub_download", download)
    monkeypatch.setattr(hub, "urlopen", lambda *_, **__: (tmp_path / "answer").open("w"))
    filled = Encoder(ENCODER, 2, start=TIMM).trunk.state_dict()
    torch.testing.assert_close(filled["layer1.0.conv1.weight"], state["layer1.0.conv1.weight"], atol=0, rtol=0)
    assert asked == [(HUB_ID, "model.safetensors", None), (HUB_ID, "pytorch_model.bin", None)]


def test_without_a_network_the_encoder_and_what_to_download_are_named(monkeypatch):
    monkeypatch.setattr(hub, "hf_hub_url", nowhere)
    monkeypatch.setattr(hub, "hf_hub_download", refuse)
    bands = {"optical_channels": 3, "sar_channels": 2, "num_classes": 3}
    with pytest.raises(ValueError, match=f"weights of encoder '{ENCODER}' would have to be downloaded") as error:
        create_network("pad", **bands, encoder=ENCODER, pretrained="timm")
    assert f"https://huggingface.co/{HUB_ID}" in str(error.value)
    assert "download model.safetensors from there" in str(error.value)
    assert "set encoder_weights to the file" in str(error.value)


def test_told_to_stay_offline_nobody_knocks(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "urlopen", refuse)
    with pytest.raises(ValueError, match=r"would have to be downloaded .* failed"):
        Encoder(ENCODER, 3, start=TIMM)


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(hub, "PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(hub, "hf_hub_url", lambda *_, **__: f"http://127.0.0.1:{silent.getsockname()[1]}/file")
        with pytest.raises(ValueError, match=r"failed .*timed out"):
            Encoder(ENCODER, 3, start=TIMM)


def test_a_name_that_is_looked_up_for_ever_is_given_up(monkeypatch):
    waiting = threading.Event()

    def look_up(*_, **__):
        waiting.wait(30)
        raise OSError("no such name")

    monkeypatch.setattr(hub, "PATIENCE_S", 0.05)
    monkeypatch.setattr(hub, "urlopen", look_up)
    try:
        with pytest.raises(ValueError, match=r"no answer within 0\.1 s"):
            Encoder(ENCODER, 3, start=TIMM)
    finally:
        waiting.set()


class Refusal(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_error(401)

    def log_message(self, *_):
        pass


def test_a_server_that_refuses_has_answered_and_its_client_goes_on(monkeypatch, tmp_path, state):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: str(path))
    with HTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setattr(hub, "hf_hub_url", lambda *_, **__: f"http://127.0.0.1:{server.server_port}/file")
        assert hub.fetch_weights(ENCODER, {"hf_hub_id": HUB_ID}) == path


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "timm has no weights of encoder 'x' on the hub; set encoder_weights to a file, or set pretrained to none"),
        ({"url": "https://a.b/c.pth"}, "on the hub; download https://a.b/c.pth and set encoder_weights to the file"),
    ],
)
def test_an_encoder_without_weights_on_the_hub_says_what_else_there_is(config, message):
    with pytest.raises(ValueError, match=message):
        hub.fetch_weights("x", config)


def test_a_revision_and_a_file_that_timm_names_are_asked_for(monkeypatch, cache):
    folder = as_cached(cache, "timm/other")
    (folder.parents[1] / "refs" / "v2").write_text(folder.name)
    (folder / "open_clip_model.safetensors").write_bytes(b"weights")
    monkeypatch.setattr(hub, "urlopen", refuse)
    found = hub.fetch_weights("x", {"hf_hub_id": "timm/other@v2", "hf_hub_filename": "open_clip_model.safetensors"})
    assert found == Path(folder / "open_clip_model.safetensors")
