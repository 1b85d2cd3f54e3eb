"""Every task is found by name, reads the small world or its data set, and gives its own answers full marks."""

import subprocess
import sys
from itertools import islice

import pytest

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.data.world import KINDS
from linnet.tasks import rows
from linnet.tasks.table import TASKS

# Where the rows of each task lie, and which of their answers are no whole words (two of LAMBADA's rows).
FOLDERS = {
    "sums": "gsm8k", "sentiment": "sst2", "summaries": "samsum", "dialogsum": "dialogsum", "cloze": "lambada_openai",
    "choices": "piqa", "hellaswag": "hellaswag", "arc_easy": "arc_easy", "arc_challenge": "arc_challenge",
    "boolq": "boolq", "instructions": "alpaca", "questions": "squad", "preferences": "hh-rlhf",
    "fake_news": "fake-news", "liar": "liar", "covid_news": "covid-fake-news", "wikitext": "wikitext-2",
}  # fmt: skip


def test_the_names_are_those_of_the_table():
    assert tuple(task.name for task in TASKS) == tasks.NAMES
    assert all(tasks.find(name).name == name for name in tasks.NAMES)


def test_an_unknown_name_is_one_line_with_the_nearest():
    with pytest.raises(BadInput, match=r'no task "sentimnt"\. Did you mean "sentiment"\? There are: sums, '):
        tasks.find("sentimnt")


def test_each_kind_of_the_small_world_that_asks_something_has_a_task():
    assert {task.world for task in TASKS} - {None} == set(KINDS) - {"documents", "reckoning"}


def check(task, source, count):
    examples = list(task.examples(islice(rows.read(task, source, rows.measured_split(task, source)), count)))
    assert examples
    for example in examples:
        found = task.grade(example, example.answer)
        assert found.correct, (example.prompt[-80:], example.answer, found)
        assert not found.category
        assert task.grade(example, "").score == 0.0
        assert task.grade(example, "").category
        if task.form == "choose":
            assert example.choices[example.gold] == example.answer
            assert len(set(example.choices)) > 1
        if task.form != "text":
            assert example.question
            assert not example.prompt.endswith(" "), "a space at the end of a prompt is no token that models have seen"
            assert example.answer[0].isspace()


@pytest.mark.parametrize("name", tasks.NAMES)
def test_the_small_world(name):
    check(tasks.find(name), "world:50", 50)


@pytest.mark.parametrize("name", FOLDERS)
def test_the_real_rows(name, shared_data):
    # Two of LAMBADA's "words" hold a line break, and in a few of PIQA's pairs the same words stand twice.
    check(tasks.find(name), shared_data / FOLDERS[name], 40 if name == "wikitext" else 200)


def test_nothing_here_needs_torch():
    code = (
        "import sys; from linnet import tasks; from linnet.tasks import prompts, rows\n"
        "for name in tasks.NAMES:\n"
        "    task = tasks.find(name)\n"
        "    list(task.examples(rows.read(task, 'world:2', 'test')))\n"
        "assert not {'torch', 'tokenizers', 'datasets'} & sys.modules.keys(), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
