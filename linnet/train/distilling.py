"""What a distillation begins with: a student of the teacher's vocabulary, and a text or conversations to learn on."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch

from linnet.batches.packing import PackedRows
from linnet.batches.prepare import Prepared, prepare
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DistillConfig
from linnet.train.objectives import Objective, distillation
from linnet.train.precision import Precision
from linnet.train.state import Batches
from linnet.train.tuning import read_talks
from linnet.train.validate import validate

Loaded = tuple[Decoder, Tokenizer]


class Material(Protocol):
    """What is learned on: batches, and what is held out of them."""

    @property
    def train(self) -> Batches:
        """Return the batches, without end."""
        ...

    def line(self) -> str:
        """Say it in words."""
        ...

    def data_hashes(self) -> Mapping[str, str]:
        """Return hashes, for run records."""
        ...

    def measure(self, model: Decoder, precision: Precision, most_tokens: int | None = None) -> tuple[float, int]:
        """Return the mean held-out loss in nats a target, and the number of targets."""
        ...

    def opening(self) -> str | list[int]:
        """Return what a model can go on from, for samples: held-out ids, or the empty text that begins a document."""
        ...


@dataclass(frozen=True)
class Corpus:
    """A text as material."""

    prepared: Prepared
    train: Windows | PackedRows

    def line(self) -> str:
        """Say it in words."""
        return self.prepared.report.line()

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of the tokens, for run records."""
        return self.prepared.data_hashes()

    def measure(self, model: Decoder, precision: Precision, most_tokens: int | None = None) -> tuple[float, int]:
        """Return the mean held-out loss in nats a token, and the number of tokens."""
        assert self.prepared.held_out is not None  # the share held out is above 0
        packed = isinstance(self.train, PackedRows)
        found = validate(model, self.prepared.held_out, precision, self.train.batch_size, most_tokens, packed)
        return found.loss, found.tokens

    def opening(self) -> str | list[int]:
        """Return the empty text, or for a corpus of one document, which has no end to begin after, its held-out ids."""
        assert self.prepared.held_out is not None
        one = self.prepared.train.header.documents == 1
        return self.prepared.held_out.ids[: min(4, self.train.context)].tolist() if one else ""


def read_material(cfg: DistillConfig, tokenizer: Tokenizer, context: int) -> Material:
    """Return the conversations or the text that the choices name; raises BadInput when there is too little."""
    if cfg.data:
        return read_talks(cfg.data, cfg.held_out, tokenizer, cfg.batch_size, context, cfg.seed)
    prepared = prepare(cfg.corpus, tokenizer, held_out=cfg.held_out, column=cfg.column, split=cfg.split)
    prepared.check_length(cfg.corpus, context)
    rows = PackedRows if cfg.packing else Windows
    return Corpus(prepared, rows(prepared.train, cfg.batch_size, context, cfg.seed))


def pupil(cfg: DistillConfig, teacher: Loaded, given: Loaded | None) -> Decoder:
    """Return the network that learns: a given one, or a new one; raises BadInput when it cannot read as the teacher."""
    config = teacher[0].config
    if given is None:
        student = cfg.student.but(vocab_size=config.vocab_size, context_length=config.context_length)
        return Decoder(student, torch.Generator().manual_seed(cfg.seed))
    model, tokenizer = given
    if tokenizer.hash != teacher[1].hash:
        raise BadInput(
            f"{cfg.parent}: its tokenizer ({tokenizer.hash[:12]}) is not that of {cfg.teacher} "
            f"({teacher[1].hash[:12]}); a student learns the teacher's probabilities token by token"
        )
    for name in ("vocab_size", "context_length"):
        own, their = getattr(model.config, name), getattr(config, name)
        if own > their or (own != their and name == "vocab_size"):
            raise BadInput(f"{cfg.parent}: has a {name} of {own}, the teacher {cfg.teacher} of {their}")
    return model


def lesson(cfg: DistillConfig, teacher: Decoder) -> Objective:
    """Return what is learned: the teacher's probabilities and a share of the text itself."""
    teacher = teacher.eval().requires_grad_(False)
    objective = partial(
        distillation,
        teacher=teacher,
        temperature=cfg.temperature,
        hard=cfg.hard,
        balance_weight=cfg.balance_weight,
    )
    return torch.compile(objective, dynamic=False) if cfg.compile else objective
