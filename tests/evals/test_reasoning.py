"""Slips and wrong reasoning are told apart: solutions by hand, and slips planted in every step of the world's."""

from itertools import islice

import pytest

from linnet import tasks
from linnet.data import world
from linnet.evals.reasoning import diagnose, repaired, tally
from linnet.tasks.sums import Step, steps
from linnet.tasks.task import Example

SUMS = tasks.find("sums")
QUESTION = "A basket costs 12 coins. Mia buys 3 baskets and has 50 coins. How many coins are left?"
ANSWER = "They cost 3*12 = <<3*12=36>>36 coins.\nMia has 50-36 = <<50-36=14>>14 left.\n#### 14"
EXAMPLE = Example(QUESTION, QUESTION, ANSWER, row={"question": QUESTION, "answer": ANSWER})


@pytest.mark.parametrize(
    ("reply", "category", "right_then"),
    [
        (ANSWER, "", True),
        ("It is <<3*12=36>>36, then <<50-36=14>>14.0\n#### 14", "", True),
        ("They cost 3*12 = <<3*12=35>>35.\nMia has 50-35 = <<50-35=15>>15.\n#### 15", "arithmetic", True),
        ("They cost 3*12 = <<3*12=36>>36.\nMia has 50-36 = <<50-36=24>>24.\n#### 24", "arithmetic", True),
        ("They cost 3*12 = <<3*12=46>>46.\nMia has 50-46 = <<50-46=14>>14.\n#### 14", "", True),
        ("They cost 3*12 = <<3*12=46>>46.\nMia has 50-46 = <<50-46=4>>4.\n#### 5", "format", False),
        ("They cost 3+12 = <<3+12=15>>15.\nMia has 50-15 = <<50-15=35>>35.\n#### 35", "wrong operation", False),
        ("They cost 3+12 = <<3+12=16>>16.\nMia has 50-16 = <<50-16=34>>34.\n#### 34", "wrong operation", False),
        ("They cost 3*12 = <<3*12=36>>36.\n#### 36", "missing step", False),
        ("#### 15", "missing step", False),
        ("They cost 3*12 = <<3*12=36>>36.\nMia has 50-36 = <<50-36=14>>14.", "format", False),
        ("", "format", False),
        ("<<<<>>>>==<<=>>\n#### 3", "missing step", False),
    ],
)
def test_categories_of_hand_written_replies(reply, category, right_then):
    found = diagnose(SUMS, EXAMPLE, reply)
    assert found.category == category
    assert found.repaired.correct is right_then
    assert found.grade.correct is (category == "")


def test_a_number_of_the_question_is_not_taken_for_a_slip():
    reply = "A third is <<12/3=12>>12.\nThey cost <<3*12=36>>36.\n#### 36"
    assert repaired(reply, QUESTION) == "A third is <<12/3=4>>4.\nThey cost <<3*12=36>>36.\n#### 36"
    assert repaired(reply) == "A third is <<12/3=4>>4.\nThey cost <<3*4=12>>12.\n#### 12"


def test_a_number_means_what_was_said_last():
    reply = "<<2+2=5>>5 then <<10/2=5>>5 then <<5*3=15>>15\n#### 15"
    assert repaired(reply) == "<<2+2=4>>4 then <<10/2=5>>5 then <<5*3=15>>15\n#### 15"


def test_parts_of_numbers_are_left_alone():
    assert repaired("<<2+2=5>>5, 15, 5.5, 1,555 and 5.\n#### 5") == "<<2+2=4>>4, 15, 5.5, 1,555 and 4.\n#### 4"


def test_a_slip_in_any_step_of_any_world_solution_is_arithmetic_and_is_put_right():
    tried = 0
    for row in islice(world.rows("sums", "test"), 120):
        example = SUMS.example(row)
        assert repaired(row["answer"], row["question"]) == row["answer"]
        for place, step in enumerate(steps(row["answer"])):
            reply = with_slip(row["answer"], place, step, example)
            if reply is None:
                continue
            found = diagnose(SUMS, example, reply)
            tried += 1
            assert found.slips == 1
            assert found.repaired.correct, (row, reply)
            assert found.category in ("arithmetic", "")
    assert tried > 120


def with_slip(answer: str, place: int, step: Step, example: Example) -> str | None:
    """Let one step say 1,000 more, and all that follows go on with it; None where a number would be ambiguous."""
    lines = answer.split("\n")
    wrong, carried = str(step.said + 1000), {}
    for number, line in enumerate(lines):
        for old, new in carried.items():
            line = line.replace(f"={old}>>", "\0").replace(old, new).replace("\0", f"={old}>>")
        for other in steps(line):
            if number == place:
                line = line.replace(f"={other.said}>>{other.said}", f"={wrong}>>{wrong}")
                carried[str(other.said)] = wrong
            elif number > place:
                follows = str(other.value)
                line = line.replace(f"={other.said}>>{other.said}", f"={follows}>>{follows}")
                carried[str(other.said)] = follows
        lines[number] = line
    seen = [*carried, *carried.values()]
    reply = "\n".join(lines)
    clear = len(set(seen)) == len(seen) and all(len(str(step.said)) > 1 for step in steps(answer))
    clear = clear and all(old not in example.question for old in carried)
    return reply if clear and sum(step.slips for step in steps(reply)) == 1 else None


def test_the_tally():
    replies = [ANSWER, ANSWER.replace("36", "35").replace("14", "15"), "#### 3", "so it is", ANSWER.replace("*", "+")]
    found = tally([diagnose(SUMS, EXAMPLE, reply) for reply in replies])
    assert found["replies"] == 5
    assert found["right"] == pytest.approx(0.2 * sum(diagnose(SUMS, EXAMPLE, r).grade.correct for r in replies))
    assert found["right_with_slips_repaired"] >= found["right"]
    assert sum(found["categories"].values()) == 5 - round(5 * found["right"])
    assert found["categories"]["format"] == 1
    assert found["slips"] == pytest.approx(2 / 6)
    assert tally([])["replies"] == 0
