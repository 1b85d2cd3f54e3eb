"""Choices, cloze and texts by likelihood equal the sums written out, at any batch size and beyond the context."""

import math

import pytest
import torch

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.evals.asking import begun, continuation_ids, prompt_ids
from linnet.evals.choices import log_likelihoods, measure, totals
from linnet.infer.decode import start_id
from linnet.tasks import rows
from linnet.tasks.prompts import Shots, as_text
from linnet.tasks.task import Example
from linnet.text.chat import stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, chain, network

TEXT = "the bird sang in the tree and the river was quiet. "


def tokenizer():
    return Tokenizer.train_bpe([TEXT * 3], 300)


def model(tokens, **choices):
    return network(vocab_size=tokens.vocab_size, **choices)


def written_out(network, prompt, continuation):
    total = 0.0
    for id in continuation:
        with torch.no_grad():
            total += network(torch.tensor([prompt]))[0, -1].double().log_softmax(-1)[id].item()
        prompt = [*prompt, id]
    return total


def asked(*choices, gold=0, prompt="the bird", row=None):
    return Example("?", prompt, choices[gold], choices, gold, row or {})


@pytest.mark.parametrize("batch_size", [1, 2, 16])
def test_each_choice_has_the_likelihood_of_its_tokens(batch_size):
    tokens = tokenizer()
    net = model(tokens)
    examples = [asked(" sang", " sang in the tree", gold=1), asked(" was", " quiet.", prompt="the river")]
    found = measure(net, tokens, tasks.find("choices"), examples, batch_size=batch_size)
    for outcome, example in zip(found, examples, strict=True):
        pairs = [continuation_ids(tokens, example.prompt, choice) for choice in example.choices]
        assert outcome.logprobs == pytest.approx([written_out(net, *pair) for pair in pairs], abs=1e-4)
        assert outcome.picked == outcome.logprobs.index(max(outcome.logprobs))


def test_raw_and_by_length_pick_otherwise_and_the_category_tells():
    # A model that is sure of one word after another: the short choice is likelier, the long one by the letter.
    tokens = bpe()
    net = chain(tokens, "the bird sang")
    examples = [asked(" a", " bird sang to me", gold=1, prompt="the"), asked(" bird", " zzz", gold=0, prompt="the")]
    for name, wrong in (("choices", "length only"), ("preferences", "length only")):
        first, second = measure(net, tokens, tasks.find(name), examples, begin=False)
        assert (first.picked, first.picked_by_length) == (0, 1)
        assert (first.grade.score, first.grade.category) == (0.0, wrong)
        assert (second.grade.score, second.grade.category) == (1.0, "")
        assert totals(tasks.find(name), [first, second]) == {"accuracy": 0.5, "accuracy_by_length": 1.0}


def test_a_wrong_choice_that_is_wrong_by_length_too_keeps_its_own_category():
    tokens = bpe()
    net = chain(tokens, "the bird sang")
    row = {"sentence": "not the", "label": 1}
    examples = [asked(" zzz", " bird", gold=0, prompt="the", row=row)]
    names = {"choices": "wrong choice", "preferences": "violated", "sentiment": "format"}
    for name, wrong in names.items():
        [outcome] = measure(net, tokens, tasks.find(name), examples, begin=False)
        assert (outcome.grade.score, outcome.grade.category) == (0.0, wrong)


def test_a_category_of_the_tasks_own_stays_where_only_the_length_was_wrong():
    tokens = bpe()
    net = chain(tokens, "the bird sang")  # which finds every letter of these labels alike
    [outcome] = measure(net, tokens, tasks.find("liar"), [asked(" false", " barely-true", gold=1)], begin=False)
    assert (outcome.picked, outcome.picked_by_length) == (0, 1)
    assert outcome.grade.category == "barely-true called false"


def test_a_cloze_is_right_when_the_model_would_write_it():
    tokens = bpe()
    net = chain(tokens, "the bird sang")
    cloze = tasks.find("cloze")
    right, wrong = measure(
        net, tokens, cloze, [Example("?", "the bird", " sang"), Example("?", "the bird", " ran")], begin=False
    )
    assert (right.grade.score, right.grade.said) == (1.0, "sang")
    assert (wrong.grade.score, wrong.grade.category) == (0.0, "other word")
    mean = (right.logprobs[0] + wrong.logprobs[0]) / 2
    assert totals(cloze, [right, wrong]) == pytest.approx({"accuracy": 0.5, "perplexity": math.exp(-mean)})


def test_a_text_longer_than_the_context_is_read_in_windows():
    tokens = tokenizer()
    net = model(tokens)
    stories = tasks.find("stories")
    example = stories.example({"text": TEXT * 12})
    ids = tokens.encode(example.answer)
    assert len(ids) > 3 * 32
    whole, total = [start_id(tokens), *ids], 0.0
    for begin in range(0, len(ids), 32):  # lm-eval: disjoint windows, the last one reading back as far as it can
        end = min(begin + 32, len(ids))
        total += written_out(net, whole[max(0, end - 32) : begin + 1], whole[begin + 1 : end + 1])
    [outcome] = measure(net, tokens, stories, [example])
    assert outcome.logprobs[0] == pytest.approx(total, abs=1e-3)
    numbers = totals(stories, [outcome])
    count = len(example.answer.encode())
    assert numbers["bits_per_byte"] == pytest.approx(-total / math.log(2) / count)
    assert numbers["byte_perplexity"] == pytest.approx(math.exp(-total / count))
    assert numbers["word_perplexity"] == pytest.approx(math.exp(-total / len((TEXT * 12).split(" "))), rel=1e-4)
    assert outcome.grade.score == pytest.approx(1 / numbers["byte_perplexity"])


def test_a_long_prompt_loses_its_beginning_only():
    tokens = tokenizer()
    net = model(tokens)
    [outcome] = measure(net, tokens, tasks.find("choices"), [asked(" sang", " was", prompt=(TEXT * 9).strip())])
    for choice, logprob in zip((" sang", " was"), outcome.logprobs, strict=True):
        before, after = continuation_ids(tokens, (TEXT * 9).strip(), choice)
        assert len(before) + len(after) > 33
        assert logprob == pytest.approx(written_out(net, before[-(33 - len(after)) :], after), abs=1e-4)


def test_shots_stand_before_the_prompt():
    tokens = tokenizer()
    net = model(tokens)
    shot, example = asked(" sang", prompt="the bird"), asked(" was", " ran", prompt="the river")
    [outcome] = measure(net, tokens, tasks.find("choices"), [example], Shots([shot, example], 1))
    text = as_text(example, [shot])
    assert text == "the bird sang\n\nthe river"
    before, after = continuation_ids(tokens, text, " was")
    assert before == begun(tokens, text)
    assert outcome.logprobs[0] == pytest.approx(written_out(net, before, after), abs=1e-4)


def test_a_chat_counts_the_end_of_the_reply_so_that_no_beginning_wins():
    tokens = tokenizer()
    net = model(tokens, context_length=128)
    example = asked("\nthe bird", "\nthe bird sang")
    [outcome] = measure(net, tokens, tasks.find("preferences"), [example], chat=True)
    prompt = prompt_ids(tokens, example, chat=True)
    replies = [[*tokens.encode(reply), stop_id(tokens)] for reply in ("the bird", "the bird sang")]
    assert outcome.logprobs == pytest.approx([written_out(net, prompt, reply) for reply in replies], abs=1e-4)


def test_each_form_of_the_small_world_is_measured():
    tokens = Tokenizer.train_bpe([example.prompt + example.answer for example in world("cloze", 20)], 400)
    net = network(vocab_size=tokens.vocab_size, context_length=128)
    for name in ("sentiment", "choices", "preferences", "cloze", "stories"):
        outcomes = measure(net, tokens, tasks.find(name), world(name, 4))
        assert len(outcomes) == 4
        assert all(math.isfinite(number) for number in totals(tasks.find(name), outcomes).values())


def world(name, count):
    return list(tasks.find(name).examples(rows.read(tasks.find(name), f"world:{count}", "test")))


def test_what_cannot_be_measured_so_is_refused():
    tokens = tokenizer()
    with pytest.raises(BadInput, match="sums: its replies are written, not chosen"):
        measure(model(tokens), tokens, tasks.find("sums"), [])
    with pytest.raises(BadInput, match="no tokens"):
        log_likelihoods(model(tokens), [([1], [])])
