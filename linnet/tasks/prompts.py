"""Zero- and few-shot prompts: solved examples before the one that is asked, as text or as earlier turns of a chat."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from random import Random

from linnet.core.errors import BadInput
from linnet.tasks import rows
from linnet.tasks.task import Example, Task
from linnet.text.chat import Message

BETWEEN = "\n\n"  # lm-eval's, too
POOL = 1_000  # rows of the train split that shots are drawn from


class Shots:
    """A seeded order of solved examples, of which each question gets the first ones that are not itself."""

    def __init__(self, examples: Iterable[Example], count: int, seed: int = 0):
        """Shuffle `examples` by `seed`; raises BadInput when there are no more than `count`: one may be asked."""
        if count < 0:
            raise BadInput(f"{count} shots: give 0 or more")
        self.count = count
        self._examples = list(examples) if count else []
        if count and len(self._examples) <= count:
            raise BadInput(f"{count} shots need more than the {len(self._examples)} examples there are to draw from")
        Random(seed).shuffle(self._examples)

    def of(self, example: Example) -> list[Example]:
        """Return the shots of an example: the same for all, but never one that asks the same."""
        others = (shot for shot in self._examples if shot.prompt != example.prompt)
        found = list(islice(others, self.count))
        if len(found) < self.count:
            raise BadInput(f"{self.count} shots: only {len(found)} of the examples to draw from ask something else")
        return found


NONE = Shots((), 0)


def draw(task: Task, source: str | Path, count: int, seed: int = 0) -> Shots:
    """Return shots from the train split of a source, or where it has none from the split that is measured."""
    if task.form == "text" and count:
        raise BadInput(f"{task.name}: a text is measured as a whole, without shots")
    if not count:
        return NONE
    try:
        pool = list(islice(rows.read(task, source, "train"), POOL))
    except BadInput:
        # Sets such as PIQA's validation file come alone; lm-eval draws from the measured rows then, as here.
        pool = list(islice(rows.read(task, source, rows.measured_split(task, source)), POOL))
    return Shots(task.examples(pool), count, seed)


def as_text(example: Example, shots: Sequence[Example] = ()) -> str:
    """Return the prompt after its shots, each followed by an empty line, as lm-eval writes it."""
    return "".join(f"{shot.prompt}{shot.answer}{BETWEEN}" for shot in shots) + example.prompt


def as_messages(example: Example, shots: Sequence[Example] = ()) -> list[Message]:
    """Return the question as the last message of a chat, the shots as turns before it."""
    turns = [
        Message(role, said)
        for shot in shots
        for role, said in (("user", shot.question), ("assistant", shot.answer.strip()))
    ]
    return [*turns, Message("user", example.question)]
