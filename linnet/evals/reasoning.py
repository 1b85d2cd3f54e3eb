"""Arithmetic slips apart from wrong reasoning: a worked solution's steps `<<6*7=42>>` are recomputed and put right."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from linnet.core.calculator import CannotCompute, calculate, written
from linnet.tasks.task import Example, Grade, Task

CALL = re.compile(r"<<([^<>=]{1,200})=([^<>=]{0,200})>>")
# A minus belongs to the number where nothing stands before it to be subtracted from.
NUMBER = re.compile(r"(?:(?<![\w.,)])-|(?<![\d.,]))\d+(?:\.\d+)?(?!\d|[.,]\d)", re.ASCII)
# What can be wrong, in the order in which it is asked.
CATEGORIES = {
    "format": "no answer that can be read",
    "arithmetic": "only calculations are wrong: with them put right the answer is right",
    "missing step": "fewer calculations than the reference needs",
    "wrong operation": "the calculations are not those that the problem needs",
}


@dataclass(frozen=True)
class Step:
    """A calculation as it stands in a solution, and its true value where it has one."""

    expression: str
    said: str
    value: Fraction | None

    @property
    def slip(self) -> bool:
        """Whether the calculation has a value and another one is said."""
        return self.value is not None and not says(self.said, self.value)


def steps(solution: str) -> list[Step]:
    """Return the calculations of a solution in order."""
    return [Step(match[1], match[2], value_of(match[1])) for match in CALL.finditer(solution)]


def repaired(solution: str, question: str = "") -> str:
    """Return the solution with each wrong calculation put right, and what followed from it.

    From a slip on, the number that was wrongly said is replaced wherever it is used, also in the last line; numbers
    that the question holds too are left as they are, since they may come from there.
    """
    kept = set(NUMBER.findall(question))
    changed: dict[str, str] = {}
    pieces, at = [], 0
    for match in CALL.finditer(solution):
        pieces.append(_replaced(solution[at : match.start()], changed))
        expression, said = _replaced(match[1], changed), match[2]
        value = value_of(expression)
        changed.pop(said, None)  # what this number meant before is over
        if value is not None and not says(said, value):
            if said not in kept:
                changed[said] = written(value)
            said = written(value)
        pieces.append(f"<<{expression}={said}>>")
        at = match.end()
        restated = NUMBER.match(solution, at)
        if restated and restated[0] == match[2]:
            pieces.append(said)
            at = restated.end()
    return "".join(pieces) + _replaced(solution[at:], changed)


@dataclass(frozen=True)
class Diagnosis:
    """A graded reply, the grade of the reply put right, and what is wrong: "" or one of CATEGORIES."""

    grade: Grade
    repaired: Grade
    steps: int
    slips: int
    category: str


def diagnose(task: Task, example: Example, reply: str) -> Diagnosis:
    """Grade a reply as it is and with its slips put right, and say what kind of mistake it holds."""
    found = steps(reply)
    slips = sum(step.slip for step in found)
    grade = task.grade(example, reply)
    mended = task.grade(example, repaired(reply, example.question)) if slips else grade
    return Diagnosis(grade, mended, len(found), slips, _category(grade, mended, found, steps(example.answer)))


def tally(diagnoses: Sequence[Diagnosis]) -> dict[str, float | int | dict[str, int]]:
    """Return, for many replies, the share that is right, the share with slips put right, and each category's count."""
    count = max(1, len(diagnoses))
    all_steps = sum(one.steps for one in diagnoses)
    categories = Counter(one.category for one in diagnoses)
    return {
        "replies": len(diagnoses),
        "right": sum(one.grade.correct for one in diagnoses) / count,
        "right_with_slips_repaired": sum(one.repaired.correct for one in diagnoses) / count,
        "steps": all_steps,
        "slips": sum(one.slips for one in diagnoses) / max(1, all_steps),
        "categories": {name: categories[name] for name in CATEGORIES},
    }


def value_of(expression: str) -> Fraction | None:
    """Return the value of an expression, None where it has none."""
    try:
        return calculate(expression)
    except CannotCompute:
        return None


def says(said: str, value: Fraction) -> bool:
    """Say whether a written number states a value: exactly, or rounded as the notation does."""
    stated = value_of(said)
    return stated is not None and (stated == value or said.strip() == written(value))


def _category(grade: Grade, mended: Grade, found: Sequence[Step], wanted: Sequence[Step]) -> str:
    if grade.correct:
        return ""
    if not grade.said:
        return "format"
    if mended.correct:
        return "arithmetic"
    return "missing step" if len(found) < len(wanted) else "wrong operation"


def _replaced(text: str, changed: Mapping[str, str]) -> str:
    return NUMBER.sub(lambda number: changed.get(number[0], number[0]), text)
