"""Exhibits about text and examples: what a tokenizer loses, tokens that begin and end, rows that teach nothing."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from linnet.prove.parts import Rows, Text
from linnet.prove.subject import Subject
from linnet.prove.text import every_example_teaches, no_double_begin, stop_token_is_learned, tokenizer_round_trip
from tests.museum.exhibit import exhibit
from tests.museum.networks import BEGIN, END, PAD, Decoder, plain

QUESTIONS = ((5, 6, 7), (8, 9), (5, 9, 6, 8, 7))
ANSWERS = ((10, 11), (12, 13, 14), (15,))
CALL, REPLY = 3, 4  # the tokens of a chat before a question and before an answer


def as_bytes(text: str) -> list[int]:
    """Return the ids of a text: its UTF-8 bytes."""
    return list(text.encode())


def as_text(ids: Sequence[int]) -> str:
    """Return the text of bytes."""
    return bytes(ids).decode(errors="replace")


def batch(rows: Sequence[Sequence[int]], learned: Sequence[Sequence[bool]], pad: int = PAD) -> Rows:
    """Return rows filled up on the right; padding is not learned."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[*row, *[False] * (longest - len(row))] for row in learned])
    return Rows(ids, mask)


def chats(begins: int = 1, ends: int = 1) -> tuple[list[list[int]], list[list[bool]]]:
    """Return the rows of all chats, and their tokens to be learned: answers with what ends them."""
    rows, learned = [], []
    for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
        before, after = [*[BEGIN] * begins, CALL, *question, REPLY], [*answer, *[END] * ends]
        rows.append(before + after)
        learned.append([False] * len(before) + [True] * len(after))
    return rows, learned


def _tokenizer(text: Text) -> Subject:
    return replace(plain(Decoder()), text=text)


def _examples(rows: Rows) -> Subject:
    text = Text(as_bytes, as_text, begin_id=BEGIN, end_id=END)
    return replace(plain(Decoder()), text=text, examples=(rows,))


@exhibit(tokenizer_round_trip)
def blanks_tidied_away(wrong: bool) -> Subject:
    """Blanks tidied away.

    Decoding took away blanks before signs, a repair for the tokenizers of another age that was switched on for all
    models of a family. Code came back changed: `x != y` as `x!= y`.

    Source: https://github.com/huggingface/transformers/pull/44915
    """

    def decode(ids: Sequence[int]) -> str:
        text = as_text(ids)
        for sign in ".?!,":
            text = text.replace(f" {sign}", sign) if wrong else text
        return text

    return _tokenizer(Text(as_bytes, decode, samples=("x != y", "a , b", "One day Mia found a ball.")))


@exhibit(tokenizer_round_trip)
def letters_cut_in_two(wrong: bool) -> Subject:
    """Letters cut in two.

    A server decoded each token by itself as it was written, and a letter may be spread over several tokens. Emoji and
    whole alphabets came out as replacement signs.

    Source: https://github.com/exo-explore/exo/pull/1691
    """

    def decode(ids: Sequence[int]) -> str:
        return "".join(as_text([id]) for id in ids) if wrong else as_text(ids)

    return _tokenizer(Text(as_bytes, decode))


@exhibit(no_double_begin)
def rows_that_begin_twice(wrong: bool) -> Subject:
    """Rows that begin twice.

    A chat template writes the begin token, and the tokenizer that the text then goes through adds another. The model
    is handed rows unlike those that it learned from.

    Source: https://github.com/deepseek-ai/DeepSeek-R1/issues/151
    """
    return _examples(batch(*chats(begins=2 if wrong else 1)))


@exhibit(stop_token_is_learned)
def padding_that_is_the_end_token(wrong: bool) -> Subject:
    """Padding that is the end token.

    A tokenizer without padding was lent its end token, and the collator masks every label that is padding. With it
    went all end tokens: the tuned model answers and never stops.

    Source: https://github.com/huggingface/trl/issues/976
    """
    rows = batch(*chats(), pad=END)
    return _examples(Rows(rows.ids, rows.learned & (rows.ids != END)) if wrong else rows)


@exhibit(stop_token_is_learned)
def answers_without_an_end(wrong: bool) -> Subject:
    """Answers without an end.

    The tokenizer did not append the end token to the rows that a model was tuned on, as its users had expected. What
    marks the end of an answer when it is used was never seen at the end of one.

    Source: https://github.com/tatsu-lab/stanford_alpaca/issues/126
    """
    return _examples(batch(*chats(ends=0 if wrong else 1)))


@exhibit(every_example_teaches)
def answers_cut_off(wrong: bool) -> Subject:
    """Answers cut off, and a loss of 0.

    Rows were cut to a length that left nothing of their answers, so that all labels were masked. The loss was reported
    as 0.0 and the training finished normally.

    Source: https://github.com/huggingface/trl/issues/6668
    """
    rows = batch(*chats())
    most = 7 if wrong else rows.ids.shape[1]
    return _examples(Rows(rows.ids[:, :most], rows.learned[:, :most]))


@exhibit(every_example_teaches)
def an_answer_that_is_not_found(wrong: bool) -> Subject:
    """A beginning of the answer that is not found.

    What is learned was looked for after a phrase as the tokenizer writes it alone, with a blank of its own; before a
    word the blank belongs to the word. The phrase was found nowhere, and every example was masked.

    Source: https://github.com/huggingface/trl/issues/1920
    """
    rows, _ = chats()
    phrase = [REPLY, 20] if wrong else [REPLY]  # 20: a blank by itself
    learned = []
    for row in rows:
        starts = [place for place in range(len(row)) if row[place : place + len(phrase)] == phrase]
        learned.append([bool(starts) and place >= starts[0] + len(phrase) for place in range(len(row))])
    return _examples(batch(rows, learned))
