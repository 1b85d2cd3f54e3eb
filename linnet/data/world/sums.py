"""Sums in words with worked solutions, in the columns and notation of GSM8K; a checker recomputes each step."""

import re
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from linnet.core.calculator import calculate
from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import FRUITS, NAMES, is_girl

STEP = re.compile(r"<<([^<>=]*)=(-?\d+)>>(-?\d+)")
FINAL = re.compile(r"#### (-?\d+)\s*$")
EXPRESSION = re.compile(r"\d+(?:[-+*/]\d+)*", re.ASCII)
PAIR = re.compile(r"(\d+)([-+*/])(\d+)", re.ASCII)
FRUIT_NAMES = tuple(FRUITS)


class Sum(NamedTuple):
    """A problem: what is asked, the sentences of the solution with `<<6*7=42>>42` in them, and the result."""

    question: str
    steps: list[str]
    result: int


class Words(NamedTuple):
    """The people and the fruit of a problem."""

    a: str
    b: str
    fruits: str

    @property
    def he(self) -> str:
        """He or She, who a is."""
        return "She" if is_girl(self.a) else "He"


def note(expression: str) -> str:
    """Return a calculation as it stands in a solution: `6*7 = <<6*7=42>>42`, `85-38 = 50-3 = <<85-38=47>>47`."""
    value = compute(expression)
    return f"{' = '.join(stages(expression))} = <<{expression}={value}>>{value}"


def stages(expression: str) -> list[str]:
    """Return a calculation and, where it helps, the same in tens and ones, as people reckon: 85-38, 50-3.

    Worked out in stages a sum is learned from few examples (Lee et al. 2023, arXiv 2307.03381).
    """
    match = PAIR.fullmatch(expression)
    if match is None:
        return [expression]
    a, sign, b = int(match[1]), match[2], int(match[3])
    (tens_a, a_ones), (tens_b, b_ones) = divmod(a, 10), divmod(b, 10)
    if sign == "+" and max(a, b) >= 10:
        return [expression, f"{10 * (tens_a + tens_b)}+{a_ones + b_ones}"]
    if sign == "-" and max(a, b) >= 10:
        return [expression, f"{10 * (tens_a - tens_b)}{a_ones - b_ones:+d}"]
    if sign == "*" and a > 10:
        return [expression, f"{10 * tens_a * b}+{a_ones * b}"]
    if sign == "*" and b > 10:
        return [expression, f"{10 * tens_b * a}+{b_ones * a}"]
    if sign == "/" and b == 2 and a >= 20:
        return [expression, f"{5 * tens_a}+{a_ones // 2}"]
    return [expression]


def compute(expression: str) -> int:
    """Return the value of whole numbers joined by + - * /; raises ValueError for anything else, and for a fraction."""
    if not EXPRESSION.fullmatch(expression):
        raise ValueError(f"{expression[:40]!r} is not a calculation of whole numbers")
    value = calculate(expression)
    if value.denominator != 1:
        raise ValueError(f"{expression} is {value}, no whole number")
    return value.numerator


def check(answer: str) -> list[str]:
    """Return what is wrong with a worked solution: steps that do not compute, or a last line that is not the result."""
    problems = []
    steps = STEP.findall(answer)
    for expression, value, said in steps:
        try:
            right = compute(expression.replace(" ", ""))
        except ValueError as error:
            problems.append(str(error))
            continue
        if not right == int(value) == int(said):
            problems.append(f"{expression} is {right}, not {value}")
    final = FINAL.search(answer)
    if final is None:
        problems.append("no last line like #### 42")
    elif steps and final[1] != steps[-1][2]:
        problems.append(f"the last step gives {steps[-1][2]}, the last line {final[1]}")
    return problems


def final_answer(answer: str) -> str | None:
    """Return the number after ####, or None."""
    final = FINAL.search(answer)
    return final[1] if final else None


def _buy_more(w: Words, n: tuple[int, ...]) -> Sum:
    question = f"{w.a} has {n[0]} {w.fruits} and picks {n[1]} more. How many {w.fruits} does {w.a} have now?"
    return Sum(question, [f"{w.a} has {note(f'{n[0]}+{n[1]}')} {w.fruits}."], n[0] + n[1])


def _give_away(w: Words, n: tuple[int, ...]) -> Sum:
    have = n[0] + n[1]
    question = f"{w.a} has {have} {w.fruits}. {w.he} gives {n[1]} to {w.b}. How many {w.fruits} are left?"
    return Sum(question, [f"There are {note(f'{have}-{n[1]}')} {w.fruits} left."], n[0])


def _baskets(w: Words, n: tuple[int, ...]) -> Sum:
    question = f"{w.a} has {n[2]} baskets with {n[3]} {w.fruits} each. How many {w.fruits} are there in all?"
    return Sum(question, [f"There are {note(f'{n[2]}*{n[3]}')} {w.fruits}."], n[2] * n[3])


def _share_out(w: Words, n: tuple[int, ...]) -> Sum:
    have = n[2] * n[3]
    question = f"{w.a} shares {have} {w.fruits} among {n[2]} friends. How many {w.fruits} does each friend get?"
    return Sum(question, [f"Each friend gets {note(f'{have}/{n[2]}')} {w.fruits}."], n[3])


def _half(w: Words, n: tuple[int, ...]) -> Sum:
    first, half = 2 * n[0], n[0]
    question = (
        f"{w.a} sold {first} {w.fruits} in the morning and half as many in the evening. "
        f"How many {w.fruits} did {w.a} sell in all?"
    )
    steps = [f"In the evening {w.a} sold {note(f'{first}/2')} {w.fruits}."]
    return Sum(question, [*steps, f"In all {w.a} sold {note(f'{first}+{half}')} {w.fruits}."], first + half)


def _share_and_eat(w: Words, n: tuple[int, ...]) -> Sum:
    have, eaten = n[2] * n[3], 1 + n[0] % (n[3] - 1)
    question = (
        f"{w.a} shares {have} {w.fruits} among {n[2]} friends. Each of them eats {eaten}. "
        f"How many {w.fruits} does each friend have left?"
    )
    steps = [f"Each friend gets {note(f'{have}/{n[2]}')} {w.fruits}."]
    return Sum(question, [*steps, f"Each has {note(f'{n[3]}-{eaten}')} {w.fruits} left."], n[3] - eaten)


def _half_and_more(w: Words, n: tuple[int, ...]) -> Sum:
    first, half = 2 * n[0], n[0]
    question = (
        f"{w.a} has {first} {w.fruits}, gives half of them to {w.b} and picks {n[1]} more. "
        f"How many {w.fruits} does {w.a} have now?"
    )
    steps = [f"{w.a} keeps {note(f'{first}/2')} {w.fruits}."]
    return Sum(question, [*steps, f"Now {w.a} has {note(f'{half}+{n[1]}')} {w.fruits}."], half + n[1])


def _pay(w: Words, n: tuple[int, ...]) -> Sum:
    cost = n[2] * n[3]
    purse = cost + n[0]
    question = (
        f"A basket of {w.fruits} costs {n[3]} coins. {w.a} buys {n[2]} baskets and has {purse} coins. "
        f"How many coins does {w.a} have left?"
    )
    steps = [f"The baskets cost {note(f'{n[3]}*{n[2]}')} coins.", f"{w.a} has {note(f'{purse}-{cost}')} coins left."]
    return Sum(question, steps, n[0])


def _together(w: Words, n: tuple[int, ...]) -> Sum:
    more, total = n[0] + n[1], 2 * n[0] + n[1]
    question = f"{w.a} has {n[0]} {w.fruits}. {w.b} has {n[1]} more than {w.a}. How many do they have together?"
    steps = [f"{w.b} has {note(f'{n[0]}+{n[1]}')} {w.fruits}.", f"Together they have {note(f'{n[0]}+{more}')}."]
    return Sum(question, steps, total)


def _three_steps(w: Words, n: tuple[int, ...]) -> Sum:
    picked = n[2] * n[3]
    kept = picked + n[0]
    question = (
        f"{w.a} picks {n[3]} {w.fruits} a day for {n[2]} days. {w.b} brings {n[0] + n[1]} more, but {n[1]} of those "
        f"are bad. How many good {w.fruits} are there?"
    )
    steps = [
        f"{w.a} picks {note(f'{n[3]}*{n[2]}')} {w.fruits}.",
        f"Of those that {w.b} brings, {note(f'{n[0] + n[1]}-{n[1]}')} are good.",
        f"There are {note(f'{picked}+{n[0]}')} good {w.fruits}.",
    ]
    return Sum(question, steps, kept)


PROBLEMS: dict[str, Callable[[Words, tuple[int, ...]], Sum]] = {
    "buy more": _buy_more,
    "give away": _give_away,
    "baskets": _baskets,
    "share out": _share_out,
    "share and eat": _share_and_eat,
    "half": _half,
    "half and more": _half_and_more,
    "pay": _pay,
    "together": _together,
    "three steps": _three_steps,
}
PROBLEM_NAMES = tuple(PROBLEMS)


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `question`, `answer`; the kind of problem and its calculations decide the split."""
    a, b = rng.sample(NAMES, 2)
    words = Words(a, b, FRUITS[rng.choice(FRUIT_NAMES)])
    while True:
        kind = rng.choice(PROBLEM_NAMES)
        numbers = (rng.randint(2, 60), rng.randint(2, 40), rng.randint(2, 9), rng.randint(2, 12))
        problem = PROBLEMS[kind](words, numbers)
        answer = "\n".join([*problem.steps, f"#### {problem.result}"])
        if split_of("sums", kind, *calculations(answer)) == split:
            return {"question": problem.question, "answer": answer}


def calculations(answer: str) -> list[str]:
    """Return the calculations of a solution, such as `6*7=42`."""
    return [f"{expression}={value}" for expression, value, _ in STEP.findall(answer)]


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    return f"Question: {row['question']}\nAnswer: {row['answer']}"
