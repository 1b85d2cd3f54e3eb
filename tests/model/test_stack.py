"""What decoders and encoders are made of: blocks with norms before or after, real tokens, places within documents."""

import pytest
import torch

from linnet.model.attention import Sight
from linnet.model.config import ModelConfig
from linnet.model.stack import Block, Stack, real_tokens, scaled, within

CONFIG = ModelConfig(hidden_size=8, num_heads=2, num_layers=1, residual_mix=False, norm_gain=True)
SIGHT = Sight(None, None, None, None)


def test_places_within_documents_and_real_tokens():
    documents = torch.tensor([[0, 0, 0, 1, 1, -1]])
    assert within(documents).tolist() == [[0, 1, 2, 0, 1, 0]]
    assert real_tokens(documents, documents, None).tolist() == [[True] * 5 + [False]]
    assert real_tokens(documents, None, torch.tensor([2])).tolist() == [[True] * 2 + [False] * 4]
    assert real_tokens(documents, None, None) is None


def test_the_soft_cap_bounds_logits_and_is_left_out_where_there_is_none():
    logits = torch.tensor([-100.0, 0.1, 100.0])
    assert scaled(logits, CONFIG).abs().max() <= 15
    assert scaled(logits, CONFIG.but(logit_soft_cap=None)) is logits


@torch.no_grad()
def test_norms_stand_before_or_after_the_sub_layers():
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)) * 10
    before, after = (Block(CONFIG.but(post_norm=post), 0) for post in (False, True))
    after.load_state_dict(before.state_dict())
    y = before.attention(before.attention_norm(x), SIGHT)
    expected = x + y + before.mlp(before.mlp_norm(x + y))
    torch.testing.assert_close(before(x, x, SIGHT, None, None), expected)
    y = after.attention_norm(x + after.attention(x, SIGHT))
    torch.testing.assert_close(after(x, x, SIGHT, None, None), after.mlp_norm(y + after.mlp(y)))
    assert before.cross is None


def test_a_norm_after_has_the_last_norm_at_the_embeddings():
    for post in (False, True):
        stack = Stack(CONFIG.but(kind="encoder", post_norm=post, vocab_size=9))
        for parameter in stack.parameters():
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(1))
        seen = []
        stack.norm.register_forward_hook(lambda _m, inputs, _o, seen=seen: seen.append(inputs[0]))
        out = stack.both_ways(torch.tensor([[1, 2, 3]]))
        assert len(seen) == 1
        assert torch.equal(stack.norm(seen[0]), out) is not post


@pytest.mark.parametrize("name", ["window", "sink_tokens", "num_experts", "ngram_buckets"])
def test_choices_of_decoders_are_refused_elsewhere(name):
    with pytest.raises(ValueError, match=f"{name} is a choice for decoders alone"):
        ModelConfig(kind="encoder", **{name: 2})
