"""The first step of any recipe, ready to be made: what it reads, the network that learns, what is measured."""

import math
from dataclasses import replace
from functools import partial

from linnet.artifacts import kind_of, load_encoder_decoder, load_model, load_network
from linnet.batches.prepare import Prepared
from linnet.core.errors import BadInput
from linnet.explain.first_judgements import judging
from linnet.explain.first_pairs import preferring
from linnet.explain.first_rewards import rewarding
from linnet.explain.first_step import Beginning, Elsewhere, Measuring, widest
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.text.chat import chats
from linnet.train import classifying, contrastive, masking, pretraining, two_sides
from linnet.train.config import (
    DistillConfig,
    DPOConfig,
    GRPOConfig,
    PretrainConfig,
    SftConfig,
    TrainingConfig,
    VerifierConfig,
)
from linnet.train.distilling import Corpus, lesson, pupil, read_material
from linnet.train.finetuning import as_pretraining
from linnet.train.objectives import classification, next_token_objective, source_to_target
from linnet.train.precision import Precision
from linnet.train.row_config import ClassifyConfig, EmbedConfig, FinetuneConfig, MlmConfig, Seq2SeqConfig
from linnet.train.tuning import Talks, begin_adapting, begin_tuning, read_talks

EVALUATED = 32  # rows of a batch of held-out text, where it is not the training's number


def begin(cfg: TrainingConfig, precision: Precision, elsewhere: Elsewhere) -> Beginning:
    """Return the beginning of the recipe of these choices; raises BadInput as the recipe does."""
    if isinstance(cfg, GRPOConfig):
        return rewarding(cfg, precision)
    if isinstance(cfg, VerifierConfig):
        return judging(cfg, precision, elsewhere)
    if isinstance(cfg, DPOConfig):
        return preferring(cfg, precision, elsewhere)
    if isinstance(cfg, EmbedConfig):
        return _searching(cfg, precision)
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
    if isinstance(cfg, SftConfig):
        return _talking(cfg, precision)
    assert isinstance(cfg, PretrainConfig)
    return _pretraining(cfg, precision)


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


def _two_sides(cfg: Seq2SeqConfig, precision: Precision) -> Beginning:
    given = None if cfg.parent is None else load_encoder_decoder(cfg.parent)
    sides, config = two_sides.read_two_sides(cfg, given)
    model = begin_adapting(cfg, two_sides.network(cfg, config, given), sides.tokenizer)
    state = begin_tuning(cfg, model, sides.train, precision)
    found, share = widest(sides.train.batch, cfg)
    every, targets = len(sides.held_out.items), sum(len(item.target) for item in sides.held_out.items)
    each = math.ceil(every * min(1.0, cfg.eval_tokens / targets))
    objective = partial(source_to_target, label_smoothing=cfg.label_smoothing)
    return Beginning(state, objective, found, Measuring(0, each, every, min(every, cfg.batch_size)), share, False)


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
    found, share = widest(classes.train.batch, cfg)
    every = len(classes.held_out.items)
    measured = Measuring(0, every, 2 * every, min(every, cfg.batch_size))
    return Beginning(state, partial(classification, balance_weight=cfg.balance_weight), found, measured, share, False)


def _searching(cfg: EmbedConfig, precision: Precision) -> Beginning:
    given = None
    if cfg.parent is not None:
        made, tokenizer = load_network(cfg.parent)
        if not isinstance(made, Decoder | Encoder):
            raise BadInput(f"{cfg.parent}: {kind_of(made.config)}; texts get their vectors from another kind")
        given = made, tokenizer
    questions = contrastive.read_questions(cfg, given)
    model = begin_adapting(cfg, contrastive.network(cfg, questions.tokenizer, given), questions.tokenizer)
    state = begin_tuning(cfg, model, questions.train, precision)
    found, share = widest(questions.train.batch, cfg)
    objective = partial(contrastive.contrast, temperature=cfg.temperature, balance_weight=cfg.balance_weight)
    every = len(questions.held_out.items)
    measured = Measuring(0, every, every, min(every, cfg.batch_size))
    return Beginning(state, objective, found, measured, share, paces=False, renewed=True)


def _distilling(cfg: DistillConfig, precision: Precision) -> Beginning:
    teacher, tokenizer = load_model(cfg.teacher, precision.device)
    model = pupil(cfg, (teacher, tokenizer), None if cfg.parent is None else load_model(cfg.parent))
    begin_adapting(cfg, model, tokenizer)
    context = model.config.context_length
    material = read_material(cfg, tokenizer, context)
    state = begin_tuning(cfg, model, material.train, precision)
    if isinstance(material, Corpus):
        measured = replace(_of_text(material.prepared, cfg, context, before=True), batch=cfg.batch_size)
    else:
        assert isinstance(material, Talks)
        measured = _of_talks(material, cfg, before=True)
    return Beginning(state, lesson(cfg, teacher), material.train.batch(0), measured)
