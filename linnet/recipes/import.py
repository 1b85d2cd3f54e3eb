"""Take over a model of somebody else's: a transformers folder or hub name becomes a run, proved equal to its source."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from linnet.core.config import Config, OptionalInt, Positional
from linnet.core.errors import BadInput

if TYPE_CHECKING:
    from linnet.export.hf_tokenizer import Texts
    from linnet.model.decoder import Decoder


class ImportConfig(Config):
    """Choices of `linnet import`."""

    source: Annotated[str, Positional()]
    """Folder of a transformers model, or its name on the Hugging Face hub; only safetensors are read."""
    tokenizer: Path | None = None
    """Folder with the model's tokenizer, where the source has none."""
    dtype: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Type of the weights in the run; auto keeps the source's."""
    context: OptionalInt = Field(default=None, ge=1)
    """Tokens in a row from here on, fewer than the source can read: trainings fill rows of so many."""
    out: Path = Path("runs/imported")
    """Run folder."""


def main(cfg: ImportConfig) -> Path:
    """Write the run with its certificate, all of it or nothing, and return its folder."""
    from linnet.artifacts import load_model, save_model
    from linnet.core.console import logger
    from linnet.core.device import pick_dtype
    from linnet.core.files import json_text, replace_folder, write_atomic
    from linnet.core.run import Run
    from linnet.export.certificate import FILE, check_reader, compare_source
    from linnet.export.hf import import_hf, read_fields
    from linnet.export.hf_files import find_folder
    from linnet.export.hf_tokenizer import KEPT, read_texts
    from linnet.export.model_card import license_of

    check_reader()
    Run.check(cfg.out, cfg, "import")
    if Run.finished(cfg.out):
        logger.info("%s is finished already", cfg.out)
        return cfg.out
    if cfg.out.is_dir() and any(cfg.out.iterdir()):
        raise BadInput(f"{cfg.out}: holds other files; choose another --out")
    folder = find_folder(cfg.source)
    texts = read_texts(folder, cfg.tokenizer)
    with (
        replace_folder(cfg.out) as place,
        Run.start(place, cfg, "import", parents=[folder], track="none") as run,
    ):
        model = shortened(import_hf(folder, dtype=None if cfg.dtype == "auto" else pick_dtype(cfg.dtype, "cpu")), cfg)
        check_vocabulary(model, texts, cfg)
        save_model(place, model, texts.tokenizer, chat=texts.chats)
        if texts.refused and texts.template is not None:
            write_atomic(place / KEPT, texts.template)
        logger.info("%s", in_words(model, texts))
        dtype = model.embedding.weight.dtype
        proof = compare_source(folder, *load_model(place), texts.chats, cfg.tokenizer, dtype)
        write_atomic(place / FILE, json_text({"direction": "import", "source": cfg.source, **proof}))
        run.finish(
            source=cfg.source,
            model_type=read_fields(folder).need("model_type"),
            license=license_of(folder) or "unknown",
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            dtype=str(dtype).removeprefix("torch."),
            chats=texts.chats,
            chat_template_refused=texts.refused,
            certificate_reader=proof["reader"],
            certificate_max_logit_difference=proof["network"]["max_logit_difference"],
        )
    return cfg.out


def shortened(model: "Decoder", cfg: ImportConfig) -> "Decoder":
    """Return the network with the context that was asked for; raises BadInput where its source cannot read so much."""
    longest = model.config.context_length
    if cfg.context is None or cfg.context == longest:
        return model
    if cfg.context > longest:
        raise BadInput(f"--context {cfg.context}: {cfg.source} reads {longest} tokens at most")
    if model.config.positions == "learned":
        raise BadInput(f"--context {cfg.context}: the {longest} learned positions of {cfg.source} cannot be cut")
    model.config = model.config.but(context_length=cfg.context)
    return model


def check_vocabulary(model: "Decoder", texts: "Texts", cfg: ImportConfig) -> None:
    """Raise BadInput for a tokenizer whose ids the network does not have."""
    ids = texts.tokenizer.vocab_size
    if ids > model.config.vocab_size:
        where = cfg.tokenizer or cfg.source
        raise BadInput(f"{where}: the tokenizer has {ids:,} ids, the network {model.config.vocab_size:,}")


def in_words(model: "Decoder", texts: "Texts") -> str:
    """Say what was read, and what of it cannot be used here."""
    from linnet.text.chat import stop_name

    size = f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters"
    if texts.chats:
        return f"{size}; chats in its own format, in which a reply ends with {stop_name(texts.tokenizer)}"
    if texts.refused:
        return (
            f"{size}; {texts.refused}, so linnet chat cannot use it (it is kept for linnet export); "
            "linnet sft teaches it another format"
        )
    return f"{size}; no chat template: linnet sft teaches it to reply"
