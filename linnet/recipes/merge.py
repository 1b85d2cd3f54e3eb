"""Make one plain model of an adapter and its base: a run's own adapter, or one in peft's format."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from linnet.core.config import Config, Positional
from linnet.core.errors import BadInput, Failed

if TYPE_CHECKING:
    from linnet.model.network import Network
    from linnet.text.tokenizer import Tokenizer

MOST = 1e-3  # of the largest logit: far above rounding, far below any mistake


class MergeConfig(Config):
    """Choices of `linnet merge`."""

    run: Annotated[Path, Positional()]
    """Run folder with an adapter, or of the base that --adapter goes on."""
    adapter: Path | None = None
    """Folder of an adapter in peft's format, trained on this base, here or on its transformers form."""
    out: Path = Path("runs/merged")
    """Run folder."""


def main(cfg: MergeConfig) -> Path:
    """Merge, compare before and after, and return the run folder."""
    import copy

    from linnet.adapt.surgery import counts, plain
    from linnet.artifacts import save_model
    from linnet.core.console import logger
    from linnet.core.run import Run
    from linnet.text.chat import chats

    Run.check(cfg.out, cfg, "merge")
    beside, tokenizer = adapted(cfg)
    merged = plain(copy.deepcopy(beside))
    difference, largest = apart(beside, merged)
    if not difference <= MOST * largest:
        raise Failed(f"{cfg.run}: merged, logits of {largest:.1f} differ by {difference:.1e}; nothing was written")
    parents = [cfg.run] if cfg.adapter is None else [cfg.run, cfg.adapter]
    with Run.start(cfg.out, cfg, "merge", parents=parents, track="none") as run:
        save_model(cfg.out, merged, tokenizer, chat=chats(cfg.run))
        run.finish(parameters=counts(merged)["total"], max_logit_difference=difference, largest_logit=largest)
    logger.info("one plain model; its logits differ from those with the adapter by at most %.1e", difference)
    return cfg.out


def adapted(cfg: MergeConfig) -> "tuple[Network, Tokenizer]":
    """Return the network with the adapter beside its weights; raises BadInput where there is none."""
    from linnet.adapt.peft_file import WEIGHTS
    from linnet.adapt.quant import PackedLinear
    from linnet.artifacts import load_adapted, load_model, weights_file
    from linnet.core.console import logger
    from linnet.export.peft import read_peft

    if cfg.adapter is not None:
        model, tokenizer = load_model(cfg.run)
        read_peft(cfg.adapter, model)
        return model.eval(), tokenizer
    if weights_file(cfg.run).name != WEIGHTS:
        raise BadInput(f"{cfg.run}: has no adapter to merge; name a run of --adapt.method, or give --adapter")
    found, tokenizer, _ = load_adapted(cfg.run)
    if any(isinstance(module, PackedLinear) for module in found.modules()):
        logger.warning("the base was packed: the merged weights are full ones, and packing them again will round them")
    return found.eval(), tokenizer


def apart(one: "Network", other: "Network") -> tuple[float, float]:
    """Return the largest difference of logits on random rows, and the largest logit."""
    import torch

    from linnet.model.encoder_decoder import EncoderDecoder

    config = one.config
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(0, config.vocab_size, (2, min(32, config.context_length)), generator=draw)
    with torch.no_grad():
        rows = (ids, ids) if isinstance(one, EncoderDecoder) else (ids,)
        first, second = one(*rows), other(*rows)
    return float((first - second).abs().max()), float(first.abs().max())
