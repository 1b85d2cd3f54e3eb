"""Who knows of whom: leaks, deaf places and sources that nobody reads."""

from dataclasses import replace

import pytest
import torch

from linnet.model.decoder import Decoder
from linnet.prove.causality import (
    causality,
    every_earlier_token_matters,
    every_source_token_matters,
    influence,
    source_padding_changes_nothing,
)
from linnet.prove.ours import CAPACITY, decoder_subject
from linnet.prove.parts import Source
from tests.model.variants import CAPACITY as TIGHT
from tests.prove.subjects import decoder, judge, leaky, subject


def test_a_causal_model_holds_and_a_leak_is_seen():
    one = subject()
    assert judge(causality, one).status == "held"
    for share in (0.1, 1e-2):
        found = judge(causality, leaky(one, share))
        assert found.status == "broken"
        assert "token of place 15" in found.evidence


def test_a_leak_is_seen_through_the_silence_of_a_new_network():
    model = Decoder(decoder("ours").config)
    one = decoder_subject(model, "new")

    def attend_both_ways(ids):
        return model(ids) + model(ids.flip(1)).flip(1)  # as new, a mirror image shows nothing

    assert judge(causality, one).status == "held"
    found = judge(causality, replace(one, logits=attend_both_ways))
    assert found.status == "broken"
    assert "shaken" in found.evidence


def test_a_capacity_of_experts_does_not_apply():
    one = decoder_subject(decoder("ours", **TIGHT["capacity_top2"]), "tight")
    for invariant in (causality, every_earlier_token_matters):
        found = judge(invariant, one)
        assert (found.status, found.evidence) == ("not applicable", CAPACITY)


def test_a_token_that_is_not_read_is_seen():
    one = subject()

    def forgetful(ids):
        blank = ids.clone()
        blank[:, 2] = 0
        return one.model(blank)

    assert judge(every_earlier_token_matters, one).status == "held"
    found = judge(every_earlier_token_matters, replace(one, logits=forgetful))
    assert found.status == "broken"
    assert "token of place 2 does nothing" in found.evidence
    assert "of 136 pairs" in found.evidence


@pytest.mark.parametrize("name", ["window", "window_sinks", "global_every"])
def test_a_window_hides_what_it_is_meant_to_hide(name):
    one = subject(name)
    assert judge(every_earlier_token_matters, one).status == "held"
    everything = replace(one, reading=replace(one.reading, reads=None))
    expected = "held" if name == "global_every" else "broken"
    # Three layers with a window of 5 reach 12 tokens back: rows of 16 show it.
    assert judge(every_earlier_token_matters, everything).status == expected


def test_influence_is_a_matrix_from_token_to_place():
    ids = torch.tensor([[1, 2, 3]])
    moved, _ = influence(lambda ids: ids.float().cumsum(1)[..., None], ids, ids + torch.tensor([[1, 2, 4]]))
    assert moved.tolist() == [[1, 1, 1], [0, 2, 2], [0, 0, 4]]


def sides(heard: float = 1.0, whole: bool = True):
    """Return a decoder that adds up what it is told of the source."""
    model = decoder()

    def logits(source, target, lengths=None):
        told = model.embedding(source if whole else source[:, 1:])
        if lengths is not None:
            told = told * (torch.arange(source.shape[1]) < lengths[:, None])[..., None]
        return model(target) + heard * (told.sum(1, keepdim=True) @ model.head.weight.T)

    one = subject()
    source = Source(logits, lambda source, lengths, target: logits(source, target, lengths))
    return replace(one, model=model, logits=lambda ids: logits(ids[:, :1] * 0, ids), source=source), logits


def test_a_decoder_must_read_its_whole_source():
    assert judge(every_source_token_matters, subject()).status == "not applicable"
    one, _ = sides()
    assert judge(every_source_token_matters, one).status == "held"
    found = judge(every_source_token_matters, sides(heard=0.0)[0])
    assert found.status == "broken"
    assert "[0, 1, 2" in found.evidence
    assert "tokens [0] of 16" in judge(every_source_token_matters, sides(whole=False)[0]).evidence


def test_padding_of_the_source_must_not_be_read():
    one, logits = sides()
    assert judge(source_padding_changes_nothing, one).status == "held"
    blind = Source(logits, lambda source, lengths, target: logits(source, target))
    assert judge(source_padding_changes_nothing, replace(one, source=blind)).status == "broken"
    assert judge(source_padding_changes_nothing, replace(one, source=Source(logits))).status == "not applicable"
