"""Beam search equals trying everything where it is wide enough, and transformers' search where it is not."""

from itertools import product

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer.beam import Beam, beam_search, beam_texts, settled
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.infer.score import score
from tests.infer.networks import bpe, network

LENGTH, STOP, VOCABULARY = 4, 0, 3


def everything(model, prompt: list[int], penalty: float) -> list[Beam]:
    """List every continuation of up to LENGTH tokens that ends with STOP or is of full length, best first."""
    found = []
    for length in range(1, LENGTH + 1):
        for ids in product(range(VOCABULARY), repeat=length):
            stopped = ids[-1] == STOP
            if STOP not in ids[:-1] and (stopped or length == LENGTH):
                logprob = score(model, [prompt], [ids])[0].total
                found.append(Beam(ids, logprob, logprob / length**penalty, stopped))
    return sorted(found, key=lambda beam: -beam.score)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 3.0, -1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_wide_search_finds_the_best_of_all(penalty, seed):
    model = network(vocab_size=VOCABULARY, seed=seed)
    width = VOCABULARY**LENGTH
    expected = everything(model, [1, 2], penalty)
    got = beam_search(model, [1, 2], width, LENGTH, [STOP], penalty)
    assert [beam.ids for beam in got] == [beam.ids for beam in expected]
    assert [beam.stopped for beam in got] == [beam.stopped for beam in expected]
    assert [beam.score for beam in got] == pytest.approx([beam.score for beam in expected], rel=1e-6, abs=1e-5)


@pytest.mark.parametrize("choices", [{}, {"window": 4}, {"positions": "learned"}, {"num_experts": 2}])
def test_logprobs_are_those_of_the_uncached_model(choices):
    model = network(**choices)
    beams = beam_search(model, [3, 1, 4], 5, 12, [6], 0.7)
    scores = score(model, [[3, 1, 4]] * 5, [beam.ids for beam in beams])
    assert [beam.logprob for beam in beams] == pytest.approx([found.total for found in scores], abs=1e-4)
    assert len({beam.ids for beam in beams}) == 5


def test_width_one_is_greedy():
    model = network()
    greedy = generate(model, None, [[5, 6]], SamplingConfig(temperature=0, max_tokens=20), stop_ids=[4])[0]
    (beam,) = beam_search(model, [5, 6], 1, 20, [4], 1.0)
    assert beam.ids == greedy.ids


def test_a_wider_search_finds_something_likelier():
    model = network(spread=0.3)
    best = [beam_search(model, [5, 6], width, 10, (), 0.0)[0].logprob for width in (1, 4, 64)]
    assert best[0] < best[2]
    assert best[1] <= best[2]


def test_the_context_ends_a_beam():
    beams = beam_search(network(positions="learned"), [1] * 30, 3, 100)
    assert {len(beam.ids) for beam in beams} == {3}
    assert not any(beam.stopped for beam in beams)


@pytest.mark.parametrize("penalty", [1.0, *(pytest.param(one, marks=pytest.mark.slow) for one in (0.0, 2.0))])
@pytest.mark.parametrize("stops", [[7], [7, 3, 20]])
def test_equals_transformers(tmp_path, penalty, stops):
    transformers = pytest.importorskip("transformers")
    from linnet.export.hf import import_hf

    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=24,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.4,
        bos_token_id=None,
        eos_token_id=None,
    )
    theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = import_hf(tmp_path)
    for prompt in ([1, 2, 3], [9], [4, 4, 8, 15, 16, 22]):
        found = theirs.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
            num_beams=4,
            num_return_sequences=4,
            max_new_tokens=15,
            length_penalty=penalty,
            early_stopping="never",
            do_sample=False,
            eos_token_id=stops,
            pad_token_id=23,
            output_scores=True,
            return_dict_in_generate=True,
        )
        beams = beam_search(ours, prompt, 4, 15, stops, penalty)
        for beam, row, rank in zip(beams, found.sequences, found.sequences_scores, strict=True):
            new = row[len(prompt) :].tolist()
            ends = [place for place, id in enumerate(new) if id in stops]
            assert list(beam.ids) == new[: ends[0] + 1 if ends else None]
            assert beam.score == pytest.approx(rank.item(), abs=1e-4)


def test_a_running_beam_is_given_up_only_when_it_cannot_win():
    done = [Beam((1,), -1.0, -1.0, True), Beam((2,), -0.5, -0.5, True)]
    running = [((3, 4, 5), -6.0)]
    # ln p stays -6 at best: at length 12 that is -0.5 a token, better than the worst finished.
    assert not settled(running, done, width=2, length=3, most=12, penalty=1.0)
    assert settled(running, done, width=2, length=3, most=5, penalty=1.0)
    assert settled(running, done, width=2, length=3, most=12, penalty=0.0)
    assert not settled(running, done, width=3, length=3, most=5, penalty=1.0)
    assert settled([], done, width=3, length=3, most=5, penalty=1.0)


@pytest.mark.parametrize(("width", "most"), [(0, 5), (2, 0)])
def test_nonsense_is_refused(width, most):
    with pytest.raises(BadInput, match="at least 1"):
        beam_search(network(), [1], width, most)


def test_beams_as_texts():
    tokenizer = bpe()
    model = network(vocab_size=tokenizer.vocab_size)
    sampling = SamplingConfig(max_tokens=6)
    prompt = [tokenizer.end_id, *tokenizer.encode("the")]
    beams = beam_search(model, prompt, 4, 6, [tokenizer.end_id], 1.0)
    texts = beam_texts(model, tokenizer, "the", sampling, 4, 2)
    assert [text.ids for text in texts] == [beam.ids for beam in beams[:2]]
    assert [sum(text.logprobs) for text in texts] == pytest.approx([beam.logprob for beam in beams[:2]], abs=1e-4)
    assert [text.text for text in texts] == [tokenizer.decode(beam.ids) for beam in beams[:2]]
    with pytest.raises(BadInput, match="at most 4 texts"):
        beam_texts(model, tokenizer, "the", sampling, 4, 5)
    with pytest.raises(BadInput, match="stop strings"):
        beam_texts(model, tokenizer, "the", sampling.but(stop=("x",)), 4)
