"""Arithmetic slips apart from wrong reasoning: a solution is graded as it is, and with its calculations put right."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from linnet.core.calculator import written
from linnet.infer.candidates import Candidate
from linnet.tasks.sums import steps
from linnet.tasks.task import Example, Grade, Task

CALL = re.compile(r"<<([^<>=]{1,200})=([^<>=]{1,40})>>")
# A minus belongs to the number where nothing stands before it to be subtracted from.
NUMBER = re.compile(r"(?:(?<![\w.,)])-|(?<![\d.,]))\d+(?:\.\d+)?(?!\d|[.,]\d)", re.ASCII)


def repaired(solution: str, question: str = "") -> str:
    """Return the solution with each wrong calculation `<<2+2=5>>5` put right, and what followed from it.

    From a slip on, the number that was wrongly said is replaced wherever it is used, also in the last line; numbers
    that the question holds too are left as they are, since they may come from there.
    """
    kept = set(NUMBER.findall(question))
    changed: dict[str, str] = {}
    pieces, at = [], 0
    for match in CALL.finditer(solution):
        pieces.append(_replaced(solution[at : match.start()], changed))
        expression, said = _replaced(match[1], changed), match[2]
        changed.pop(said, None)  # what this number meant before is over
        for step in steps(f"<<{expression}={said}>>"):
            if step.value is not None and step.slips:
                if said not in kept:
                    changed[said] = written(step.value)
                said = written(step.value)
        pieces.append(f"<<{expression}={said}>>")
        at = match.end()
        restated = NUMBER.match(solution, at)
        if restated and restated[0] == match[2]:
            pieces.append(said)
            at = restated.end()
    return "".join(pieces) + _replaced(solution[at:], changed)


@dataclass(frozen=True)
class Diagnosis:
    """A graded reply, the grade of the reply put right, and how many of its steps are slips."""

    grade: Grade
    repaired: Grade
    steps: int
    slips: int

    @property
    def category(self) -> str:
        """Return "" for a right answer, "arithmetic" where only calculations are wrong, else what is wrong besides."""
        if self.grade.correct:
            return ""
        return "arithmetic" if self.repaired.correct else self.repaired.category


def diagnose(task: Task, example: Example, reply: str) -> Diagnosis:
    """Grade a reply of worked steps as it is and with its slips put right."""
    found = steps(reply)
    slips = sum(step.slips for step in found)
    grade = task.grade(example, reply)
    mended = task.grade(example, repaired(reply, example.question)) if slips else grade
    return Diagnosis(grade, mended, len(found), slips)


def diagnose_all(task: Task, examples: Sequence[Example], replies: Sequence[Sequence[Candidate]]) -> list[Diagnosis]:
    """Diagnose several replies to each example."""
    pairs = zip(examples, replies, strict=True)
    return [diagnose(task, example, reply.text) for example, group in pairs for reply in group]


def tally(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """Return the share of replies that is right, the share with slips put right, and the count of each category.

    `slips` is the share of all steps whose calculation is wrong.
    """
    count, all_steps = max(1, len(diagnoses)), max(1, sum(one.steps for one in diagnoses))
    categories = Counter(one.category for one in diagnoses if one.category)
    return {
        "replies": len(diagnoses),
        "right": sum(one.grade.correct for one in diagnoses) / count,
        "right_with_slips_repaired": sum(one.repaired.correct for one in diagnoses) / count,
        "slips": sum(one.slips for one in diagnoses) / all_steps,
        "categories": dict(categories.most_common()),
    }


def _replaced(text: str, changed: Mapping[str, str]) -> str:
    return NUMBER.sub(lambda number: changed.get(number[0], number[0]), text)
