"""The verifier's loss equals the formula by hand, and only judged tokens count."""

import math

import pytest
import torch

from linnet.adapt.heads import with_head, with_score
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.judged import Judged, encode, judged_batch
from linnet.infer.score import score
from linnet.metrics import logistic_line
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.judging import NO_EVIDENCE, Evidence
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import VerifierConfig
from linnet.train.correctness import begin, correctness, correctness_objective, find_evidence, held_out_numbers
from linnet.train.loop import steps
from linnet.train.precision import Precision
from tests.infer.networks import network
from tests.judged_answers import judged_answers

CPU = Precision(torch.float32, torch.device("cpu"))
TOKENIZER = Tokenizer.train_bpe([f"{one.problem}\n{one.answer}\n" for one in judged_answers(40)], 320)
ITEMS, _ = encode(judged_answers(12), TOKENIZER, ModelConfig(context_length=400))


def test_the_loss_is_the_sum_of_minus_ln_p_over_judged_tokens():
    model = with_head(network(), 1, torch.Generator().manual_seed(1))
    with torch.no_grad():
        model.head.weight.mul_(300)
    ids = torch.randint(23, (3, 6), generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([[IGNORE, 1, 1, IGNORE, IGNORE, IGNORE], [0] * 6, [IGNORE] * 6])
    with torch.no_grad():
        found = correctness(model, Batch(ids, targets))
        logits = model(ids).squeeze(-1).double()
    by_hand = 0.0
    for row in range(3):
        for place in range(6):
            if targets[row, place] != IGNORE:
                p = 1 / (1 + math.exp(-float(logits[row, place])))
                by_hand -= math.log(p if targets[row, place] == 1 else 1 - p)
    assert float(found.total) == pytest.approx(by_hand, rel=1e-5)
    assert int(found.count) == 8
    hits = sum(int(logits[0, p] > 0) for p in (1, 2)) + int((logits[1] <= 0).sum())
    assert float(found.numbers["accuracy"]) == hits
    assert float(found.numbers["loss"]) == float(found.total)


def test_likelihood_is_added_token_by_token_of_the_answer():
    model = with_score(network())
    with torch.no_grad():
        model.head.weight.mul_(20)
        model.head.weight[-1] = torch.randn(model.config.hidden_size, generator=torch.Generator().manual_seed(3))
    [[_, _, c, d]] = ids = [[5, 9, 4, 7]]
    with torch.no_grad():
        found = correctness(
            model, Batch(torch.tensor(ids), torch.tensor([[IGNORE, IGNORE, 1, 1]])), 0, Evidence(2.0, 0.5)
        )
        logits = model(torch.tensor(ids))[0].double()
    words, score = logits[:, :-1].log_softmax(-1), logits[:, -1]
    at_c = score[2] + 2 * words[1, c] + 0.5
    at_d = score[3] + 2 * (words[1, c] + words[2, d]) + 0.5
    assert float(found.total) == pytest.approx(
        sum(math.log1p(math.exp(-float(odds))) for odds in (at_c, at_d)), rel=1e-5
    )


def test_evidence_is_the_line_through_the_parents_likelihoods():
    parent = network(vocab_size=TOKENIZER.vocab_size, context_length=400, spread=0.3)
    found = find_evidence(with_score(parent), ITEMS, TOKENIZER.pad_id, CPU, batch_size=5)
    scores = score(parent, [item.prompt for item in ITEMS], [item.answer for item in ITEMS])
    wanted = logistic_line([item.right for item in ITEMS], [one.total for one in scores])
    assert (found.weight, found.offset) == pytest.approx(wanted, rel=1e-3)
    assert find_evidence(with_head(parent, 1), ITEMS, TOKENIZER.pad_id, CPU) == NO_EVIDENCE


def test_a_fresh_verifier_is_undecided():
    model = with_head(network(embedding_norm=True), 1)
    batch = judged_batch(ITEMS[:4], pad_id=1)
    found = correctness(model, Batch(batch.ids % 23, batch.targets))
    assert float(found.total / found.count) == pytest.approx(math.log(2), abs=0.02)


def test_experts_add_their_balance():
    model = with_head(network(num_experts=2), 1).train()
    batch = judged_batch(ITEMS[:4], pad_id=1, mark=True)
    batch = Batch(batch.ids % 23, batch.targets, batch.documents)
    plain, weighed = correctness(model, batch), correctness_objective(0.5)(model, batch)
    assert float(weighed.total) > float(plain.total)
    assert "balance" in weighed.numbers


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", [True, False])
def test_it_learns_judged_answers_by_heart_and_held_out_numbers_are_those_of_one_batch(tmp_path, likelihood):
    judged = [Judged(f"{a}+{b}?", str(a + b + wrong), not wrong) for a in (2, 5) for b in (1, 3) for wrong in (0, 1)]
    config = ModelConfig(vocab_size=TOKENIZER.vocab_size, context_length=64, num_layers=1, hidden_size=32, num_heads=2)
    items, _ = encode(judged, TOKENIZER, config)
    parent = Decoder(config, torch.Generator().manual_seed(0))
    first = {name: weight.clone() for name, weight in parent.named_parameters()}
    cfg = VerifierConfig(parent=tmp_path, out=tmp_path, batch_size=8, overfit_one_batch=True, likelihood=likelihood)
    state = begin(parent, items, TOKENIZER.pad_id, cfg, CPU)
    evidence = find_evidence(state.model, items, TOKENIZER.pad_id, CPU)
    before = held_out_numbers(state.model, items, TOKENIZER.pad_id, CPU, batch_size=3, evidence=evidence)
    whole = correctness(state.model.eval(), judged_batch(items, TOKENIZER.pad_id), evidence=evidence)
    assert before["held_out_loss"] == pytest.approx(float(whole.total / whole.count), rel=1e-5)
    assert before["held_out_accuracy"] == pytest.approx(float(whole.numbers["accuracy"] / whole.count), rel=1e-5)
    for _ in steps(state, correctness_objective(evidence=evidence), lambda _: 5.0, total=40):
        pass
    after = held_out_numbers(state.model, items, TOKENIZER.pad_id, CPU, evidence=evidence)
    assert after["held_out_loss"] < 0.1
    assert after["held_out_accuracy"] == 1
    assert all(torch.equal(weight, first[name]) for name, weight in parent.named_parameters())
    moved = dict(state.model.named_parameters())
    assert all(not torch.equal(moved[name], first[name]) for name in first if name != "head.weight")
