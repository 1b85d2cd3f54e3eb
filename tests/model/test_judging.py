"""Ln odds of an answer: the score, and the answer's likelihood so far, by a line."""

import pytest
import torch

from linnet.model.judging import Evidence, ln_odds


def test_each_token_of_the_answer_adds_its_logarithm_and_those_of_the_problem_none():
    draw = torch.Generator().manual_seed(0)
    logits, before = (torch.randn(2, 5, 8, generator=draw, dtype=torch.float64) for _ in range(2))
    ids = torch.randint(7, (2, 5), generator=draw)
    judged = torch.tensor([[False, False, True, True, False], [False, True, True, True, True]])
    found = ln_odds(logits, before, ids, judged, Evidence(1.5, -0.25))
    for row in range(2):
        total = 0.0
        for place in range(5):
            if judged[row, place]:
                words = before[row, place, :7]
                total += float(words[ids[row, place]] - words.logsumexp(0))
            assert float(found[row, place]) == pytest.approx(float(logits[row, place, 7]) + 1.5 * total - 0.25)


def test_without_a_weight_the_last_number_is_the_score_whatever_stands_beside_it():
    logits = torch.randn(1, 3, 1, dtype=torch.bfloat16)
    ids, judged = torch.zeros(1, 3, dtype=torch.int64), torch.ones(1, 3, dtype=torch.bool)
    found = ln_odds(logits, logits, ids, judged, Evidence(0.0, 2.0))
    assert found.dtype == torch.float32
    assert torch.equal(found, logits[..., 0].float() + 2)
