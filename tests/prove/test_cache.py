"""The key/value cache: windows that are forgotten, positions that start anew."""

from dataclasses import replace

import torch

from linnet.model.decoder import Decoder
from linnet.prove.cache import cached_equals_full
from tests.prove.subjects import judge, order, reading, subject


def test_it_holds_past_the_window_and_for_a_rolling_cache():
    one = subject("window_sinks")
    found = judge(cached_equals_full, one)
    assert found.status == "held"
    assert "rolling" in found.evidence
    assert "window 5" in found.evidence
    assert "not reached" in judge(cached_equals_full, reading(one, window=4000)).evidence
    assert judge(cached_equals_full, reading(one, cached=None)).status == "not applicable"
    assert judge(cached_equals_full, replace(one, depends_on_batch="seats")).evidence == "seats"


def test_a_cache_that_forgets_the_window_is_seen():
    one = subject("window")
    wide = Decoder(one.model.config.but(window=None))
    wide.load_state_dict(one.model.state_dict())
    assert judge(cached_equals_full, reading(one, cached=lambda ids, pieces: wide(ids))).status == "broken"
    assert judge(cached_equals_full, reading(one, rolling=lambda ids, pieces: wide(ids))).status == "broken"


def test_positions_that_start_anew_with_each_piece_are_seen():
    one = subject("gpt2")

    def anew(ids, pieces):
        positions = torch.cat([order(piece) for piece in ids.split(list(pieces), dim=1)], dim=1)
        return one.model(ids, positions=positions)

    found = judge(cached_equals_full, reading(one, cached=anew))
    assert found.status == "broken"
    assert "16 tokens in 4 pieces" in found.evidence
