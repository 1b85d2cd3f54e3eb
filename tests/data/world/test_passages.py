"""Documents and questions: the answer stands where the row says, in the right person's sentence."""

from itertools import islice

from linnet.data.world import rows
from linnet.data.world.passages import QUESTIONS_EACH, document_text, question_text


def test_answers_stand_where_they_are_said_to():
    for found in islice(rows("questions", "test", 2), 400):
        answers = found["answers"]
        [answer], [start] = answers["text"], answers["answer_start"]
        assert found["context"][start : start + len(answer)] == answer
        first, second = found["title"].split(" and ")
        border = found["context"].index(f" {second}", found["context"].index(". "))
        while found["context"][border - 1] != ".":  # the neighbour may be named as the best friend before
            border = found["context"].index(f" {second}", border + 1)
        who = first if start < border else second
        assert who in found["question"], found


def test_questions_are_about_the_documents():
    documents = list(islice(rows("documents", "train", 5), 10))
    questions = list(islice(rows("questions", "train", 5), 10 * QUESTIONS_EACH))
    for i, question in enumerate(questions):
        assert question["context"] == documents[i // QUESTIONS_EACH]["text"]
        assert question["title"] == documents[i // QUESTIONS_EACH]["title"]
    assert len({question["id"] for question in questions}) == len(questions)
    assert len({(question["context"], question["question"]) for question in questions}) == len(questions)


def test_columns_are_those_of_squad():
    assert list(next(rows("questions"))) == ["id", "title", "context", "question", "answers"]


def test_text():
    document, question = next(rows("documents")), next(rows("questions"))
    assert document_text(document) == f"{document['title']}\n{document['text']}"
    assert question_text(question).endswith(f"Answer: {question['answers']['text'][0]}")
