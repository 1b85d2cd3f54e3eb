"""Tokenizers that lose, rows that begin twice, ends that are never learned, examples that teach nothing."""

from dataclasses import replace

import pytest
import torch

from linnet.prove.parts import Rows, Text
from linnet.prove.text import (
    HARD,
    every_example_teaches,
    no_double_begin,
    stop_token_is_learned,
    tokenizer_round_trip,
)
from tests.prove.subjects import judge, subject

BEGIN, END, PAD = 1, 2, 0


def utf8(text: str) -> list[int]:
    return [byte + 3 for byte in text.encode()]


def back(ids) -> str:
    return bytes(id - 3 for id in ids).decode()


TEXT = Text(utf8, back, begin_id=BEGIN, end_id=END, pad_id=PAD)


def rows(*examples: list[int], learned: str) -> Rows:
    marks = torch.tensor([[mark == "x" for mark in learned]] * len(examples))
    return Rows(torch.tensor(examples), marks)


def shown(*examples: Rows, text: Text = TEXT):
    return replace(subject(), text=text, examples=examples)


@pytest.mark.parametrize(
    "loses",
    [str.strip, str.lower, lambda text: text.encode("ascii", "ignore").decode(), lambda text: " ".join(text.split())],
)
def test_what_a_tokenizer_loses_is_seen(loses):
    assert judge(tokenizer_round_trip, shown()).status == "held"
    lossy = replace(TEXT, encode=lambda text: utf8(loses(text)))
    assert judge(tokenizer_round_trip, shown(text=lossy)).status == "broken"
    assert judge(tokenizer_round_trip, shown(text=replace(lossy, lossless=False))).status == "not applicable"
    assert judge(tokenizer_round_trip, subject()).status == "not applicable"


def test_the_samples_are_those_of_the_tokenizer_if_it_has_some():
    only_a = Text(lambda text: [0] * len(text), lambda ids: "a" * len(ids), samples=("aaa", "a"))
    assert judge(tokenizer_round_trip, shown(text=only_a)).evidence.startswith("2 texts")
    assert judge(tokenizer_round_trip, shown(text=replace(only_a, samples=()))).status == "broken"
    assert len(HARD) == 10


def test_rows_that_begin_twice_are_seen():
    once = rows([BEGIN, 9, 9, END], learned="..xx")
    assert judge(no_double_begin, shown(once)).status == "held"
    for twice in ([BEGIN, BEGIN, 9, END], [PAD, BEGIN, BEGIN, END]):
        found = judge(no_double_begin, shown(once, rows(twice, learned="..xx")))
        assert found.status == "broken"
        assert "first example 1" in found.evidence
    assert judge(no_double_begin, shown()).status == "not applicable"
    assert judge(no_double_begin, shown(once, text=replace(TEXT, begin_id=None))).status == "not applicable"


def test_an_end_that_is_not_learned_is_seen():
    whole = rows([BEGIN, 9, 8, END, PAD], learned="..xx.")
    assert judge(stop_token_is_learned, shown(whole)).status == "held"
    # Padding is the end token, and all of it was masked, the one that ends the answer too.
    masked = rows([BEGIN, 9, 8, END, END], learned="..x..")
    found = judge(stop_token_is_learned, shown(whole, masked))
    assert found.status == "broken"
    assert "1 of 2 examples, first 1" in found.evidence
    cut = rows([BEGIN, 9, 8, 7, 6], learned="..xxx")
    assert judge(stop_token_is_learned, shown(cut)).status == "broken"
    assert judge(stop_token_is_learned, shown(cut, whole)).status == "held"
    both = rows([9, END, END, END], learned=".x..")  # the end is learned once, the padding is not
    assert judge(stop_token_is_learned, shown(both)).status == "held"
    assert judge(stop_token_is_learned, shown()).status == "not applicable"


def test_examples_that_teach_nothing_are_seen():
    some, none = rows([9, 8, 7], learned="..x"), rows([9, 8, 7], [9, 8, 7], learned="x..")
    assert judge(every_example_teaches, shown(some)).status == "held"
    found = judge(every_example_teaches, shown(some, none))
    assert found.status == "broken"
    assert "2 of 3 examples" in found.evidence
    assert judge(every_example_teaches, shown()).status == "not applicable"
