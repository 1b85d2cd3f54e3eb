"""Linnet's own decoder as a subject: its ways of reading, and a folder of it."""

import pytest
import torch

from linnet.artifacts import save_model
from linnet.batches.batch import IGNORE
from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.model.decoder import Decoder
from linnet.prove.measuring import all_learned
from linnet.prove.ours import batch_of, decoder_subject, folder_subject, readable
from linnet.text.tokenizer import Tokenizer
from tests.model.test_invariants import readable as readable_by_sets
from tests.model.variants import random_ids
from tests.prove.subjects import decoder, order, subject

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.mark.parametrize("name", ["ours", "window", "window_sinks", "global_every", "ours_ngrams"])
def test_readable_is_what_layers_pass_on(name):
    config = decoder(name).config
    found = readable(config, 20)
    for place, reads in enumerate(readable_by_sets(config, 20)):
        near = set(range(max(0, place - 2), place + 1)) if config.ngram_buckets else set()
        assert set(found[place].nonzero().flatten().tolist()) == reads | near


@torch.no_grad()
def test_every_way_of_reading_is_taken():
    one = subject("window")
    ids, model, ways = random_ids(2, 12), one.model, one.reading
    lengths = torch.tensor([12, 5])
    left = ways.left_padded(ids, lengths)
    torch.testing.assert_close(left[1, 7:], model(ids[1:, 7:])[0], **CLOSE)
    assert not torch.allclose(left[1, 7:], model(ids)[1, 7:], atol=1e-2)
    documents = order(ids) // 6
    assert not torch.allclose(ways.packed(ids, documents), model(ids), atol=1e-2)
    for cached in (ways.cached, ways.rolling):
        torch.testing.assert_close(cached(ids, [5, 7]), model(ids), **CLOSE)
    assert ways.window == 5


def test_what_an_architecture_does_not_have_is_not_there():
    assert subject("gpt2").reading.moved is None
    assert subject("gpt2").reading.rotate is None
    assert subject("window_sinks").reading.moved is None
    assert subject("global_every").reading.rolling is None
    assert subject("llama_gqa").tied == ()
    assert subject("gpt2").tied
    assert subject("llama_gqa").experts is None
    assert len(subject("moe_top1").experts.routers) == 3


def test_rows_become_the_batch_of_training():
    rows = all_learned(random_ids(2, 5))
    rows.learned[1, 3] = False
    batch = batch_of(rows)
    assert batch.ids.tolist() == rows.ids[:, :-1].tolist()
    assert batch.targets[0].tolist() == rows.ids[0, 1:].tolist()
    assert batch.targets[1, 2] == IGNORE


def test_the_loads_are_counts_of_places():
    one = subject("moe_top2")
    ids = random_ids(3, 7)
    load = one.experts.load(ids)
    assert load.shape == (1, 4)
    assert load.sum().item() == pytest.approx(3 * 7 * 2)
    assert one.experts.padded_load(ids, torch.tensor([7, 2, 1])).sum().item() == pytest.approx(20)


@pytest.fixture
def folder(tmp_path):
    tokenizer = Tokenizer.train_characters(["abcdefgh "])
    model = Decoder(decoder("ours").config.but(vocab_size=tokenizer.vocab_size))
    save_model(tmp_path, model, tokenizer)
    return tmp_path


def test_a_folder_has_text_data_and_training(folder):
    choices = {"seed": 5, "schedule": {"kind": "cosine"}, "packing": True, "steps": 9, "corpus": "x", "out": "gone"}
    (folder / "config.json").write_text(json_text(choices))
    one = folder_subject(folder, "cpu")
    assert one.text.decode(one.text.encode("a bad cab")) == "a bad cab"
    assert all(set(sample) <= set("abcdefgh ") for sample in one.text.samples)
    assert one.examples
    assert one.training.schedule(5) < one.training.schedule(0)
    assert one.reloaded().model is not one.model


def test_a_model_of_one_long_text_has_no_examples(folder):
    (folder / "result.json").write_text(json_text({"numbers": {"train_documents": 1}}))
    one = folder_subject(folder, "cpu")
    assert one.examples == []
    assert one.perplexity is not None


def test_a_damaged_config_is_bad_input(folder):
    (folder / "config.json").write_text(json_text({"steps": "many"}))
    with pytest.raises(BadInput, match="steps"):
        folder_subject(folder, "cpu")


def test_a_bare_decoder_says_nothing_of_text_and_training():
    one = decoder_subject(Decoder(decoder("ours").config), "bare")
    assert (one.text, one.training, one.perplexity, one.reloaded, list(one.examples)) == (None,) * 4 + ([],)
