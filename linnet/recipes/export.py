"""Take a model anywhere: a run becomes a folder that `transformers` and its kin load, proved equal to the run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from linnet.core.config import Config, Positional
from linnet.core.errors import BadInput, Failed

if TYPE_CHECKING:
    import torch

# What becomes of a floating type in a safetensors header.
STORED = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}


class ExportConfig(Config):
    """Choices of `linnet export`."""

    format: Annotated[Literal["hf"], Positional()]
    """What to write: hf is the folder of a transformers model."""
    run: Annotated[Path, Positional()]
    """Folder of a finished run: the model."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Type of the weights; auto keeps the run's."""
    shard_mb: int = Field(default=2000, ge=1, le=100_000)
    """Most megabytes in one file of weights."""
    license: str | None = Field(default=None, pattern=r"^[\w.+-]{1,80}$")
    """Licence that the model card states, such as apache-2.0; else that of the imported source, else "unknown"."""
    out: Path = Path("exported")
    """Folder to write: all of it appears at once, or nothing."""


def main(cfg: ExportConfig) -> Path:
    """Write the folder with its certificate, all of it or nothing, and return it."""
    from linnet.adapt.surgery import plain
    from linnet.artifacts import load_model
    from linnet.core.console import logger
    from linnet.core.files import json_text, replace_folder, write_atomic
    from linnet.core.provenance import artifact_hashes
    from linnet.export.certificate import FILE, check_reader, compare
    from linnet.export.hf_families import choose
    from linnet.export.hf_folder import NAMES, write_network
    from linnet.export.hf_tokenizer import ruled_out, token_ids, write_tokenizer
    from linnet.export.model_card import card
    from linnet.text.chat import chats

    check_reader()
    if cfg.out.exists() and not (cfg.out / FILE).is_file() and (not cfg.out.is_dir() or any(cfg.out.iterdir())):
        raise BadInput(f"{cfg.out}: is no export of linnet's; choose another --out")
    dtype = dtype_of(cfg)
    model, tokenizer = load_model(cfg.run, dtype=dtype)
    model = plain(model)  # of a packed base with its adapter; virtual tokens cannot go along
    choice, talks = choose(model.config, cfg.run, ruled_out(tokenizer)), chats(cfg.run)
    license = cfg.license or stated_license(cfg.run)
    with replace_folder(cfg.out) as place:
        write_network(place, model, choice, dtype, cfg.shard_mb * 10**6, token_ids(tokenizer, talks))
        write_tokenizer(place, tokenizer, template_of(cfg.run), model.config.context_length, talks)
        about: dict[str, Any] = {"direction": "export", "family": choice.family, "dtype": NAMES[dtype]}
        try:
            check_files(place, STORED[NAMES[dtype]])
            proof = about | compare(place, model, tokenizer, talks)
        except Failed as error:  # of a folder that has not its name yet
            raise Failed(str(error).replace(str(place), str(cfg.out))) from None
        write_atomic(place / "README.md", card(cfg.run, cfg.out.name, model.config, choice.family, license, proof))
        write_atomic(place / FILE, json_text({**proof, "files": artifact_hashes(place)}))
    found = proof["network"]["max_logit_difference"]
    logger.info("a %s; its logits in %s differ by at most %.1e", choice.family, proof["reader"], found)
    return cfg.out


def dtype_of(cfg: ExportConfig) -> "torch.dtype":
    """Return the type that was asked for, or the widest one that the run's weights have."""
    import torch

    from linnet.core.device import pick_dtype
    from linnet.export.numpy_tensors import read_header

    if cfg.dtype != "auto":
        return pick_dtype(cfg.dtype, "cpu")
    weights = cfg.run / "model.safetensors"
    stored = {tensor.dtype for tensor in read_header(weights).values()} if weights.is_file() else set()
    narrow = {"BF16": torch.bfloat16, "F16": torch.float16}
    return narrow.get(stored.pop(), torch.float32) if len(stored) == 1 else torch.float32


def check_files(folder: Path, dtype: str) -> None:
    """Read the written weights with a reader of our own that shares no code with the writer; raises Failed."""
    import numpy as np

    from linnet.export.numpy_tensors import read_folder

    for name, tensor in read_folder(folder).items():
        if tensor.dtype != dtype:
            raise Failed(f"{folder}: {name} is stored as {tensor.dtype}, not {dtype}")
        if not np.isfinite(tensor.read()).all():
            raise Failed(f"{folder}: {name} holds numbers that are not finite")


def template_of(run: Path) -> str | None:
    """Return the run's chat template: its own, or that of its source which linnet itself cannot use."""
    from linnet.export.hf_tokenizer import KEPT
    from linnet.text.chat import FILE

    path = next((run / name for name in (FILE, KEPT) if (run / name).is_file()), None)
    return None if path is None else path.read_text(encoding="utf-8")


def stated_license(run: Path) -> str:
    """Return the licence that an import recorded, "unknown" elsewhere."""
    from linnet.core.run import Run

    numbers = Run.result(run) if Run.finished(run) else {}
    return str(numbers.get("license", "unknown"))
