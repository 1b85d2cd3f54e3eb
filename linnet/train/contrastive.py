"""What learning to search begins with: questions with their passages as ids, and the loss that brings these together.

B pairs, D hidden size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F

from linnet.adapt.heads import with_head
from linnet.batches.labelled import encode_texts, row_ends
from linnet.batches.questions import QuestionBatch, QuestionIds, QuestionRows
from linnet.batches.vocabulary import tokenizer_of_texts
from linnet.core.errors import BadInput
from linnet.data import sources, world
from linnet.data.split import is_held_out
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import build
from linnet.model.row_vectors import row_vectors
from linnet.text.tokenizer import Tokenizer
from linnet.train.cloze_questions import cloze_questions
from linnet.train.objectives import Loss, with_balance
from linnet.train.precision import Precision
from linnet.train.row_config import EmbedConfig
from linnet.train.validate import mean_numbers

Given = tuple[Decoder | Encoder, Tokenizer]


class Pair(NamedTuple):
    """A question, its passage, and the whole that this is of: passages of one whole are not told from each other."""

    question: str
    passage: str
    whole: str


def contrast(model: Decoder | Encoder, batch: QuestionBatch, temperature: float, balance_weight: float = 0.0) -> Loss:
    """InfoNCE (van den Oord et al. 2018) in nats, summed over questions: -ln softmax of cosine / temperature.

    A question's own passage is told from the others of the batch (in-batch negatives, Karpukhin et al. 2020); a row
    with the same passage is no negative and is left out. `accuracy` counts the questions that are nearest to their own.
    """
    questions = row_vectors(model, batch.questions, batch.question_lengths)
    passages = row_vectors(model, batch.passages, batch.passage_lengths)
    same = batch.numbers[:, None] == batch.numbers[None]
    same.fill_diagonal_(False)
    scores = (questions @ passages.T / temperature).masked_fill(same, float("-inf"))
    targets = torch.arange(len(scores), device=scores.device)
    total = F.cross_entropy(scores, targets, reduction="sum")
    hits = (scores.argmax(-1) == targets).sum().to(total.dtype)
    count = torch.tensor(len(scores), device=scores.device)
    return with_balance(Loss(total, count, {"loss": total.detach(), "accuracy": hits}), model, balance_weight)


@dataclass(frozen=True)
class Questions:
    """Pairs as batches, to learn from and to measure on."""

    tokenizer: Tokenizer
    train: QuestionRows
    held_out: QuestionRows

    def line(self) -> str:
        """Say it in words."""
        return f"{len(self.train.items):,} questions to learn from, {len(self.held_out.items):,} held out"

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of ids, for run records."""
        return {"train": self.train.hash, "held_out": self.held_out.hash}

    def measure(self, model: Decoder | Encoder, precision: Precision, temperature: float) -> dict[str, float]:
        """Return mean loss and accuracy of the held-out questions, each among the passages of its batch."""

        def lesson(network: Decoder | Encoder, batch: QuestionBatch) -> Loss:
            return contrast(network, batch, temperature)

        return mean_numbers(model, self.held_out.in_order(), precision, lesson)[0]


def read_questions(cfg: EmbedConfig, given: Given | None) -> Questions:
    """Return the pairs that the choices name; raises BadInput."""
    train, held = _pairs(cfg)
    for what, pairs in (("to learn from", train), ("held out to measure on", held)):
        if len(pairs) < 2:
            raise BadInput(f"--data {cfg.data}: {len(pairs)} questions {what}; give more rows or another --held-out")
    if given is not None:
        tokenizer, context = given[1], given[0].config.context_length
    else:
        shown = train + held if cfg.tokenizer == "characters" else train
        tokenizer = tokenizer_of_texts(cfg.tokenizer, (text for pair in shown for text in pair[:2]), cfg.vocab_size)
        context = cfg.model.context_length
    if context < 3:
        raise BadInput(f"a context of {context} tokens has no room for a text between its first and last token")
    pad_id = row_ends(tokenizer)[1]
    learn, measure = (
        QuestionRows(_items(pairs, tokenizer, context), cfg.batch_size, cfg.seed, pad_id) for pairs in (train, held)
    )
    return Questions(tokenizer, learn, measure)


def network(cfg: EmbedConfig, tokenizer: Tokenizer, given: Given | None) -> Decoder | Encoder:
    """Return the network that learns: the given trunk, or a new one drawn by the seed; its head is left as it is.

    Raises BadInput for an encoder-decoder.
    """
    draw = torch.Generator().manual_seed(cfg.seed)
    if given is not None:
        model = given[0] if given[0].config.output_size is None else with_head(given[0], None, draw)
    else:
        if cfg.model.kind == "encoder_decoder":
            raise BadInput("--model.kind encoder_decoder: a text's vector is that of an encoder or a decoder")
        made = build(cfg.model.but(vocab_size=tokenizer.vocab_size), draw)
        assert isinstance(made, Decoder | Encoder)
        model = made
    if not model.config.tie_embeddings:
        model.head.requires_grad_(False)  # never asked: weight decay alone would move it
    if isinstance(model, Encoder) and model.head_layer is not None:
        model.head_layer.requires_grad_(False)
    return model


def _pairs(cfg: EmbedConfig) -> tuple[list[Pair], list[Pair]]:
    """Return the pairs to learn and to measure: by the small world's splits, else by the hash of the passage."""
    if sources.is_world(cfg.data):
        kinds, count, seed = sources.world_options(cfg.data)
        if cfg.texts:
            raise BadInput(f"--data {cfg.data}: the small world has questions of its own; leave out --texts")
        if kinds not in (None, ["questions"]):
            raise BadInput(f"--data {cfg.data}: the small world's questions are world/questions[:COUNT[:SEED]]")
        most = max(2, round(min(count, cfg.questions) * cfg.held_out))
        train = islice(world.rows("questions", "train", seed), min(count, cfg.questions))
        held = islice(world.rows("questions", "validation", seed), most)
        return [_pair(row, "world") for row in train], [_pair(row, "world") for row in held]
    split = "train" if Path(cfg.data).expanduser().is_file() else cfg.split
    if cfg.texts:
        texts = (document.text for document in sources.documents(cfg.data, cfg.column, split))
        made = [Pair(*one) for one in cloze_questions(texts, cfg.seed, cfg.questions)]
        return _parted(made, cfg.held_out)
    rows = islice(sources.rows(cfg.data, split), cfg.questions)
    pairs = [_pair(row, f"{cfg.data}, row {number:,}") for number, row in enumerate(rows, start=1)]
    return _parted(pairs, cfg.held_out)


def _parted(pairs: list[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """Part pairs by the hash of the whole passage, which so stands on one side only."""
    out = [is_held_out(pair.whole, share) for pair in pairs]
    return list(compress(pairs, [not held for held in out])), list(compress(pairs, out))


def _pair(row: dict[str, Any], where: str) -> Pair:
    question, context = row.get("question"), row.get("context")
    if not isinstance(question, str) or not isinstance(context, str):
        raise BadInput(f"{where}: pairs to learn from have the columns question and context, as SQuAD")
    return Pair(question, context, context)


def _items(pairs: list[Pair], tokenizer: Tokenizer, context: int) -> list[QuestionIds]:
    numbers: dict[str, int] = {}
    questions = encode_texts([pair.question for pair in pairs], tokenizer, context)
    passages = list(_encoded_once([pair.passage for pair in pairs], tokenizer, context))
    return [
        QuestionIds(question, passage, numbers.setdefault(pair.whole, len(numbers)))
        for question, passage, pair in zip(questions, passages, pairs, strict=True)
    ]


def _encoded_once(texts: list[str], tokenizer: Tokenizer, context: int) -> Iterator[tuple[int, ...]]:
    """Yield each text as ids; a text that comes several times is encoded once."""
    different = list(dict.fromkeys(texts))
    ids = dict(zip(different, encode_texts(different, tokenizer, context), strict=True))
    return (ids[text] for text in texts)
