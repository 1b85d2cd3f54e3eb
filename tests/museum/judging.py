"""Exhibits about judging answers: which tokens a judge learns from, and where its score is read."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.judging import only_answers_are_judged, score_is_that_of_the_last_token
from linnet.prove.parts import JudgedAnswer, Judging
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import HIDDEN, Decoder, fill, plain

Answers = Sequence[JudgedAnswer]
Places = Callable[[JudgedAnswer], range]


def own_tokens(one: JudgedAnswer) -> range:
    """Return the places of an answer's tokens in its row."""
    return range(len(one.prompt), len(one.prompt) + len(one.answer))


def _judge(learned: Places, last: Callable[[JudgedAnswer], int]) -> Subject:
    """Return a judge that learns at some places of each row, and whose score is read at one."""
    model = Decoder()
    model.head = nn.Linear(HIDDEN, 1, bias=False)
    fill(model)

    def odds(one: JudgedAnswer) -> Tensor:
        return model(torch.tensor([[*one.prompt, *one.answer]]))[0, :, 0]

    def loss(answers: Answers) -> Tensor:
        said = [odds(one)[list(learned(one))] for one in answers]
        labels = [torch.full_like(part, float(one.right)) for part, one in zip(said, answers, strict=True)]
        return F.binary_cross_entropy_with_logits(torch.cat(said), torch.cat(labels))

    def scores(answers: Answers) -> Tensor:
        return torch.stack([odds(one)[last(one)] for one in answers]).sigmoid()

    return replace(plain(model), judging=Judging(loss, scores))


@exhibit(only_answers_are_judged)
def a_mask_one_token_early(wrong: bool) -> Subject:
    """A reward learned one token too early.

    The mask that chose a reward model's tokens was the causal one of next-token training. So the token before the end
    was learned from in the place of the end.

    Source: https://github.com/EleutherAI/gpt-neox/pull/1285
    """

    def learned(one: JudgedAnswer) -> range:
        tokens = own_tokens(one)
        return range(tokens.start - 1, tokens.stop - 1) if wrong else tokens

    return _judge(learned, lambda one: own_tokens(one)[-1])


@exhibit(score_is_that_of_the_last_token)
def an_end_that_is_also_padding(wrong: bool) -> Subject:
    """A score read before the first end mark.

    A row's length was taken to be the place of the first padding token. Where the end mark served as padding too, that
    is the first end mark of the row, and the score was read one token before it.

    Source: https://github.com/huggingface/transformers/issues/35352
    """

    def last(one: JudgedAnswer) -> int:
        ids = [*one.prompt, *one.answer]
        return max(0, ids.index(ids[-1]) - 1) if wrong else len(ids) - 1

    return _judge(own_tokens, last)
