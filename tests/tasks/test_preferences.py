"""Preference pairs in four forms: two replies to the same words, the better one first."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks import rows
from linnet.tasks.preferences import TASK, conversation, example, grade, pair
from linnet.text.chat import Message

PLAIN = {"prompt": "Who is Amy?", "chosen": "A baker.", "rejected": "Who knows?"}
ALPACA = {"instruction": "Turn around.", "input": "cup, hat", "output": "x", "chosen": "hat, cup", "rejected": "cup"}
BEFORE = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: How are you?\n\nAssistant:"
HH = {"chosen": f"{BEFORE} Well, thanks.", "rejected": f"{BEFORE} Go away."}
MESSAGES = {
    "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
    "chosen": [{"role": "assistant", "content": "Hello"}],
    "rejected": [{"role": "assistant", "content": "No"}],
}


@pytest.mark.parametrize(
    ("row", "messages", "good", "bad"),
    [
        (PLAIN, [Message("user", "Who is Amy?")], "A baker.", "Who knows?"),
        (ALPACA, [Message("user", "Turn around.\ncup, hat")], "hat, cup", "cup"),
        (
            HH,
            [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "How are you?")],
            "Well, thanks.",
            "Go away.",
        ),
        (MESSAGES, [Message("system", "Be kind."), Message("user", "Hi")], "Hello", "No"),
    ],
    ids=["plain", "alpaca", "hh-rlhf", "messages"],
)
def test_the_four_forms(row, messages, good, bad):
    assert pair(row) == (messages, good, bad)
    assert example(row).choices == (f"\n{good}", f"\n{bad}")
    assert example(row).gold == 0


def test_conversations_that_part_early_are_compared_from_there():
    row = {"chosen": HH["chosen"], "rejected": "\n\nHuman: Hi\n\nAssistant: What?\n\nHuman: Bye\n\nAssistant: Bye"}
    messages, good, bad = pair(row)
    assert messages == [Message("user", "Hi")]
    assert good.startswith("Hello\n\nHuman: How")
    assert bad.startswith("What?")


def test_one_message_is_asked_as_it_is_and_more_are_named():
    assert example(PLAIN).prompt == "Who is Amy?"
    assert example(HH).prompt == "Human: Hi\n\nAssistant: Hello\n\nHuman: How are you?"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"chosen": "yes", "rejected": "no"}, "no beginning in common"),
        ({**MESSAGES, "chosen": MESSAGES["chosen"] * 2}, "holds 2 messages; a reply is one"),
        ({**MESSAGES, "prompt": [{"from": "human"}]}, 'not messages with "role" and "content"'),
        ({**MESSAGES, "prompt": [{"role": "robot", "content": "x"}]}, "has the role 'robot'"),
    ],
)
def test_other_rows_are_refused(row, words):
    with pytest.raises(BadInput, match=words):
        pair(row)


def test_grades():
    asked = example(PLAIN)
    assert grade(asked, "A baker.").correct
    assert grade(asked, "Who knows?").category == "violated"
    assert grade(asked, "hm").category == "format"


def test_rows_that_prefer_nothing_are_left_out(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("prompt,chosen,rejected\na,b,b\na,b,c\n")
    assert [row["rejected"] for row in rows.read(TASK, path, "test")] == ["c"]


def test_hh_rlhf_reads_whole(shared_data):
    found = [pair(row) for row in rows.read(TASK, shared_data / "hh-rlhf", "train")]
    assert len(found) > 1_800
    assert all(messages[-1].role == "user" and good != bad for messages, good, bad in found)
    assert conversation(BEFORE)[-1] == Message("assistant", "")
