"""Masks by a slow rule, the plain attention by a slow loop, and every kernel equal to the plain one."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.model import blocked_attention
from linnet.model.attend import attend, attend_plain, row_mask, visible


def draw(rows=2, heads=4, kv_heads=2, queries=9, keys=9, size=8, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((heads, queries), (kv_heads, keys), (kv_heads, keys))
    return [torch.randn(rows, h, t, size, generator=generator, dtype=dtype) for h, t in shapes]


@settings(max_examples=60, deadline=None)
@given(
    queries=st.lists(st.integers(0, 9), min_size=1, max_size=4),
    keys=st.lists(st.integers(-1, 9), min_size=1, max_size=6),
    window=st.none() | st.integers(1, 5),
    sinks=st.integers(0, 3),
    data=st.data(),
)
def test_visible_by_the_rule_spelled_out(queries, keys, window, sinks, data):
    documents = st.integers(-1, 1)
    of_queries = data.draw(st.lists(documents, min_size=len(queries), max_size=len(queries)))
    of_keys = data.draw(st.lists(documents, min_size=len(keys), max_size=len(keys)))
    row = [torch.tensor([values]) for values in (queries, keys, of_queries, of_keys)]
    mask = visible(*row, window=window, sinks=row[1] < sinks)
    assert mask.shape == (1, 1, len(queries), len(keys))
    for i, query in enumerate(queries):
        for j, key in enumerate(keys):
            near = window is None or query - key < window or key < sinks
            assert mask[0, 0, i, j] == (0 <= key <= query and near and of_queries[i] == of_keys[j])


def test_plain_attention_by_a_loop():
    q, k, v = draw(queries=5, keys=7)
    mask = torch.rand(2, 1, 5, 7, generator=torch.Generator().manual_seed(1)) < 0.6
    mask[0, 0, 2] = False  # a query that sees nothing gets zeros
    sinks = torch.tensor([0.5, -1.0, 2.0, 0.0])
    for sink_logits in (None, sinks):
        out = attend_plain(q, k, v, mask, sink_logits)
        for b in range(2):
            for h in range(4):
                for t in range(5):
                    seen = [s for s in range(7) if mask[b, 0, t, s]]
                    scores = [float(q[b, h, t] @ k[b, h // 2, s]) / math.sqrt(8) for s in seen]
                    total = sum(map(math.exp, scores)) + (0 if sink_logits is None else math.exp(sink_logits[h]))
                    expected = torch.zeros(8, dtype=torch.float64)
                    for s, score in zip(seen, scores, strict=True):
                        expected += math.exp(score) / total * v[b, h // 2, s]
                    torch.testing.assert_close(out[b, h, t], expected, rtol=1e-6, atol=1e-6)


def dense(tokens, window=None, documents=None, sinks=None):
    return row_mask(torch.zeros(2, tokens, dtype=torch.int64), documents, window, sinks)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("window", [None, 1, 3, 9, 50])
def test_causal_order_and_windows_without_a_mask(window, kv_heads, training):
    q, k, v = (x.float().requires_grad_(training) for x in draw(kv_heads=kv_heads))
    expected = attend_plain(q, k, v, dense(9, window))
    torch.testing.assert_close(attend(q, k, v, mask=None, window=window), expected, rtol=1e-5, atol=1e-6)
    sink_logits = torch.tensor([0.5, -1.0, 2.0, 0.0])
    expected = attend_plain(q, k, v, dense(9, window), sink_logits)
    out = attend(q, k, v, mask=None, window=window, sink_logits=sink_logits)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kv_heads", [4, 1])
@pytest.mark.parametrize("tokens", [9, 200])
def test_documents_windows_and_sinks_by_a_mask(tokens, kv_heads, training):
    # 200 tokens are two blocks of queries: sinks must be seen from the second block as well.
    q, k, v = (x.float().requires_grad_(training) for x in draw(kv_heads=kv_heads, queries=tokens, keys=tokens))
    documents = (torch.arange(tokens) > tokens // 3).long().expand(2, -1)
    sinks = torch.zeros(1, tokens, dtype=torch.bool)
    sinks[:, :2] = True
    for mask, reach in (
        (dense(tokens, documents=documents), None),
        (dense(tokens, 4, documents), 4),
        (dense(tokens, 4, sinks=sinks), None),
        (dense(tokens, 4, documents, sinks), None),
    ):
        assert blocked_attention.pays(q, k) == training
        out = attend(q, k, v, mask=mask, window=reach)
        torch.testing.assert_close(out, attend_plain(q, k, v, mask), rtol=1e-5, atol=2e-6)


def test_few_queries_over_many_keys():
    q, k, v = draw(queries=2, keys=11)
    mask = visible(torch.tensor([[9, 10]]), torch.arange(11)[None], window=5)
    torch.testing.assert_close(attend(q, k, v, mask=mask), attend_plain(q, k, v, mask), rtol=1e-6, atol=1e-6)


def test_a_row_mask_goes_by_places_whatever_the_documents_are_called():
    documents = torch.tensor([[5, 5, 2, 2, 2, -1]])
    mask = row_mask(documents, documents)[0, 0]
    expected = torch.block_diag(torch.ones(2, 2), torch.ones(3, 3), torch.ones(1, 1)).tril().bool()
    assert torch.equal(mask, expected)


@pytest.mark.parametrize("heads", [4, 2])
def test_rows_without_order_see_all_that_a_mask_does_not_hide(heads):
    draw = torch.Generator().manual_seed(1)
    q, k, v = (torch.randn(2, h, t, 8, generator=draw) for h, t in ((4, 5), (heads, 7), (heads, 7)))
    mask = torch.arange(7)[None, None, None] < torch.tensor([7, 3])[:, None, None, None]
    out = attend(q, k, v, mask=mask, causal=False)
    for row, size in enumerate((7, 3)):
        some = (part[row : row + 1] for part in (q, k[:, :, :size], v[:, :, :size]))
        expected = torch.nn.functional.scaled_dot_product_attention(*some, enable_gqa=True)
        torch.testing.assert_close(out[row : row + 1], expected, rtol=1e-5, atol=1e-6)
    unmasked = attend(q, k, v, mask=None, causal=False)
    torch.testing.assert_close(unmasked[0], out[0], rtol=1e-5, atol=1e-6)


def test_a_bias_is_added_and_a_scale_stands_for_the_usual_one():
    draw = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(2, 2, 6, 8, generator=draw) for _ in range(3))
    bias = torch.randn(1, 2, 6, 6, generator=draw)
    seen = torch.ones(6, 6, dtype=torch.bool).tril()
    scores = (q @ k.mT * 0.5 + bias).masked_fill(~seen, float("-inf"))
    torch.testing.assert_close(attend(q, k, v, mask=None, bias=bias, scale=0.5), scores.softmax(-1) @ v)
    everything = (q @ k.mT * 8**-0.5 + bias).softmax(-1) @ v
    torch.testing.assert_close(attend(q, k, v, mask=None, bias=bias, causal=False), everything)
