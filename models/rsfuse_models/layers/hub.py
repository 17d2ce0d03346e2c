"""timm's own weights of an encoder: the file in the cache of the Hugging Face hub, or downloaded into it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from huggingface_hub import constants, hf_hub_download, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError

FILES = ("model.safetensors", "pytorch_model.bin")
PATIENCE_S = 4.0
"""How long the hub may take to answer, and as long again to be found; a download may take as long as it does."""


def fetch_weights(name: str, config: Mapping[str, Any]) -> Path:
    """Path of the weights of an encoder; without a network, an error within seconds.

    Args:
        name: of the encoder.
        config: timm's `pretrained_cfg` of it.

    Raises:
        ValueError: if there are none, or they are not in the cache and the hub cannot be reached.
    """
    hub_id, revision, files = _address(name, config)
    for file in files:
        cached = try_to_load_from_cache(hub_id, file, revision=revision)
        if isinstance(cached, str):
            return Path(cached)
    try:
        return _download(hub_id, revision, files)
    except (OSError, EntryNotFoundError) as error:
        raise ValueError(
            f"the weights of encoder {name!r} would have to be downloaded from {constants.ENDPOINT}/{hub_id}, and that "
            f"failed ({_cause(error)}); download {files[0]} from there on a machine that can and set "
            "encoder_weights to the file, or set pretrained to none"
        ) from error


def _address(name: str, config: Mapping[str, Any]) -> tuple[str, str | None, tuple[str, ...]]:
    """Repository, revision and files to look for."""
    if not config.get("hf_hub_id"):
        url = config.get("url")
        way = f"download {url} and set encoder_weights to the file, or" if url else "set encoder_weights to a file, or"
        raise ValueError(f"timm has no weights of encoder {name!r} on the hub; {way} set pretrained to none")
    hub_id, _, revision = str(config["hf_hub_id"]).partition("@")
    file = config.get("hf_hub_filename")
    return hub_id, revision or None, (str(file),) if file else FILES


def _download(hub_id: str, revision: str | None, files: tuple[str, ...]) -> Path:
    """The first of the files that the repository has.

    Raises:
        OSError: if the hub cannot be reached or refuses.
        EntryNotFoundError: if it has none of them.
    """
    if not constants.HF_HUB_OFFLINE:  # the hub's client says so itself
        _knock(hf_hub_url(hub_id, files[0], revision=revision))
    *others, last = files
    for file in others:
        try:
            return Path(hf_hub_download(hub_id, file, revision=revision))
        except EntryNotFoundError:
            continue
    return Path(hf_hub_download(hub_id, last, revision=revision))


def _knock(url: str) -> None:
    """Come back when a server answers, whatever it answers; its client would go on trying for most of a minute.

    Raises:
        OSError: if none answers in time.
    """
    failures: list[OSError] = []
    # A thread, because looking up a name has no time limit; a daemon, because the program must not wait for it.
    knocking = threading.Thread(target=_request, args=(url, failures), daemon=True)
    knocking.start()
    knocking.join(2 * PATIENCE_S)
    if knocking.is_alive():
        raise TimeoutError(f"no answer within {2 * PATIENCE_S:g} s")
    if failures:
        raise failures[0]


def _request(url: str, failures: list[OSError]) -> None:
    try:
        urlopen(Request(url, method="HEAD"), timeout=PATIENCE_S).close()
    except HTTPError as answer:
        answer.close()
    except URLError as error:
        if not isinstance(error.reason, ssl.SSLError):  # it answered, and the client has certificates of its own
            failures.append(error)
    except OSError as error:
        failures.append(error)


def _cause(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return (str(cause).strip() or type(cause).__name__).splitlines()[0]
