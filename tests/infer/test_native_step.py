"""The compiled pass reads as the network itself does: every family, any rows, pieces and places."""

import random
import shutil

import pytest
import torch

from linnet.adapt.config import AdaptConfig
from linnet.adapt.kernels import packed_layers, use
from linnet.adapt.lora import add_detours
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import quantize
from linnet.core.errors import BadInput
from linnet.infer import native
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import stream
from linnet.infer.engine import Engine
from linnet.infer.native_step import NativeStep, why_not
from linnet.infer.requests import Request
from linnet.model.config import CLASSIC
from linnet.model.decoder import Decoder
from linnet.model.slot_cache import SlotCache
from tests.infer.networks import network

try:
    native.library()
except BadInput as problem:
    pytest.skip(str(problem), allow_module_level=True)

LLAMA = {
    **CLASSIC,
    "activation": "swiglu",
    "tie_embeddings": True,
}
GPT2 = {
    **LLAMA,
    "activation": "gelu",
    "norm": "layer",
    "positions": "learned",
    "attention_bias": True,
    "mlp_bias": True,
}
WIDE = {"hidden_size": 96, "context_length": 300, "vocab_size": 50, "spread": 0.1}
KINDS = {
    "ours": {"num_layers": 3},
    "ours_wide": {**WIDE, "num_heads": 2},
    "gpt2": GPT2,
    "gpt2_wide": {**GPT2, **WIDE, "num_heads": 3},
    "llama_grouped": {**LLAMA, **WIDE, "num_heads": 6, "num_kv_heads": 2, "mlp_size": 100},
    "qwen3": {**LLAMA, **WIDE, "qk_norm": True, "num_heads": 4, "num_kv_heads": 1, "head_size": 64},
    "gpt_oss_attention": {**LLAMA, "sink_logits": True, "activation": "swiglu_clamped", "attention_bias": True},
    "window_and_sinks": {**WIDE, "num_heads": 2, "window": 70, "sink_tokens": 3, "global_every": 2},
    "window": {**WIDE, "num_heads": 2, "window": 9},
    "ngrams": {"ngram_buckets": 31, "activation": "gelu_exact"},
    "yarn": {"rope_scaling": "yarn", "activation": "relu", "head_bias": True},
    "odd": {**LLAMA, "hidden_size": 20, "num_heads": 2, "mlp_size": 37, "activation": "geglu", "positions": "none"},
}


def caches(model: Decoder, dtype: torch.dtype = torch.float32, rows: int = 3) -> tuple[SlotCache, SlotCache]:
    """Return two caches with rows for the whole context of a network."""
    made = []
    for _ in range(2):
        places = model.config.context_length + 1
        cache = SlotCache(model.config, rows * places, torch.device("cpu"), dtype)
        cache.cut(rows, places)
        made.append(cache)
    return made[0], made[1]


def errors(pairs: list[tuple]) -> list[float]:
    """Return how far each pair is apart, as shares, the least first."""
    return sorted(float((found - expected).norm() / expected.norm()) for expected, found in pairs)


def read_both(model: Decoder, step: NativeStep, plain: SlotCache, seed: int, most: int) -> list[tuple]:
    """Let both read the same pieces of three rows to their ends; return pairs of logits [N, V], or [N, T, V]."""
    dice, context = random.Random(seed), model.config.context_length
    texts = [[dice.randrange(model.config.vocab_size) for _ in range(context)] for _ in range(3)]
    done, found = [0, 0, 0], []
    while min(done) < context - most:
        rows = sorted(dice.sample(range(3), dice.randint(1, 3)))
        room = [min(most, context - done[row]) for row in rows]
        counts = [dice.randint(1, left) if left and dice.random() < 0.8 else 0 for left in room]
        if not any(counts):
            continue
        pieces = [texts[row][done[row] : done[row] + count] for row, count in zip(rows, counts, strict=True)]
        ids = [piece + [0] * (max(counts) - len(piece)) for piece in pieces]
        tails = [[-1, -1, *texts[row][: done[row]]][-2:] for row in rows]
        if max(done[row] for row in rows) + max(counts) > context:  # padding runs beyond a learned table
            break
        for cache in (plain, step.cache):
            cache.take(rows, [done[row] for row in rows], counts, tails)
        every = dice.random() < 0.5
        after = None if every else torch.tensor(counts).clamp(min=1) - 1
        expected = model(torch.tensor(ids), cache=plain, lengths=torch.tensor(counts), after=after)
        ours = step.read(ids, counts, every)
        for place, count in enumerate(counts):
            if count:
                part = (expected[place, :count], ours[place, :count]) if every else (expected[place, 0], ours[place])
                found.append(part)
        for row, count in zip(rows, counts, strict=True):
            done[row] += count
    return found


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [3, 200])
def test_logits_are_those_of_the_network(kind, most):
    model = network(**KINDS[kind])
    plain, own = caches(model)
    assert why_not(model, own) == ""
    pairs = read_both(model, NativeStep(model, own), plain, 1, min(most, model.config.context_length // 2))
    assert len(pairs) > 2
    for expected, found in pairs:
        torch.testing.assert_close(found, expected.float(), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize("kind", ["ours", "gpt2_wide", "llama_grouped", "odd"])
def test_quantized_copies_read_as_their_products_in_whole_numbers_do(kind):
    model = network(**KINDS[kind])
    quantize(model, QuantConfig(method="int8-dynamic"))
    plain, own = caches(model)
    assert "in full numbers" in why_not(model, own)  # no kernel was chosen: nothing is rounded that enters
    use(list(packed_layers(model)), "rounded inputs")
    assert why_not(model, own) == ""
    pairs = read_both(model, NativeStep(model, own), plain, 1, 12)
    found = errors(pairs)
    # Equal to the last bits, but where a number between two levels is rounded the other way.
    assert found[len(found) // 2] < 1e-6
    assert found[-1] < 0.05


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("method", ["int8", "int4"])
@pytest.mark.parametrize("kind", ["gpt2_wide", "llama_grouped", "qwen3"])
def test_whole_numbers_that_are_widened_read_as_the_network_does(kind, method):
    model = network(**{**KINDS[kind], "mlp_size": 128})
    quantize(model, QuantConfig(method=method, rounding="nearest", group=32, zero_point=kind != "qwen3"))
    plain, own = caches(model)
    assert why_not(model, own) == ""
    for expected, found in read_both(model, NativeStep(model, own), plain, 1, 12):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@torch.inference_mode()
def test_processors_without_products_of_whole_numbers(tmp_path, monkeypatch):
    compiler = next(filter(None, map(shutil.which, native.COMPILERS)))
    native.build(compiler, tmp_path / "plain.so", "-DPLAIN")
    monkeypatch.setattr(native, "library", lambda: native.opened(tmp_path / "plain.so"))
    test_quantized_copies_read_as_their_products_in_whole_numbers_do("gpt2_wide")
    test_logits_are_those_of_the_network("ours_wide", 200)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("kind", ["ours", "gpt2_wide", "llama_grouped", "window_and_sinks", "odd"])
def test_weights_and_cache_in_bf16(kind):
    model = network(**KINDS[kind]).bfloat16()
    plain, own = caches(model, torch.bfloat16)
    assert why_not(model, own) == ""
    wide = network(**KINDS[kind])
    wide.load_state_dict(model.state_dict())
    exact, _ = caches(wide)
    step = NativeStep(model, own)
    # Against the same weights in fp32, where keys and values are not rounded: far nearer than the network in bf16.
    ours = errors(read_both(wide, step, exact, 1, 12))
    networks = errors(read_both(model, NativeStep(model, caches(model, torch.bfloat16)[1]), plain, 1, 12))
    assert ours[len(ours) // 2] < 2**-7  # keys and values, rounded by up to 2^-9 in each of two or three layers
    assert ours[len(ours) // 2] < 0.7 * networks[len(networks) // 2]
    first, written = (cache.memory_of_all[:2, ..., :-1, :] for cache in (step.cache, exact))  # of the first layer
    if kind in ("llama_grouped", "odd"):  # elsewhere sums on the way in are rounded too
        assert (first == written.bfloat16()).float().mean() > 0.99


def test_what_it_does_not_know():
    def why(**choices) -> str:
        model = network(**choices)
        return why_not(model, caches(model)[1])

    assert "mixture" in why(num_experts=2)
    assert "relative" in why(positions="relative")
    model = network()
    add_detours(model, AdaptConfig(), torch.Generator().manual_seed(0), "one")
    assert "is no plain layer" in why_not(model, caches(model)[1])
    model = network(mlp_size=40)
    quantize(model, QuantConfig(method="int4", rounding="nearest", group=32))
    assert "short last group (16 inputs in groups of 32)" in why_not(model, caches(model)[1])
    model = network().double()
    assert "float64" in why_not(model, SlotCache(model.config, 9, torch.device("cpu"), torch.float64))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "gpt2", "llama_grouped", "window_and_sinks", "ngrams"])
def test_an_engine_says_what_each_request_says_alone(kind):
    model, dice = network(**KINDS[kind]), random.Random(3)
    places = 140 * SlotCache.bytes_a_place(model.config, torch.float32)
    engine = Engine(model, None, 4, places, prefill_tokens=dice.choice([7, 24]), compiled=True)
    assert engine.stats().compiled
    asked, heard, cancelled = dict[int, Request](), dict[int, list[int]](), set()
    while len(asked) < 24 or engine.busy:
        for _ in range(dice.choice([0, 1, 3]) if len(asked) < 24 else 0):
            start = [2, 4, 6, 8, 10, 12, 14, 16] if dice.random() < 0.6 else []
            prompt = (*start, *(dice.randrange(23) for _ in range(dice.randint(1, 6))))
            way = SamplingConfig(temperature=dice.choice([0, 0.8]), max_tokens=dice.randint(1, 16), seed=4)
            request = Request(prompt, way, stop_ids=(), speculative=dice.choice([None, "lookup"]))
            number = engine.submit(request)
            asked[number], heard[number] = request, []
        if asked and dice.random() < 0.1:
            cancelled.add(number := dice.choice(list(asked)))
            engine.cancel(number)
        for event in engine.step():
            heard[event.request] += [] if event.id is None else [event.id]
    for number, request in asked.items():
        alone = [event.id for event in stream(model, None, [list(request.prompt)], request.sampling, stop_ids=())]
        said = heard[number]
        assert said == alone[: len(said)]
        assert len(said) == len(alone) or number in cancelled
    assert engine.stats().prefix_tokens_reused > 8


def test_an_engine_says_why_it_does_without(monkeypatch):
    engine = Engine(network(num_experts=2), None, compiled=True)
    assert not engine.stats().compiled
    assert "mixture" in engine.stats().why_plain
    assert Engine(network(), None).stats().why_plain == "not asked for"

    def none_here():
        raise BadInput("there is no compiler")

    monkeypatch.setattr(native, "library", none_here)
    with pytest.raises(BadInput, match="no compiler"):
        Engine(network(), None, compiled=True)
    Engine(network(), None)
