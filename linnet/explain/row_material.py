"""The rows of seq2seq, summarize, mlm, classify and finetune, shown as rows of one text: what is learned is marked."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from linnet.artifacts import kind_of, load_encoder_decoder, load_model, load_network
from linnet.batches import labelled, masked, source_target
from linnet.core.errors import BadInput
from linnet.explain.material import Material, material_of
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.train.classifying import read_classes
from linnet.train.config import SftConfig, TrainingConfig
from linnet.train.masking import read_hidden, with_room_for_the_mask
from linnet.train.pretraining import drawn_once, read_corpus, with_tokenizer
from linnet.train.row_config import ClassifyConfig, FinetuneConfig, MlmConfig, Seq2SeqConfig, SummarizeConfig
from linnet.train.two_sides import read_two_sides


def rows_of_recipe(cfg: TrainingConfig) -> Material:
    """Return what the recipe of these choices reads."""
    if isinstance(cfg, SummarizeConfig) and cfg.parent is not None:
        model, _ = load_network(cfg.parent)
        if isinstance(model, Decoder):  # it learns as a chat does
            names = cfg.model_fields_set & SftConfig.model_fields.keys()
            chosen = {name: getattr(cfg, name) for name in (*names, "data", "batch_size")}
            return material_of(SftConfig.build(chosen, where="xray summarize"))
    if isinstance(cfg, Seq2SeqConfig):
        return two_sided_material(cfg)
    if isinstance(cfg, MlmConfig):
        return masked_material(cfg)
    if isinstance(cfg, ClassifyConfig):
        return labelled_material(cfg)
    return finetuning_material(cfg) if isinstance(cfg, FinetuneConfig) else material_of(cfg)


def two_sided_material(cfg: Seq2SeqConfig) -> Material:
    """Return what `linnet seq2seq` reads: source, start token and target of a pair in a row."""
    given = None if cfg.parent is None else load_encoder_decoder(cfg.parent)
    sides, _ = read_two_sides(cfg, given)
    rows, batches = _drawn(cfg, len(sides.train.items), sides.train.batch)
    shown = (source_target.as_rows(batch) for batch in batches)
    facts = (("Pairs", f"{sides.line()}; a row is the source, the start token and the target"),)
    sizes = Counter(len(item.target) for item in sides.train.items)
    numbers = {"pairs": len(sides.train.items), "pairs_left_out": sides.left_out}
    return Material(cfg.data, sides.tokenizer, rows, shown, facts, numbers, ("How long targets are", "targets", sizes))


def masked_material(cfg: MlmConfig) -> Material:
    """Return what `linnet mlm` reads: the rows as they were, in which what is hidden is what is learned."""
    if cfg.parent is None:
        cfg, tokenizer = with_tokenizer(cfg)
        cfg = with_room_for_the_mask(cfg.but(model=cfg.model.but(kind="encoder")), tokenizer)
    else:
        model, tokenizer = load_network(cfg.parent)
        if not isinstance(model, Encoder):
            raise BadInput(f"{cfg.parent}: {kind_of(model.config)}, not an encoder; give a run of linnet mlm")
        cfg = cfg.but(model=model.config)
    hidden = read_hidden(cfg, tokenizer)
    rows, _ = drawn_once(cfg, hidden.train.rows)
    shown = (masked.as_rows(batch) for batch in _drawn(cfg, rows, hidden.train.batch)[1])
    facts = (
        ("Hidden", f"{cfg.mask_share:.0%} of each row is to be guessed; of it 80% hidden, 10% replaced, 10% left"),
        ("Shown", "the rows as they were: what is marked as learned is what is to be guessed"),
    )
    lengths = None
    if hidden.prepared.train.header.documents > 1:
        sizes = Counter(np.diff(hidden.prepared.train.starts.astype(np.int64)).tolist())
        lengths = ("How long the documents of the text are", "documents", sizes)
    return Material(cfg.corpus, tokenizer, rows, shown, facts, {}, lengths, ends=False)


def labelled_material(cfg: ClassifyConfig) -> Material:
    """Return what `linnet classify` reads: a text a row, whose last token stands for its label."""
    given = None
    if cfg.parent is not None:
        model, tokenizer = load_network(cfg.parent)
        if not isinstance(model, Decoder | Encoder):
            raise BadInput(f"{cfg.parent}: {kind_of(model.config)}; a classifier goes on from a decoder or an encoder")
        given = model, tokenizer
    classes = read_classes(cfg, given)
    rows, batches = _drawn(cfg, len(classes.train.items), classes.train.batch)
    shown = (labelled.as_rows(batch) for batch in batches)
    counts = Counter(classes.texts.names[one.label] for one in classes.texts.train)
    facts = (
        ("Texts", classes.line()),
        ("Classes", ", ".join(f"{count:,} {name}" for name, count in counts.most_common())),
        ("Shown", "the last token of a row stands for the label that is learned"),
    )
    sizes = Counter(len(item.ids) for item in classes.train.items)
    lengths = ("How long texts are", "texts", sizes)
    return Material(cfg.data, classes.tokenizer, rows, shown, facts, {}, lengths, ends=False)


def finetuning_material(cfg: FinetuneConfig) -> Material:
    """Return what `linnet finetune` reads: rows of a text in the parent's tokens."""
    from linnet.train.finetuning import as_pretraining

    model, tokenizer = load_model(cfg.parent)
    choices = as_pretraining(cfg, model.config.context_length)
    data, batches = read_corpus(choices, tokenizer)
    rows, found = drawn_once(choices, batches)
    documents = data.train.header.documents
    facts = (("Documents", f"{documents:,} of the text"),) if documents > 1 else ()
    return Material(cfg.corpus, tokenizer, rows, found, facts, {})


def _drawn(cfg: TrainingConfig, items: int, batch: Callable[[int], Any]) -> tuple[int, Iterator[Any]]:
    """Return how many items a training draws before any comes again, and these in batches, in its order."""
    drawn = 1 if cfg.overfit_one_batch else cfg.steps * cfg.accumulate
    rows = min(items, drawn * cfg.batch_size)
    numbers = range(-(-rows // cfg.batch_size))
    return rows, (batch(number).rows(slice(rows - number * cfg.batch_size)) for number in numbers)
