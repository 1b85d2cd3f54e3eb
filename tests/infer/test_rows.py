"""Cached, batched, ragged decoding equals reading everything anew for every token; limits of the context."""

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer import rows as rows_module
from linnet.infer.config import SamplingConfig
from linnet.infer.rows import Rows, count_copies
from linnet.infer.sampling import row_seed
from linnet.model.decoder import Decoder
from tests.infer.networks import network

PROMPTS = [[1, 2, 3, 4, 5], [7], [1, 2, 3], [7], list(range(1, 12)), [9, 9]]
KINDS = {
    "ours": {},
    "gpt2": {"positions": "learned", "norm": "layer", "norm_gain": True, "activation": "gelu", "attention_bias": True},
    "grouped": {"num_heads": 4, "num_kv_heads": 2},
    "window": {"window": 5, "sink_tokens": 1},
    "mixture": {"num_experts": 3},
    "ngrams": {"ngram_buckets": 31},
}
QUICK = ((0, "ours"), (1.0, "window"), (1.0, "grouped"), (0, "gpt2"))


def write(model: Decoder, prompts: list[list[int]], sampling: SamplingConfig, stop: int = -1) -> list[list[int]]:
    """Write until each row is at its last token or has chosen the stop id."""
    batch, ids = Rows(model, prompts, sampling), [[] for _ in prompts]
    while True:
        finished = set()
        for choice in batch.choose():
            ids[choice.row].append(choice.id)
            if choice.id == stop:
                finished.add(choice.row)
        if not batch.advance(finished):
            return ids


@torch.no_grad()
def plain(model: Decoder, prompt: list[int], sampling: SamplingConfig, copy: int = 0, stop: int = -1) -> list[int]:
    """The same written out: no cache, no batch, one token at a time, filters applied to a single row."""
    generator = torch.Generator().manual_seed(row_seed(sampling.seed, prompt, copy))
    uniforms = iter(torch.rand(128, generator=generator, dtype=torch.float64).tolist())
    ids = list(prompt)
    room = 1000 if model.config.window else model.config.context_length
    while len(ids) - len(prompt) < sampling.max_tokens and len(ids) <= room:
        logits = model(torch.tensor([ids]))[0, -1].float()
        if sampling.repetition_penalty != 1:
            for id in set(ids):
                logits[id] *= sampling.repetition_penalty if logits[id] < 0 else 1 / sampling.repetition_penalty
        if not sampling.temperature:
            ids.append(int(logits.argmax()))
        else:
            probabilities = (logits / sampling.temperature).softmax(-1).tolist()
            u, place = next(uniforms), 0
            while u >= probabilities[place] and place < len(probabilities) - 1:
                u -= probabilities[place]
                place += 1
            ids.append(place)
        if ids[-1] == stop:
            break
    return ids[len(prompt) :]


@pytest.mark.parametrize(
    ("temperature", "kind"),
    [
        (heat, kind) if (heat, kind) in QUICK else pytest.param(heat, kind, marks=pytest.mark.slow)
        for heat in (0, 1.0)
        for kind in KINDS
    ],
)
def test_equals_plain_decoding(kind, temperature):
    model = network(**KINDS[kind])
    sampling = SamplingConfig(temperature=temperature, max_tokens=40, seed=3, repetition_penalty=1.2)
    copies = count_copies(PROMPTS)
    expected = [plain(model, p, sampling, copy, stop=6) for p, copy in zip(PROMPTS, copies, strict=True)]
    assert write(model, PROMPTS, sampling, stop=6) == expected
    assert len({len(ids) for ids in expected}) > 1  # rows of different lengths: some finished before others


def test_a_row_is_the_same_alone_and_in_any_batch():
    model, sampling = network(), SamplingConfig(max_tokens=12, seed=11)
    together = write(model, PROMPTS, sampling)
    for row in (0, 1, 2, 4, 5):
        assert write(model, [PROMPTS[row]], sampling) == [together[row]]
    assert write(model, PROMPTS[::-1][:4], sampling)[0] == together[5]
    assert together[1] != together[3]  # copies of one prompt go different ways
    assert write(model, PROMPTS, sampling.but(seed=12)) != together


@pytest.mark.parametrize("keep_share", [0.0, 1.0])
def test_when_rows_leave_the_cache_does_not_matter(monkeypatch, keep_share):
    model, sampling = network(), SamplingConfig(max_tokens=40)
    expected = write(model, PROMPTS, sampling, stop=6)
    monkeypatch.setattr(rows_module, "KEEP_SHARE", keep_share)
    assert write(model, PROMPTS, sampling, stop=6) == expected


@pytest.mark.parametrize("chunk", [1, 4])
def test_prompts_read_in_pieces(monkeypatch, chunk):
    model, sampling = network(), SamplingConfig(max_tokens=8)
    expected = write(model, PROMPTS, sampling)
    monkeypatch.setattr(rows_module, "PREFILL_TOKENS", chunk)
    assert write(model, PROMPTS, sampling) == expected


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_row_ends_at_the_context_also_beside_longer_ones(positions):
    model = network(positions=positions)
    prompts = [[1] * 32, [2] * 30, [3]]
    lengths = [len(ids) for ids in write(model, prompts, SamplingConfig(max_tokens=100))]
    assert lengths == [1, 3, 32]  # the last token of each is predicted, not read


def test_finished_rows_do_not_run_the_others_out_of_room():
    """A long row that stops early is carried along for a while; the cache must not overflow with it."""
    model = network(positions="learned")
    sampling = SamplingConfig(max_tokens=100, temperature=0)
    prompts = [[n] * 28 for n in range(1, 3)] + [[n] for n in range(3, 12)]
    expected = [plain(model, prompt, sampling) for prompt in prompts]
    batch, ids = Rows(model, prompts, sampling), [[] for _ in prompts]
    finished = {0, 1}  # stopped from outside after one token, as by a stop string
    while True:
        for choice in batch.choose():
            ids[choice.row].append(choice.id)
            assert choice.last == (len(ids[choice.row]) == len(expected[choice.row]))
        if not batch.advance(finished):
            break
    assert ids[2:] == expected[2:]
    assert ids[0] == expected[0][:1]


def test_a_window_goes_on_beyond_the_context():
    model = network(window=5)
    sampling = SamplingConfig(temperature=0, max_tokens=70)
    prompts = [list(range(1, 12)) * 4, [3, 4]]  # the first is longer than the context of 32
    got = write(model, prompts, sampling)
    assert [len(ids) for ids in got] == [70, 70]
    for prompt, ids in zip(prompts, got, strict=True):
        line = torch.tensor([prompt + ids])
        with torch.no_grad():
            assert model(line)[0, len(prompt) - 1 : -1].argmax(-1).tolist() == ids


def test_ids_beyond_the_tokenizer_are_never_written():
    model = network(vocab_size=23)
    sampling = SamplingConfig(max_tokens=30, temperature=100.0)
    batch, ids = Rows(model, [[1]] * 20, sampling, vocab_size=4), set()
    for _ in range(30):
        ids |= {choice.id for choice in batch.choose()}
        batch.advance(set())
    assert ids == {0, 1, 2, 3}


def test_logprobs_are_the_models_own():
    model = network()
    sampling = SamplingConfig(temperature=0.3, top_k=2, max_tokens=5, top_logprobs=3, repetition_penalty=2)
    batch, ids = Rows(model, [[1, 2, 3]], sampling), [1, 2, 3]
    for _ in range(5):
        with torch.no_grad():
            expected = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
        (choice,) = batch.choose()
        assert choice.logprob == pytest.approx(expected[choice.id].item(), abs=1e-5)
        assert [id for id, _ in choice.top] == expected.topk(3).indices.tolist()
        assert [value for _, value in choice.top] == pytest.approx(expected.topk(3).values.tolist(), abs=1e-5)
        ids.append(choice.id)
        batch.advance(set())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_deterministic_in_fp32_and_bf16(dtype):
    model, sampling = network().to(dtype), SamplingConfig(max_tokens=20, seed=5)
    assert write(model, PROMPTS, sampling) == write(model, PROMPTS, sampling)


def test_a_model_in_training_mode_writes_without_dropout_and_stays_in_it():
    model, sampling = network(dropout=0.9), SamplingConfig(temperature=0, max_tokens=8)
    expected = write(model, PROMPTS, sampling)
    model.train()
    assert write(model, PROMPTS, sampling) == expected
    assert all(module.training for module in model.modules())


def test_training_goes_on_after_writing():
    model = network(num_experts=2).train()
    write(model, PROMPTS, SamplingConfig(max_tokens=3))
    model(torch.tensor([[1, 2, 3]])).sum().backward()
    assert model.embedding.weight.grad is not None


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ([[1], []], "prompt 2 is empty"),
        ([[1] * 33], "33 tokens, the model's context 32"),
        ([[1], [23]], "prompt 2 holds ids from 23 to 23, the model has 23"),
        ([[-1]], "prompt 1 holds ids from -1"),
    ],
)
def test_bad_prompts_are_refused_in_one_line(prompts, said):
    with pytest.raises(BadInput, match=said) as problem:
        Rows(network(), prompts, SamplingConfig())
    assert "\n" not in str(problem.value)


def test_copies_are_counted():
    assert count_copies([[1], [2], [1], (1,), [2]]) == [0, 0, 1, 2, 1]
