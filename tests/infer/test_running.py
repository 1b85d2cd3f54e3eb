"""Requests that run together choose as each would alone: ways of sampling, draws, penalties, what they ask to hear."""

import pytest
import torch

from linnet.infer.config import SamplingConfig
from linnet.infer.requests import Request
from linnet.infer.running import Running, choose
from linnet.infer.slots import Slot
from linnet.infer.speculative import Shares

GREEDY = SamplingConfig(temperature=0)
LOGITS = torch.randn(5, 11, generator=torch.Generator().manual_seed(4)) * 2


def running(prompt: list[int], sampling: SamplingConfig, budget: int = 9, **more) -> Running:
    request = Request(tuple(prompt), sampling, **more)
    return Running(1, request, prompt, Slot(0), budget, None, torch.device("cpu"), Shares())


def test_each_chooses_as_it_would_alone():
    ways = [
        GREEDY,
        SamplingConfig(seed=1),
        SamplingConfig(seed=2),
        SamplingConfig(temperature=0.5, top_k=2),
        SamplingConfig(temperature=0, repetition_penalty=50.0),
    ]
    together = [running([place], way) for place, way in enumerate(ways)]
    alone = [running([place], way) for place, way in enumerate(ways)]
    for _ in range(4):
        apart = [choose([one], LOGITS[place : place + 1])[0] for place, one in enumerate(alone)]
        assert choose(together, LOGITS) == apart


def test_what_was_said_is_penalised():
    logits = torch.tensor([[3.0, 2.9, 2.8, 0.1]])
    one = running([0], SamplingConfig(temperature=0, repetition_penalty=10.0))
    assert [choose([one], logits)[0].id for _ in range(4)] == [1, 2, 0, 0]  # 0.3, 0.29, 0.28 when all are penalised
    beyond = running([0, 7], SamplingConfig(temperature=0, repetition_penalty=10.0))  # 7 cannot be chosen
    assert choose([beyond], logits)[0].id == 1


def test_each_hears_what_it_asked_for():
    loud = running([1], SamplingConfig(temperature=0, top_logprobs=3))
    plain, quiet = running([1], GREEDY), running([1], GREEDY, logprobs=False)
    logits = LOGITS[:1].expand(3, -1)
    first, second, third = choose([loud, plain, quiet], logits)
    expected = logits[0].log_softmax(-1)
    assert first.logprob == second.logprob == pytest.approx(float(expected.max()))
    assert [id for id, _ in first.top] == expected.topk(3).indices.tolist()
    assert (second.top, third.top, third.logprob) == ((), (), None)


def test_the_budget_and_stop_ids_end_it():
    best = int(LOGITS[0].argmax())
    assert [choose([one := running([1], GREEDY, budget=1)], LOGITS[:1])[0].finish, one.left] == ["length", 0]
    assert choose([running([1], GREEDY, stop_ids=(best,))], LOGITS[:1])[0].finish == "stop"
    assert choose([running([1], GREEDY, stop_ids=())], LOGITS[:1])[0].finish is None
