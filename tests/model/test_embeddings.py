"""N-gram embeddings: what they look up, and that they never reach over documents or see the future."""

import torch

from linnet.model.config import ModelConfig
from linnet.model.embeddings import NgramEmbedding, shifted
from tests.model.variants import VARIANTS, build, random_ids


def test_shifted_stops_at_the_start_of_row_and_document():
    ids = torch.tensor([[3, 4, 5, 6, 7]])
    documents = torch.tensor([[0, 0, 0, 1, 1]])
    assert shifted(ids, 1, None).tolist() == [[-1, 3, 4, 5, 6]]
    assert shifted(ids, 2, None).tolist() == [[-1, -1, 3, 4, 5]]
    assert shifted(ids, 1, documents).tolist() == [[-1, 3, 4, -1, 6]]
    assert shifted(ids, 2, documents).tolist() == [[-1, -1, 3, -1, -1]]
    assert shifted(ids[:, :1], 2, None).tolist() == [[-1]]


def test_a_table_with_room_for_every_pair_is_exact():
    vocabulary = 5
    table = NgramEmbedding(ModelConfig(vocab_size=vocabulary, hidden_size=4, num_heads=1, ngram_buckets=36))
    torch.nn.init.zeros_(table.triples.weight)
    torch.nn.init.normal_(table.pairs.weight)
    ids = torch.arange(vocabulary).repeat(vocabulary + 1)
    before = torch.arange(-1, vocabulary).repeat_interleave(vocabulary)
    out = table(ids[None], before[None], torch.full((1, len(ids)), -1))[0]
    assert len(out.unique(dim=0)) == vocabulary * (vocabulary + 1)


def test_triples_tell_what_stands_two_places_before():
    table = NgramEmbedding(ModelConfig(vocab_size=40, hidden_size=4, num_heads=1, ngram_buckets=4001))
    torch.nn.init.normal_(table.triples.weight)
    ids, before = torch.full((1, 41), 7), torch.full((1, 41), 9)
    out = table(ids, before, torch.arange(-1, 40)[None])[0]
    assert len(out.unique(dim=0)) > 38  # a rare collision is what hashing is


@torch.no_grad()
def test_in_the_network_they_see_two_tokens_back_inside_the_document_only():
    model = build(**{**VARIANTS["ours_ngrams"], "positions": "none", "window": 1, "value_embedding_every": 0})
    ids, documents = random_ids(1, 12), torch.tensor([[0] * 6 + [1] * 6])
    # With a window of one token, all that a place knows of others comes from its n-grams.
    logits = model(ids, documents=documents)
    for at in range(12):
        changed = ids.clone()
        changed[0, at] = (changed[0, at] + 1) % model.config.vocab_size
        moved = (model(changed, documents=documents) - logits)[0].abs().amax(-1) > 1e-5
        end = 6 if at < 6 else 12
        assert moved.nonzero().flatten().tolist() == list(range(at, min(at + 3, end)))
