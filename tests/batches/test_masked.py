"""Hidden tokens: share and kinds are counted, others stay, special tokens and padding are spared, draws resume."""

import numpy as np
import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.masked import MaskedRows, Masker, as_rows, mask_id, masked_in_order, masker_of, with_mask
from linnet.batches.shards import Shard, ShardWriter
from linnet.batches.windows import Windows
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz"])
CONFIG = ModelConfig(vocab_size=with_mask(TOKENIZER))
MASKER = masker_of(TOKENIZER, CONFIG, 0.15, seed=3)
LETTERS = sorted(MASKER.ordinary)


def rows(count: int, tokens: int, seed: int = 0) -> Batch:
    ids = torch.from_numpy(np.random.default_rng(seed).choice(LETTERS, (count, tokens)))
    return Batch(ids, torch.full_like(ids, IGNORE))


def test_counts_of_what_is_chosen_hidden_replaced_and_left():
    batch = rows(400, 100)
    found = MASKER.masked(batch, 0)
    chosen = found.targets != IGNORE
    assert chosen.sum(1).tolist() == [15] * 400
    assert torch.equal(found.targets[chosen], batch.ids[chosen])
    assert torch.equal(found.ids[~chosen], batch.ids[~chosen])
    hidden = float((found.ids == MASKER.mask_id)[chosen].float().mean())
    same = float((found.ids == batch.ids)[chosen].float().mean())
    other = chosen & (found.ids != MASKER.mask_id) & (found.ids != batch.ids)
    assert hidden == pytest.approx(0.8, abs=0.02)
    assert same == pytest.approx(0.1 + 0.1 / 26, abs=0.02)
    assert float(other.float().sum() / chosen.sum()) == pytest.approx(0.1 * 25 / 26, abs=0.02)
    assert set(found.ids[other].tolist()) <= set(LETTERS)
    assert (found.ids == MASKER.mask_id).sum(0).min() > 0  # no place is spared


def test_special_tokens_and_padding_are_spared_and_each_row_has_one():
    end = TOKENIZER.end_id
    ids = torch.tensor([[end, LETTERS[0], end, end], [LETTERS[1], LETTERS[2], LETTERS[3], LETTERS[4]], [end] * 4])
    documents = torch.tensor([[0, 0, 0, 0], [0, 0, -1, -1], [0, 0, 0, 0]])
    for number in range(20):
        found = MASKER.masked(Batch(ids, torch.full_like(ids, IGNORE), documents), number)
        chosen = (found.targets != IGNORE).tolist()
        assert chosen[0] == [False, True, False, False]
        assert sum(chosen[1]) == 1
        assert not any(chosen[1][2:])
        assert not any(chosen[2])
        assert found.documents is documents


def test_draws_are_a_function_of_seed_and_number():
    batch = rows(4, 40)
    same, again = (MASKER.masked(batch, 5) for _ in range(2))
    assert torch.equal(same.ids, again.ids)
    assert not torch.equal(MASKER.masked(batch, 6).targets, same.targets)
    other = Masker(MASKER.mask_id, MASKER.ordinary, 0.15, seed=4)
    assert not torch.equal(other.masked(batch, 5).targets, same.targets)


def test_the_mask_is_the_tokenizers_own_or_one_id_more():
    assert with_mask(TOKENIZER) == TOKENIZER.vocab_size + 1
    assert mask_id(TOKENIZER, CONFIG) == TOKENIZER.vocab_size
    own = Tokenizer.train_characters(["ab"], ("[PAD]", "[MASK]"))
    assert with_mask(own) == own.vocab_size
    assert mask_id(own, ModelConfig(vocab_size=99)) == own.special("[MASK]")
    with pytest.raises(BadInput, match="no id is free for the mask"):
        mask_id(TOKENIZER, ModelConfig(vocab_size=TOKENIZER.vocab_size))


@pytest.fixture
def windows(tmp_path):
    with ShardWriter(tmp_path / "shard", "hash", TOKENIZER.vocab_size) as writer:
        writer.write(np.array(LETTERS * 20, dtype=np.int32), "x" * 520)
        writer.end_document(TOKENIZER.end_id)
    shard = Shard.open(tmp_path / "shard")
    return lambda: Windows(shard, 2, 16, seed=1)


def test_a_training_goes_on_with_the_same_masks(windows):
    one = MaskedRows(windows(), MASKER)
    drawn = [one.next() for _ in range(5)]
    assert torch.equal(one.batch(3).ids, drawn[3].ids)
    again = MaskedRows(windows(), MASKER)
    again.restore(one.state() | {"drawn": 3})
    assert torch.equal(again.next().targets, drawn[3].targets)
    other = MaskedRows(windows(), masker_of(TOKENIZER, CONFIG, 0.3, seed=3))
    with pytest.raises(BadInput, match=r"mask_share was 0.15, is 0.3"):
        other.restore(one.state())
    first, second = (list(masked_in_order(drawn[:2], MASKER)) for _ in range(2))
    assert all(torch.equal(a.ids, b.ids) for a, b in zip(first, second, strict=True))


def test_rows_for_people_are_as_they_were():
    batch = rows(3, 20)
    shown = as_rows(MASKER.masked(batch, 0))
    assert torch.equal(shown.ids, batch.ids)
    learned = shown.targets != IGNORE
    assert torch.equal(shown.targets[learned], batch.ids.roll(-1, 1)[learned])
