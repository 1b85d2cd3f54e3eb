"""The rules of choosing on hand-made tries: votes, scores, ties, gates and budgets; and the one sampler."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.adapt.heads import with_head
from linnet.infer.config import SamplingConfig
from linnet.infer.search import (
    RULES,
    Asker,
    Try,
    best,
    checked,
    first,
    majority,
    needed,
    sample,
    surest,
    weighted,
)
from linnet.infer.verifier import Verifier
from linnet.tasks import find
from linnet.tasks.task import Example
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import chain, network


def tries(*said: str, scores: tuple[float, ...] = (), tokens: int = 10) -> list[Try]:
    return [Try(word, word == "7", tokens, scores[n] if scores else 0.5) for n, word in enumerate(said)]


@pytest.mark.parametrize(
    ("said", "scores", "of_majority", "of_best", "of_weighted"),
    [
        (("7",), (0.1,), 0, 0, 0),
        (("3", "7", "7"), (0.9, 0.2, 0.3), 1, 0, 0),
        (("3", "7", "7"), (0.4, 0.3, 0.3), 1, 0, 1),
        (("3", "7", "7", "3"), (0.2, 0.2, 0.2, 0.2), 0, 0, 0),  # all tie: what was said first
        (("7", "3", "3", "7"), (0.2, 0.2, 0.2, 0.2), 0, 0, 0),
        (("3", "7", "3", "7"), (0.1, 0.2, 0.2, 0.1), 0, 1, 0),  # sums tie, scores tie with the later try
        (("", "", "7"), (0.9, 0.9, 0.1), 2, 2, 2),  # nothing readable has no vote
        (("", ""), (0.1, 0.9), 0, 1, 0),
        (("1", "2", "3"), (0.1, 0.5, 0.5), 0, 1, 1),
    ],
)
def test_rules_on_hand_made_tries(said, scores, of_majority, of_best, of_weighted):
    made = tries(*said, scores=scores)
    assert (majority(made), best(made), weighted(made), first(made)) == (of_majority, of_best, of_weighted, 0)


def test_what_calculates_wrongly_has_no_vote_where_another_calculates_rightly():
    made = [Try("3", False, 10, sound=False)] * 3 + [Try("5", False, 10), Try("7", True, 10), Try("7", True, 10)]
    assert (majority(made), checked(made)) == (0, 4)
    assert checked(made[:3]) == 0
    assert checked([Try("", False, 10), *made[:2]]) == 1  # a try that says nothing is no better than a flawed one


some_tries = st.lists(
    st.builds(
        Try,
        st.sampled_from(["", "1", "2", "3"]),
        st.booleans(),
        st.integers(1, 50),
        st.floats(0.01, 0.99),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.slow
@settings(deadline=None)
@given(some_tries)
def test_every_rule_chooses_a_readable_try_if_there_is_one_and_of_its_answer_the_first(made):
    for name, rule in RULES.items():
        place = rule(made)
        assert bool(made[place].said) == any(one.said for one in made)
        if name == "checked vote":
            assert made[place].sound or not any(one.said and one.sound for one in made)
        elif name != "best of n":
            assert [one.said for one in made].index(made[place].said) == place
    equal = [Try(one.said, one.right, one.tokens, 0.5) for one in made]
    assert weighted(equal) == majority(equal)
    assert majority(made[:1]) == best(made[:1]) == weighted(made[:1]) == 0


def test_a_gate_opens_at_the_first_sure_try():
    made = tries("1", "2", "3", "4", scores=(0.2, 0.7, 0.95, 0.1))
    assert [needed(made, threshold) for threshold in (0.0, 0.2, 0.5, 0.7, 0.9, 0.96)] == [1, 1, 2, 2, 3, 4]
    assert surest(made) == 0.95
    assert surest(tries("", scores=(0.99,))) == 0.0  # sure of nothing that can be read


class Oracle:
    """Gives tries whose scores are known; remembers what it was asked."""

    def __init__(self, scores: list[list[float]]):
        self.scores, self.asked, self.at = scores, [], [0] * len(scores)

    def __call__(self, problems, count, number):
        self.asked.append((list(problems), count, number))
        found = []
        for place in problems:
            start = self.at[place]
            self.at[place] += count
            found.append([Try("7", True, 10, score) for score in self.scores[place][start : start + count]])
        return found


def test_without_a_gate_all_is_asked_at_once():
    oracle = Oracle([[0.1] * 8, [0.9] * 8])
    assert [len(made) for made in sample(oracle, 2, 8)] == [8, 8]
    assert oracle.asked == [([0, 1], 8, 0)]


def test_more_is_asked_only_where_it_is_unsure_and_never_too_much():
    oracle = Oracle([[0.95] + [0.0] * 7, [0.1] * 3 + [0.95] * 5, [0.1] * 8])
    found = sample(oracle, 3, 8, at_first=1, threshold=0.9)
    assert [len(made) for made in found] == [1, 4, 8]
    assert oracle.asked == [([0, 1, 2], 1, 0), ([1, 2], 1, 1), ([1, 2], 2, 2), ([2], 4, 3)]
    odd = sample(Oracle([[0.1] * 9]), 1, 7, at_first=3, threshold=0.9)
    assert [one.score for one in odd[0]] == [0.1] * 7
    assert [len(made) for made in sample(Oracle([[0.1] * 9]), 1, 2, at_first=5, threshold=0.9)] == [2]


def test_a_budget_ends_the_asking():
    found = sample(Oracle([[0.1] * 32, [0.99] * 32]), 2, 32, at_first=2, threshold=0.9, tokens=50)
    assert [len(made) for made in found] == [8, 2]  # 20, 40, 80 tokens: the budget was not spent after four
    found = sample(Oracle([[0.1] * 32]), 1, 32, at_first=2, tokens=20)
    assert len(found[0]) == 2


def test_nothing_to_ask():
    assert sample(Oracle([]), 0, 4) == []


@pytest.fixture(scope="module")
def home():
    tokenizer = Tokenizer.train_bpe(["#### 5\nWhat is it? user\nassistant\n" * 9], 300)
    return tokenizer, chain(tokenizer, [*tokenizer.encode("\n#### 5"), stop_id(tokenizer)])


def test_a_model_is_asked_graded_and_scored(home):
    tokenizer, model = home
    examples = [Example(f"What is {n}?", "", f"#### {n}") for n in (4, 5)]
    judge = Verifier(with_head(network(vocab_size=tokenizer.vocab_size, context_length=64), 1).eval(), tokenizer)
    asker = Asker(model, tokenizer, find("sums"), examples, SamplingConfig(temperature=0.3, max_tokens=9), judge)
    found = sample(asker, 2, 3)
    for example, made, replies in zip(examples, found, asker.replies, strict=True):
        assert len(made) == len(replies) == 3
        for one, reply in zip(made, replies, strict=True):
            assert one.tokens == len(reply.ids)
            assert one.said == (reply.grade.said if reply.finished else "")
            assert one.score == pytest.approx(judge.score(example.question, reply.text.strip()), abs=1e-5)
    assert [one.right for one in found[1] if one.said == "5"]
    assert all(one.right for one in found[1] if one.said == "5")
    assert not any(one.right for one in found[0])


def test_rounds_throw_other_dice_and_the_same_round_the_same(home):
    tokenizer, model = home
    hot = SamplingConfig(temperature=2.0, max_tokens=9)
    asker = Asker(model, tokenizer, find("sums"), [Example("What is 4?", "", "#### 4")], hot)
    asker([0], 4, 0), asker([0], 4, 1), asker([0], 4, 0)
    said = [reply.text for reply in asker.replies[0]]
    assert said[:4] != said[4:8]
    assert said[:4] == said[8:]
    assert all(one.score == 0.5 for one in asker([0], 2, 0)[0])  # without a verifier
    greedy = asker.greedy()
    greedy([0], 2, 0), greedy([0], 1, 1)
    assert {reply.text for reply in greedy.replies[0]} == {"#### 5"}
