"""The attention layer: its switches do what they say."""

import pytest
import torch

from linnet.model.attend import attend_plain, row_mask
from linnet.model.attention import Attention, Sight
from linnet.model.config import ModelConfig
from linnet.model.positions import rotary_angles, rotate

PLAIN = {"hidden_size": 16, "num_heads": 4, "num_layers": 2, "qk_norm": False, "value_embedding_every": 0}
NOTHING = Sight(None, None, None, None)


def make(layer=0, **choices) -> Attention:
    torch.manual_seed(0)
    attention = Attention(ModelConfig(**{**PLAIN, **choices}), layer)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return attention


def draw(tokens=6):
    return torch.randn(2, tokens, 16, generator=torch.Generator().manual_seed(1))


def heads(x, width):
    return x.unflatten(-1, (-1, width)).transpose(1, 2)


@pytest.mark.parametrize(
    "choices", [{}, {"num_kv_heads": 2}, {"num_kv_heads": 1, "attention_bias": True}, {"head_size": 6}]
)
@torch.no_grad()
def test_projections_heads_and_output_by_hand(choices):
    attention, x = make(**choices), draw()
    width = attention.width
    q, k, v = (heads(project(x), width) for project in (attention.query, attention.key, attention.value))
    mixed = attend_plain(q, k, v, row_mask(x[..., 0]))
    torch.testing.assert_close(attention(x, NOTHING), attention.output(mixed.transpose(1, 2).flatten(2)))
    assert (attention.query.bias is not None) == choices.get("attention_bias", False)


@pytest.mark.parametrize("gain", [False, True])
@torch.no_grad()
def test_qk_norm_comes_before_the_rotation_and_leaves_values_alone(gain):
    attention, x = make(qk_norm=True, norm_gain=gain), draw()
    q, k, v = (heads(project(x), 4) for project in (attention.query, attention.key, attention.value))
    normed = [torch.nn.functional.rms_norm(part, (4,), None, 1e-6) for part in (q, k)]
    if gain:
        normed = [normed[0] * attention.query_gain, normed[1] * attention.key_gain]
    angles = rotary_angles(torch.arange(6)[None], 4, 10000.0)
    q, k = (rotate(part, *angles) for part in normed)
    expected = attention.output(attend_plain(q, k, v, row_mask(x[..., 0])).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, Sight(angles, None, None, None)), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_value_embeddings_enter_the_values_through_the_gate():
    attention, x = make(layer=1, value_embedding_every=2), draw()
    token_value = torch.randn(2, 6, 16)
    torch.nn.init.zeros_(attention.value_gate.weight)  # as it starts: the gate is 1
    q, k, v = (heads(project(x), 4) for project in (attention.query, attention.key, attention.value))
    mixed = attend_plain(q, k, v + heads(token_value, 4), row_mask(x[..., 0]))
    expected = attention.output(mixed.transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, NOTHING, token_value), expected)
    attention.value_gate.weight[0] = 1.0  # only the first head's gate reads the stream
    other = attention(x, NOTHING, token_value)
    assert not torch.allclose(other, expected, atol=1e-2)
    assert make(layer=0, value_embedding_every=2).value_gate is None


@torch.no_grad()
def test_layers_take_the_mask_of_their_kind():
    x, nobody = draw(), row_mask(torch.zeros(1, 6), window=1)
    for layer, blind in ((0, True), (1, False)):  # every second layer is global
        attention = make(layer=layer, window=3, global_every=2)
        seen = attention(x, Sight(None, None, nobody, None))
        alone = attention.output(attention.value(x))
        assert torch.allclose(seen, alone, atol=1e-5) == blind
