"""What to tune on in one word: tasks of the small world, own rows, mixtures; and what is held out of them."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.data import world
from linnet.tasks.mixture import KINDS, parts, read_mixture


def own(path, count, start=0):
    rows = [{"prompt": f"Question {number}?", "response": f"Answer {number}."} for number in range(start, count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def questions(talks):
    return [talk[0].content for talk in talks]


def test_tasks_of_the_small_world_by_kind_or_by_name():
    found = read_mixture("world/sums:20+world/sentiment:10:3", 0.1)
    assert found.counts == {"world/sums": (20, 2), "world/sentiment": (10, 1)}
    assert len(found.train) == 30
    assert len(found.held_out) == 3
    row = next(world.rows("sums"))
    assert found.train[0][0].content.endswith(row["question"])
    assert found.train[0][1].content.strip() == row["answer"].strip()
    assert "20 + 2 held out of world/sums" in found.line()
    assert parts("world/sentiment:10:3")[0].task is parts("world/reviews:10")[0].task


def test_the_held_out_rows_are_those_of_the_validation_split():
    found = read_mixture("world/sums:40", 0.25)
    rows = [next(world.rows("sums", "validation", start=number))["question"] for number in range(10)]
    assert [asked.endswith(row) for asked, row in zip(questions(found.held_out), rows, strict=True)] == [True] * 10
    assert not set(questions(found.held_out)) & set(questions(found.train))


def test_the_world_alone_is_several_tasks_in_equal_shares():
    found = parts(f"world:{10 * len(KINDS) + 3}")
    assert [part.name for part in found] == [f"world/{kind}" for kind in KINDS]
    assert [part.source for part in found][:4] == ["world:11:0", "world:11:0", "world:11:0", "world:10:0"]
    assert len(parts("world:2")) == 2


def test_own_rows_are_held_out_by_their_question(tmp_path):
    small, large = own(tmp_path / "a.jsonl", 200), own(tmp_path / "b.jsonl", 400)
    first, second = read_mixture(small, 0.2), read_mixture(large, 0.2)
    assert len(first.train) + len(first.held_out) == 200
    assert 20 <= len(first.held_out) <= 60
    # Who is held out stays so when others are added.
    assert set(questions(first.held_out)) <= set(questions(second.held_out))
    twice = tmp_path / "c.jsonl"
    rows = [{"prompt": f"Question {number % 50}?", "response": f"Answer {number}."} for number in range(200)]
    twice.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_mixture(str(twice), 0.2)
    assert found.held_out
    assert not set(questions(found.held_out)) & set(questions(found.train))


@pytest.mark.parametrize("count", [2, 3, 19, 21])
def test_of_a_few_rows_some_are_held_out_and_some_are_not(count, tmp_path):
    found = read_mixture(own(tmp_path / "a.jsonl", count), 0.05)
    assert found.train
    assert found.held_out
    assert len(found.train) + len(found.held_out) == count


def test_one_row_cannot_be_held_out(tmp_path):
    found = read_mixture(own(tmp_path / "a.jsonl", 1), 0.05)
    assert (len(found.train), len(found.held_out)) == (1, 0)


def test_only_so_many_rows_and_mixtures(tmp_path):
    path = own(tmp_path / "a.jsonl", 50)
    found = read_mixture(f"{path}@30+world/reviews:10", 0.1)
    assert sum(found.counts[path]) == 30
    assert found.counts["world/reviews"] == (10, 1)


def test_a_task_takes_its_rows_from_a_file(tmp_path):
    path = tmp_path / "gsm8k.jsonl"
    rows = [{"question": f"{n}+1?", "answer": f"It is {n + 1}.\n#### {n + 1}"} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_mixture(f"sums={path}", 0.25)
    assert len(found.train) + len(found.held_out) == 4
    assert all(talk[1].content.strip().startswith("It is") for talk in found.train)


def test_a_file_with_a_plus_in_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own(tmp_path / "a+b=c@5.jsonl", 9)
    assert [part.source for part in parts("a+b=c@5.jsonl")] == ["a+b=c@5.jsonl"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "--data is empty"),
        ("world/songs:5", '"songs" of the small world teaches no reply'),
        ("world/stories:5", '"stories" of the small world teaches no reply'),
        ("world/sum:5", 'Did you mean "sums"?'),
        ("world/sums:0", "at least 1"),
        ("song=x.jsonl", 'no task "song"'),
        ("wikitext=x.jsonl", "teaches no reply"),
        ("nothing.jsonl", "nothing.jsonl: no such file"),
        ("nothing.jsonl@0", "at least 1 row"),
        ("world/sums:5+nothing.jsonl", "nothing.jsonl: no such file"),
    ],
)
def test_what_is_nothing_is_one_line(data, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput) as error:
        read_mixture(data, 0.1)
    assert words in str(error.value)


def test_a_row_that_is_no_conversation_is_named(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "response": "b"}\n{"prompt": "a", "response": 3}\n')
    with pytest.raises(BadInput, match=r"rows.jsonl, row 2: column \"response\" holds int"):
        read_mixture(str(path), 0.1)


@pytest.mark.parametrize("name", ["alpaca", "dolly_hhrlhf", "instruction-data", "gpteacher-roleplay", "sums=gsm8k"])
def test_real_rows_are_conversations(name, shared_data):
    task, _, folder = name.rpartition("=")
    source = f"{task}={shared_data / folder}" if task else str(shared_data / folder)
    found = read_mixture(f"{source}@60", 0.1)
    assert len(found.train) + len(found.held_out) == 60
    assert found.held_out
    assert all(talk[0].content.strip() and talk[-1].role == "assistant" for talk in found.train)
