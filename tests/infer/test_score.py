"""Scores equal the log-probabilities written out, whatever the batch."""

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.infer.score import score
from tests.infer.networks import network

PROMPTS = [[1, 2, 3], [4], list(range(1, 20)), [5, 5]]
CONTINUATIONS = [[4, 5], [6, 7, 8, 9], [1], [2, 2, 2]]


@pytest.mark.parametrize("batch_size", [1, 3, 8])
@pytest.mark.parametrize("choices", [{}, {"num_experts": 3}, {"window": 4}])
def test_equals_the_sum_written_out(batch_size, choices):
    model = network(**choices)
    for got, prompt, continuation in zip(
        score(model, PROMPTS, CONTINUATIONS, batch_size), PROMPTS, CONTINUATIONS, strict=True
    ):
        line = list(prompt)
        for place, id in enumerate(continuation):
            with torch.no_grad():
                logprobs = model(torch.tensor([line]))[0, -1].log_softmax(-1)
            assert got.logprobs[place] == pytest.approx(logprobs[id].item(), abs=1e-5)
            line.append(id)
        assert len(got.logprobs) == len(continuation)
        assert got.total == pytest.approx(sum(got.logprobs))


def test_what_greedy_decoding_wrote_is_greedy_and_has_its_logprobs():
    model = network()
    done = generate(model, None, PROMPTS, SamplingConfig(temperature=0, max_tokens=5))
    scores = score(model, PROMPTS, [completion.ids for completion in done])
    for got, completion in zip(scores, done, strict=True):
        assert got.is_greedy
        assert got.logprobs == pytest.approx(completion.logprobs, abs=1e-5)
    other = [(*completion.ids[:-1], (completion.ids[-1] + 1) % 23) for completion in done]
    assert not any(got.is_greedy for got in score(model, PROMPTS, other))


def test_what_does_not_fit_is_refused():
    with pytest.raises(BadInput, match="34 tokens, the model's context holds 33"):
        score(network(), [[1] * 32], [[1, 2]])
    assert len(score(network(), [[1] * 31], [[1, 2]])[0].logprobs) == 2
    with pytest.raises(BadInput, match="at least one token each"):
        score(network(), [[1]], [[]])
