"""Pairs from the small world and from real data: which columns are read, what is no pair, and what is held out."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.text.tokenizer import Tokenizer
from linnet.train.pairing import HeldOutChoice, learn_and_hold_out, read_pairs

KEEP = HeldOutChoice(0.3, 50)


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
        assert [m.role for m in pair.prompt] == (["system", "user"] if row["chosen"] is said[0] else ["user"])


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


def test_the_world_holds_out_its_validation_split(tokenizer):
    learn, held_out = learn_and_hold_out("world:60", "train", tokenizer, 4096, KEEP)
    assert (len(learn), len(held_out)) == (60, 50)
    assert not {item.prompt for item in learn} & {item.prompt for item in held_out}


def test_files_hold_out_a_share_of_their_prompts(tokenizer, tmp_path):
    rows = [{"prompt": f"question {n // 2}", "chosen": "yes", "rejected": "no"} for n in range(100)]
    learn, held_out = learn_and_hold_out(written(tmp_path, rows), "train", tokenizer, 4096, HeldOutChoice(0.3, 7))
    assert len(held_out) == 7
    assert 50 < len(learn) < 90
    assert not {item.prompt for item in learn} & {item.prompt for item in held_out}


def test_nothing_that_fits_names_the_source(tokenizer):
    with pytest.raises(BadInput, match="world:20"):
        learn_and_hold_out("world:20", "train", tokenizer, 5, KEEP)


@pytest.mark.parametrize(
    ("name", "pairs", "no_pair"),
    [("dpo_en_demo", 300, 0), ("hh-rlhf", 1812, 2), ("instruction-preference", 992, 0)],
)
def test_real_pairs(name, pairs, no_pair, shared_data):
    found = list(read_pairs(shared_data / name))
    assert len(found) == pairs
    assert sum(pair is None for pair in found) == no_pair
    assert all(pair.prompt[-1].role == "user" for pair in found if pair is not None)
