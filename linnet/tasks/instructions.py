"""Instructions with an optional input and a reply, in the columns of Alpaca (Taori et al. 2023)."""

from linnet.metrics import rouge
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task


def example(row: Row) -> Example:
    """Return the instruction, with its input below where there is one."""
    instruction, given, output = (text(row, column) for column in ("instruction", "input", "output"))
    question = f"{instruction}\n{given}" if given else instruction
    between = f"Input: {given}\n" if given else ""
    return Example(question, f"Instruction: {instruction}\n{between}Output:", f" {output}", row=row)


def grade(example: Example, reply: str) -> Grade:
    """Grade a reply: full marks for the reference itself, white space apart; `rougeL` for how near others come."""
    said, wanted = (" ".join(words.split()) for words in (reply, example.answer))
    numbers = {"rougeL": rouge(wanted, said).rouge_l.f1}
    if said == wanted:
        return Grade(1.0, said, numbers=numbers)
    category = "wrong" if said else "format"
    if said and said == " ".join(example.row["input"].split()):
        category = "not done"
    elif wanted and said.startswith(wanted):
        category = "goes on"
    return Grade(0.0, said, category, numbers)


TASK = Task(
    name="instructions",
    form="write",
    hub="tatsu-lab/alpaca",
    world="instructions",
    columns=("instruction", "input", "output"),
    example=example,
    grade=grade,
    max_tokens=128,
    stop=("\n\n", "\nInstruction:"),
    split="train",
)
