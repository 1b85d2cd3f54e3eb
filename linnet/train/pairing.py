"""Pairs of answers read from a source, in the chat format, parted into those to learn from and those held out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from linnet.batches.pairs import Encoded, Pair, PairIds, encode, hold_out
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.data.sources import is_world
from linnet.tasks.preferences import TASK, TURN, pair
from linnet.tasks.rows import read
from linnet.text.tokenizer import Tokenizer

ROWS = replace(TASK, gather=None)  # two equal answers are left out later, and counted


@dataclass(frozen=True)
class HeldOutChoice:
    """What is kept out of training: a share of the prompts, at most so many pairs of each source."""

    share: float
    most: int


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
        yield None if parted else Pair(tuple(prompt), chosen, rejected, reason if isinstance(reason, str) else "")


def learn_and_hold_out(
    source: str | Path, split: str, tokenizer: Tokenizer, context: int, keep: HeldOutChoice
) -> tuple[list[PairIds], list[PairIds]]:
    """Return the pairs of a source to learn from, and those held out, which share no prompt with them.

    The small world holds out its validation split, other sources a share of their prompts.
    """
    found = _encoded(source, split, tokenizer, context)
    logger.info("%s: %s", source, found.line())
    if is_world(str(source)):
        return found.items, _encoded(source, "validation", tokenizer, context, keep.most).items
    learn, held_out = hold_out(found.items, keep.share)
    return learn, held_out[: keep.most]


def _encoded(source: str | Path, split: str, tokenizer: Tokenizer, context: int, most: int | None = None) -> Encoded:
    try:
        return encode(read_pairs(source, split, most), tokenizer, context)
    except BadInput as error:
        raise BadInput(str(error) if str(source) in str(error) else f"{source}: {error}") from None
