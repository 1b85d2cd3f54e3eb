"""What a pretraining begins with: made the same way to train, to look into its data and to do a step again."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from linnet.batches.batch import Batch
from linnet.batches.conversations import Conversations
from linnet.batches.judged import JudgedRows
from linnet.batches.packing import PackedRows
from linnet.batches.prepare import Prepared, Source, prepare
from linnet.batches.vocabulary import tokenizer_for
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import PretrainConfig, TrainingConfig
from linnet.train.objectives import Objective, next_token_objective
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.schedules import schedule_of
from linnet.train.session import OneBatch
from linnet.train.state import TrainState

C = TypeVar("C", bound=PretrainConfig)


def with_tokenizer(cfg: C) -> tuple[C, Tokenizer]:
    """Return the tokenizer that the choices ask for, and the choices with the size of its vocabulary."""
    source = Source(cfg.corpus, cfg.column, cfg.split, held_out=cfg.held_out)
    tokenizer = tokenizer_for(cfg.tokenizer, source, cfg.vocab_size)
    return cfg.but(model=cfg.model.but(vocab_size=tokenizer.vocab_size)), tokenizer


def read_corpus(cfg: PretrainConfig, tokenizer: Tokenizer) -> tuple[Prepared, Windows | PackedRows]:
    """Return the corpus as shards, and the batches of its training part; raises BadInput when it is too short."""
    context = cfg.model.context_length
    data = prepare(cfg.corpus, tokenizer, held_out=cfg.held_out, column=cfg.column, split=cfg.split)
    data.check_length(cfg.corpus, context)
    rows = PackedRows if cfg.packing else Windows
    return data, rows(data.train, cfg.batch_size, context, cfg.seed)


def begin(cfg: PretrainConfig, batches: Windows | PackedRows, precision: Precision) -> TrainState[Decoder]:
    """Return network, optimizer and batches as they are before the first step; raises BadInput for no decoder."""
    if cfg.model.kind != "decoder" or cfg.model.output_size is not None:
        raise BadInput(
            f"--model.kind {cfg.model.kind}: this trains a decoder that writes; an encoder learns by linnet mlm, an "
            "encoder_decoder by linnet seq2seq, a head for classes by linnet classify"
        )
    model = Decoder(cfg.model, torch.Generator().manual_seed(cfg.seed)).to(precision.device)
    model.checkpointing = cfg.checkpointing
    source = OneBatch(batches) if cfg.overfit_one_batch else batches
    return TrainState(model, make_optimizer(model, cfg.optimizer), source, precision)


def learning(cfg: PretrainConfig) -> tuple[Objective, Callable[[int], float]]:
    """Return what is learned, and the factor on the learning rates as a function of the step."""
    objective = next_token_objective(cfg.balance_weight, cfg.compile)
    return objective, schedule_of(cfg)


def drawn_once(
    cfg: TrainingConfig, batches: Windows | PackedRows | Conversations | JudgedRows
) -> tuple[int, Iterator[Batch]]:
    """Return how many rows a training draws before any comes again, and these rows in batches, in its order."""
    an_epoch = batches.windows_per_epoch if isinstance(batches, Windows) else len(batches.rows)
    drawn = 1 if cfg.overfit_one_batch else cfg.steps * cfg.accumulate
    rows = min(an_epoch, drawn * cfg.batch_size)

    def found() -> Iterator[Batch]:
        for number in range(-(-rows // cfg.batch_size)):
            yield batches.batch(number).rows(slice(rows - number * cfg.batch_size))

    return rows, found()
