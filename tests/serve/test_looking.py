"""Embeddings and attention."""

import base64

import numpy as np
import pytest
import torch

from linnet.serve.bodies import AttentionBody, EmbeddingBody
from linnet.serve.config import ServeConfig
from linnet.serve.looking import attention, embed, embeddings
from linnet.serve.refusals import Refused
from tests.serve.material import HELLO, base, polite

CFG = ServeConfig()


def test_an_embedding_is_the_mean_of_the_last_states_whatever_is_beside_it():
    host = base()
    rows = [[5, 6, 7], [8], [9] * 40, [5, 6, 7, 8]]
    together = embeddings(host, rows)
    for row, vector in zip(rows, together, strict=True):
        with torch.no_grad():
            mean = host.model.states(torch.tensor([row]))[0].mean(0)
        assert torch.allclose(vector, mean / mean.norm(), atol=1e-5)
        assert abs(float(vector.norm()) - 1) < 1e-6


def test_both_forms_say_the_same():
    host = polite()
    bodies = [EmbeddingBody(model="m", input=["the", "bird"], encoding_format=form) for form in ("float", "base64")]
    plain, packed = (embed(host, body, CFG) for body in bodies)
    assert plain["usage"]["prompt_tokens"] == len(host.ids("the")) + len(host.ids("bird"))
    for one, other in zip(plain["data"], packed["data"], strict=True):
        unpacked = np.frombuffer(base64.b64decode(other["embedding"]), dtype="<f4")
        assert np.array_equal(np.float32(one["embedding"]), unpacked)


def test_attention_of_a_text_and_of_a_conversation():
    host = polite()
    found = attention(host, AttentionBody(model="m", text="the bird"), CFG)
    assert "".join(found["tokens"]) == "<|end|>the bird"
    assert [len(row) for row in found["weights"]] == list(range(1, len(found["tokens"]) + 1))
    assert all(abs(sum(row) - 1) < 0.01 for row in found["weights"])
    said = attention(host, AttentionBody.model_validate({"model": "m", "messages": HELLO}), CFG)
    assert "".join(said["tokens"]) == "<|im_start|>user\nhello<|im_end|>\n"


@pytest.mark.parametrize("more", [{"layer": 9}, {"head": 9}, {"text": "x" * 300}])
def test_what_cannot_be_looked_at(more):
    with pytest.raises(Refused):
        attention(polite(), AttentionBody(**{"model": "m", "text": "a", **more}), CFG)


def test_a_base_has_no_conversations():
    with pytest.raises(Refused, match="not taught"):
        attention(base(), AttentionBody.model_validate({"model": "m", "messages": HELLO}), CFG)
