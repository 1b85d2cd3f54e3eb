"""The first step of any recipe, ready to be made: network, optimizer, a batch of any number of rows, what is measured.

A row is what a batch counts by: a window, a packed row, a text, a pair of answers, a source with its target.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from linnet.adapt.surgery import start_of
from linnet.artifacts import kind_of, load_encoder_decoder, load_model, load_network
from linnet.batches.batch import Batch
from linnet.batches.pairs import PairBatch
from linnet.batches.prepare import Prepared
from linnet.batches.source_target import SourceTargetBatch
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.text.chat import chats
from linnet.train import classifying, masking, pretraining, two_sides
from linnet.train.config import DistillConfig, DPOConfig, PretrainConfig, SftConfig, TrainingConfig
from linnet.train.distilling import Corpus, lesson, pupil, read_material
from linnet.train.finetuning import as_pretraining
from linnet.train.objectives import Objective, classification, next_token_objective, source_to_target
from linnet.train.pairing import read_pair_sets
from linnet.train.precision import Precision
from linnet.train.preference import Preferring, logprobs_of, preference_objective, without_dropout
from linnet.train.row_config import ClassifyConfig, FinetuneConfig, MlmConfig, Seq2SeqConfig
from linnet.train.state import TrainState
from linnet.train.tuning import Talks, begin_adapting, begin_tuning, read_talks

LOOKED_AT = 200  # batches whose width is looked at, where it varies
EVALUATED = 32  # rows of a batch of held-out text, where it is not the training's number


@dataclass(frozen=True)
class Measuring:
    """Held-out rows that are read without learning: once before, at each evaluation, at the end; rows in a batch."""

    before: int
    each: int
    last: int
    batch: int


@dataclass(frozen=True)
class Beginning:
    """A training as it is before its first step. `widest` is the widest batch, `share` the mean width beside its."""

    state: TrainState
    objective: Objective
    widest: Any
    measuring: Measuring
    share: float = 1.0
    paces: bool = True
    """Whether the recipe measures its share of the matmul limit."""

    def rows(self, count: int) -> Any:
        """Return a batch of so many rows, as wide as the widest; rows come again where there are too few."""
        size = rows_in(self.widest)
        return chosen(self.widest, [number % size for number in range(count)])


def begin(cfg: TrainingConfig, precision: Precision) -> Beginning:
    """Return the beginning of the recipe of these choices; raises BadInput as the recipe does."""
    if isinstance(cfg, MlmConfig):
        return _masking(cfg, precision)
    if isinstance(cfg, Seq2SeqConfig):
        return _two_sides(cfg, precision)
    if isinstance(cfg, ClassifyConfig):
        return _classifying(cfg, precision)
    if isinstance(cfg, FinetuneConfig):
        return _finetuning(cfg, precision)
    if isinstance(cfg, DistillConfig):
        return _distilling(cfg, precision)
    if isinstance(cfg, DPOConfig):
        return _preferring(cfg, precision)
    if isinstance(cfg, SftConfig):
        return _talking(cfg, precision)
    assert isinstance(cfg, PretrainConfig)
    return _pretraining(cfg, precision)


def rows_in(batch: Any) -> int:
    """Return how many rows a batch has."""
    if isinstance(batch, PairBatch):
        return batch.pairs
    return len(batch.source if isinstance(batch, SourceTargetBatch) else batch.ids)


def places_in(batch: Any) -> int:
    """Return how many tokens a batch has room for, padding included."""
    if isinstance(batch, PairBatch):
        return batch.rows.ids.numel()
    if isinstance(batch, SourceTargetBatch):
        return batch.source.numel() + batch.target.ids.numel()
    return batch.ids.numel()


def chosen(batch: Any, numbers: list[int]) -> Any:
    """Return some rows of a batch, in this order, as wide as they were."""
    if isinstance(batch, PairBatch):
        both = [*numbers, *(number + batch.pairs for number in numbers)]
        return PairBatch(chosen(batch.rows, both), None if batch.reference is None else batch.reference[both])
    if isinstance(batch, SourceTargetBatch):
        target = chosen(batch.target, numbers)
        return replace(batch, source=batch.source[numbers], source_lengths=batch.source_lengths[numbers], target=target)
    if isinstance(batch, Batch):
        documents, positions = (None if part is None else part[numbers] for part in (batch.documents, batch.positions))
        return Batch(batch.ids[numbers], batch.targets[numbers], documents, positions)
    return replace(batch, ids=batch.ids[numbers], lengths=batch.lengths[numbers], labels=batch.labels[numbers])


def _widest(batch: Callable[[int], Any], cfg: TrainingConfig) -> tuple[Any, float]:
    """Return the widest of the first batches, and the mean width beside it."""
    drawn = 1 if cfg.overfit_one_batch else min(LOOKED_AT, cfg.steps * cfg.accumulate)
    found = [batch(number) for number in range(drawn)]
    sizes = [places_in(one) for one in found]
    return found[sizes.index(max(sizes))], sum(sizes) / len(sizes) / max(sizes)


def _of_text(data: Prepared, cfg: TrainingConfig, context: int, before: bool = False) -> Measuring:
    assert data.held_out is not None  # the share held out is above 0
    every = math.ceil(data.held_out.tokens / context)
    each = min(every, EVALUATED * math.ceil(cfg.eval_tokens / (EVALUATED * context)))
    return Measuring(every if before else 0, each, every, EVALUATED)


def _of_talks(talks: Talks, cfg: TrainingConfig, before: bool) -> Measuring:
    every, context = len(talks.held_out.rows), talks.held_out.context
    each = min(every, cfg.batch_size * math.ceil(cfg.eval_tokens / (cfg.batch_size * context)))
    return Measuring(every + each if before else 0, each, every, min(every, cfg.batch_size))


def _pretraining(cfg: PretrainConfig, precision: Precision) -> Beginning:
    cfg, tokenizer = pretraining.with_tokenizer(cfg)
    data, batches = pretraining.read_corpus(cfg, tokenizer)
    state, (objective, _) = pretraining.begin(cfg, batches, precision), pretraining.learning(cfg)
    return Beginning(state, objective, batches.batch(0), _of_text(data, cfg, cfg.model.context_length))


def _finetuning(cfg: FinetuneConfig, precision: Precision) -> Beginning:
    model, tokenizer = load_model(cfg.parent)
    begin_adapting(cfg, model, tokenizer)
    context = model.config.context_length
    data, batches = pretraining.read_corpus(as_pretraining(cfg, context), tokenizer)
    state, objective = begin_tuning(cfg, model, batches, precision), next_token_objective(cfg.balance_weight)
    return Beginning(state, objective, batches.batch(0), _of_text(data, cfg, context, before=True))


def _masking(cfg: MlmConfig, precision: Precision) -> Beginning:
    given = None
    if cfg.parent is None:
        cfg, tokenizer = pretraining.with_tokenizer(cfg)
        cfg = masking.with_room_for_the_mask(cfg, tokenizer)
    else:
        given, tokenizer = load_network(cfg.parent)
        if not isinstance(given, Encoder):
            raise BadInput(f"{cfg.parent}: {kind_of(given.config)}, not an encoder; give a run of linnet mlm")
        cfg = cfg.but(model=given.config)
    hidden = masking.read_hidden(cfg, tokenizer)
    model = begin_adapting(cfg, masking.network(cfg, given), tokenizer)
    state = begin_tuning(cfg, model, hidden.train, precision)
    measured = replace(_of_text(hidden.prepared, cfg, cfg.model.context_length), batch=cfg.batch_size)
    return Beginning(state, masking.lesson(cfg), hidden.train.batch(0), measured)


def _talking(cfg: SftConfig, precision: Precision) -> Beginning:
    chats(cfg.parent)  # refuses a model that was taught another format
    model, tokenizer = load_model(cfg.parent)
    begin_adapting(cfg, model, tokenizer)
    talks = read_talks(cfg.data, cfg.held_out, tokenizer, cfg.batch_size, model.config.context_length, cfg.seed)
    state, objective = begin_tuning(cfg, model, talks.train, precision), next_token_objective(cfg.balance_weight)
    return Beginning(state, objective, talks.train.batch(0), _of_talks(talks, cfg, before=True))


def _preferring(cfg: DPOConfig, precision: Precision) -> Beginning:
    if cfg.pairs == "none":
        raise BadInput("--pairs none: pairs that the model has yet to write cannot be planned for; give --pairs")
    chats(cfg.parent)
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model = begin_adapting(cfg, without_dropout(loaded), tokenizer)
    pairs, held_out = read_pair_sets(cfg, {cfg.pairs: cfg.split}, tokenizer, model.config)
    reference = logprobs_of(start_of(model), precision)
    preferring = Preferring(cfg.loss, cfg.beta, cfg.gamma, cfg.label_smoothing)
    widest, share = _widest(pairs.batch, cfg)
    tabled = preferring.has_reference and cfg.keep_reference
    if tabled:  # worked out before the first step: the batches bring it
        widest = replace(widest, reference=torch.zeros(2 * widest.pairs))
    drawn, held = len(pairs.drawn_in(cfg.steps * cfg.accumulate)) if tabled else 0, len(held_out.items)
    state = begin_tuning(cfg, model, pairs, precision)
    objective = preference_objective(preferring, reference, cfg.balance_weight, cfg.chosen_weight)
    return Beginning(state, objective, widest, Measuring(drawn + held, held, held, EVALUATED), share, paces=False)


def _two_sides(cfg: Seq2SeqConfig, precision: Precision) -> Beginning:
    given = None if cfg.parent is None else load_encoder_decoder(cfg.parent)
    sides, config = two_sides.read_two_sides(cfg, given)
    model = begin_adapting(cfg, two_sides.network(cfg, config, given), sides.tokenizer)
    state = begin_tuning(cfg, model, sides.train, precision)
    widest, share = _widest(sides.train.batch, cfg)
    every, targets = len(sides.held_out.items), sum(len(item.target) for item in sides.held_out.items)
    each = math.ceil(every * min(1.0, cfg.eval_tokens / targets))
    objective = partial(source_to_target, label_smoothing=cfg.label_smoothing)
    return Beginning(state, objective, widest, Measuring(0, each, every, min(every, cfg.batch_size)), share, False)


def _classifying(cfg: ClassifyConfig, precision: Precision) -> Beginning:
    given = None
    if cfg.parent is not None:
        network, tokenizer = load_network(cfg.parent)
        if not isinstance(network, Decoder | Encoder):
            raise BadInput(f"{cfg.parent}: {kind_of(network.config)}; a classifier goes on from another kind")
        given = network, tokenizer
    classes = classifying.read_classes(cfg, given)
    made = classifying.network(cfg, classes, given)
    model = begin_adapting(cfg, made, classes.tokenizer, whole=("head", "head_layer"))
    state = begin_tuning(cfg, model, classes.train, precision)
    widest, share = _widest(classes.train.batch, cfg)
    every = len(classes.held_out.items)
    measured = Measuring(0, every, 2 * every, min(every, cfg.batch_size))
    return Beginning(state, partial(classification, balance_weight=cfg.balance_weight), widest, measured, share, False)


def _distilling(cfg: DistillConfig, precision: Precision) -> Beginning:
    teacher, tokenizer = load_model(cfg.teacher, precision.device)
    model = pupil(cfg, (teacher, tokenizer), None if cfg.parent is None else load_model(cfg.parent))
    begin_adapting(cfg, model, tokenizer)
    context = model.config.context_length
    material = read_material(cfg, tokenizer, context)
    state = begin_tuning(cfg, model, material.train, precision)
    if isinstance(material, Corpus):
        measured = replace(_of_text(material.prepared, cfg, context, before=True), batch=cfg.batch_size)
        widest = material.train.batch(0)
    else:
        assert isinstance(material, Talks)
        measured, widest = _of_talks(material, cfg, before=True), material.train.batch(0)
    return Beginning(state, lesson(cfg, teacher), widest, measured)
