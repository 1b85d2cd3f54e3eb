"""The very rows that a recipe would learn from, in its own order, with what is to be said of where they come from."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from linnet.artifacts import load_model
from linnet.batches.batch import Batch
from linnet.batches.judged import JudgedRows, as_written, balanced, encode, hold_out
from linnet.batches.pairs import pair_batch
from linnet.batches.prepare import Prepared
from linnet.core.errors import BadInput
from linnet.infer.judged_answers import FILES as OWN_ANSWERS
from linnet.infer.judged_answers import read_judged
from linnet.infer.own_pairs import FILES as OWN_PAIRS
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DPOConfig, PretrainConfig, SftConfig, TrainingConfig, VerifierConfig
from linnet.train.pairing import read_pair_sets
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
    ends: bool = True
    """Whether what is learned is text that ends, with a stop token: hidden tokens and labels do not."""


def material_of(cfg: TrainingConfig) -> Material:
    """Return what the recipe of these choices reads."""
    if isinstance(cfg, VerifierConfig):
        return judged_material(cfg)
    if isinstance(cfg, DPOConfig):
        return pair_material(cfg)
    if isinstance(cfg, SftConfig):
        return tuning_material(cfg)
    assert isinstance(cfg, PretrainConfig)
    return pretraining_material(cfg)


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


def pair_material(cfg: DPOConfig) -> Material:
    """Return what `linnet dpo` reads: the two answers of each pair under each other, the better one first.

    Pairs of the model's own replies are read from the run's folder where they were made.
    """
    chats(cfg.parent)
    model, tokenizer = load_model(cfg.parent)
    sources = {} if cfg.pairs == "none" else {cfg.pairs: cfg.split}
    sources |= {str(path): "train" for path in sorted(cfg.out.glob(OWN_PAIRS)) if cfg.pairs_from}
    if not sources:
        raise BadInput(f"{cfg.out}: no {OWN_PAIRS} there yet; linnet dpo makes them when it begins")
    pairs, held_out = read_pair_sets(cfg, sources, tokenizer, model.config)
    drawn = 1 if cfg.overfit_one_batch else cfg.steps * cfg.accumulate
    count = min(len(pairs.items), drawn * cfg.batch_size)
    order = [number for batch in range(-(-count // cfg.batch_size)) for number in pairs.numbers(batch)][:count]
    batches = (pair_batch([pairs.items[number]], pairs.pad_id).rows for number in order)
    sizes = Counter(len(answer) for n in order for answer in (pairs.items[n].chosen, pairs.items[n].rejected))
    shorter = sum(len(pairs.items[n].chosen) < len(pairs.items[n].rejected) for n in order)
    facts = (
        ("Pairs", f"{len(pairs.items):,} to learn from, {len(held_out.items):,} held out; rows are chosen, rejected"),
        ("Shorter answer chosen", f"{shorter / count:.1%} of the pairs"),
    )
    lengths = ("How long the answers are", "answers", sizes)
    return Material(", ".join(sources), tokenizer, 2 * count, batches, facts, {"pairs": len(pairs.items)}, lengths)


def judged_material(cfg: VerifierConfig) -> Material:
    """Return what `linnet verifier` reads: an answer a row, in which what is judged is shown as what is learned.

    Answers of the model's own are read from the run's folder where they were made.
    """
    chats(cfg.parent)
    model, tokenizer = load_model(cfg.parent)
    made = sorted(cfg.out.glob(OWN_ANSWERS), key=lambda path: path.stat().st_mtime)
    if cfg.candidates is None and not made:
        raise BadInput(f"{cfg.out}: no {OWN_ANSWERS} there yet; linnet verifier makes them when it begins")
    learn, held_out = hold_out(read_judged(cfg.candidates or made[-1]), cfg.held_out)
    items, kept = encode(balanced(learn, cfg.seed) if cfg.balance else learn, tokenizer, model.config, cfg.blind)
    batches = JudgedRows(items, cfg.batch_size, cfg.seed, tokenizer.pad_id, mark=True)
    rows, found = drawn_once(cfg, batches)
    right = sum(one.right for one in kept)
    facts = (
        ("Answers", f"{len(kept):,} to learn from, {right:,} of them right; {len(held_out):,} held out"),
        ("Problems", f"{len({one.problem for one in kept}):,}, and none of them is held out"),
    )
    sizes = Counter(len(item.answer) for item in items)
    name = str(cfg.candidates or made[-1])
    numbers = {"right": right, "wrong": len(kept) - right}
    written = (as_written(batch) for batch in found)
    return Material(name, tokenizer, rows, written, facts, numbers, ("How long the answers are", "answers", sizes))


def _longer(data: Prepared, context: int) -> int:
    """Return how many documents of the text are longer than a row; a text of one document is a stream without ends."""
    if data.train.header.documents == 1:
        return 0
    return int((np.diff(data.train.starts.astype(np.int64)) > context).sum())
