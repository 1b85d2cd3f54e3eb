"""The models that are served: each with a name, its engine's thread, and what its folder says of it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from linnet.artifacts import load_model
from linnet.core.console import logger
from linnet.core.device import pick_device, pick_dtype
from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.infer.decode import prompt_ids
from linnet.infer.engine import Engine
from linnet.infer.engine_thread import EngineThread
from linnet.model.decoder import Decoder
from linnet.serve.adapters import Adapters, with_adapters
from linnet.serve.config import ServeConfig
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Host:
    """A served model; `begins` says whether a text is put after the token that stands before a document.

    One with an adapter shares its thread with the model that it goes on; `model` has the adapter in it.
    """

    name: str
    model: Decoder
    tokenizer: Tokenizer
    thread: EngineThread
    chats: bool
    begins: bool
    created: int
    adapter: str | None = None

    def ids(self, prompt: str | Sequence[int]) -> list[int]:
        """Return the ids of a prompt: a text begins a document, ids are taken as they are."""
        return prompt_ids(self.tokenizer, prompt, self.begins)

    def card(self) -> dict[str, Any]:
        """Return the entry of /v1/models; what OpenAI's has no place for stands under `linnet`."""
        config = self.model.config
        about = {
            "chats": self.chats,
            "context_length": config.context_length,
            "layers": config.num_layers,
            "heads": config.num_heads,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            **({} if self.adapter is None else {"adapter": self.adapter}),
        }
        return {"id": self.name, "object": "model", "created": self.created, "owned_by": "linnet", "linnet": about}


def open_hosts(cfg: ServeConfig) -> list[Host]:
    """Load the models of all runs; their engines are not started. Raises BadInput for a folder that is no model."""
    if not cfg.runs:
        raise BadInput("name at least one run folder: linnet serve RUN")
    device = pick_device(cfg.device)
    dtype = pick_dtype(cfg.dtype, device)
    wanted = Adapters(cfg.adapters)
    hosts = []
    for name, run in zip(names(cfg.runs), cfg.runs, strict=True):
        model, tokenizer = load_model(run, device, dtype)
        own = wanted.on(run, model, tokenizer)
        speaker = with_adapters(model, own)
        room = (cfg.slots, cfg.cache_bytes, cfg.prefill_tokens)
        engine = Engine(speaker, tokenizer, *room, adapters=tuple(own), compiled=cfg.compile)
        if cfg.compile and engine.why_plain:
            logger.warning("%s is not read by the compiled pass: %s", name, engine.why_plain)
        created = int((run / "model.json").stat().st_mtime)
        base = Host(name, model, tokenizer, EngineThread(engine), chats(run), begins_documents(run), created)
        hosts.append(base)
        for adapter, (adapted, folder) in own.items():
            talks = base.chats or chats(folder)
            hosts.append(replace(base, name=f"{name}:{adapter}", model=adapted, chats=talks, adapter=adapter))
    wanted.check_all_used(cfg.runs)
    called = [host.name for host in hosts]
    if twice := {name for name in called if called.count(name) > 1}:
        raise BadInput(f"two models would be called {min(twice)}; choose another name for the adapter: NAME=FOLDER")
    return hosts


def names(runs: Sequence[Path]) -> list[str]:
    """Return a name for each folder: its own, with as many of those above it as tell it from the others.

    Raises BadInput for a folder that is named twice.
    """
    paths = [Path(os.path.abspath(run)) for run in runs]
    if len(set(paths)) < len(paths):
        raise BadInput("a run folder is named twice; name each model once")
    found = []
    for path in paths:
        others = [other for other in paths if other != path]
        length = 1
        while any(other.parts[-length:] == path.parts[-length:] for other in others):
            length += 1
        found.append("/".join(path.parts[-length:]))
    return found


def begins_documents(run: Path) -> bool:
    """Say whether texts come after the end token: a model of one long text has never seen it."""
    path = run / "result.json"
    result = read_json(path) if path.is_file() else {}
    return not (isinstance(result, dict) and result.get("train_documents") == 1)
