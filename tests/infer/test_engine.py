"""The engine says what one-at-a-time decoding says, whoever joins, leaves and is cancelled meanwhile."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch
from scipy.stats import chisquare

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import add_detours
from linnet.adapt.surgery import fold
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Event as Alone
from linnet.infer.decode import stream
from linnet.infer.engine import Engine
from linnet.infer.requests import Event, Request
from linnet.infer.speculative import distributions
from linnet.model.decoder import Decoder
from linnet.model.slot_cache import SlotCache
from linnet.text.tokenizer import Tokenizer
from tests.adapt.networks import learn
from tests.infer.networks import bpe, chain, network

KINDS = {
    "ours": {},
    "gpt2": {"positions": "learned", "norm": "layer", "norm_gain": True, "activation": "gelu", "attention_bias": True},
    "grouped_ngrams": {"num_heads": 4, "num_kv_heads": 2, "ngram_buckets": 31},
    "beyond_context": {"window": 5, "sink_tokens": 1},
    "mixture": {"num_experts": 3},
}
WAYS = (
    {"temperature": 0},
    {"temperature": 0, "repetition_penalty": 1.3},
    {"temperature": 1.0},
    {"temperature": 0.8, "top_k": 5},
    {"temperature": 1.2, "top_p": 0.8, "repetition_penalty": 1.1},
    {"temperature": 1.0, "min_p": 0.1},
)
STARTS = [[2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 1, 3, 5, 7, 9, 11, 13, 15, 17], [5] * 11, [19, 3]]


ADAPTERS = {
    "narrow": AdaptConfig(method="lora", rank=2),
    "dora": AdaptConfig(method="dora", rank=3, targets="c_attn,mlp"),
    "queries": AdaptConfig(method="lora", rank=4, alpha=30, targets="query,blocks.1.*"),
}


@cache
def exact(kind: str = "ours"):
    """Return a network in float64: what batches round otherwise then decides no token."""
    return network(**KINDS[kind]).double()


def adapted(kind: str, *names: str) -> Decoder:
    """Return the network of a kind in float64 with adapters of these names beside its weights."""
    model = network(**KINDS[kind]).double().requires_grad_(False)
    for name in names:
        add_detours(model, ADAPTERS[name], torch.Generator().manual_seed(1), name)
        learn(model, name, seed=len(name))
    return model


@cache
def merged(kind: str, name: str | None) -> Decoder:
    """Return the network of a kind with an adapter that became part of its weights."""
    return exact(kind) if name is None else fold(adapted(kind, name))


def some_request(dice: random.Random, tokens: int = 32, adapters: Sequence[str] = ()) -> Request:
    """Return a random request; prompts often share a beginning, and so does what is said after them."""
    start = dice.choice(STARTS)[: dice.randint(0, 20)] if dice.random() < 0.7 else []
    prompt = (start + [dice.randrange(23) for _ in range(dice.randint(1, 6))])[:tokens]
    way = SamplingConfig(**dice.choice(WAYS), max_tokens=dice.randint(1, 20), seed=dice.randrange(3))
    adapter = dice.choice([None, *adapters]) if adapters else None
    stops, guess = dice.choice([(), (6,), (6, 7, 8)]), dice.choice([None, "lookup"])
    return Request(tuple(prompt), way, stops, adapter=adapter, speculative=guess)


@cache
def alone(kind: str, request: Request) -> list[Alone]:
    """Return what a request says when nothing else runs."""
    model = merged(kind, request.adapter)
    return list(stream(model, None, [list(request.prompt)], request.sampling, stop_ids=request.stop_ids))


def check_room(engine: Engine, most_bytes: int) -> None:
    """Check that memory is bounded, rows hold what they can, and only those who run have a slot."""
    slots = engine.slots
    cache, stats = slots.cache, engine.stats()
    assert stats.cache_bytes == cache.bytes <= most_bytes
    assert cache.rows * cache.capacity <= cache.places
    assert [slot.row for slot in slots.all] == list(range(cache.rows))
    assert all(len(slot.held) < cache.capacity for slot in slots.all)
    assert {slot.row for slot in slots.taken} == {one.slot.row for one in engine.running}
    assert len(slots.taken) == stats.active <= stats.slots


def traffic(kind: str, count: int, seed: int, slots: int, places: int, adapters: Sequence[str] = ()) -> Engine:
    """Let requests join at random, cancel some; compare all that was said with what each says alone."""
    dice = random.Random(seed)
    most_bytes = places * SlotCache.bytes_a_place(exact(kind).config, exact(kind).embedding.weight.dtype)
    model, piece = adapted(kind, *adapters) if adapters else exact(kind), dice.choice([1, 7, 24])
    engine = Engine(model, None, slots, most_bytes, prefill_tokens=piece, adapters=adapters)
    engine.pass_cost = dice.choice([2, 9999, 32])  # guesses are checked seldom, in passes of their own, or always
    asked: dict[int, Request] = {}
    heard: dict[int, list[Event]] = {}
    cancelled = set()
    while len(asked) < count or engine.busy:
        for _ in range(dice.choice([0, 0, 1, 2, 5]) if len(asked) < count else 0):
            request = some_request(dice, adapters=adapters)
            number = engine.submit(request)
            asked[number], heard[number] = request, []
        if asked and dice.random() < 0.1:
            number = dice.choice(list(asked))
            if not heard[number] or heard[number][-1].finish is None:
                cancelled.add(number)
            engine.cancel(number)
        for event in engine.step():
            heard[event.request].append(event)
        check_room(engine, most_bytes)
        running = {one.number for one in engine.running}
        assert not running & cancelled
    for number, request in asked.items():
        expected = alone(kind, request)
        said = [event for event in heard[number] if event.id is not None]
        assert [event.id for event in said] == [event.id for event in expected[: len(said)]]
        assert [e.logprob for e in said] == pytest.approx([e.logprob for e in expected[: len(said)]], abs=1e-5)
        end = "cancelled" if number in cancelled else expected[-1].finish_reason
        assert [event.finish for event in heard[number]] == [None] * (len(heard[number]) - 1) + [end]
        assert len(said) == len(expected) or number in cancelled
    assert engine.stats().tokens_made == sum(event.id is not None for events in heard.values() for event in events)
    return engine


@pytest.mark.parametrize("kind", KINDS)
def test_random_traffic_says_what_each_says_alone(kind):
    stats = traffic(kind, count=14, seed=8, slots=4, places=100).stats()
    assert stats.prefix_tokens_reused > 20
    assert stats.tokens_guessed > stats.guesses_kept > 2


@pytest.mark.slow
def test_random_traffic_of_forty_in_little_memory():
    engine = traffic("ours", count=40, seed=2, slots=8, places=90)
    assert engine.slots.cuts > 3  # rows were made longer and shorter


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "gpt2"])
def test_random_traffic_of_adapters_says_what_each_says_merged_and_alone(kind):
    engine = traffic(kind, count=24, seed=9, slots=6, places=200, adapters=tuple(ADAPTERS))
    assert engine.stats().prefix_tokens_reused > 20


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ours", "gpt2", "grouped_ngrams", "beyond_context"])
@pytest.mark.parametrize(("slots", "places"), [(8, 90), (32, 2000)])
def test_random_traffic_of_hundreds_with_adapters(kind, slots, places):
    traffic(kind, count=250, seed=6, slots=slots, places=places, adapters=tuple(ADAPTERS))


@pytest.mark.slow
@pytest.mark.parametrize(("slots", "places"), [(8, 90), (32, 2000)])
def test_random_traffic_of_a_thousand(slots, places):
    traffic("ours", count=1000, seed=3, slots=slots, places=places)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_random_traffic_of_every_kind(kind):
    traffic(kind, count=120, seed=4, slots=8, places=90)


def run(engine: Engine) -> dict[int, list[Event]]:
    heard: dict[int, list[Event]] = {}
    while engine.busy:
        for event in engine.step():
            heard.setdefault(event.request, []).append(event)
    return heard


def say(engine: Engine, *requests: Request) -> list[list[Event]]:
    numbers = [engine.submit(request) for request in requests]
    heard = run(engine)
    return [heard[number] for number in numbers]


def test_a_long_prompt_does_not_stall_those_who_write():
    engine = Engine(exact(), None, prefill_tokens=4)
    writer = engine.submit(Request((9, 2), SamplingConfig(max_tokens=20), stop_ids=()))
    engine.step()
    reader = engine.submit(Request(tuple(range(1, 23)), SamplingConfig(max_tokens=2)))
    for _ in range(5):  # 22 tokens by 4: five steps without a word of its own
        assert [event.request for event in engine.step()] == [writer]
    assert [event.request for event in engine.step()] == [writer, reader]


def test_a_short_prompt_is_read_beside_a_long_one():
    engine = Engine(exact(), None, prefill_tokens=8)
    engine.submit(Request(tuple(range(1, 23)), SamplingConfig()))
    engine.step()
    short = engine.submit(Request((3, 4, 5), SamplingConfig()))
    assert [event.request for event in engine.step()] == [short]


def test_equal_prompts_are_read_once_and_copies_differ():
    engine, prompt = Engine(exact(), None), tuple(range(1, 23))
    sampling = SamplingConfig(max_tokens=6)
    said = say(engine, *[Request(prompt, sampling, copy=copy) for copy in (0, 1, 0)])
    ids = [[event.id for event in events] for events in said]
    assert ids[0] == ids[2] != ids[1]
    assert (engine.stats().prompt_tokens_read, engine.stats().prefix_tokens_reused) == (22 + 1 + 1, 21 + 21)


def test_the_next_turn_of_a_chat_reads_only_what_is_new():
    engine = Engine(exact(), None, slots=2)
    (first,) = say(engine, Request((1, 2, 3, 4), SamplingConfig(max_tokens=5)))
    so_far = (1, 2, 3, 4, *(event.id for event in first))
    say(engine, Request((9,) * 8, SamplingConfig(max_tokens=2)))  # another's, in the other slot
    read = engine.stats().prompt_tokens_read
    say(engine, Request((*so_far, 7, 8), SamplingConfig(max_tokens=2)))
    # The last token that was said had not been read.
    assert engine.stats().prompt_tokens_read - read == 3


def test_cancelling_frees_the_slot_at_once():
    engine = Engine(exact(), None, slots=1)
    first, second, third = (engine.submit(Request((n,), SamplingConfig(max_tokens=9))) for n in (1, 2, 3))
    engine.step()
    engine.cancel(first)
    engine.cancel(third)  # which waits
    events = engine.step()
    assert events[:2] == [Event(n, None, "", None, (), "cancelled") for n in (first, third)]
    assert [event.request for event in events[2:]] == [second]
    engine.cancel(first)  # again, and of nobody: nothing happens
    engine.cancel(99)
    assert list(run(engine)) == [second]
    assert not engine.busy


def test_what_can_never_run_is_refused():
    each = SlotCache.bytes_a_place(exact().config, exact().embedding.weight.dtype)
    engine = Engine(exact(), None, cache_bytes=20 * each)
    for prompt, word in (((), "empty"), ((1,) * 33, "context"), ((99,), "another model"), ("text", "tokenizer")):
        with pytest.raises(BadInput, match=word):
            engine.submit(Request(prompt, SamplingConfig(max_tokens=1)))
    engine.submit(Request((1, 2, 3), SamplingConfig(max_tokens=17)))  # 19 are read, and a place for padding
    with pytest.raises(BadInput, match="room for 20 tokens, the cache has 19"):
        engine.submit(Request((1, 2, 3), SamplingConfig(max_tokens=18)))
    assert len(run(engine)[1]) == 17
    with pytest.raises(BadInput, match="holds no token"):
        Engine(exact(), None, cache_bytes=each)
    with pytest.raises(BadInput, match="1 or more"):
        Engine(exact(), None, slots=0)


def test_keys_and_values_of_another_adapter_are_not_reused():
    engine = Engine(adapted("ours", "narrow", "dora"), None, slots=4, adapters=("narrow", "dora"))
    prompt, way = tuple(range(1, 23)), SamplingConfig(temperature=0, max_tokens=4)
    before = 0
    for adapter, reused in ((None, 0), ("narrow", 0), ("dora", 0), ("narrow", 21), (None, 21)):
        say(engine, Request(prompt, way, adapter=adapter))
        assert engine.stats().prefix_tokens_reused - before == reused
        before += reused


def test_an_adapter_that_is_not_there():
    engine = Engine(adapted("ours", "narrow", "dora"), None, adapters=("narrow", "dora"))
    with pytest.raises(BadInput, match="no adapter third is there, only narrow, dora"):
        engine.submit(Request((1,), SamplingConfig(), adapter="third"))
    with pytest.raises(BadInput, match="no adapter third is there, only none"):
        Engine(exact(), None).submit(Request((1,), SamplingConfig(), adapter="third"))
    with pytest.raises(BadInput, match="choose among adapters narrow, and the network has narrow, dora"):
        Engine(adapted("ours", "narrow", "dora"), None, adapters=("narrow",))
    with pytest.raises(BadInput, match="experts see tokens without their rows"):
        Engine(adapted("mixture", "narrow"), None, adapters=("narrow",))


def both(engine: Engine, request: Request) -> tuple[list[Event], list[Event], int]:
    """Return what a request says plainly and with guesses, without its number, and the steps that this took."""
    (plain,) = say(engine, request)
    number, guessed, steps = engine.submit(replace(request, speculative="lookup")), [], 0
    while engine.busy:
        guessed += engine.step()
        steps += 1
    assert {event.request for event in guessed} == {number}
    return [replace(event, request=0) for event in plain], [replace(event, request=0) for event in guessed], steps


def circle() -> tuple[Decoder, Tokenizer, list[int]]:
    """Return a model that goes on through some letters for ever, and their ids."""
    tokenizer = bpe()
    letters = [id for letter in "abcdefgh" for id in tokenizer.encode(letter)]
    return chain(tokenizer, [*letters, letters[0]]), tokenizer, letters


def test_guesses_write_several_tokens_a_step():
    model, tokenizer, letters = circle()
    way, prompt = SamplingConfig(temperature=0, max_tokens=30), (*letters, *letters[:2])
    engine = Engine(model, tokenizer, slots=1)
    plain, guessed, steps = both(engine, Request(prompt, way, stop_ids=()))
    assert [(e.id, e.text, e.finish) for e in plain] == [(e.id, e.text, e.finish) for e in guessed]
    assert [e.logprob for e in guessed] == pytest.approx([e.logprob for e in plain], abs=1e-5)
    stats = engine.stats()
    assert steps < 0.4 * len(plain)
    assert len(guessed) == steps + stats.guesses_kept
    read = stats.prompt_tokens_read
    say(engine, Request((*prompt, *(event.id for event in guessed), 9), way, stop_ids=()))
    assert engine.stats().prompt_tokens_read - read == 2  # guesses that were kept have been read


def test_who_guesses_is_read_beside_who_does_not():
    model, tokenizer, letters = circle()
    engine, way = Engine(model, tokenizer, slots=16), SamplingConfig(temperature=0, max_tokens=30)
    prompts = [(*letters[start % 6 :], *letters[: start % 6 + 2]) for start in range(16)]
    say(engine, *[Request(prompt, way, (), speculative="lookup") for prompt in prompts])  # it learns that guessing pays
    before, modes = engine.stats().guesses_kept, (None, "lookup", None)  # for five of sixteen a pass of their own pays
    said = say(engine, *[Request(p, way, (), speculative=modes[n % 3]) for n, p in enumerate(prompts)])
    for prompt, events in zip(prompts, said, strict=True):
        following = letters[(letters.index(prompt[-1]) + 1) :] + letters * 4
        assert [event.id for event in events] == following[:30]
    assert engine.stats().guesses_kept - before > 40


def test_guesses_stay_within_learned_positions():
    engine, way = Engine(exact("gpt2"), None), SamplingConfig(temperature=0, max_tokens=9)
    engine.pass_cost = 9999
    long, short = Request((*range(22), *[1] * 8), way.but(max_tokens=3), ()), Request(tuple(range(23)), way, ())
    said = say(engine, long, replace(short, speculative="lookup"))  # whatever it says has a place in its prompt
    assert [[event.id for event in events] for events in said] == [
        [event.id for event in alone("gpt2", request)] for request in (long, short)
    ]
    assert engine.stats().tokens_guessed > 0


def test_guesses_end_where_the_text_ends():
    model, tokenizer, letters = circle()
    prompt = (*letters, *letters[:2])
    for choices in ({"stop": ("ef",)}, {"max_tokens": 3}, {"max_tokens": 1}, {"stop": ("ab",), "top_logprobs": 2}):
        request = Request(prompt, SamplingConfig(**{"temperature": 0, "max_tokens": 12, **choices}), stop_ids=())
        plain, guessed, steps = both(Engine(model, tokenizer), request)
        assert [(e.id, e.text, e.finish) for e in plain] == [(e.id, e.text, e.finish) for e in guessed]
        assert [[id for id, _ in e.top] for e in plain] == [[id for id, _ in e.top] for e in guessed]
        assert steps < len(guessed) or len(guessed) == 1
    stopping = Request(prompt, SamplingConfig(temperature=0, max_tokens=12), stop_ids=(letters[-4],))
    plain, guessed, _ = both(Engine(model, tokenizer), stopping)
    assert plain[-1].finish == guessed[-1].finish == "stop"
    assert [e.id for e in plain] == [e.id for e in guessed]


def test_answers_of_the_calculator_are_guesses_that_are_always_kept():
    tokenizer = Tokenizer.train_bpe(["<<6*7=42>>42 <<8/0=>> <<9**9=>> <<3-5=-2>>-2 " * 20], 290)
    model = chain(tokenizer, "x<<68*57=", ">>.b")
    sampling = SamplingConfig(temperature=0, max_tokens=20, calculator=True)
    engine = Engine(model, tokenizer)
    plain, guessed, steps = both(engine, Request(tuple(tokenizer.encode("x")), sampling, stop_ids=()))
    assert [(e.id, e.text, e.given, e.finish) for e in plain] == [(e.id, e.text, e.given, e.finish) for e in guessed]
    assert "".join(event.text for event in guessed).startswith("<<68*57=3876>>.b")
    given = sum(event.given for event in guessed)
    assert given > 2
    assert engine.stats().guesses_kept >= given - 1
    assert steps <= len(guessed) - given + 1


@pytest.mark.slow
@pytest.mark.parametrize("pass_cost", [9999, 400])
def test_guesses_leave_the_distribution_as_it_is(pass_cost):
    model = network(vocab_size=6, context_length=16).double()
    way, prompt = SamplingConfig(max_tokens=4, temperature=1.3, top_k=4), (1, 2, 1, 2, 1)
    engine = Engine(model, None, slots=64)
    engine.pass_cost = pass_cost
    for seed in range(6000):
        engine.submit(Request(prompt, way.but(seed=seed), (), speculative="lookup"))
    heard = run(engine)
    stats = engine.stats()
    assert stats.tokens_guessed > 1.5 * stats.guesses_kept > 300
    seen = Counter(tuple(event.id for event in heard[1 + seed][:3]) for seed in range(6000))
    expected = {(): 1.0}
    with torch.no_grad():
        for _ in range(3):
            expected = {
                (*said, id): chance * float(after[id])
                for said, chance in expected.items()
                for after in distributions(model(torch.tensor([[*prompt, *said]]))[0, -1:], way, [], [])
                for id in range(6)
            }
    likely = [said for said, chance in expected.items() if chance > 2e-3]
    whole = sum(expected[said] for said in likely)
    observed = [seen[said] for said in likely]
    wanted = [expected[said] / whole * sum(observed) for said in likely]
    assert len(likely) > 40
    assert chisquare(observed, wanted).pvalue > 0.01
    assert not any(seen[said] for said, chance in expected.items() if chance == 0)


def test_texts_stops_top_and_the_calculator_are_those_of_generate():
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size, spread=0.3).double()
    prompts = ["the little bird", "café by", "the old"]
    sampling = SamplingConfig(max_tokens=12, temperature=0.5, stop=("e", "xyz"), top_logprobs=3, calculator=True)
    said = say(Engine(model, tokenizer), *[Request(prompt, sampling) for prompt in prompts])
    for prompt, events in zip(prompts, said, strict=True):
        expected = list(stream(model, tokenizer, [prompt], sampling))
        assert [(e.id, e.text, e.finish, e.given) for e in events] == [
            (e.id, e.text, e.finish_reason, e.given) for e in expected
        ]
        assert [[id for id, _ in e.top] for e in events] == [[id for id, _ in e.top] for e in expected]
    quiet = Request("the", SamplingConfig(max_tokens=3), logprobs=False)
    assert {event.logprob for event in say(Engine(model, tokenizer), quiet)[0]} == {None}


def test_the_calculator_puts_answers_in():
    tokenizer = Tokenizer.train_bpe(["<<6*7=42>>42 <<8/0=>> <<9**9=>> <<3-5=-2>>-2 " * 20], 290)
    model = chain(tokenizer, "x<<6*7=", ">>.b")
    sampling = SamplingConfig(temperature=0, max_tokens=12, calculator=True)
    (events,) = say(Engine(model, tokenizer), Request(tuple(tokenizer.encode("x")), sampling))
    expected = list(stream(model, tokenizer, ["x"], sampling, begin=False))
    assert [(e.id, e.text, e.given) for e in events] == [(e.id, e.text, e.given) for e in expected]
    assert "".join(event.text for event in events).startswith("<<6*7=42>>.b")
