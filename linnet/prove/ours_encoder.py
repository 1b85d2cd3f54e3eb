"""Linnet's own encoder, and classifiers on an encoder or a decoder, as subjects.

B rows, T tokens, C classes.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from linnet.artifacts import load_network, save_model
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.labelled import LabelledBatch, LabelledIds, labelled_batch
from linnet.batches.masked import Masker, masker_of
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import build
from linnet.model.pooling import pooled
from linnet.prove.ours import left_documents, text_of
from linnet.prove.ours_training import training_of
from linnet.prove.parts import Classifying, Masking, Rows
from linnet.prove.subject import Reading, Subject
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from linnet.train.objectives import Loss, Objective, classification, masked_token


def reading_subject(
    model: Encoder | Decoder,
    name: str,
    tokenizer: Tokenizer | None = None,
    training: TrainingConfig | None = None,
    share: float = 0.15,
    trained: bool = True,
) -> Subject:
    """Return an encoder, or a classifier of either kind, as a subject; `share` of a row's tokens is hidden.

    One that is not `trained` yet is to start at a loss of ln V itself, in place of another new one of its shape.
    """
    config, classes = model.config, model.config.pooling != "none"
    masker = None if classes or config.output_size is not None else _masker(model, tokenizer, share)
    objective = classes_objective if classes else (lambda weight: _masked_objective(config.vocab_size - 1))
    return Subject(
        name=name,
        model=model,
        vocab_size=config.vocab_size,
        logits=model,
        longest=config.context_length,
        both_ways=isinstance(model, Encoder),
        reading=_reading(model),
        loss=(lambda rows: _classes_loss(model, rows)) if classes else (lambda rows: _tokens_loss(model, rows)),
        fresh=None if config.output_size is not None else (lambda: _fresh(model)) if trained else (lambda: model),
        tied=tuple((other, one) for one, other in model.copies().items()),
        reloaded=None if tokenizer is None else lambda: _reloaded(model, name, tokenizer),
        text=None if tokenizer is None else text_of(tokenizer, None),
        masking=None if masker is None else _masking(model, masker),
        classifying=_classifying(model) if classes else None,
        training=None if training is None else training_of(config, training, objective),
    )


def classes_objective(balance_weight: float = 0.0) -> Objective:
    """Return the classifier's loss as an objective on batches of next tokens: a row's class is its first id's."""

    def objective(model: Encoder | Decoder, batch: Batch) -> Loss:
        lengths = 1 + (batch.targets != IGNORE).sum(1).clamp(max=batch.ids.shape[1] - 1)
        return classification(model, LabelledBatch(batch.ids, lengths, batch.ids[:, 0] % model.config.outputs))

    return objective


def _masked_objective(mask_id: int) -> Objective:
    """Return the loss of hidden tokens as an objective on batches of next tokens: a learned one is hidden."""

    def objective(model: Encoder, batch: Batch) -> Loss:
        chosen = batch.targets != IGNORE
        shown = torch.where(chosen, mask_id, batch.ids)
        return masked_token(model, Batch(shown, torch.where(chosen, batch.ids, IGNORE)))

    return objective


def _masker(model: Encoder | Decoder, tokenizer: Tokenizer | None, share: float) -> Masker:
    size = model.config.vocab_size
    if tokenizer is None:
        return Masker(size - 1, frozenset(range(size - 1)), share, seed=0)
    return masker_of(tokenizer, model.config, share, seed=0)


def _masking(model: Encoder | Decoder, masker: Masker) -> Masking:
    ordinary = torch.tensor(sorted(masker.ordinary))

    def mask(ids: Tensor, number: int) -> tuple[Tensor, Tensor]:
        nothing = torch.full_like(ids, IGNORE)
        found = masker.masked(Batch(ids.cpu(), nothing.cpu()), number)
        return found.ids.to(ids.device), (found.targets != IGNORE).to(ids.device)

    def loss(shown: Tensor, ids: Tensor, chosen: Tensor) -> Tensor:
        assert isinstance(model, Encoder)
        found = masked_token(model, Batch(shown, torch.where(chosen, ids, IGNORE)))
        return found.total / found.count

    return Masking(mask, loss, masker.mask_id, masker.share, lambda ids: torch.isin(ids.cpu(), ordinary))


def _classifying(model: Encoder | Decoder) -> Classifying:
    def batch(rows: Sequence[Sequence[int]], labels: Sequence[int]) -> LabelledBatch:
        items = [LabelledIds(tuple(row), label) for row, label in zip(rows, labels, strict=True)]
        return labelled_batch(items, 0).to(model.embedding.weight.device)

    def scores(rows: Sequence[Sequence[int]]) -> Tensor:
        one = batch(rows, [0] * len(rows))
        return pooled(model(one.ids, lengths=one.lengths), one.lengths, model.config.pooling)

    def loss(rows: Sequence[Sequence[int]], labels: Sequence[int]) -> Tensor:
        found = classification(model, batch(rows, labels))
        return found.total / found.count

    return Classifying(scores, loss)


def _classes_loss(model: Encoder | Decoder, rows: Rows) -> Tensor:
    lengths = torch.full((len(rows.ids),), rows.ids.shape[1], device=rows.ids.device)
    found = classification(model, LabelledBatch(rows.ids, lengths, rows.ids[:, 0] % model.config.outputs))
    return found.total / found.count


def _tokens_loss(model: Encoder | Decoder, rows: Rows) -> Tensor:
    """Return a loss that reaches every output: of each learned token at its own place."""
    found = masked_token(model, Batch(rows.ids, torch.where(rows.learned, rows.ids % model.config.outputs, IGNORE)))
    return found.total / found.count


def _reading(model: Encoder | Decoder) -> Reading:
    relative = model.config.positions in ("rotary", "relative") and model.config.sink_tokens == 0

    def order(ids: Tensor) -> Tensor:
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)

    both_ways = isinstance(model, Encoder)
    return Reading(
        padded=lambda ids, lengths: model(ids, lengths=lengths),
        left_padded=lambda ids, lengths: model(ids, documents=left_documents(ids, lengths)),
        packed=lambda ids, documents: model(ids, documents=documents),
        moved=(lambda ids, far: model(ids, positions=order(ids) + far)) if relative else None,
        window=model.config.window,
        reads=(lambda tokens: torch.ones(tokens, tokens, dtype=torch.bool)) if both_ways else None,
    )


def _fresh(model: Encoder | Decoder):
    return build(model.config, torch.Generator().manual_seed(1)).to(model.embedding.weight.device).eval()


def _reloaded(model: Encoder | Decoder, name: str, tokenizer: Tokenizer) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), model, tokenizer)
        loaded, _ = load_network(Path(folder), model.embedding.weight.device)
    assert isinstance(loaded, Encoder | Decoder)
    return reading_subject(loaded, f"{name}, loaded")
