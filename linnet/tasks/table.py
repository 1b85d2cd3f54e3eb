"""All tasks, in the order in which they are listed."""

from linnet.tasks import instructions, sentiment, sums
from linnet.tasks.task import Task

TASKS: tuple[Task, ...] = (sums.TASK, sentiment.TASK, instructions.TASK)
