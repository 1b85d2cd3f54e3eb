"""What learning from sources and targets begins with: pairs as ids, a new or given encoder-decoder, how it measures."""

import math
from dataclasses import dataclass

import torch

from linnet.batches.source_target import SourceTargetRows, encode_pairs, start_of
from linnet.batches.vocabulary import tokenizer_of_texts
from linnet.model.config import ModelConfig
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.tasks.task import Example
from linnet.tasks.text_pairs import TextPairs, read_text_pairs
from linnet.text.tokenizer import Tokenizer
from linnet.train.objectives import source_to_target
from linnet.train.precision import Precision
from linnet.train.row_config import Seq2SeqConfig
from linnet.train.validate import mean_numbers

Given = tuple[EncoderDecoder, Tokenizer]


@dataclass(frozen=True)
class TwoSides:
    """Pairs of texts as they were read and as batches, and the held-out examples whose ids fit."""

    pairs: TextPairs
    tokenizer: Tokenizer
    train: SourceTargetRows
    held_out: SourceTargetRows
    asked: list[Example]
    left_out: int

    def line(self) -> str:
        """Say it in words."""
        more = f"; {self.left_out:,} left out, too long for the context" if self.left_out else ""
        return f"{self.pairs.line()}{more}"

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of the ids, for run records."""
        return {"train": self.train.hash, "held_out": self.held_out.hash}

    def measure(
        self, model: EncoderDecoder, precision: Precision, most_tokens: int | None = None
    ) -> tuple[dict[str, float], int]:
        """Return mean loss and accuracy of a held-out target token, the tokens before it given, and how many there are.

        `most_tokens` bounds the targets that are looked at.
        """
        tokens = sum(len(item.target) for item in self.held_out.items)
        share = 1.0 if most_tokens is None else min(1.0, most_tokens / tokens)
        batches = math.ceil(share * len(self.held_out.items) / self.held_out.batch_size)
        return mean_numbers(model, self.held_out.in_order(None if share == 1 else batches), precision, source_to_target)


def read_two_sides(cfg: Seq2SeqConfig, given: Given | None) -> tuple[TwoSides, ModelConfig]:
    """Return the pairs that the choices name, and the config of the network that learns; raises BadInput."""
    pairs = read_text_pairs(cfg.data, cfg.source_column, cfg.target_column, cfg.split, cfg.held_out, cfg.held_out_split)
    if given is None:
        texts = (text for example in pairs.train for text in (example.question, example.answer.strip()))
        if cfg.tokenizer == "characters":  # one that is missing could not be encoded at all
            held = (text for example in pairs.held_out for text in (example.question, example.answer.strip()))
            texts = (text for part in (texts, held) for text in part)
        tokenizer = tokenizer_of_texts(cfg.tokenizer, texts, cfg.vocab_size)
        config = cfg.model.but(vocab_size=tokenizer.vocab_size)
    else:
        tokenizer, config = given[1], given[0].config
    start, sides, left_out, asked = start_of(config, tokenizer), [], 0, []
    for examples in (pairs.train, pairs.held_out):
        texts_of = [(example.question, example.answer.strip()) for example in examples]
        items, too_long = encode_pairs(texts_of, tokenizer, config.context_length)
        left_out += len(too_long)
        asked = [example for number, example in enumerate(examples) if number not in set(too_long)]
        sides.append(SourceTargetRows(items, cfg.batch_size, cfg.seed, tokenizer.pad_id, start))
    return TwoSides(pairs, tokenizer, sides[0], sides[1], asked, left_out), config


def network(cfg: Seq2SeqConfig, config: ModelConfig, given: Given | None) -> EncoderDecoder:
    """Return the network that learns: the given one, or a new one drawn by the seed."""
    return EncoderDecoder(config, torch.Generator().manual_seed(cfg.seed)) if given is None else given[0]
