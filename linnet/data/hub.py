"""Rows of a data set on the Hugging Face hub, by name; streamed, or from the local cache with HF_HUB_OFFLINE=1."""

import os
import re
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from linnet.core.errors import BadInput, needs_extra

NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")
REACH_SECONDS = 5.0
INSTEAD = "Without a network give a local file or folder, or the built-in corpus: world"


def is_hub_name(corpus: str) -> bool:
    """Say whether a corpus is written like a hub name: `org/name` or `org/name:config`."""
    return NAME.fullmatch(corpus) is not None


def hub_rows(corpus: str, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a split; raises BadInput in one line when it cannot be had (no network, no such split)."""
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    if not offline:
        _refuse_unreachable(corpus)
    try:
        import datasets
    except ImportError:
        raise needs_extra("datasets", "data", f"the hub data set {corpus}") from None
    name, _, config = corpus.partition(":")
    try:
        # Only whole data sets are in the cache; over the network rows are streamed instead.
        rows = datasets.load_dataset(name, config or None, split=split, streaming=not offline)
    except ValueError as error:  # unknown split or config: the message lists what there is
        raise BadInput(f"hub data set {corpus}, split {split}: {_one_line(error)}") from None
    except (ConnectionError, OSError, datasets.exceptions.DatasetsError) as error:
        raise BadInput(
            f"hub data set {corpus}: cannot be had ({_one_line(error)}); no such file or folder here either. {INSTEAD}"
        ) from None
    for row in rows:
        yield dict(row)


def _refuse_unreachable(corpus: str) -> None:
    """Raise BadInput at once without a network; the library would try again for most of a minute."""
    address = urllib.parse.urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    if urllib.request.getproxies():  # the proxy knows the way, we do not
        return
    try:
        port = address.port or (80 if address.scheme == "http" else 443)
        socket.create_connection((address.hostname or "", port), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise BadInput(
            f"{corpus}: no such file or folder here, and the hub cannot be reached ({error.strerror or error}). "
            f"{INSTEAD}; HF_HUB_OFFLINE=1 reads what was downloaded before"
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
