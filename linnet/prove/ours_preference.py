"""Linnet's own learning from preferences: the real loss over real batches of pairs, and its reference."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from linnet.batches.pairs import Pair as Said
from linnet.batches.pairs import PairBatch, PairIds, Pairs, pair_batch, pair_ids
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.prove.ours_data import rows_of
from linnet.prove.parts import Pair, Preference, Rows
from linnet.prove.subject import Subject
from linnet.text.chat import Message
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DPOConfig
from linnet.train.precision import Precision
from linnet.train.preference import (
    Preferring,
    both,
    logprobs_of,
    preference_objective,
    reference_table,
    still_copy,
    token_logprobs,
)

TALKS = (
    ("What is 2 + 2?", "4", "It may be 5."),
    ("Say it in one word.\nWho has a dog?", "Mira", "I do not know.\nWho knows?"),
    ("", "Yes.", ""),
)


def with_preference(subject: Subject, model: Decoder, tokenizer: Tokenizer, config: Mapping[str, Any]) -> Subject:
    """Return the subject of a run of `linnet dpo` with what it learned from; `config` are the choices of the run."""
    return replace(
        subject,
        preference=preference_of(model, config, tokenizer.pad_id),
        examples=pair_examples(model, tokenizer),
    )


def preference_of(model: Decoder, config: Mapping[str, Any], pad_id: int) -> Preference:
    """Return the loss that a run of `linnet dpo` was asked for, the model as it is now being policy and reference.

    The reference's log-probabilities are worked out once and kept, as in training. The plain loss of the chosen answer
    (`chosen_weight`) is left out: the invariants are of the preference.
    """
    preferring = preferring_of(config)
    precision = Precision(torch.float32, model.embedding.weight.device)
    reference = logprobs_of(still_copy(model), precision)
    objective = preference_objective(preferring, reference)
    kept = config.get("keep_reference", True) is True and preferring.has_reference

    def batch(pairs: Sequence[Pair]) -> PairBatch:
        items = [PairIds(pair.prompt, pair.chosen, pair.rejected) for pair in pairs]
        source = Pairs(items, len(items), 0, pad_id, mark=bool(model.config.num_experts))
        table = reference_table(reference, source, range(len(items)), batch_size=2) if kept else None
        return pair_batch(items, pad_id, table, source.mark).to(precision.device)

    def loss(pairs: Sequence[Pair]) -> Tensor:
        found = objective(model, batch(pairs))
        return found.total / found.count

    return Preference(
        loss,
        logps=lambda pairs: both(token_logprobs(model, batch(pairs).rows).sum(1)),
        reference_logps=(lambda pairs: both(reference(batch(pairs).rows).sum(1))) if preferring.has_reference else None,
        at_start=at_start(preferring),
        of_mean_token=preferring.loss != "sigmoid",
    )


def preferring_of(config: Mapping[str, Any]) -> Preferring:
    """Return the loss of a saved config; raises BadInput for one that is none."""
    names = ("loss", "beta", "gamma", "label_smoothing")
    chosen = {name: config[name] for name in names if name in config}
    checked = DPOConfig.build({**chosen, "parent": "."}, where="config.json")
    return Preferring(checked.loss, checked.beta, checked.gamma, checked.label_smoothing)


def at_start(preferring: Preferring) -> float | None:
    """Return the loss of a policy that is its reference; None for a loss without one."""
    if not preferring.has_reference:
        return None
    return float(preferring.losses(torch.zeros(2, dtype=torch.float64), torch.ones(2)))


def pair_examples(model: Decoder, tokenizer: Tokenizer) -> list[Rows]:
    """Return pairs as the training's batches hold them, chosen answers first; none that the context cannot hold."""
    try:
        said = [pair_ids(Said((Message("user", asked),), good, bad), tokenizer) for asked, good, bad in TALKS]
    except BadInput:  # an alphabet without these letters, or a vocabulary without turns
        return []
    items = [item for item in said if item.tokens <= model.config.context_length + 1]
    return rows_of([pair_batch(items, tokenizer.pad_id, mark=True).rows]) if items else []
