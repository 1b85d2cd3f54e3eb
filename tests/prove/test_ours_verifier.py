"""Linnet's own verifier: every invariant holds of it, and a folder of it can be proved."""

from pathlib import Path

import pytest
import torch

from linnet.adapt.heads import with_head, with_score
from linnet.artifacts import save_model
from linnet.batches.batch import IGNORE, Batch
from linnet.core.errors import BadInput
from linnet.model.judging import Evidence
from linnet.prove import ours_verifier
from linnet.prove.invariants import ALL
from linnet.prove.judging import only_answers_are_judged, score_is_that_of_the_last_token
from linnet.prove.ours import decoder_subject, folder_subject
from linnet.prove.parts import Rows
from linnet.prove.proof import prove
from linnet.text.tokenizer import TURN_END, Tokenizer
from linnet.train.config import TrainingConfig
from linnet.train.correctness import correctness
from tests.infer.networks import network
from tests.judged_answers import judged_answers
from tests.prove.subjects import judge

TOKENIZER = Tokenizer.train_bpe([f"{one.problem}\n{one.answer}\n" for one in judged_answers(20)], 300)


def verifier(alone: bool = False, **choices):
    model = network(vocab_size=TOKENIZER.vocab_size, context_length=64, **choices)
    return (with_head(model, 1) if alone else with_score(model)).eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    "choices",
    [
        {},
        {"alone": True},
        {"num_experts": 2},
        {"window": 8},
    ],
)
def test_every_invariant_holds(choices):
    one = decoder_subject(verifier(**choices), "v", TOKENIZER, training=TrainingConfig(out=Path("x")))
    verdicts = {verdict.invariant: verdict for verdict in prove(one, ALL)}
    assert [verdict for verdict in verdicts.values() if verdict.status == "broken"] == []
    held = {name for name, verdict in verdicts.items() if verdict.status == "held"}
    assert len(held) >= 25
    assert {"only answers are judged", "score is that of the last token", "stop token is learned"} <= held
    assert {"resume equals uninterrupted", "saved and loaded is equal", "cached equals full"} <= held
    assert "predicts no next token" in verdicts["loss is next token cross entropy"].evidence


def test_a_folder_of_a_verifier_is_proved_and_of_a_classifier_refused(tmp_path):
    save_model(tmp_path / "v", verifier(), TOKENIZER)
    one = folder_subject(tmp_path / "v", "cpu")
    assert one.judging is not None
    assert one.perplexity is None
    assert one.text.end_id == TOKENIZER.special(TURN_END)
    save_model(tmp_path / "c", with_head(verifier(), 3), TOKENIZER)
    with pytest.raises(BadInput, match="a classifier"):
        folder_subject(tmp_path / "c", "cpu")


def test_our_own_loss_can_be_broken(monkeypatch):
    def judges_the_problem_too(model, batch, evidence):
        targets = torch.where(batch.targets == IGNORE, batch.targets.amax(1, keepdim=True), batch.targets)
        return correctness(model, Batch(batch.ids, targets), evidence=evidence)

    monkeypatch.setattr(ours_verifier, "correctness", judges_the_problem_too)
    model = verifier()
    with torch.no_grad():
        model.head.weight.mul_(100)
    assert judge(only_answers_are_judged, decoder_subject(model, "v")).status == "broken"


@pytest.mark.parametrize("lost", [Evidence(), Evidence(-0.1), Evidence(0.1, 0.1)])
def test_evidence_that_the_loss_or_the_score_leaves_out_is_found(monkeypatch, lost):
    model = verifier()
    one = decoder_subject(model, "v")
    for name, invariant in (("correctness", only_answers_are_judged), ("last_odds", score_is_that_of_the_last_token)):
        real = getattr(ours_verifier, name)
        with monkeypatch.context() as inside:
            if name == "correctness":
                inside.setattr(
                    ours_verifier, name, lambda model, batch, evidence, real=real: real(model, batch, evidence=lost)
                )
            else:
                inside.setattr(ours_verifier, name, lambda *given, real=real: real(*given[:3], lost))
            assert judge(invariant, decoder_subject(model, "v")).status == "broken"
        assert judge(invariant, one).status == "held"


def test_rows_of_next_tokens_become_judgements():
    model, ids = verifier(), torch.tensor([[4, 5, 6, 7]])
    rows = Rows(ids, torch.tensor([[False, True, True, False]]))
    with torch.no_grad():
        found = ours_verifier.judged_loss(model, rows)
        wanted = correctness(model, Batch(ids, torch.tensor([[IGNORE, 1, 0, IGNORE]])), evidence=Evidence(0.1))
    assert float(found) == pytest.approx(float(wanted.total / 2))
    batch = Batch(ids, torch.tensor([[IGNORE, 9, 4, IGNORE]]))
    with torch.no_grad():
        again = ours_verifier.judged_objective()(model, batch)
    assert float(again.total) == pytest.approx(float(wanted.total))


def test_a_tokenizer_without_these_letters_has_no_examples():
    characters = Tokenizer.train_characters(["abc"])
    model = with_head(network(vocab_size=characters.vocab_size), 1)
    assert ours_verifier.judged_examples(model, characters) == []
