"""The calculator in a model's text: the answer is put in, the model goes on from it, everything else is left alone."""

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.infer.beam import beam_texts
from linnet.infer.calculator import CalculatorCalls, ids_after
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate, stream
from linnet.infer.rows import Rows
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, chain, network

TOOL = SamplingConfig(temperature=0, max_tokens=12, calculator=True)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    text = "<<6*7=42>>42 <<8/0=>> <<9**9=>> <<3-5=-2>>-2 "
    return Tokenizer.train_bpe([text * 20], 290)


def test_the_answer_is_put_in_and_the_model_goes_on_after_it(tokenizer):
    model = chain(tokenizer, "x<<6*7=", ">>.b")
    [done] = generate(model, tokenizer, ["x"], TOOL, begin=False)
    assert done.text.startswith("<<6*7=42>>.b")
    assert tokenizer.decode([done.ids[place] for place in done.given]) == "42>>"
    [alone] = generate(model, tokenizer, ["x"], TOOL.but(calculator=False), begin=False)
    assert alone.text.startswith("<<6*7=")
    assert not alone.text.startswith("<<6*7=42")
    assert alone.given == ()


def test_what_was_put_in_is_not_counted_as_the_models(tokenizer):
    model = chain(tokenizer, "x<<6*7=", ">>.b")
    [done] = generate(model, tokenizer, ["x"], TOOL, begin=False)
    events = list(stream(model, tokenizer, ["x"], TOOL, begin=False))
    assert [event.given for event in events] == [place in done.given for place in range(len(done.ids))]
    assert all(done.logprobs[place] == 0 for place in done.given)
    assert all(done.logprobs[place] < 0 for place in range(len(done.ids)) if place not in done.given)


def test_rows_call_at_different_times_and_do_not_disturb_each_other(tokenizer):
    model = chain(tokenizer, "abx<<6*7=", ">>.", "zy")
    prompts = ["x", "a", "z", "b", "x"]
    alone = [generate(model, tokenizer, [prompt], TOOL, begin=False)[0] for prompt in prompts]
    together = generate(model, tokenizer, prompts, TOOL, begin=False)
    assert [done.text for done in together] == [done.text for done in alone]
    assert [done.given for done in together] == [done.given for done in alone]
    assert alone[1].text.startswith("bx<<6*7=42>>.")
    assert alone[2].given == ()


@pytest.mark.parametrize("call", ["<<8/0=", "<<9**9**9=", "<<x*y=", "<<=", "8*7=", "<<6*7>>=", "<<1\n+2="])
def test_what_has_no_answer_is_left_to_the_model(tokenizer, call):
    calls = CalculatorCalls(tokenizer)
    for id in tokenizer.encode(call):
        calls.see(id)
        assert calls.forced is None


@pytest.mark.parametrize(
    ("written", "put_in"),
    [("<<3-5=", "-2>>"), ("<<6*7=", "42>>"), ("a <<6*7=42>>42 b <<1/8=", "0.125>>"), ("<<7/3=", "2.33>>")],
)
def test_what_is_put_in(tokenizer, written, put_in):
    calls, found = CalculatorCalls(tokenizer), []
    for id in tokenizer.encode(written):
        calls.see(id)
    while calls.forced is not None:
        found.append(calls.forced)
        calls.see(found[-1])
    assert tokenizer.decode(found) == put_in


def feed(calls: CalculatorCalls, *ids: int) -> None:
    for id in ids:
        calls.see(id)


def test_an_answer_begun_in_the_token_of_the_equals_sign_is_finished_or_left():
    tokenizer = Tokenizer.train_bpe(["<<3-5=-2>>=- =- =- =-"], 275)
    [sign] = tokenizer.encode("=-")  # the cut of byte-level BPE makes one token of both
    calls = CalculatorCalls(tokenizer)
    feed(calls, *tokenizer.encode("<<3-5"), sign)
    assert calls.forced == tokenizer.encode("2")[0]
    calls = CalculatorCalls(tokenizer)
    feed(calls, *tokenizer.encode("<<5-3"), sign)
    assert calls.forced is None  # the model means another answer


def test_a_tokenizer_that_puts_a_space_before_texts_puts_none_into_answers():
    class Spaced:
        """Cuts letter by letter, with a space before the first, as SentencePiece does."""

        def encode(self, text: str) -> list[int]:
            return [ord(letter) for letter in " " + text]

        def token_bytes(self, id: int) -> bytes:
            return chr(id).encode()

    assert ids_after(Spaced(), "=", "42>>") == [ord(letter) for letter in "42>>"]  # type: ignore[arg-type]


def test_tokens_that_are_given_pass_through_the_same_cache():
    model, given = network(), {1: 4, 2: 9, 5: 7}  # at which step row 0 is given which id
    greedy = SamplingConfig(temperature=0, max_tokens=9)
    rows = Rows(model, [[3, 8, 1], [5]], greedy)
    written: list[list[int]] = [[3, 8, 1], [5]]
    for step in range(9):
        for choice in rows.choose({0: given[step]} if step in given else {}):
            with torch.inference_mode():
                logits = model(torch.tensor([written[choice.row]]))[0, -1]
            if choice.row == 0 and step in given:
                assert (choice.id, choice.logprob, choice.given) == (given[step], 0.0, True)
            else:
                assert choice.id == int(logits.argmax())
                assert choice.logprob == pytest.approx(float(logits.log_softmax(-1).max()), abs=1e-5)
                assert not choice.given
            written[choice.row].append(choice.id)
        rows.advance(set())


def test_it_ends_with_the_budget_also_inside_an_answer(tokenizer):
    model = chain(tokenizer, "x<<6*7=", ">>.b")
    most = len(tokenizer.encode("<<6*7=")) + 1
    [done] = generate(model, tokenizer, ["x"], TOOL.but(max_tokens=most), begin=False)
    assert (done.text, done.finish_reason) == ("<<6*7=4", "length")


def test_stop_strings_are_obeyed_in_what_is_put_in(tokenizer):
    model = chain(tokenizer, "x<<6*7=", ">>.b")
    [done] = generate(model, tokenizer, ["x"], TOOL.but(stop=("2",)), begin=False)
    assert (done.text, done.finish_reason) == ("<<6*7=4", "stop")


def test_where_there_is_no_calculator():
    with pytest.raises(BadInput, match="calculator need a tokenizer"):
        generate(network(), None, [[1, 2]], TOOL)
    tokenizer = bpe()
    with pytest.raises(BadInput, match="no calculator"):
        beam_texts(network(vocab_size=tokenizer.vocab_size), tokenizer, "the", TOOL, width=2)


def test_a_tokenizer_that_cannot_write_an_answer_puts_nothing_in():
    for alphabet, first in (("<<6*7=", None), ("<<6*7= 0123456789>", "4")):
        tokenizer = Tokenizer.train_characters([alphabet])
        calls = CalculatorCalls(tokenizer)
        feed(calls, *tokenizer.encode("<<6*7="))
        assert calls.forced == (None if first is None else tokenizer.encode(first)[0])
