"""Linnet's own verifier as a subject: its loss, its scores, and rows as it learns from them.

B rows, T tokens.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.judged import Judged, JudgedIds, as_written, encode, judged_batch
from linnet.infer.verifier import last_odds
from linnet.model.decoder import Decoder
from linnet.model.judging import NO_EVIDENCE, Evidence
from linnet.prove.ours_data import rows_of
from linnet.prove.parts import JudgedAnswer, Judging, Rows
from linnet.text.tokenizer import Tokenizer
from linnet.train.correctness import correctness
from linnet.train.objectives import Loss, Objective

ANSWERS = ("4", "It is 4.", "6*7 = <<6*7=42>>42\n#### 42", "two\nlines")


def judging_of(model: Decoder) -> Judging:
    """Return the loss and the scores of a network with one score a token; its words count a little."""
    evidence = evidence_of(model)

    def loss(answers: Sequence[JudgedAnswer]) -> Tensor:
        items = [JudgedIds(one.prompt, one.answer, one.right) for one in answers]
        found = correctness(
            model, judged_batch(items, 0, mark=True).to(model.embedding.weight.device), evidence=evidence
        )
        return found.total / found.count

    def scores(answers: Sequence[JudgedAnswer]) -> Tensor:
        prompts, own = [one.prompt for one in answers], [one.answer for one in answers]
        return last_odds(model, prompts, own, evidence).sigmoid()

    return Judging(loss, scores, evidence.weight)


def evidence_of(model: Decoder) -> Evidence:
    """Return a line of evidence to look at a network with: a slight one, under which scores stay far from 0 and 1."""
    return NO_EVIDENCE if model.config.output_size == 1 else Evidence(0.1)


def judged_loss(model: Decoder, rows: Rows) -> Tensor:
    """Return the mean loss of rows whose learned tokens are judged: even ids as wrong, odd ones as right."""
    batch = Batch(rows.ids, torch.where(rows.learned, rows.ids % 2, IGNORE))
    found = correctness(model, batch, evidence=evidence_of(model))
    return found.total / found.count


def judged_objective(balance_weight: float = 0.0) -> Objective:
    """Return the verifier's loss as an objective on batches of next tokens: even targets are wrong, odd ones right."""

    def objective(model: Decoder, batch: Batch) -> Loss:
        targets = torch.where(batch.targets == IGNORE, IGNORE, batch.targets % 2)
        return correctness(model, replace(batch, targets=targets), balance_weight, evidence_of(model))

    return objective


def judged_examples(model: Decoder, tokenizer: Tokenizer) -> list[Rows]:
    """Return judged answers as rows: what is judged is what is learned."""
    judged = [Judged(f"What is {number}?", text, number % 2 == 0) for number, text in enumerate(ANSWERS)]
    try:
        items, _ = encode(judged, tokenizer, model.config)
    except ValueError:  # an alphabet without these letters, a vocabulary without turns, or no room
        return []
    return rows_of([as_written(judged_batch(items, tokenizer.pad_id, mark=True))])
