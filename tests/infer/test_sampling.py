"""Filters equal plain references and transformers' warpers; draws follow the distribution and the row alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.infer.config import SamplingConfig
from linnet.infer.sampling import (
    BLOCK,
    Draws,
    filtered,
    keep_min_p,
    keep_top_k,
    keep_top_p,
    penalise_repetition,
    row_seed,
    sample,
)

CPU = torch.device("cpu")
INF = float("inf")


def logits(rows: int = 6, vocabulary: int = 40, seed: int = 0, spread: float = 3.0) -> torch.Tensor:
    return spread * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


def kept(filtered_logits: torch.Tensor) -> list[set[int]]:
    return [{i for i, value in enumerate(row) if value > -INF} for row in filtered_logits.tolist()]


def softmax(row: list[float]) -> list[float]:
    top = max(row)
    weights = [math.exp(value - top) for value in row]
    return [weight / sum(weights) for weight in weights]


def plain_top_p(row: list[float], p: float) -> set[int]:
    """Take the likeliest tokens one by one until their probability reaches p."""
    probabilities, taken, total = softmax(row), set(), 0.0
    for token in sorted(range(len(row)), key=lambda i: -row[i]):
        taken.add(token)
        total += probabilities[token]
        if total >= p:
            break
    return taken


@pytest.mark.parametrize("k", [1, 3, 40, 99])
def test_top_k_keeps_the_k_largest(k):
    x = logits()
    expected = [set(sorted(range(40), key=lambda i: -row[i])[:k]) for row in x.tolist()]
    assert kept(keep_top_k(x, k)) == expected


@pytest.mark.parametrize("choices", [{"temperature": 5e-324}, {"repetition_penalty": 0.01, "temperature": 1e-30}])
def test_the_coldest_choices_still_give_a_token_and_the_likeliest(choices):
    x, seen = logits(), torch.ones(6, 40, dtype=torch.bool)
    found = filtered(x, SamplingConfig(**choices), seen)
    assert torch.equal(sample(found, torch.rand(6, dtype=torch.float64)), x.argmax(-1))


def test_top_k_keeps_ties():
    assert kept(keep_top_k(torch.tensor([[1.0, 2.0, 2.0, 0.0]]), 1)) == [{1, 2}]


@pytest.mark.parametrize("p", [1e-9, 0.1, 0.5, 0.9, 0.999])
def test_top_p_keeps_the_fewest_that_reach_p(p):
    x = logits()
    assert kept(keep_top_p(x, p)) == [plain_top_p(row, p) for row in x.tolist()]


def test_top_p_by_hand():
    x = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert kept(keep_top_p(x, 0.45)) == [{0}]
    assert kept(keep_top_p(x, 0.6)) == [{0, 1}]
    assert kept(keep_top_p(x, 0.94)) == [{0, 1, 2}]


@pytest.mark.parametrize("min_p", [0.01, 0.1, 0.5, 1.0])
def test_min_p_keeps_a_share_of_the_likeliest(min_p):
    x = logits()
    expected = []
    for row in x.tolist():
        probabilities = softmax(row)
        expected.append({i for i, q in enumerate(probabilities) if q >= min_p * max(probabilities)})
    assert kept(keep_min_p(x, min_p)) == expected


def test_repetition_penalty_moves_seen_tokens_down():
    x = torch.tensor([[2.0, -2.0, 1.0]])
    seen = torch.tensor([[True, True, False]])
    assert penalise_repetition(x, seen, 2.0).tolist() == [[1.0, -4.0, 1.0]]


@pytest.mark.parametrize(
    ("name", "value", "ours"),
    [
        ("TopKLogitsWarper", 5, keep_top_k),
        ("TopPLogitsWarper", 0.7, keep_top_p),
        ("TopPLogitsWarper", 0.05, keep_top_p),
        ("MinPLogitsWarper", 0.2, keep_min_p),
    ],
)
def test_equal_to_transformers(name, value, ours):
    process = pytest.importorskip("transformers.generation.logits_process")
    x = logits(rows=50)
    theirs = getattr(process, name)(value)(torch.zeros(50, 1, dtype=torch.int64), x)
    torch.testing.assert_close(ours(x, value), theirs)


def test_all_filters_in_transformers_order():
    process = pytest.importorskip("transformers.generation.logits_process")
    x = logits(rows=50)
    ids = torch.randint(0, 40, (50, 9), generator=torch.Generator().manual_seed(1))
    steps = [
        process.RepetitionPenaltyLogitsProcessor(1.3),
        process.TemperatureLogitsWarper(0.7),
        process.TopKLogitsWarper(20),
        process.TopPLogitsWarper(0.9),
        process.MinPLogitsWarper(0.05),
    ]
    theirs = x
    for step in steps:
        theirs = step(ids, theirs)
    seen = torch.zeros(50, 40, dtype=torch.bool).scatter(1, ids, True)
    config = SamplingConfig(repetition_penalty=1.3, temperature=0.7, top_k=20, top_p=0.9, min_p=0.05)
    torch.testing.assert_close(filtered(x, config, seen), theirs)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    top_k=st.integers(0, 50),
    top_p=st.floats(1e-6, 1),
    min_p=st.floats(0, 1),
    temperature=st.floats(0.01, 50),
)
def test_the_likeliest_token_always_stays(seed, top_k, top_p, min_p, temperature):
    x = logits(seed=seed, spread=10)
    config = SamplingConfig(top_k=top_k, top_p=top_p, min_p=min_p, temperature=temperature)
    out = filtered(x, config)
    assert not out.isnan().any()
    assert (out.gather(1, x.argmax(-1, keepdim=True)) > -INF).all()


def test_defaults_filter_nothing():
    x = logits()
    assert filtered(x, SamplingConfig()) is x


def test_sample_inverts_the_distribution():
    x = torch.tensor([[0.5, 0.0, 0.3, 0.2]]).log().expand(8, 4)
    u = torch.tensor([0.0, 0.49, 0.51, 0.79, 0.81, 1 - 2**-53, 0.4999999, 0.99], dtype=torch.float64)
    assert sample(x, u).tolist() == [0, 0, 2, 2, 3, 3, 0, 3]


def test_sample_never_takes_a_token_that_was_filtered_out():
    x = torch.full((4, 5), -INF)
    x[:, 2] = 1.0
    assert sample(x, torch.tensor([0.0, 0.3, 0.9, 1.0], dtype=torch.float64)).tolist() == [2] * 4


def test_frequencies_follow_the_probabilities():
    x = logits(rows=1, vocabulary=8, spread=1.0)
    draws = 40_000
    uniforms = torch.rand(draws, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    counts = sample(x.expand(draws, 8), uniforms).bincount(minlength=8)
    expected = x.softmax(-1)[0] * draws
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 24.3  # 7 degrees of freedom: exceeded once in 1,000 seeds


def numbers(draws: Draws, count: int) -> torch.Tensor:
    return torch.stack([draws.next() for _ in range(count)], dim=1)


def test_a_row_draws_the_same_alone_and_among_others():
    count = 2 * BLOCK + 3
    together = numbers(Draws(7, [[1, 2], [3], [1, 2]], [0, 0, 1], CPU), count)
    for row, (prompt, copy) in enumerate([([1, 2], 0), ([3], 0), ([1, 2], 1)]):
        assert torch.equal(numbers(Draws(7, [prompt], [copy], CPU), count)[0], together[row])
    assert len({tuple(row) for row in together.tolist()}) == 3


@pytest.mark.parametrize("before", [0, 5, BLOCK, BLOCK + 1])
def test_rows_that_leave_do_not_disturb_the_others(before):
    prompts, copies = [[1], [2], [3]], [0, 0, 0]
    whole = numbers(Draws(0, prompts, copies, CPU), before + BLOCK + 4)
    draws = Draws(0, prompts, copies, CPU)
    for _ in range(before):
        draws.next()
    draws.select([2, 0])
    assert torch.equal(numbers(draws, BLOCK + 4), whole[[2, 0], before:])


def test_row_seeds_differ_by_seed_prompt_and_copy():
    seeds = {row_seed(seed, prompt, copy) for seed in (0, 1) for prompt in ([1, 2], [12], [1]) for copy in (0, 1)}
    assert len(seeds) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)
