"""A verifier's score is the sigmoid at the answer's last token, whatever stands beside it and however it is read."""

import math

import pytest
import torch

from linnet.adapt.heads import with_head, with_score
from linnet.batches.judged import answer_ids
from linnet.core.errors import BadInput
from linnet.infer.verifier import LEAST, Verifier, last_odds
from linnet.model.judging import Evidence
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network
from tests.judged_answers import judged_answers

JUDGED = judged_answers(9, wrong=2)
TOKENIZER = Tokenizer.train_bpe([f"{one.problem}\n{one.answer}\n" for one in JUDGED], 330)


def verifier(share: float = 0.5, **choices) -> Verifier:
    choices = {"context_length": 200, "hidden_size": 32, **choices}
    model = with_score(network(vocab_size=TOKENIZER.vocab_size, spread=0.2, **choices)).eval()
    with torch.no_grad():
        model.head.weight[-1] = torch.randn(model.config.hidden_size, generator=torch.Generator().manual_seed(4))
    return Verifier(model, TOKENIZER, share, Evidence(0.02, 2.0))


def by_hand(judge: Verifier, problem: str, answer: str) -> float:
    prompt, ids = answer_ids(TOKENIZER, problem, answer)
    with torch.inference_mode():
        logits = judge.model(torch.tensor([prompt + ids]))[0].double()
    said = logits[:, :-1].log_softmax(-1)
    likelihood = sum(float(said[len(prompt) - 1 + place, id]) for place, id in enumerate(ids))
    odds = float(logits[-1, -1]) + judge.evidence.weight * likelihood + judge.evidence.offset
    return 1 / (1 + math.exp(-odds))


@pytest.mark.parametrize(
    "choices", [{}, {"num_experts": 2}, {"window": 16}, {"positions": "learned"}, {"ngram_buckets": 64}]
)
def test_scores_are_those_of_whole_rows_read_alone(choices):
    judge = verifier(**choices)
    pairs = [(one.problem, one.answer) for one in JUDGED]
    found = judge.scores(pairs, batch_size=10)
    wanted = [by_hand(judge, *pair) for pair in pairs]
    assert found == pytest.approx(wanted, abs=1e-5)
    assert judge.score(*pairs[4]) == pytest.approx(wanted[4], abs=1e-5)
    assert len({round(score, 6) for score in found}) > 15
    assert all(0 < score < 1 for score in found)


def test_rows_that_together_outgrow_learned_positions_are_parted():
    judge = verifier(positions="learned")
    long_problem, long_answer = ("a b " * 60, "c"), ("d", "e f " * 60)
    lengths = [sum(map(len, answer_ids(TOKENIZER, *pair))) for pair in (long_problem, long_answer)]
    assert max(lengths) <= 200
    assert len(answer_ids(TOKENIZER, *long_problem)[0]) + len(answer_ids(TOKENIZER, *long_answer)[1]) > 200
    wanted = [by_hand(judge, *pair) for pair in (long_problem, long_answer)]
    assert judge.scores([long_problem, long_answer]) == pytest.approx(wanted, abs=1e-5)


def test_the_odds_where_it_is_used_move_every_score_by_bayes_rule():
    pairs = [(one.problem, one.answer) for one in JUDGED]
    even, rare = verifier().scores(pairs), verifier(0.1).scores(pairs)
    for p, q in zip(even, rare, strict=True):
        assert q == pytest.approx(0.1 * p / (0.1 * p + 0.9 * (1 - p)), rel=1e-6)


def test_what_is_too_long_gets_the_lowest_score_and_no_score_is_certain():
    judge = verifier()
    assert judge.scores([("a", "b " * 300), ("a", "b")])[0] == LEAST
    with torch.no_grad():
        judge.model.head.weight.mul_(1e6)
    assert all(0 < score < 1 for score in judge.scores([(one.problem, one.answer) for one in JUDGED]))


def test_a_problem_is_read_once_for_all_its_answers(monkeypatch):
    judge, seen = verifier(), []
    real = judge.model.forward
    monkeypatch.setattr(judge.model, "forward", lambda ids, **named: seen.append(ids.shape) or real(ids, **named))
    judge.scores([("what is it?", answer) for answer in ("a", "b", "c c", "d")])
    assert seen[0][0] == 1
    assert [shape[0] for shape in seen[1:]] == [4]


def test_a_network_without_words_scores_alone():
    model = with_head(network(vocab_size=TOKENIZER.vocab_size, context_length=200, spread=0.2), 1).eval()
    prompt, ids = answer_ids(TOKENIZER, "a", "b")
    with torch.inference_mode():
        wanted = float(model(torch.tensor([prompt + ids]))[0, -1, 0].sigmoid())
    assert Verifier(model, TOKENIZER).score("a", "b") == pytest.approx(wanted, abs=1e-5)


def test_another_network_is_refused():
    with pytest.raises(BadInput, match="a score a token, this network 23 logits"):
        Verifier(network(), TOKENIZER)


def test_equal_prompts_and_answers_of_different_lengths():
    judge = verifier()
    prompts, answers = [[3, 4, 5], [3, 4, 5], [6]], [[7], [8, 9, 10, 11], [12, 13]]
    found = last_odds(judge.model, prompts, answers)
    with torch.inference_mode():
        wanted = [judge.model(torch.tensor([p + a]))[0, -1, -1] for p, a in zip(prompts, answers, strict=True)]
    assert torch.allclose(found, torch.stack(wanted), atol=1e-5)
