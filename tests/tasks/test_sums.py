"""Sums are graded by the value after ####, and what is wrong with a wrong one is told from its steps."""

import gzip
import json
from fractions import Fraction

import pytest

from linnet.tasks import rows
from linnet.tasks.sums import TASK, example, final_number, flawed, flexible, grade, mended, mistake, steps, strict_match

ROW = {
    "question": "Tom has 3 bags of 4 figs and eats 2. How many are left?",
    "answer": "Tom has 3*4 = <<3*4=12>>12 figs.\n12-2 = <<12-2=10>>10 are left.\n#### 10",
}
REPLIES = [
    (ROW["answer"], 1.0, ""),
    ("#### 10", 1.0, ""),
    ("10 are left\n#### $10.00 in all", 1.0, ""),
    ("####10\nQuestion: and then? #### 12", 1.0, ""),
    ("10", 0.0, "format"),
    ("", 0.0, "format"),
    ("#### ten", 0.0, "format"),
    ("####\n10", 0.0, "format"),
    ("3*4 = <<3*4=12>>12\n12-2 = <<12-2=10>>10\n#### 12", 0.0, "format"),
    ("3*4 = <<3*4=13>>13\n13-2 = <<13-2=11>>11\n#### 11", 0.0, "arithmetic"),
    ("3*4 = <<3*4=12>>12\n12-2 = <<12-2=9>>9\n#### 9", 0.0, "arithmetic"),
    ("3*4 = <<3*4=12>>14\n14-2 = <<14-2=12>>12\n#### 12", 0.0, "arithmetic"),
    ("3 * 4 = 13, and 13 - 2 = 11\n#### 11", 0.0, "arithmetic"),
    ("3+4 = <<3+4=7>>7\n7-2 = <<7-2=5>>5\n#### 5", 0.0, "wrong operation"),
    ("3*4 = <<3*4=12>>12\n12+2 = <<12+2=14>>14\n#### 14", 0.0, "wrong operation"),
    ("3+4 = <<3+4=7>>7\n#### 7", 0.0, "wrong operation"),
    ("3 + 4 = 7, and 7 - 2 = 5\n#### 5", 0.0, "wrong operation"),
    ("3*4 = <<3*4=12>>12\n#### 12", 0.0, "missing step"),
    ("#### 11", 0.0, "missing step"),
    ("3*4 = <<3*4=12>>12\n12-3 = <<12-3=9>>9\n#### 9", 0.0, "wrong operation"),
]


@pytest.mark.parametrize(("reply", "score", "category"), REPLIES)
def test_grades(reply, score, category):
    found = grade(example(ROW), reply)
    assert (found.score, found.category) == (score, category)


def test_the_prompt_and_what_follows_it():
    asked = example(ROW)
    assert asked.prompt + asked.answer == f"Question: {ROW['question']}\nAnswer: {ROW['answer']}"
    assert asked.question == ROW["question"]


def test_steps_are_notes_or_else_equations():
    noted = steps("6 * 7 = <<6*7=42>>42, 10/3 = <<10/3=3.33>>3.33, <<2*(3+4)=14>>")
    assert [(step.expression, step.value, step.slips) for step in noted] == [
        ("6*7", 42, False), ("10/3", Fraction(10, 3), False), ("2*(3+4)", 14, False),
    ]  # fmt: skip
    plain = steps("He pays 3 x $1,000 = $3,000. That is 20% of 5 = 1, and 2y + 3 = 7, or 8 - 3 + 1 = 6.")
    assert [(step.expression, step.said, step.slips) for step in plain] == [
        ("3*1000", 3000, False),
        ("8-3+1", 6, False),
    ]
    assert [step.slips for step in steps("<<1/0=3>>3 <<2**99999=1>>1 <<tom=4>>4")] == [False] * 3


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_solution_of_the_small_world_is_right_and_its_steps_compute(split):
    for row in rows.read(TASK, "world:300", split):
        asked = example(row)
        assert grade(asked, asked.answer).correct
        assert steps(asked.answer)
        assert not any(step.slips for step in steps(asked.answer))


def test_a_spoiled_step_of_the_small_world_is_arithmetic_and_a_dropped_one_is_missing():
    seen = 0
    for row in rows.read(TASK, "world:200", "test"):
        lines = row["answer"].split("\n")
        last = steps(row["answer"])[-1]
        wrong = str(last.said + 1)
        spoiled = row["answer"].replace(f"={last.said}>>{last.said}", f"={wrong}>>{wrong}")
        spoiled = f"{spoiled.rpartition('####')[0]}#### {wrong}"
        assert mistake(row["answer"], spoiled) == "arithmetic"
        if len(lines) > 2 and final_number(f"#### {steps(row['answer'])[0].said}") != final_number(row["answer"]):
            seen += 1
            assert mistake(row["answer"], f"{lines[0]}\n#### {steps(lines[0])[-1].said}") == "missing step"
    assert seen > 20


LM_EVAL = [  # (reference, reply, strict match, flexible extract): how lm-eval's own filters decide
    ("so\n#### 1,234", "#### 1234", 1, 1),
    ("so\n#### 10", "#### 10.", 1, 1),
    ("so\n#### 10", "#### 10.0", 0, 0),
    ("so\n#### 10", "####10", 0, 1),
    ("so\n#### 10", "It is $10.", 0, 1),
    ("so\n#### 10", "10 figs, not 3", 0, 0),
    ("so\n#### 10", "#### $10", 0, 1),
    ("so\n#### 10", "#### 10 or #### 11", 1, 0),
    ("so\n#### -4", "#### -4", 1, 1),
    ("so\n#### 10", "", 0, 0),
]


@pytest.mark.parametrize(("answer", "reply", "strict", "loose"), LM_EVAL)
def test_the_measures_of_lm_eval(answer, reply, strict, loose):
    assert (strict_match(answer, reply), flexible(answer, reply)) == (strict, loose)
    assert dict(grade(example({**ROW, "answer": answer}), reply).numbers) == {
        "strict_match": strict, "flexible_extract": loose,
    }  # fmt: skip


MENDED = [
    # the stage is wrong: what follows from it is not blamed
    ("A 29+27 = 40+15 = <<29+27=55>>55 figs.", "A 29+27 = 40+15", "A 29+27 = 40+16 = <<29+27=56>>56"),
    ("A 12-1 = 10-1 = <<12-1=9>>9", "A 12-1 = 10-1", "A 12-1 = 10+1 = <<12-1=11>>11"),
    # the stage is right, the value is not
    ("A 29+27 = 40+16 = <<29+27=46>>46", "A 29+27 = 40+16 = <<29+27=46", "A 29+27 = 40+16 = <<29+27=56>>56"),
    # no stage; the first slip alone
    ("7-5 = <<7-5=2>>2, 8+9 = <<8+9=15>>15, 1+1 = <<1+1=3>>3", "7-5 = <<7-5=2>>2, 8+9 = <<8+9=15",
     "7-5 = <<7-5=2>>2, 8+9 = <<8+9=17>>17"),
    ("48/2 is <<48/2=25>>25", "48/2 is <<48/2=25", "48/2 is <<48/2=24>>24"),
    # what is said after a right note is wrong
    ("8+9 = <<8+9=17>>16", "8+9 = <<8+9=17>>16", "8+9 = <<8+9=17>>17"),
    ("3*13.5 = <<3*13.5=40>>40", "3*13.5 = <<3*13.5=40", "3*13.5 = <<3*13.5=40.5>>40.5"),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "wrong", "right"), MENDED)
def test_a_reply_is_put_right_at_its_first_wrong_number(reply, wrong, right):
    assert mended(reply) == (wrong, right)
    assert reply.startswith(wrong)
    assert flawed(reply)
    assert not flawed(right)


@pytest.mark.parametrize("reply", ["#### 4", "2+2 = <<2+2=4>>4\n#### 5", "<<1/0=3>>3", "x = <<x+1=3>>3"])
def test_there_is_nothing_to_put_right_without_a_slip(reply):
    assert mended(reply) is None


@pytest.mark.slow
def test_published_solutions_get_the_published_verdicts(shared_data):
    with gzip.open(shared_data / "gsm8k" / "verifier_candidates.jsonl.gz", "rt", encoding="utf-8") as file:
        candidates = [json.loads(line) for line in file]
    assert len(candidates) > 4_000
    for row in candidates:
        reply = row["solution"].replace("\nA: ", "\n#### ")
        assert grade(example(row), reply).correct == row["is_correct"], row["solution"]
