"""Judged answers as a file: what is written is read, what was asked before is found, an answer has an end."""

import pytest

from linnet.batches.judged import Judged
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.judged_answers import make_judged_answers, read_judged, write_judged
from linnet.tasks import find
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import chain

TOKENIZER = Tokenizer.train_bpe(["#### 5\nWhat is it? user\nassistant\n" * 9], 300)
GREEDY = SamplingConfig(temperature=0, max_tokens=20)


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    path.write_text("".join(f'{{"question": "What is {n}?", "answer": "#### {n}"}}\n' for n in range(4, 7)))
    return path


def make(folder, problems, *ends: int, answers: int = 2, **choices):
    model = chain(TOKENIZER, [*TOKENIZER.encode("\n#### 5"), *ends])
    sampling = GREEDY.but(**choices)
    return make_judged_answers(folder, model, TOKENIZER, find("sums"), str(problems), "train", 9, answers, sampling)


def test_answers_are_graded_as_often_as_they_were_given(tmp_path, problems):
    path = make(tmp_path, problems, stop_id(TOKENIZER))
    assert read_judged(path) == [Judged(f"What is {n}?", "#### 5", n == 5) for n in (4, 4, 5, 5, 6, 6)]


def test_what_was_asked_before_is_found_and_nothing_else(tmp_path, problems):
    path = make(tmp_path, problems, stop_id(TOKENIZER))
    path.write_text(path.read_text().splitlines()[0] + "\n")
    assert make(tmp_path, problems, stop_id(TOKENIZER)) == path
    assert len(read_judged(path)) == 1  # it was not written anew
    others = [make(tmp_path, problems, stop_id(TOKENIZER), **choices) for choices in ({"answers": 3}, {"seed": 5})]
    others.append(make(tmp_path, problems, TOKENIZER.encode("W")[0], stop_id(TOKENIZER)))  # other weights
    assert len({path, *others}) == 4


def test_answers_without_an_end_are_left_out(tmp_path, problems):
    [letter] = TOKENIZER.encode("W")
    path = make(tmp_path, problems, letter, letter)  # says "#### 5" and then W without an end
    assert path.read_text() == ""
    with pytest.raises(BadInput, match="no judged answers"):
        read_judged(path)


def test_a_file_comes_back_as_it_was_written(tmp_path):
    judged = [Judged("a\n“b”", "c <<1+1=2>>2", True), Judged("\N{BIRD}", "d", False)]
    write_judged(tmp_path / "judged.jsonl", judged)
    assert read_judged(tmp_path / "judged.jsonl") == judged


def test_gsm8ks_published_candidates(shared_data):
    judged = read_judged(shared_data / "gsm8k" / "verifier_candidates.jsonl.gz")
    assert len({one.problem for one in judged}) == 1019
    assert len(judged) == 4076
    assert 0.2 < sum(one.right for one in judged) / len(judged) < 0.6
