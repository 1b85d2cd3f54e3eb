"""Linnet's own verifier as a subject: its loss, its scores, and rows as it learns from them.

B rows, T tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.judged import Judged, JudgedIds, as_written, encode, judged_batch
from linnet.infer.verifier import last_scores
from linnet.model.decoder import Decoder
from linnet.prove.ours_data import rows_of
from linnet.prove.parts import JudgedAnswer, Judging, Rows
from linnet.text.tokenizer import Tokenizer
from linnet.train.correctness import correctness
from linnet.train.objectives import Loss, Objective

ANSWERS = ("4", "It is 4.", "6*7 = <<6*7=42>>42\n#### 42", "two\nlines")


def judging_of(model: Decoder) -> Judging:
    """Return the loss and the scores of a network with one score a token."""

    def loss(answers: Sequence[JudgedAnswer]) -> Tensor:
        items = [JudgedIds(one.prompt, one.answer, one.right) for one in answers]
        found = correctness(model, judged_batch(items, 0, mark=True).to(model.embedding.weight.device))
        return found.total / found.count

    def scores(answers: Sequence[JudgedAnswer]) -> Tensor:
        return last_scores(model, [one.prompt for one in answers], [one.answer for one in answers]).sigmoid()

    return Judging(loss, scores)


def judged_loss(model: Decoder, rows: Rows) -> Tensor:
    """Return the mean loss of rows whose learned tokens are judged: even ids as wrong, odd ones as right."""
    found = correctness(model, Batch(rows.ids, torch.where(rows.learned, rows.ids % 2, IGNORE)))
    return found.total / found.count


def judged_objective(balance_weight: float = 0.0) -> Objective:
    """Return the verifier's loss as an objective on batches of next tokens: even targets are wrong, odd ones right."""

    def objective(model: Decoder, batch: Batch) -> Loss:
        targets = torch.where(batch.targets == IGNORE, IGNORE, batch.targets % 2)
        return correctness(model, replace(batch, targets=targets), balance_weight)

    return objective


def judged_examples(model: Decoder, tokenizer: Tokenizer) -> list[Rows]:
    """Return judged answers as rows: what is judged is what is learned."""
    judged = [Judged(f"What is {number}?", text, number % 2 == 0) for number, text in enumerate(ANSWERS)]
    try:
        items, _ = encode(judged, tokenizer, model.config)
    except ValueError:  # an alphabet without these letters, a vocabulary without turns, or no room
        return []
    return rows_of([as_written(judged_batch(items, tokenizer.pad_id, mark=True))])
