"""tasks: examples + prompt + grader; one object feeds tuning, evaluation, verifier labels and error analysis.

`find(name)` gives a task, `linnet.tasks.rows.read(task, source, split)` its rows. Nothing here needs torch.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from linnet.tasks.task import Task

NAMES = (
    "sums", "sentiment", "summaries", "dialogsum", "cloze", "choices", "hellaswag", "arc_easy", "arc_challenge",
    "boolq", "instructions", "questions", "facts", "preferences", "fake_news", "liar", "covid_news", "wikitext",
    "stories",
)  # fmt: skip


def find(name: str) -> "Task":
    """Return a task by name; raises BadInput, with the nearest name, for an unknown one."""
    from linnet.core.errors import BadInput, nearest
    from linnet.tasks.table import TASKS

    found = next((task for task in TASKS if task.name == name), None)
    if found is None:
        raise BadInput(f'there is no task "{name}".{nearest(name, NAMES)} There are: {", ".join(NAMES)}')
    return found
