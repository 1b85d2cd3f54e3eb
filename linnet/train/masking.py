"""What learning from hidden tokens begins with: a corpus, rows with tokens hidden, and what knowing nothing costs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.masked import MaskedRows, Masker, masked_in_order, masker_of, with_mask
from linnet.batches.packing import PackedRows
from linnet.batches.prepare import Prepared
from linnet.batches.windows import in_order
from linnet.core.errors import BadInput
from linnet.model.encoder import Encoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.objectives import Objective, masked_token
from linnet.train.precision import Precision
from linnet.train.pretraining import read_corpus
from linnet.train.row_config import MlmConfig
from linnet.train.validate import mean_numbers


@dataclass(frozen=True)
class Hidden:
    """A corpus as rows with tokens hidden, to learn from and to measure on."""

    prepared: Prepared
    train: MaskedRows
    masker: Masker
    batch_size: int
    context: int

    def measure(
        self, model: Encoder, precision: Precision, most_tokens: int | None = None
    ) -> tuple[dict[str, float], int]:
        """Return mean loss and accuracy of a hidden token of the held-out text, and how many were hidden."""
        return mean_numbers(model, self.held_out(most_tokens), precision, masked_token)

    def held_out(self, most_tokens: int | None = None) -> Iterator[Batch]:
        """Yield the held-out rows in order, the same tokens hidden each time."""
        shard = self.prepared.held_out
        assert shard is not None  # the share held out is above 0
        most = None if most_tokens is None else max(1, math.ceil(most_tokens / (self.batch_size * self.context)))
        packed = isinstance(self.train.rows, PackedRows)
        rows = PackedRows(shard, self.batch_size, self.context, seed=0).in_order(most) if packed else None
        return masked_in_order(rows or in_order(shard, self.batch_size, self.context, most), self.masker)

    def common_words(self) -> dict[str, float]:
        """Return what guessing every hidden token by how common it is in the training text gets: loss and accuracy."""
        ids = np.asarray(self.prepared.train.ids)
        counts = np.bincount(ids, minlength=int(self.masker.mask_id) + 1) + 1.0
        chances, likeliest = counts / counts.sum(), int(counts.argmax())
        hidden = np.concatenate([batch.targets[batch.targets != IGNORE].numpy() for batch in self.held_out()])
        return {"loss": float(-np.log(chances[hidden]).mean()), "accuracy": float((hidden == likeliest).mean())}


def read_hidden(cfg: MlmConfig, tokenizer: Tokenizer) -> Hidden:
    """Return the corpus of the choices as rows with tokens hidden; raises BadInput when it is too short."""
    if cfg.model.kind != "encoder":
        raise BadInput(f"--model.kind {cfg.model.kind}: hidden tokens are guessed from both sides; it must be encoder")
    data, rows = read_corpus(cfg, tokenizer)
    masker = masker_of(tokenizer, cfg.model, cfg.mask_share, cfg.seed)
    return Hidden(data, MaskedRows(rows, masker), masker, cfg.batch_size, cfg.model.context_length)


def with_room_for_the_mask(cfg: MlmConfig, tokenizer: Tokenizer) -> MlmConfig:
    """Return the choices with a vocabulary that has an id for the mask."""
    return cfg.but(model=cfg.model.but(vocab_size=with_mask(tokenizer)))


def lesson(cfg: MlmConfig) -> Objective:
    """Return what is learned: the hidden tokens; compiled where that was asked for."""
    return torch.compile(masked_token, dynamic=False) if cfg.compile else masked_token


def network(cfg: MlmConfig, given: Encoder | None) -> Encoder:
    """Return the network that learns: the given one, or a new one drawn by the seed."""
    return Encoder(cfg.model, torch.Generator().manual_seed(cfg.seed)) if given is None else given
