"""Virtual tokens and prefixes: as real tokens before the row, in caches, packed rows and batches; learned alone."""

import pytest
import torch

from linnet.adapt.config import AdaptConfig
from linnet.adapt.prompt import first_ids
from linnet.adapt.surgery import adapt
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from tests.adapt.networks import GPT2, IDS, SMALL, logits, network

TOKENIZER = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz .?"])
PLAIN = SMALL.but(value_embedding_every=0)
KINDS = {
    "rotary": PLAIN,
    "gpt2": GPT2,
    "sinusoidal": PLAIN.but(positions="sinusoidal"),
    "sink logits": PLAIN.but(sink_logits=True),
    "ours": SMALL.but(ngram_buckets=64),
}


def tuned(method, config=PLAIN, **more):
    return adapt(network(config), AdaptConfig(method=method, **{"virtual_tokens": 6, **more}), TOKENIZER)


def shaken(model: Decoder) -> Decoder:
    with torch.no_grad():
        model.prefix.vectors.add_(
            0.3 * torch.randn(model.prefix.vectors.shape, generator=torch.Generator().manual_seed(1))
        )
    return model


@pytest.mark.parametrize("method", ["prompt", "prefix"])
@pytest.mark.parametrize("kind", ["rotary", "gpt2", "sinusoidal", "sink logits"])
def test_at_first_it_is_its_text_before_the_row(method, kind):
    text = "say so"
    model = tuned(method, KINDS[kind], initial_text=text)
    before = torch.tensor(TOKENIZER.encode(text)).expand(len(IDS), -1)
    real = logits(network(KINDS[kind]), torch.cat((before, IDS), dim=1))[:, len(text) :]
    torch.testing.assert_close(logits(model), real, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
@pytest.mark.parametrize("kind", KINDS)
def test_caches_batches_and_packed_rows_read_alike(method, kind):
    model = shaken(tuned(method, KINDS[kind]))
    whole = logits(model)
    assert float((whole - logits(network(KINDS[kind]))).abs().max()) > 0.05
    cache = model.new_cache(4, 13)
    with torch.no_grad():
        pieces = [model(piece, cache=cache) for piece in IDS.split([4, 1, 8], dim=1)]
        torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=2e-5, rtol=1e-5)
        cache = model.new_cache(4, 13)  # of different lengths, and rows that leave
        model(IDS[:, :8], cache=cache, lengths=torch.tensor([8, 3, 5, 8]))
        cache.select(torch.tensor([2, 0]))
        follow = model(torch.stack((IDS[2, 5:9], IDS[0, 8:12])), cache=cache)
        torch.testing.assert_close(follow[0], whole[2, 5:9], atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(follow[1], whole[0, 8:12], atol=2e-5, rtol=1e-5)
        packed = torch.cat((IDS[0, :5], IDS[1, :7]))[None]
        documents = torch.tensor([[0] * 5 + [1] * 7])
        apart = model(packed, documents=documents)[0]
        torch.testing.assert_close(apart[:5], whole[0, :5], atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(apart[5:], whole[1, :7], atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_windows_see_it_too_also_through_a_rolling_cache(method):
    model = shaken(tuned(method, PLAIN.but(window=4, sink_tokens=1)))
    whole = logits(model)
    changed = shaken(tuned(method, PLAIN.but(window=4, sink_tokens=1)))
    with torch.no_grad():
        changed.prefix.vectors[0].add_(1.0)
        assert float((logits(changed)[:, -1] - whole[:, -1]).abs().max()) > 1e-3
        cache = model.new_cache(4, 13, rolling=True)
        pieces = [model(piece, cache=cache) for piece in IDS.split([6, 1, 1, 5], dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["prompt", "prefix"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_it_alone_learns_and_all_of_it_does(method, checkpointing):
    model = tuned(method).train()
    model.checkpointing = checkpointing
    model(IDS).square().mean().backward()
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {"prefix.vectors"}
    assert bool((model.prefix.vectors.grad.abs().sum(1) > 0).all())
    gradient = model.prefix.vectors.grad.clone()
    twin = tuned(method).train()
    twin(IDS).square().mean().backward()
    torch.testing.assert_close(twin.prefix.vectors.grad, gradient, atol=1e-6, rtol=1e-4)


def test_learned_positions_give_up_places():
    model = tuned("prompt", GPT2)
    assert model.config.context_length == 48 - 6
    logits(model, torch.zeros(1, 42, dtype=torch.int64))
    with pytest.raises(ValueError, match="end at 42"):
        logits(model, torch.zeros(1, 43, dtype=torch.int64))
    with pytest.raises(BadInput, match="virtual-tokens 48: learned positions end at 48"):
        tuned("prefix", GPT2, virtual_tokens=48)
    assert tuned("prompt", PLAIN).config.context_length == 48


def test_first_ids_are_the_texts_or_drawn():
    draw = torch.Generator().manual_seed(0)
    assert first_ids(5, [7, 8], 50, draw).tolist() == [7, 8, 7, 8, 7]
    assert first_ids(1, [7, 8], 50, draw).tolist() == [7]
    drawn = first_ids(200, [], 50, draw)
    assert drawn.shape == (200,)
    assert int(drawn.max()) < 50
    assert len(drawn.unique()) > 30


def test_a_second_prefix_is_refused():
    with pytest.raises(BadInput, match="has virtual tokens already"):
        adapt(tuned("prompt"), AdaptConfig(method="prefix"), TOKENIZER)
