"""Mixture of experts: even load, the router's gradient, padding and full experts."""

import numpy as np
import pytest

from linnet.by_hand.blocks import feed_forward
from linnet.by_hand.moe import mixture, route

RNG = np.random.default_rng(0)


def make(experts=4, hidden=6):
    return {
        "router": RNG.normal(size=(experts, hidden)),
        "experts": [{"wu": RNG.normal(size=(5, hidden)), "wd": RNG.normal(size=(hidden, 5))} for _ in range(experts)],
    }


def test_balance_is_one_when_even_and_the_number_of_experts_when_one_has_all():
    router, keep = 50 * np.eye(4), np.ones(8, dtype=bool)
    assert route(np.tile(np.eye(4), (2, 1)), router, 1, keep)[0][1] == pytest.approx(1)
    assert route(np.tile(np.eye(4)[:1], (8, 1)), router, 1, keep)[0][1] == pytest.approx(4)


def test_the_share_of_top_two_is_one_and_of_top_one_the_probability():
    x, router, keep = RNG.normal(size=(7, 6)), make()["router"], np.ones(7, dtype=bool)
    powers = np.exp(x @ router.T)
    p = powers / powers.sum(-1, keepdims=True)
    (one, _), _ = route(x, router, 1, keep)
    (two, _), _ = route(x, router, 2, keep)
    np.testing.assert_allclose(one.sum(-1), p.max(-1))
    assert ((one > 0).sum(-1) == 1).all()
    np.testing.assert_allclose(two.sum(-1), 1.0)
    assert ((two > 0).sum(-1) == 2).all()


@pytest.mark.parametrize("chosen", [1, 2])
def test_the_router_learns_from_the_output_and_from_the_balance(chosen):
    x, params = RNG.normal(size=(2, 9, 6)), make()
    (y, _), back = mixture(x, params, chosen)
    dy = RNG.normal(size=y.shape)
    for dx, dparams in (back(dy), back(0 * dy, 1.0)):
        assert np.abs(dparams["router"]).max() > 1e-3
        assert np.abs(dx).max() > 1e-3
    assert max(np.abs(expert["wu"]).max() for expert in dparams["experts"]) == 0  # balance asks nothing of experts


def test_padding_is_not_routed_not_counted_and_takes_no_room():
    x, params = RNG.normal(size=(2, 6, 6)), make()
    real = np.arange(6)[None, :] < np.array([[4], [4]])
    for capacity in (None, 1.0):
        (y, balance), back = mixture(x, params, 2, real, capacity)
        (alone, balance_alone), _ = mixture(x[:, :4], params, 2, None, capacity)
        assert np.abs(y[:, 4:]).max() == 0
        np.testing.assert_allclose(y[:, :4], alone)
        assert balance == pytest.approx(balance_alone)
        assert np.abs(back(np.ones_like(y), 1.0)[0][:, 4:]).max() == 0
    nobody = mixture(x, params, 2, np.zeros((2, 6), dtype=bool))
    assert np.abs(nobody[0][0]).max() == nobody[0][1] == 0


def test_a_full_expert_says_nothing_to_those_who_come_late():
    params = make()
    x = np.tile(RNG.normal(size=(1, 6)), (8, 1))  # all want one expert, which has room for 8 x 1 / 4
    (y, _), back = mixture(x, params, 1, capacity=1.0)
    assert (np.abs(y).max(-1) > 0).tolist() == [True] * 2 + [False] * 6
    assert (np.abs(back(np.ones_like(y))[0]).max(-1) > 0).tolist() == [True] * 2 + [False] * 6


def test_a_single_expert_is_a_feed_forward_layer():
    x, params = RNG.normal(size=(3, 6)), make(experts=1)
    np.testing.assert_allclose(mixture(x, params, 1)[0][0], feed_forward(x, params["experts"][0])[0])
