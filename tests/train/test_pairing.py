"""Pairs from the small world and from real data: which columns are read, what is no pair, and what is held out."""

import json
from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DPOConfig
from linnet.train.pairing import read_pair_sets, read_pairs

CHOICES = DPOConfig(parent=Path("x"), held_out=0.3, held_out_pairs=50, batch_size=4)
ROOM = ModelConfig(vocab_size=300, context_length=4096)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["user assistant system the and of Human bird \n"] * 3, 300)


def written(tmp_path, rows):
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_small_world_says_why():
    found = list(read_pairs("world:40"))
    assert len(found) == 40
    assert {"wrong", "rude", "no answer"} <= {pair.reason for pair in found}
    assert all(pair.chosen != pair.rejected and pair.prompt[0].role == "user" for pair in found)
    assert [pair.chosen for pair in read_pairs("world:40", most=3)] == [pair.chosen for pair in found[:3]]


def test_every_form_of_a_pair_is_read(tmp_path):
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    said = [{"role": "assistant", "content": "good"}], [{"role": "assistant", "content": "bad"}]
    start = "\n\nHuman: q\n\nAssistant: "
    rows = [
        {"prompt": "q", "chosen": "good", "rejected": "bad", "reason": "why"},
        {"prompt": messages, "chosen": said[0], "rejected": said[1]},
        {"instruction": "q", "input": "", "chosen": "good", "rejected": "bad"},
        {"chosen": start + "good", "rejected": start + "bad"},
    ]
    for row in rows:
        [pair] = read_pairs(written(tmp_path, [row]))
        assert (pair.prompt[-1].content, pair.chosen, pair.rejected) == ("q", "good", "bad")
        assert pair.reason == row.get("reason", "")
        assert not pair.unfinished
        assert [m.role for m in pair.prompt] == (["system", "user"] if row["chosen"] is said[0] else ["user"])
    [pair] = read_pairs(written(tmp_path, [{**rows[0], "unfinished": True}]))
    assert pair.unfinished


def test_two_different_talks_are_no_pair(tmp_path):
    start = "\n\nHuman: q\n\nAssistant: "
    rows = [
        {"chosen": f"{start}a\n\nHuman: x\n\nAssistant: good", "rejected": f"{start}b\n\nHuman: y\n\nAssistant: bad"},
        {"chosen": f"{start}good", "rejected": f"{start}bad"},
    ]
    found = list(read_pairs(written(tmp_path, rows)))
    assert found[0] is None
    assert found[1] is not None


def test_other_columns_are_named_with_their_row(tmp_path):
    with pytest.raises(BadInput, match="row 1"):
        list(read_pairs(written(tmp_path, [{"question": "q", "answer": "a"}])))
    rows = [{"prompt": "q", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": ["a"], "rejected": "b"}]
    with pytest.raises(BadInput, match="row 2"):
        list(read_pairs(written(tmp_path, rows)))


def prompts(pairs):
    return {item.prompt for item in pairs.items}


def test_the_world_holds_out_its_validation_split(tokenizer):
    learn, held_out = read_pair_sets(CHOICES, {"world:60": "train"}, tokenizer, ROOM)
    assert (len(learn.items), len(held_out.items)) == (60, 50)
    assert not prompts(learn) & prompts(held_out)
    assert learn.batch(0).pairs == 4
    assert learn.batch(0).rows.documents is None
    experts = read_pair_sets(CHOICES, {"world:20": "train"}, tokenizer, ROOM.but(num_experts=2))[0]
    assert experts.batch(0).rows.documents is not None  # padding takes no place of an expert


def test_files_hold_out_a_share_of_their_prompts(tokenizer, tmp_path):
    rows = [{"prompt": f"question {n // 2}", "chosen": "yes", "rejected": "no"} for n in range(100)]
    path = str(written(tmp_path, rows))
    learn, held_out = read_pair_sets(CHOICES.but(held_out_pairs=7), {path: "train"}, tokenizer, ROOM)
    assert len(held_out.items) == 7
    assert 50 < len(learn.items) < 90
    assert not prompts(learn) & prompts(held_out)
    both, _ = read_pair_sets(CHOICES, {path: "train", "world:30": "train"}, tokenizer, ROOM)
    assert len(both.items) == len(learn.items) + 30


def test_nothing_that_fits_names_the_source(tokenizer):
    with pytest.raises(BadInput, match="world:20"):
        read_pair_sets(CHOICES, {"world:20": "train"}, tokenizer, ROOM.but(context_length=5))


def test_too_few_are_refused(tokenizer, tmp_path):
    path = str(written(tmp_path, [{"prompt": "q", "chosen": "yes", "rejected": "no"}]))
    with pytest.raises(BadInput, match="too few"):
        read_pair_sets(CHOICES, {path: "train"}, tokenizer, ROOM)


@pytest.mark.parametrize(
    ("name", "pairs", "no_pair"),
    [("dpo_en_demo", 300, 0), ("hh-rlhf", 1812, 2), ("instruction-preference", 992, 0)],
)
def test_real_pairs(name, pairs, no_pair, shared_data):
    found = list(read_pairs(shared_data / name))
    assert len(found) == pairs
    assert sum(pair is None for pair in found) == no_pair
    assert all(pair.prompt[-1].role == "user" for pair in found if pair is not None)
