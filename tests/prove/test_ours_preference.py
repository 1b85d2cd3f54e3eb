"""Linnet's own DPO under proof: every loss holds, its real code can be broken, and a run's folder is proved with it."""

import pytest
import torch

from linnet.cli import main as linnet
from linnet.core.errors import BadInput
from linnet.prove import ours_preference
from linnet.prove.ours import decoder_subject, folder_subject
from linnet.prove.ours_preference import at_start, pair_examples, preference_of, preferring_of, with_preference
from linnet.prove.preference import (
    gradient_reaches_both_answers,
    policy_equal_to_reference_gives_ln_2,
    prompt_is_not_scored,
    reference_stays,
)
from linnet.prove.text import stop_token_is_learned
from linnet.text.tokenizer import Tokenizer
from linnet.train import preference
from linnet.train.preference import Preferring
from tests.infer.networks import network
from tests.prove.subjects import judge
from tests.recipes.chat_parents import command, pairs, parent

EVERY = (policy_equal_to_reference_gives_ln_2, gradient_reaches_both_answers, prompt_is_not_scored, reference_stays)
LOSSES = [
    {"loss": "sigmoid", "beta": 0.5},
    {"loss": "sigmoid", "beta": 0.1, "label_smoothing": 0.2, "keep_reference": False},
    {"loss": "ipo", "beta": 0.3},
    {"loss": "simpo", "beta": 2.0, "gamma": 0.5},
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["user assistant What is 2 + 2? It may be 5. Mira has a dog.\n"] * 3, 300)


def proved(tokenizer, config, **choices):
    model = network(tokenizer.vocab_size, context_length=64, **choices)
    return with_preference(decoder_subject(model, "ours", tokenizer, chat=True), model, tokenizer, config)


@pytest.mark.parametrize("config", LOSSES, ids=lambda one: f"{one['loss']}-{one['beta']}")
def test_every_loss_of_ours_holds(config, tokenizer):
    one = proved(tokenizer, config)
    found = [judge(invariant, one) for invariant in EVERY]
    if config["loss"] == "simpo":
        assert [verdict.status for verdict in found] == ["not applicable", "held", "held", "not applicable"]
    else:
        assert [verdict.status for verdict in found] == ["held"] * 4, found


@pytest.mark.parametrize("choices", [{"num_experts": 2}, {"window": 8}], ids=str)
def test_other_networks_hold_too(choices, tokenizer):
    one = proved(tokenizer, LOSSES[0], **choices)
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 4


def test_the_loss_at_the_start_is_that_of_each():
    assert at_start(Preferring("sigmoid", beta=0.3, label_smoothing=0.1)) == pytest.approx(0.693147, abs=1e-6)
    assert at_start(Preferring("ipo", beta=0.1)) == pytest.approx(25.0)
    assert at_start(Preferring("simpo")) is None


def test_an_answer_that_is_detached_is_seen(tokenizer, monkeypatch):
    real = preference.sigmoid_losses
    monkeypatch.setattr(preference, "sigmoid_losses", lambda c, r, *rest: real(c, r.detach(), *rest))
    assert judge(gradient_reaches_both_answers, proved(tokenizer, LOSSES[0])).status == "broken"


def test_a_reference_that_is_the_policy_is_seen(tokenizer, monkeypatch):
    monkeypatch.setattr(ours_preference, "still_copy", lambda model: model)
    one = proved(tokenizer, {**LOSSES[0], "keep_reference": False})
    assert judge(policy_equal_to_reference_gives_ln_2, one).status == "held"
    assert judge(reference_stays, one).status == "broken"


def test_another_reference_is_seen(tokenizer, monkeypatch):
    other = network(tokenizer.vocab_size, seed=8, context_length=64)
    monkeypatch.setattr(ours_preference, "still_copy", lambda model: other)
    assert judge(policy_equal_to_reference_gives_ln_2, proved(tokenizer, LOSSES[2])).status == "broken"


def test_a_prompt_that_is_scored_is_seen(tokenizer, monkeypatch):
    from linnet.batches import pairs as module

    real = module.pad
    monkeypatch.setattr(
        module, "pad", lambda rows, *rest, **more: real([(ids, [True] * len(ids)) for ids, _ in rows], *rest, **more)
    )
    found = judge(prompt_is_not_scored, proved(tokenizer, LOSSES[0]))
    assert found.status == "broken"


def test_examples_are_pairs_as_training_reads_them(tokenizer):
    one = proved(tokenizer, LOSSES[0])
    assert len(one.examples) == 6
    assert judge(stop_token_is_learned, one).status == "held"
    assert pair_examples(one.model, Tokenizer.train_characters(["ab"])) == []


def test_a_config_that_is_none_is_bad_input(tokenizer):
    assert preferring_of({"loss": "ipo", "beta": 0.2, "steps": 5}) == Preferring("ipo", 0.2, 0.5, 0.0)
    with pytest.raises(BadInput, match="loss"):
        preference_of(network(tokenizer.vocab_size), {"loss": "hinge"}, 0)


@pytest.mark.slow
def test_a_run_is_proved_with_its_own_loss(tmp_path):
    start, data = parent(tmp_path / "parent"), pairs(tmp_path / "pairs.jsonl")
    words = command("dpo", start, "--loss", "ipo", pairs=str(data), out=str(tmp_path / "run"))
    assert linnet(words) == 0
    one = folder_subject(tmp_path / "run", "cpu")
    assert one.preference.at_start == pytest.approx(25.0)
    assert folder_subject(start, "cpu").preference is None
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 4
    assert torch.is_tensor(one.examples[0].ids)
