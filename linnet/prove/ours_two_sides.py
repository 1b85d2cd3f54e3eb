"""Linnet's own encoder-decoder as a subject: both sides, its caches, its loss, its files and its training.

B rows, S source tokens, T target tokens.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from linnet.artifacts import load_network, save_model
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.source_target import SourceTarget, SourceTargetBatch, source_target_batch, start_of
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.prove.ours import left_documents, text_of
from linnet.prove.ours_data import rows_of
from linnet.prove.ours_training import training_of
from linnet.prove.parts import Rows, Source
from linnet.prove.subject import Reading, Subject
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from linnet.train.objectives import Loss, Objective, source_to_target

SOURCE_TOKENS = 7  # of the one source that the decoder is read over
PAIRS = (("abc", "cba"), ("a", "bb"), ("bc", "cba"))


def two_sided_subject(
    model: EncoderDecoder,
    name: str,
    tokenizer: Tokenizer | None = None,
    training: TrainingConfig | None = None,
    trained: bool = True,
) -> Subject:
    """Return an encoder-decoder as a subject; its logits are its decoder's over one fixed source.

    One that is not `trained` yet is to start at a loss of ln V itself, in place of another new one of its shape.
    """
    config = model.config
    return Subject(
        name=name,
        model=model,
        vocab_size=config.vocab_size,
        logits=lambda ids: model(_fixed(model, ids), ids),
        longest=config.context_length,
        reading=_reading(model),
        source=Source(
            logits=lambda source, target: model(source, target),
            padded=lambda source, lengths, target: model(source, target, source_lengths=lengths),
        ),
        loss=lambda rows: _loss(model, rows),
        fresh=(lambda: _fresh(model)) if trained else (lambda: lambda ids: model(_fixed(model, ids), ids)),
        tied=tuple((other, one) for one, other in model.copies().items()),
        reloaded=None if tokenizer is None else lambda: _reloaded(model, name, tokenizer),
        text=None if tokenizer is None else text_of(tokenizer, tokenizer.metadata.end),
        examples=() if tokenizer is None else _examples(model, tokenizer),
        training=None if training is None else training_of(config, training, two_sided_objective),
    )


def two_sided_objective(balance_weight: float = 0.0) -> Objective:
    """Return the loss of targets as an objective on batches of next tokens: a row's first tokens are its source too."""

    def objective(model: EncoderDecoder, batch: Batch) -> Loss:
        source = batch.ids[:, :SOURCE_TOKENS]
        lengths = 1 + (source[:, 0] % source.shape[1])  # sources of several lengths
        return source_to_target(model, SourceTargetBatch(source, lengths, batch))

    return objective


def _fixed(model: EncoderDecoder, ids: Tensor) -> Tensor:
    draw = torch.Generator().manual_seed(6)
    source = torch.randint(
        0, model.config.vocab_size, (1, min(SOURCE_TOKENS, model.config.context_length)), generator=draw
    )
    return source.to(ids.device).expand(len(ids), -1)


def _reading(model: EncoderDecoder) -> Reading:
    decoder, relative = model.decoder, model.config.positions in ("rotary", "relative")

    def order(ids: Tensor) -> Tensor:
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)

    return Reading(
        padded=lambda ids, lengths: model(_fixed(model, ids), ids, lengths=lengths),
        left_padded=lambda ids, lengths: decoder(
            ids, documents=left_documents(ids, lengths), memory=model.read(_fixed(model, ids))
        ),
        packed=lambda ids, documents: decoder(ids, documents=documents, memory=model.read(_fixed(model, ids))),
        moved=(lambda ids, far: decoder(ids, positions=order(ids) + far, memory=model.read(_fixed(model, ids))))
        if relative
        else None,
        cached=lambda ids, pieces: _cached(model, ids, pieces),
    )


def _cached(model: EncoderDecoder, ids: Tensor, pieces: Sequence[int]) -> Tensor:
    cache = model.new_cache(_fixed(model, ids), ids.shape[1])
    return torch.cat([model.decoder(piece, cache=cache) for piece in ids.split(list(pieces), dim=1)], dim=1)


def _loss(model: EncoderDecoder, rows: Rows) -> Tensor:
    targets = torch.where(rows.learned, rows.ids, IGNORE)[:, 1:].contiguous()
    source = _fixed(model, rows.ids)
    lengths = torch.full((len(source),), source.shape[1], device=source.device)
    found = source_to_target(model, SourceTargetBatch(source, lengths, Batch(rows.ids[:, :-1], targets)))
    return found.total / found.count


def _fresh(model: EncoderDecoder):
    made = EncoderDecoder(model.config, torch.Generator().manual_seed(1)).to(model.embedding.weight.device).eval()
    return lambda ids: made(_fixed(made, ids), ids)


def _reloaded(model: EncoderDecoder, name: str, tokenizer: Tokenizer) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), model, tokenizer)
        loaded, _ = load_network(Path(folder), model.embedding.weight.device)
    assert isinstance(loaded, EncoderDecoder)
    return two_sided_subject(loaded, f"{name}, loaded")


def _examples(model: EncoderDecoder, tokenizer: Tokenizer) -> list[Rows]:
    """Return targets as rows, as the loss is handed them beside their sources."""
    end = tokenizer.end_id
    try:
        texts = [(tokenizer.encode(source), tokenizer.encode(target)) for source, target in PAIRS]
    except ValueError:  # an alphabet without these letters
        return []
    items = [SourceTarget((*source, end), (*target, end)) for source, target in texts]
    batch = source_target_batch(items, tokenizer.pad_id, start_of(model.config, tokenizer))
    return rows_of([batch.target])
