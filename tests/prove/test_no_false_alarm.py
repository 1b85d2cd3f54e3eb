"""No false alarm: every invariant holds of ours in all variants, and of five families of transformers."""

from pathlib import Path

import pytest
import torch

from linnet.model.decoder import Decoder
from linnet.prove.invariants import ALL
from linnet.prove.ours import CAPACITY as SEATS
from linnet.prove.ours import decoder_subject
from linnet.prove.ours_data import Data
from linnet.prove.proof import prove
from linnet.prove.transformers_folder import transformers_subject
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import OptimizerConfig, TrainingConfig
from tests.model.variants import CAPACITY, VARIANTS, build
from tests.prove.transformers_models import NAMES, model

TOKENIZER = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz .,!?-ABCDEF"])
QUICK_ONES = {("ours_ngrams", "new")}  # the others take their time


def ours(name: str, weights: str):
    """Return a variant, new or with random weights, with its text, data and training."""
    choices = {**VARIANTS, **CAPACITY}[name]
    network = build(**choices) if weights == "random" else Decoder(build(**choices).config).eval()
    kind = "muon" if weights == "random" else "adamw"
    training = TrainingConfig(out=Path("x"), optimizer=OptimizerConfig(kind=kind))
    data = Data(network, TOKENIZER, packed=weights == "new")
    return decoder_subject(network, name, TOKENIZER, data, training)


def alarms(verdicts):
    return [f"{verdict.invariant}: {verdict.evidence}" for verdict in verdicts if verdict.status == "broken"]


def every_one():
    found = []
    for name in {**VARIANTS, **CAPACITY}:
        for weights in ("new", "random"):
            marks = () if (name, weights) in QUICK_ONES else pytest.mark.slow
            found.append(pytest.param(name, weights, marks=marks, id=f"{name}-{weights}"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "weights"), every_one())
def test_ours(name, weights):
    verdicts = prove(ours(name, weights), ALL)
    assert alarms(verdicts) == []
    held = sum(verdict.status == "held" for verdict in verdicts)
    assert held >= (19 if name in CAPACITY else 27)


@pytest.mark.slow
@pytest.mark.parametrize("name", CAPACITY)
def test_what_a_capacity_makes_depend_on_the_batch_says_so(name):
    verdicts = prove(ours(name, "random"), ALL)
    said = {verdict.invariant for verdict in verdicts if verdict.evidence == SEATS}
    assert {"causality", "batch size changes nothing", "padding changes nothing", "cached equals full"} <= said
    assert all(verdict.status == "not applicable" for verdict in verdicts if verdict.invariant in said)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ours_with_other_dice(seed):
    assert alarms(prove(ours("window_sinks", "random"), ALL, seed)) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_transformers(name):
    torch.manual_seed(0)
    verdicts = prove(transformers_subject(model(name), name), ALL)
    assert alarms(verdicts) == []
    held = {verdict.invariant for verdict in verdicts if verdict.status == "held"}
    assert len(held) >= 12
    assert {"causality", "loss is next token cross entropy", "cached equals full", "padding changes nothing"} <= held
    if name.startswith("t5"):
        assert "every source token matters" in held
    else:
        assert "left padding changes nothing" in held
    assert ("router gets gradient" in held) == ("mixtral" in name or "moe" in name)
    assert ("moved rows read the same" in held) == ("gpt2" not in name and "t5" not in name)
