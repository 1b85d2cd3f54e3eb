"""Rows of a data set on the Hugging Face hub, by name; streamed, or from the local cache when there is no network."""

import re
from collections.abc import Iterator
from typing import Any

from linnet.core.errors import BadInput, needs_extra

NAME = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


def is_hub_name(corpus: str) -> bool:
    """Say whether a corpus is written like a hub name: `org/name` or `org/name:config`."""
    return NAME.fullmatch(corpus) is not None


def hub_rows(corpus: str, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a split; raises BadInput in one line when it cannot be had (no network, no such split)."""
    try:
        import datasets
    except ImportError:
        raise needs_extra("datasets", "data", f"the hub data set {corpus}") from None
    name, _, config = corpus.partition(":")
    for streaming in (True, False):  # only the second way finds what was downloaded before, without a network
        try:
            rows = datasets.load_dataset(name, config or None, split=split, streaming=streaming)
            break
        except (ConnectionError, OSError) as error:
            problem = error
        except ValueError as error:  # unknown split or config: the message lists what there is
            raise BadInput(f"hub data set {corpus}, split {split}: {_one_line(error)}") from None
    else:
        raise BadInput(
            f"hub data set {corpus}: cannot be had ({type(problem).__name__}: {_one_line(problem)}); no such file or "
            "folder here either. Without a network give a local file or folder, or the built-in corpus: world"
        )
    for row in rows:
        yield dict(row)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
