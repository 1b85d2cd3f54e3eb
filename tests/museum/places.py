"""Exhibits about where a token stands: rotary angles, padding on the left, packed rows."""

from dataclasses import replace

import torch
from torch import Tensor

from linnet.prove.invariance import left_padding_changes_nothing
from linnet.prove.packing import packed_documents_do_not_see_each_other, packed_equals_alone
from linnet.prove.positions import moved_rows_read_the_same, rotary_scores_depend_on_distance_only
from linnet.prove.subject import Reading, Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Attention, Decoder, plain

HEAD_SIZE = 8


def angles(places: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the angles [B, 1, T, d / 2] of places [B, T], worked out in a type (RoPE, Su et al. 2021)."""
    frequencies = 100.0 ** (-torch.arange(0, HEAD_SIZE, 2) / HEAD_SIZE)
    return (places[:, None, :, None].to(dtype) * frequencies.to(dtype)).to(dtype)


def turned_halves(x: Tensor) -> Tensor:
    """Turn pairs made of the first and the second half by a right angle."""
    first, second = x.chunk(2, -1)
    return torch.cat((-second, first), -1)


def turned_neighbours(x: Tensor) -> Tensor:
    """Turn pairs of neighbours by a right angle."""
    return torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)


class Rotary(Decoder):
    """The decoder with rotary positions instead of learned ones."""

    def __init__(self, dtype: torch.dtype = torch.float32):
        class Turning(Attention):
            def turn(self, x: Tensor, places: Tensor) -> Tensor:
                twice = torch.cat((angles(places, dtype),) * 2, -1)
                return x * twice.cos().to(x.dtype) + turned_halves(x) * twice.sin().to(x.dtype)

        super().__init__(Turning)

    def enter(self, ids: Tensor, places: Tensor) -> Tensor:
        """Return the embeddings of tokens alone."""
        return self.tokens(ids)


@exhibit(rotary_scores_depend_on_distance_only)
def rotary_positions_of_two_layouts_mixed(wrong: bool) -> Subject:
    """Rotary positions of two layouts mixed.

    Angles laid out for pairs of neighbours (a, a, b, b) met a turn that pairs the first half with the second. The two
    numbers of a pair are turned by different angles, and scores no longer depend on distance alone.

    Source: https://github.com/raiyanyahya/how-to-train-your-gpt/pull/7
    """

    def rotate(x: Tensor, places: Tensor) -> Tensor:
        twice = angles(places).repeat_interleave(2, -1)
        turned = turned_halves(x) if wrong else turned_neighbours(x)
        return x * twice.cos() + turned * twice.sin()

    return replace(plain(Rotary()), reading=Reading(rotate=rotate, head_size=HEAD_SIZE))


@exhibit(moved_rows_read_the_same)
def rotary_angles_in_half_precision(wrong: bool) -> Subject:
    """Rotary angles in half precision.

    The table of cosines and sines was worked out in the precision of the model, where an angle at a late place can be
    off by a good part of a turn. The further into a text, the wilder the error.

    Source: https://github.com/EleutherAI/gpt-neox/issues/1003
    """
    model = Rotary(torch.bfloat16 if wrong else torch.float32)

    def moved(ids: Tensor, offset: int) -> Tensor:
        return model(ids, places=(torch.arange(ids.shape[1]) + offset).expand(ids.shape))

    return replace(plain(model), reading=Reading(moved=moved))


@exhibit(left_padding_changes_nothing)
def places_that_count_the_padding_on_the_left(wrong: bool) -> Subject:
    """Places that count the padding on the left.

    A tool padded batches of prompts on the left and left the places to the model, which counts from the edge of the
    row. Every prompt but the longest was read as if it began later, and answered wrongly, without an error.

    Source: https://github.com/ndif-team/nnsight/issues/672
    """
    model = Decoder()

    def left_padded(ids: Tensor, lengths: Tensor) -> Tensor:
        tokens = ids.shape[1]
        real = torch.arange(tokens) >= tokens - lengths[:, None]
        places = torch.arange(tokens).expand(ids.shape) if wrong else (real.cumsum(-1) - 1).clamp(min=0)
        return model(ids, model.visible(tokens) & real[:, None], places)

    return replace(plain(model), reading=Reading(left_padded=left_padded))


@exhibit(packed_documents_do_not_see_each_other)
def packed_rows_that_see_each_other(wrong: bool) -> Subject:
    """Packed rows that see each other.

    The mask between packed documents was made only when no attention mask came along; trainers pass one of all ones.
    Documents of a row looked at those before them while the loss kept falling.

    Source: https://github.com/huggingface/transformers/pull/46634
    """
    return _packed(keep_apart=not wrong)


@exhibit(packed_equals_alone)
def packed_rows_that_count_on(wrong: bool) -> Subject:
    """Packed rows that count on from the document before.

    Documents packed into one row were kept apart by the mask, but their places went on from one to the next. All but
    the first were learned as if their texts began in the middle.

    Source: https://github.com/hiyouga/LlamaFactory/pull/7318
    """
    return _packed(begin_anew=not wrong)


def _packed(keep_apart: bool = True, begin_anew: bool = True) -> Subject:
    model = Decoder()

    def packed(ids: Tensor, documents: Tensor) -> Tensor:
        places = torch.arange(ids.shape[1]).expand(ids.shape)
        mask = model.visible(ids.shape[1])
        if keep_apart:
            mask = mask & (documents[:, :, None] == documents[:, None])
        if begin_anew:
            places = places - torch.searchsorted(documents, documents)
        return model(ids, mask, places)

    return replace(plain(model), reading=Reading(packed=packed))
