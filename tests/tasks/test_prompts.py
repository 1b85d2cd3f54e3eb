"""Shots: drawn by a seed from train, never the asked row; before the prompt as text or as turns of a chat."""

import json

import pytest

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.tasks import prompts, rows
from linnet.tasks.prompts import Shots, as_messages, as_text, draw
from linnet.text.chat import Message

TASK = tasks.find("sums")


def examples(count, split="train"):
    return list(TASK.examples(rows.read(TASK, f"world:{count}", split)))


def test_shots_come_from_train_by_seed():
    asked = examples(3, "test")
    shots = draw(TASK, "world:50", 4, seed=1)
    train = {example.prompt for example in examples(50)}
    assert [shot.prompt for shot in shots.of(asked[0])] == [shot.prompt for shot in shots.of(asked[1])]
    assert {shot.prompt for shot in shots.of(asked[0])} <= train
    again, other = draw(TASK, "world:50", 4, seed=1), draw(TASK, "world:50", 4, seed=2)
    assert again.of(asked[0]) == shots.of(asked[0]) != other.of(asked[0])
    assert draw(TASK, "world:50", 0).of(asked[0]) == []


def test_the_asked_row_is_never_among_its_shots(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(dict(example.row)) + "\n" for example in examples(6)))
    for example in TASK.examples(rows.read(TASK, path, "test")):
        found = draw(TASK, path, 5).of(example)
        assert len(found) == 5
        assert example.prompt not in [shot.prompt for shot in found]


def test_a_folder_without_train_gives_shots_of_what_is_measured(tmp_path):
    choices = tasks.find("choices")
    row = {"goal": "a", "sol1": "b", "sol2": "c", "label": 0}
    path = tmp_path / "validation.jsonl"
    path.write_text("".join(json.dumps({**row, "goal": goal}) + "\n" for goal in "xyz"))
    asked = next(choices.examples(rows.read(choices, tmp_path, "validation")))
    assert sorted(shot.prompt for shot in draw(choices, tmp_path, 2).of(asked)) == [
        "Question: y\nAnswer:",
        "Question: z\nAnswer:",
    ]


def test_text_and_messages():
    one, two, asked = examples(3)
    assert as_text(asked) == asked.prompt
    assert as_text(asked, [one, two]) == (
        f"{one.prompt}{one.answer}\n\n{two.prompt}{two.answer}\n\n{asked.prompt}"
    )  # fmt: skip
    assert as_messages(asked, [one]) == [
        Message("user", one.question),
        Message("assistant", one.answer.strip()),
        Message("user", asked.question),
    ]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Shots(examples(3), 3), "3 shots need more than the 3 examples"),
        (lambda: Shots(examples(2), -1), "give 0 or more"),
        (lambda: Shots([examples(1)[0]] * 4, 3).of(examples(1)[0]), "only 0 of the examples"),
        (lambda: draw(tasks.find("stories"), "world:5", 1), "measured as a whole, without shots"),
    ],
)
def test_too_few_to_draw_from(make, words):
    with pytest.raises(BadInput, match=words):
        make()


def test_none_is_no_shots():
    assert prompts.NONE.of(examples(1)[0]) == []
