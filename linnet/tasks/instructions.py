"""Instructions with an optional input and a reply, in the columns of Alpaca."""

from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task


def example(row: Row) -> Example:
    """Return the instruction, with its input below where there is one."""
    instruction, given, output = (text(row, column) for column in ("instruction", "input", "output"))
    question = f"{instruction}\n{given}" if given else instruction
    between = f"Input: {given}\n" if given else ""
    return Example(question, f"Instruction: {instruction}\n{between}Output:", f" {output}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade a reply: full marks for the reference itself."""
    said = reply.strip()
    correct = said == example.answer.strip()
    return Grade(float(correct), said, "" if correct else "wrong")


TASK = Task(
    name="instructions",
    form="write",
    hub="tatsu-lab/alpaca",
    world="instructions",
    columns=("instruction", "input", "output"),
    example=example,
    grade=grade,
    max_tokens=128,
    split="train",
)
