"""What comes back from a file, or in another form."""

import copy
from dataclasses import replace

import torch
from torch import nn

from linnet.prove.ours import decoder_subject
from linnet.prove.storing import converted_copy_is_equal, saved_and_loaded_is_equal, tied_weights_are_one
from tests.prove.subjects import judge, subject


def loading(one, change):
    """Return the subject with a load that changes the copy of the model."""

    def loaded():
        model = copy.deepcopy(one.model)
        with torch.no_grad():
            change(model)
        return decoder_subject(model, "loaded")

    return replace(one, reloaded=loaded)


def test_the_same_network_holds():
    one = subject("gpt2")
    assert judge(saved_and_loaded_is_equal, loading(one, lambda model: None)).status == "held"
    assert judge(saved_and_loaded_is_equal, one).status == "not applicable"


def test_weights_that_come_back_otherwise_are_seen():
    one = subject("ours")
    rounded = loading(one, lambda model: model.head.weight.copy_(model.head.weight.half()))
    found = judge(saved_and_loaded_is_equal, rounded)
    assert found.status == "broken"
    assert "head.weight" in found.evidence
    noisy = loading(one, lambda model: model.blocks[1].attention.query.weight.normal_())
    assert "blocks.1.attention.query.weight" in judge(saved_and_loaded_is_equal, noisy).evidence
    lost = loading(one, lambda model: setattr(model.blocks[0], "mix", None))
    assert "blocks.0.mix is a parameter only before" in judge(saved_and_loaded_is_equal, lost).evidence


def test_logits_that_come_back_otherwise_are_seen():
    one = subject("gpt2")
    scaled = replace(one, reloaded=lambda: replace(one, logits=lambda ids: one.model(ids) * 1.01))
    assert judge(saved_and_loaded_is_equal, scaled).status == "broken"


def untie(model):
    model.head.weight = nn.Parameter(model.embedding.weight.detach().clone())


def test_tied_weights():
    one = subject("gpt2")
    assert judge(tied_weights_are_one, subject("ours")).status == "not applicable"
    assert judge(tied_weights_are_one, one).evidence == "embedding.weight = head.weight"
    assert "after loading" in judge(tied_weights_are_one, loading(one, lambda model: None)).evidence
    found = judge(tied_weights_are_one, loading(one, untie))
    assert found.status == "broken"
    assert "two parameters after loading" in found.evidence
    untie(one.model)
    assert judge(tied_weights_are_one, one).status == "broken"
    assert (
        "none.weight is no parameter"
        in judge(tied_weights_are_one, replace(one, tied=(("none.weight", "head.weight"),))).evidence
    )


def test_converted_copies():
    one = subject("gpt2")
    turned = copy.deepcopy(one.model)
    with torch.no_grad():
        weight = turned.blocks[0].attention.output.weight
        weight.copy_(weight.T.clone())
    same = copy.deepcopy(one.model)
    assert judge(converted_copy_is_equal, one).status == "not applicable"
    assert judge(converted_copy_is_equal, replace(one, converted={"copy": same})).status == "held"
    found = judge(converted_copy_is_equal, replace(one, converted={"copy": same, "turned": turned}))
    assert found.status == "broken"
    assert found.evidence.startswith("turned: ")
