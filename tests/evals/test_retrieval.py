"""Recall and reciprocal rank by hand, intervals over passages, the threshold of weak evidence, the right source."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.evals import retrieval
from linnet.evals.retrieval import Question
from linnet.metrics import logistic_plane
from linnet.retrieve.asking import NOT_THERE, Answer
from linnet.retrieve.config import BY_COVERAGE, ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.making import make
from tests.retrieve.networks import TEXTS, TOKENIZER, encoder, sources

ROWS = [
    {"question": "What do cats hunt?", "context": TEXTS["cats"], "answers": {"text": ["mice"]}},
    {"question": "When do cats hunt?", "context": TEXTS["cats"], "answers": {"text": ["at night"]}},
    {"question": "What does the linnet eat?", "context": TEXTS["birds"], "answers": {"text": ["seeds of flax"]}},
    {"question": "Who barks at the postman?", "context": TEXTS["dogs"]},
]


@pytest.fixture(scope="module")
def index():
    return make(sources(), ChunkConfig(tokens=12, overlap=0), None)


@pytest.fixture(scope="module")
def questions(index):
    return retrieval.questions_of(index, ROWS)


def test_a_question_knows_where_its_passage_stands(index, questions):
    assert [len(one.places) for one in questions] == [1] * 4
    assert questions[2].answers == ("seeds of flax",)
    assert questions[3].answers == ()
    found = index.search("a linnet sings", 1)[0]
    assert questions[2].is_answered_by(found)
    assert not questions[0].is_answered_by(found)
    assert len(retrieval.questions_of(index, ROWS, 2)) == 2
    with pytest.raises(BadInput, match="none of the 1 questions"):
        retrieval.questions_of(index, [{"question": "a", "context": "elsewhere"}])
    with pytest.raises(BadInput, match="columns question and context"):
        retrieval.questions_of(index, [{"question": "a"}])


def test_measures_by_hand():
    ranks = np.array([1, 3, 0, 10])
    assert retrieval.measure_of("recall@1", ranks).tolist() == [1, 0, 0, 0]
    assert retrieval.measure_of("recall@5", ranks).tolist() == [1, 1, 0, 0]
    assert retrieval.measure_of("recall@10", ranks).tolist() == [1, 1, 0, 1]
    assert retrieval.measure_of("mrr@10", ranks) == pytest.approx([1, 1 / 3, 0, 0.1])


def test_ranks_are_those_of_the_search(index, questions):
    for one, rank in zip(questions, retrieval.ranks(index, questions, "words"), strict=True):
        found = index.search(one.text, 10, "words")
        assert one.is_answered_by(found[rank - 1])
        assert not any(map(one.is_answered_by, found[: rank - 1]))


def test_questions_on_one_passage_are_drawn_together(questions):
    sums, counts = retrieval.by_passage(questions, np.array([1.0, 0.0, 1.0, 1.0]))
    assert (sums.tolist(), counts.tolist()) == ([1, 1, 1], [2, 1, 1])


def test_the_table_of_ways(index, questions):
    table = retrieval.compare_ways(index, questions)
    assert list(table) == ["words"]
    row = table["words"]
    low, high = row["recall@5 interval"]
    assert 0 <= low <= row["recall@5"] <= high <= 1
    assert row["recall@1"] <= row["recall@5"] <= row["recall@10"]


def test_the_threshold_by_hand():
    cut = retrieval.threshold_of(np.array([0.4, 0.8, 0.9]), np.array([0.1, 0.2, 0.5]))
    assert 0.2 < cut < 0.4  # 3 of 3 and 2 of 3; at 0.65 it would be 2 of 3 and 3 of 3: of both, the lower
    assert retrieval.threshold_of(np.array([0.5]), np.array([0.5])) == 0.0
    assert -1 < retrieval.threshold_of(np.array([1.0, -0.5]), np.array([-2.0, -1.0])) < -0.5
    assert retrieval.threshold_of(np.array([-1.0]), np.array([-0.5])) == -1.0  # nothing is refused


def test_evidence_is_less_without_the_passage(index, questions):
    inside, outside = retrieval.evidence(index, questions)
    assert (inside >= outside).all()
    assert inside.mean() > outside.mean() + 0.1
    better, rest, numbers = retrieval.calibrate(index, questions)
    assert [one.text for one in rest] == ["What does the linnet eat?"]  # the second of three passages
    assert better.weak_below == numbers["weak_below"]
    assert better.evidence == retrieval.evidence_of(index, [*questions[:2], questions[3]]) != BY_COVERAGE
    assert numbers["evidence"] == better.evidence.model_dump()
    assert numbers["questions to find it"] + numbers["questions to try it"] == 4
    with pytest.raises(BadInput, match="one passage only"):
        retrieval.calibrate(index, questions[:2])


def test_evidence_is_learned_from_what_tells_the_right_chunks_from_the_others():
    # Of each pair both cover the question, but only one speaks of it again and again: BM25 tells, coverage cannot.
    names = ["ant", "bee", "cow", "dog", "elk", "fox"]
    texts = {f"{name}{n}": f"{name} " * (4 * n + 1) + "end." for name in names for n in (0, 1)}
    index = make(sources(texts), ChunkConfig(tokens=60, overlap=0), None)
    index = replace(index, entries=tuple(replace(one, title="") for one in index.entries))
    asked = [Question(name, (), frozenset({(f"{name}1", 0, 9)})) for name in names]
    learned = retrieval.evidence_of(index, asked)
    assert learned.words > 0.5
    assert learned.meaning == 0
    better = replace(index, evidence=learned)
    inside, outside = retrieval.evidence(better, asked)
    assert inside.min() > outside.max()
    others = [one for one in better.search("ant", 9) if not asked[0].is_answered_by(one)]
    assert outside[0] == max(map(better.strength, others))
    assert (np.subtract(*retrieval.evidence(index, asked)) == 0).all()
    nothing = [replace(one, places=frozenset({("nowhere", 0, 9)})) for one in asked]
    assert retrieval.evidence_of(better, nothing) == learned  # nothing to tell apart: as it was
    worse = [Question(name, (), frozenset({(f"{name}0", 0, 9)})) for name in names]
    assert retrieval.evidence_of(better, worse) == learned  # nothing that tells for a chunk


def test_no_number_counts_against_a_chunk():
    draw = np.random.default_rng(0)
    first = draw.normal(size=(500, 1))
    right = draw.random(500) < 1 / (1 + np.exp(-2 * first[:, 0]))
    numbers = np.concatenate([-first + draw.normal(size=(500, 1)), first, np.zeros((500, 1))], axis=1)
    weights = retrieval.rising_weights(right, numbers)
    assert weights.tolist() == [0, pytest.approx(2, abs=0.4), 0]
    assert weights[1] == logistic_plane(right, first)[0][0]  # as if the other were not there
    assert retrieval.rising_weights(right, -first).tolist() == [0]


def test_the_right_source_is_that_of_the_passage(index, questions):
    def answer(question, found):
        if "linnet" in question:
            return Answer(NOT_THERE, tuple(found), ())
        what = "What" in question
        return Answer("Mice" if what else "Elephants", tuple(found), (1,) if found else (), quoted=what)

    numbers = retrieval.right_sources(index, questions[:3], answer, lambda one, said: one == said.lower(), "words")
    assert numbers["right source"] == pytest.approx(2 / 3)
    assert numbers["right answer"] == numbers["quoted"] == pytest.approx(1 / 3)
    assert numbers["false refusals"] == pytest.approx(1 / 3)
    seen = [index.search(one.text, 10, "words") for one in questions[:3]]
    others = [
        any(not one.is_answered_by(chunk) for chunk in found) for one, found in zip(questions, seen, strict=False)
    ]
    assert numbers["false answers"] == pytest.approx((others[0] + others[1]) / 3)


def test_a_ranking_that_misleads_gets_little_weight_and_one_that_is_right_more():
    embedder, texts = (
        Embedder(encoder(), TOKENIZER),
        {f"{n}": f"{word} sleep." for n, word in enumerate("abcdefghijkl")},
    )
    index = make(sources(texts), ChunkConfig(tokens=60, overlap=0), embedder, "h")
    asked = [Question(f"{text} sleep?", (), frozenset({(name, 0, len(text))})) for name, text in texts.items()]
    numbers = {name: place for place, (name, _, _) in enumerate(map(index.place_of, range(12)))}
    vectors = embedder.vectors([one.text for one in asked], asked=True)

    def shown(turned):  # each question's vector is that of its own chunk, or of another one
        places = [numbers[next(iter(one.places))[0]] for one in asked]
        found = np.empty_like(index.vectors)
        found[np.roll(places, turned)] = vectors
        return replace(index, vectors=found)

    assert retrieval.weight_of(shown(0), asked) == 1.0  # words alone are right: nothing to choose by
    words = make(sources(dict.fromkeys(texts, "the same")), ChunkConfig(tokens=60, overlap=0), embedder, "h")
    assert retrieval.weight_of(replace(shown(5), words=index.words), asked) < 1.0
    assert retrieval.weight_of(replace(shown(0), words=words.words), asked) >= 1.0
    assert retrieval.weight_of(make(sources(texts), ChunkConfig(), None), asked) == 1.0
    near = replace(shown(0), evidence=EvidenceConfig(meaning=1))  # whoever searches by words goes by no cosine
    assert retrieval.evidence_of(near, asked, "words").meaning == 0
    assert retrieval.evidence_of(near, asked).meaning > 0


def test_rows_of_a_file_and_of_the_small_world(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    made = make(sources(), ChunkConfig(), None)
    assert list(retrieval.rows_of(str(tmp_path / "rows.jsonl"), made)) == ROWS
    assert isinstance(retrieval.questions_of(made, ROWS)[0], Question)


@pytest.mark.slow
def test_on_the_small_world_an_answer_names_the_right_source():
    from linnet.retrieve.asking import answer_from
    from linnet.retrieve.documents import documents

    index = make(documents(["world/documents:40"]), ChunkConfig(), None)
    questions = retrieval.questions_of(index, retrieval.rows_of("world:200", index))
    assert len(questions) == 200
    better, rest, _ = retrieval.calibrate(index, questions, "words")
    assert len(rest) == 100
    numbers = retrieval.right_sources(better, rest, partial(answer_from, better), lambda one, said: one in said)
    assert numbers["right source interval"][0] > 0.9, numbers
