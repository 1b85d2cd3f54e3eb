"""The encoder-decoder: it reads its source, padded or not, cached or not, and nothing of the target's future."""

import pytest
import torch

from linnet.model.config import ModelConfig
from linnet.model.encoder_decoder import EncoderDecoder
from tests.model.two_sided import TWO_SIDES, made, some_ids

CLOSE = 3e-5
LENGTHS = torch.tensor([9, 4, 1])


@pytest.fixture(params=TWO_SIDES, scope="module")
def model(request) -> EncoderDecoder:
    return made("encoder_decoder", **TWO_SIDES[request.param])


def far(a, b) -> float:
    assert torch.isfinite(a).all()
    return float((a - b).detach().abs().max())


@torch.no_grad()
def test_each_source_token_matters_and_no_later_target(model):
    source, target = some_ids(2, 9), some_ids(2, 7, 1)
    logits = model(source, target)
    for place in range(9):
        changed = source.clone()
        changed[:, place] = (changed[:, place] + 1) % 43
        assert far(model(changed, target), logits) > 1e-3
    for place in range(7):
        changed = target.clone()
        changed[:, place:] = (changed[:, place:] + 1) % 43
        other = model(source, changed)
        assert place == 0 or far(other[:, :place], logits[:, :place]) < CLOSE
        assert far(other[:, place], logits[:, place]) > 1e-3


@torch.no_grad()
def test_padding_of_either_side_changes_nothing(model):
    source, target = some_ids(3, 9), some_ids(3, 7, 1)
    sizes = torch.tensor([7, 2, 5])
    together = model(source, target, source_lengths=LENGTHS, lengths=sizes)
    for row, (length, size) in enumerate(zip(LENGTHS, sizes, strict=True)):
        alone = model(source[row : row + 1, :length], target[row : row + 1, :size])
        assert far(together[row, :size], alone[0]) < CLOSE
    other = source.clone()
    other[1, 4:] = 0
    assert far(model(other, target, source_lengths=LENGTHS), model(source, target, source_lengths=LENGTHS)) == 0
    assert far(model(other, target), model(source, target)) > 1e-3


@pytest.mark.parametrize("pieces", [[7], [1] * 7, [2, 4, 1]])
@torch.no_grad()
def test_cached_equals_full_and_the_source_is_read_once(model, pieces):
    source, target = some_ids(3, 9), some_ids(3, 7, 1)
    full = model(source, target, source_lengths=LENGTHS)
    cache = model.new_cache(source, 8, LENGTHS)
    out = torch.cat([model.decoder(piece, cache=cache) for piece in target.split(pieces, dim=1)], dim=1)
    assert far(out, full) < CLOSE


@torch.no_grad()
def test_rows_of_a_cache_keep_their_own_sources_when_they_are_chosen(model):
    source, target = some_ids(3, 9), some_ids(3, 7, 1)
    rows = torch.tensor([2, 0, 2])
    cache = model.new_cache(source, 8, LENGTHS)
    model.decoder(target[:, :3], cache=cache)
    cache.select(rows)
    out = model.decoder(target[rows, 3:], cache=cache)
    assert far(out, model(source[rows], target[rows], source_lengths=LENGTHS[rows])[:, 3:]) < CLOSE


def test_every_parameter_gets_a_gradient_and_checkpointing_changes_none(model):
    model.train()
    found = []
    for on in (False, True):
        model.checkpointing = on
        assert model.decoder.checkpointing is on
        model.zero_grad()
        model(some_ids(4, 9), some_ids(4, 7, 1), source_lengths=torch.tensor([9, 4, 1, 5])).sin().sum().backward()
        found.append({name: parameter.grad.clone() for name, parameter in model.named_parameters()})
    model.eval()
    model.checkpointing = False
    assert all(bool(grad.any()) for grad in found[0].values())
    for name, grad in found[0].items():
        torch.testing.assert_close(found[1][name], grad, rtol=1e-4, atol=1e-5)


def test_one_embedding_serves_both_sides(model):
    assert model.encoder.embedding.weight is model.decoder.embedding.weight is model.embedding.weight
    tied = model.config.tie_embeddings
    assert (model.decoder.head.weight is model.embedding.weight) is tied
    assert model.copies().keys() == {"encoder.embedding.weight", *(["decoder.head.weight"] if tied else [])}
    assert model.copies().keys() <= model.state_dict().keys()


def test_a_new_one_starts_at_ln_v_and_a_seed_means_the_same():
    config = ModelConfig(kind="encoder_decoder", **TWO_SIDES["sinusoidal"])
    first, again, other = (EncoderDecoder(config, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    logits = first(some_ids(8, 20), some_ids(8, 20, 1))
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), some_ids(8, 20, 2).flatten())
    assert abs(float(loss) - torch.tensor(43.0).log()) < 0.1


def test_a_decoder_that_needs_a_source_says_so():
    model = made("encoder_decoder", **TWO_SIDES["sinusoidal"])
    with pytest.raises(AssertionError, match="needs a source"):
        model.decoder(some_ids(1, 3))
