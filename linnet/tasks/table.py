"""All tasks, in the order in which they are listed."""

from linnet.tasks import (
    choices,
    cloze,
    instructions,
    language,
    news,
    preferences,
    questions,
    sentiment,
    summaries,
    sums,
)
from linnet.tasks.task import Task

TASKS: tuple[Task, ...] = (
    sums.TASK,
    sentiment.TASK,
    summaries.TASK,
    summaries.DIALOGSUM,
    cloze.TASK,
    choices.PIQA,
    choices.HELLASWAG,
    choices.ARC_EASY,
    choices.ARC_CHALLENGE,
    choices.BOOLQ,
    instructions.TASK,
    questions.SQUAD,
    questions.FACTS,
    preferences.TASK,
    news.FAKE_NEWS,
    news.LIAR,
    news.COVID_NEWS,
    language.WIKITEXT,
    language.STORIES,
)
