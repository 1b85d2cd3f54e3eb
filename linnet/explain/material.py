"""The very rows that a recipe would learn from, in its own order, with what is to be said of where they come from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from linnet.artifacts import load_model
from linnet.batches.batch import Batch
from linnet.batches.prepare import Prepared
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import PretrainConfig, SftConfig
from linnet.train.pretraining import drawn_once, read_corpus, with_tokenizer
from linnet.train.tuning import read_talks


@dataclass(frozen=True)
class Material:
    """Rows of a training before any comes again, and words about them.

    `lengths` is a picture's title, what is counted, and the lengths (None: those of the rows' documents).
    """

    name: str
    tokenizer: Tokenizer
    rows: int
    batches: Iterator[Batch]
    facts: tuple[tuple[str, str], ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    lengths: tuple[str, str, Counter[int] | None] | None = None


def pretraining_material(cfg: PretrainConfig) -> Material:
    """Return what `linnet pretrain` reads."""
    choices, tokenizer = with_tokenizer(cfg)
    data, batches = read_corpus(choices, tokenizer)
    rows, found = drawn_once(choices, batches)
    documents, cut = data.train.header.documents, _longer(data, cfg.model.context_length)
    facts, lengths = (), None
    if documents > 1:
        facts = (("Documents", f"{documents:,} of the text, {cut:,} longer than a row"),)
        sizes = Counter(np.diff(data.train.starts.astype(np.int64)).tolist())
        lengths = ("How long the documents of the text are", "documents", sizes)
    if cfg.packing:
        lengths = ("How long the documents in the rows are", "documents or pieces", None)
    return Material(cfg.corpus, tokenizer, rows, found, facts, {"documents_cut": cut}, lengths)


def tuning_material(cfg: SftConfig) -> Material:
    """Return what `linnet sft` reads."""
    chats(cfg.parent)  # refuses a model that was taught another format
    model, tokenizer = load_model(cfg.parent)
    talks = read_talks(cfg.data, cfg.held_out, tokenizer, cfg.batch_size, model.config.context_length, cfg.seed)
    rows, found = drawn_once(cfg, talks.train)
    facts = (
        ("Where from", talks.mixture.line()),
        ("Conversations", talks.fitted.line()),
        ("Rows filled", f"{talks.train.filled:.1%}"),
    )
    lengths = ("How long the conversations in the rows are", "conversations", None)
    return Material(cfg.data, tokenizer, rows, found, facts, talks.fitted.numbers(), lengths)


def _longer(data: Prepared, context: int) -> int:
    """Return how many documents of the text are longer than a row; a text of one document is a stream without ends."""
    if data.train.header.documents == 1:
        return 0
    return int((np.diff(data.train.starts.astype(np.int64)) > context).sum())
