"""Sums in words with worked solutions (GSM8K, Cobbe et al. 2021): the last line `#### 42` is the answer.

A solution may note its calculations as `6*7 = <<6*7=42>>42`, or write plain equations; both are checked to tell a slip
of the pen from a wrong way.
"""

import re
from fractions import Fraction
from typing import NamedTuple

from linnet.core.calculator import CannotCompute, calculate, written
from linnet.data.world.sums import stages
from linnet.tasks.numbers_in_text import first_number, last_number
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task

MARK = "####"
NOTE = re.compile(r"<<([^<>=]{1,200})=([^<>=]{1,40})>>(?: ?([-$\d.,]*\d))?")
NUMERAL = r"\$?\d[\d,]*(?:\.\d+)?"
EQUATION = re.compile(
    rf"(?<![\w.,%)/*+-])({NUMERAL}(?: *[-+*/x×÷] *{NUMERAL}){{1,20}}) *= *(-?{NUMERAL})(?![\d%/x])", re.ASCII
)
SIGNS = str.maketrans({"×": "*", "x": "*", "÷": "/", "$": None, ",": None})
# lm-eval's task gsm8k reads a reply by these two patterns, and compares what is left without `,`, `$` and a last dot.
STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


class Step(NamedTuple):
    """A calculation of a solution: as it is written, the value it has (None: unreadable) and the one it is given."""

    expression: str
    value: Fraction | None
    said: Fraction | None

    @property
    def slips(self) -> bool:
        """Return whether the stated value is not that of the expression (rounded as the stated one is)."""
        if self.value is None or self.said is None:
            return False
        return abs(self.value - self.said) > Fraction(1, 100) and written(self.value) != written(self.said)

    @property
    def numbers(self) -> list[Fraction]:
        """Return the numbers of the expression, sorted."""
        return sorted(Fraction(number) for number in re.findall(r"\d+\.?\d*|\.\d+", self.expression))

    @property
    def signs(self) -> list[str]:
        """Return the operators of the expression, sorted."""
        return sorted(re.findall(r"[-+*/]", self.expression))


def example(row: Row) -> Example:
    """Return the question and its worked solution, in the words of lm-eval's task gsm8k."""
    question, answer = text(row, "question"), text(row, "answer")
    return Example(question, f"Question: {question}\nAnswer:", f" {answer}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade the number after ####, by value; `strict_match` and `flexible_extract` are lm-eval's two measures."""
    said, right = final_number(reply), final_number(example.answer)
    correct = said is not None and said == right
    as_lm_eval = {
        "strict_match": strict_match(example.answer, reply),
        "flexible_extract": flexible(example.answer, reply),
    }
    category = "" if correct else mistake(example.answer, reply)
    return Grade(float(correct), "" if said is None else written(said), category, as_lm_eval)


def final_number(reply: str) -> Fraction | None:
    """Return the number after the first ####, None where there is none."""
    _, mark, after = reply.partition(MARK)
    return first_number(after.partition("\n")[0]) if mark else None


def mistake(solution: str, reply: str) -> str:
    """Return what is wrong with a reply whose answer is wrong, beside a right solution.

    "format": no answer that can be read after ####, or another one there than the right one just computed.
    "arithmetic": a calculation does not give what it says. "wrong operation": the numbers of a right step are joined
    otherwise, or the calculations are others. "missing step": there are fewer calculations than in the solution.
    """
    done, needed = steps(reply), steps(solution)
    if final_number(reply) is None or (done and done[-1].said == final_number(solution)):
        return "format"
    if flawed(reply):
        return "arithmetic"
    if any(step.numbers == right.numbers and step.signs != right.signs for step in done for right in needed):
        return "wrong operation"
    return "missing step" if len(done) < len(needed) or not done else "wrong operation"


def steps(solution: str) -> list[Step]:
    """Return the calculations of a solution in order: its notes `<<6*7=42>>42`, or its equations when it has none."""
    notes = [_step(expression, value, said) for expression, value, said in NOTE.findall(solution)]
    return notes or [_step(expression, value, "") for expression, value in EQUATION.findall(solution)]


def flawed(reply: str) -> bool:
    """Return whether a calculation does not give what it says, whatever the answer: two slips may make a right one."""
    return any(step.slips for step in steps(reply))


def mended(reply: str) -> tuple[str, str] | None:
    """Return a reply up to its first wrong number and the same with that calculation put right; None without a slip.

    The first ends with the number that is wrong, so that nothing that follows from it rightly is blamed; the second
    ends with the step, worked out in the small world's stages where the reply used stages (after Lai et al. 2024,
    Step-DPO, arXiv 2406.18629; a calculator takes the place of their teacher).
    """
    for note in NOTE.finditer(reply):
        step = _step(note[1], note[2], note[3] or "")
        if not step.slips or step.value is None:
            continue
        value, before = written(step.value), reply[: note.start()]
        right = f"<<{note[1]}={value}>>{value}"
        worked = re.search(rf"{re.escape(note[1])} = ([-+*/\d]+) = $", before, re.ASCII)
        if worked and _value(worked[1]) != step.value:
            stage = [f"{each} = " for each in stages(note[1])[1:]]
            return before[: worked.end(1)], before[: worked.start(1)] + "".join(stage) + right
        if _value(note[2]) == step.value:  # the note is right, and what is said after it is not
            return reply[: note.end()], before + right
        return f"{before}<<{note[1]}={note[2]}", before + right
    return None


def strict_match(answer: str, reply: str) -> float:
    """Return lm-eval's `exact_match,strict-match`: the first `#### n`, compared as text."""
    found = STRICT.search(reply)
    return float(_as_lm_eval(found[1] if found else "[invalid]") == _as_lm_eval(answer))


def flexible(answer: str, reply: str) -> float:
    """Return lm-eval's `exact_match,flexible-extract`: the last thing that looks like a number, compared as text."""
    found = FLEXIBLE.findall(reply)
    said = (found[-1][0] or found[-1][1]).strip() if found else "[invalid]"
    return float(_as_lm_eval(said) == _as_lm_eval(answer))


def _as_lm_eval(said: str) -> str:
    plain = said.replace(",", "").replace("$", "")
    return re.sub(r"\.$", "", re.sub(r"(?s).*#### ", "", plain)).lower()


def _value(expression: str) -> Fraction | None:
    try:
        return calculate(expression)
    except CannotCompute:
        return None


def _step(expression: str, value: str, said: str) -> Step:
    plain = expression.translate(SIGNS).replace(" ", "")
    stated = first_number(value)
    after = last_number(said) if said else None
    differs = after is not None and after != stated
    return Step(plain, _value(plain), after if differs else stated)


TASK = Task(
    name="sums",
    form="write",
    hub="openai/gsm8k:main",
    world="sums",
    columns=("question", "answer"),
    example=example,
    grade=grade,
    max_tokens=256,
    stop=("Question:", "</s>", "<|im_end|>"),
    flawed=flawed,
    mended=mended,
)
