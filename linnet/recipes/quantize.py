"""Make a smaller, quicker copy of a language model, int8 or int4, and measure it beside the model it was made from."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from linnet.adapt.quant_config import QuantConfig
from linnet.core.config import OptionalInt, Positional, Unlisted
from linnet.core.errors import BadInput

if TYPE_CHECKING:
    from linnet.model.decoder import Decoder
    from linnet.text.tokenizer import Tokenizer


class QuantizeConfig(QuantConfig):
    """Choices of `linnet quantize`."""

    run: Annotated[Path, Positional()]
    """Folder of a finished run: the model."""
    corpus: str | None = None
    """Text to calibrate and measure on; by default the run's own. Measured is only what is held out of it."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows of --corpus."""
    split: str = "train"
    """Split of a data set given as --corpus."""
    calibration_rows: int = Field(default=128, ge=1, le=100_000)
    """For gptq: rows of the training text, as long as the context, that the layers are calibrated on."""
    max_tokens: OptionalInt = Field(default=200_000, ge=2)
    """Held-out tokens that are measured; none is all."""
    speed: bool = True
    """Measure the speed of reading and writing beside full precision."""
    undo: bool = False
    """Make whole weights of a quantized copy, as they are kept in it: for training, and for export."""
    out: Path = Path("runs/quantized")
    """Run folder."""
    held_out: Annotated[float, Unlisted()] = Field(default=0.1, ge=0, le=0.5)
    """Share of the text that is held out, as in the run."""
    packing: Annotated[bool, Unlisted()] = False
    """Whether the run learned documents apart, and so is measured."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    json_output: bool = Field(default=False, alias="json")
    """Print the result as JSON."""


def main(cfg: QuantizeConfig) -> None:
    """Quantize, open what was written, measure it, leave the report in result.json and print it."""
    from linnet.artifacts import load_model, quantized_header
    from linnet.core.device import set_threads
    from linnet.core.run import Run
    from linnet.evals.quantized import table

    set_threads(cfg.threads)
    if cfg.out.resolve() == cfg.run.resolve():
        raise BadInput(f"--out {cfg.out}: is the model itself; choose another folder")
    cfg = with_text(cfg)
    Run.check(cfg.out, cfg, "quantize")
    model, tokenizer = load_model(cfg.run)
    is_copy = quantized_header(cfg.run) is not None
    if is_copy != cfg.undo:
        raise BadInput(f"{cfg.run}: {'is quantized already' if is_copy else 'is not quantized: nothing to undo'}")
    with Run.start(cfg.out, cfg, "quantize", parents=[cfg.run], track="none") as run:
        numbers = undone(cfg, model, tokenizer) if cfg.undo else quantized(cfg, model, tokenizer)
        run.finish(**numbers)
    if cfg.json_output:
        print(json.dumps({"run": str(cfg.out), **numbers}, indent=2, ensure_ascii=False))
    else:
        print("whole weights again" if cfg.undo else table(numbers), cfg.out, sep="\n")


def undone(cfg: QuantizeConfig, model: "Decoder", tokenizer: "Tokenizer") -> dict[str, Any]:
    """Write the whole weights of a quantized copy."""
    from linnet.adapt.surgery import counts, fold
    from linnet.artifacts import save_model
    from linnet.text.chat import chats

    model = fold(model)
    model.tie()
    save_model(cfg.out, model, tokenizer, chat=chats(cfg.run))
    return {"parameters": counts(model)["total"]}


def quantized(cfg: QuantizeConfig, model: "Decoder", tokenizer: "Tokenizer") -> dict[str, Any]:
    """Write the quantized copy and return the report."""
    import copy

    from linnet.adapt.kernels import chosen
    from linnet.adapt.quantize import quantize
    from linnet.artifacts import load_model, save_quantized
    from linnet.batches.prepare import prepare
    from linnet.core.run import Run
    from linnet.evals.quantized import calibration_rows, converted, file_bytes, held_out, speeds
    from linnet.text.chat import chats

    choices = QuantConfig(**{name: getattr(cfg, name) for name in QuantConfig.model_fields})
    text = None
    if cfg.corpus is not None:
        text = prepare(cfg.corpus, tokenizer, held_out=cfg.held_out, column=cfg.column, split=cfg.split)
    rows = []
    if choices.calibrated and text is not None:
        rows = calibration_rows(text.train, cfg.calibration_rows, model.config.context_length, cfg.packing)
    small = copy.deepcopy(model)
    header = quantize(small, choices, rows)
    save_quantized(cfg.out, small, tokenizer, header, cfg.run, chat=chats(cfg.run))
    small, _ = load_model(cfg.out)  # what is measured is what lies there
    measured = None
    if text is not None and text.held_out is not None:
        measured = held_out(model, small, tokenizer, text.held_out, apart=cfg.packing, max_tokens=cfg.max_tokens)
    before = Run.result(cfg.run) if Run.finished(cfg.run) else {}
    kept = {name: before[name] for name in ("train_documents",) if name in before}  # how its texts begin
    return {
        **kept,
        "method": choices.model_dump(mode="json"),
        **converted(header, small),
        "layer_errors_of_nearest": header.errors,
        "calibration_tokens": sum(ids.numel() for ids, _ in rows),
        "bytes_before": file_bytes(cfg.run),
        "bytes_after": file_bytes(cfg.out),
        "kernels": chosen(small),
        "speed": speeds({"full": model, "quantized": small}) if cfg.speed else [],
        "held_out": measured,
    }


def with_text(cfg: QuantizeConfig) -> QuantizeConfig:
    """Return the choices with the run's own text where none is named; raises BadInput where one is needed."""
    from linnet.core.files import read_json

    said = read_json(cfg.run / "config.json") if (cfg.run / "config.json").is_file() else {}
    said = said if isinstance(said, dict) else {}
    own = {"packing": said.get("packing") is True}
    if cfg.corpus is None and isinstance(said.get("corpus"), str):
        own |= {name: said[name] for name in ("corpus", "column", "split", "held_out") if name in said}
    cfg = cfg.but(**own)
    if cfg.corpus is None and cfg.calibrated and not cfg.undo:
        raise BadInput(
            f"{cfg.run}: does not say what text it was trained on; name one to calibrate on with --corpus, or choose "
            "--rounding nearest"
        )
    return cfg
