"""Pairs of answers read from a source, in the chat format, parted into those to learn from and those held out."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path

from linnet.batches.pairs import Encoded, Pair, PairIds, Pairs, encode, hold_out
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.data.sources import is_world
from linnet.model.config import ModelConfig
from linnet.tasks.preferences import TASK, TURN, pair
from linnet.tasks.rows import read
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DPOConfig

ROWS = replace(TASK, gather=None)  # two equal answers are left out later, and counted


def read_pairs(source: str | Path, split: str = "train", most: int | None = None) -> Iterator[Pair | None]:
    """Yield the pairs of `world[:COUNT[:SEED]]`, a file, a folder or a hub name, at most `most`.

    Rows are those that the task "preferences" takes. None stands for two transcripts that part before their last
    answer: they are no pair of answers. Raises BadInput naming the row for other columns.
    """
    for number, row in enumerate(islice(read(ROWS, source, split), most), start=1):
        try:
            prompt, chosen, rejected = pair(row)
        except BadInput as error:
            raise BadInput(f"{source}, row {number:,}: {error}") from None
        reason = row.get("reason")
        parted = "prompt" not in row and (TURN.search(chosen) or TURN.search(rejected))
        why = reason if isinstance(reason, str) else ""
        yield None if parted else Pair(tuple(prompt), chosen, rejected, why, row.get("unfinished") is True)


def read_pair_sets(
    cfg: DPOConfig, sources: Mapping[str, str], tokenizer: Tokenizer, model: ModelConfig
) -> tuple[Pairs, Pairs]:
    """Return the pairs of all sources (each with its split) to learn from, and those held out, as batches.

    The small world holds out its validation split, other sources a share of their prompts; no prompt is on both sides.
    Raises BadInput when too few are left.
    """
    train: list[PairIds] = []
    held_out: list[PairIds] = []
    for source, split in sources.items():
        found = _encoded(source, split, tokenizer, model.context_length)
        logger.info("%s: %s", source, found.line())
        if is_world(source):
            learn = found.items
            out = _encoded(source, "validation", tokenizer, model.context_length, cfg.held_out_pairs).items
        else:
            learn, out = hold_out(found.items, cfg.held_out)
        train += learn
        held_out += out[: cfg.held_out_pairs]
    if not train or len(held_out) < 2:
        raise BadInput(f"{', '.join(sources)}: {len(train)} pairs to learn from and {len(held_out)} held out: too few")
    mark = bool(model.num_experts)
    return (
        Pairs(train, cfg.batch_size, cfg.seed, tokenizer.pad_id, mark),
        Pairs(held_out, 1, cfg.seed, tokenizer.pad_id, mark),
    )


def _encoded(source: str | Path, split: str, tokenizer: Tokenizer, context: int, most: int | None = None) -> Encoded:
    try:
        return encode(read_pairs(source, split, most), tokenizer, context)
    except BadInput as error:
        raise BadInput(str(error) if str(source) in str(error) else f"{source}: {error}") from None
