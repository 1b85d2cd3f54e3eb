"""Exhibits about the key/value cache: windows, places and masks of what is read after what is already there."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from linnet.prove.cache import cached_equals_full
from linnet.prove.subject import Reading, Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, norm, plain

WINDOW = 6  # tokens that a token looks at, itself included


def between(rows: Tensor, columns: Tensor, window: int | None) -> Tensor:
    """Return the mask [1, T, S] of tokens at places `rows` that look at those at places `columns`."""
    distance = rows[:, None] - columns[None]
    mask = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return mask[None]


class Cached(Decoder):
    """The decoder that keeps what each layer was given, to read a row piece by piece.

    Keeping a layer's input instead of its keys and values is the same cache, in one tensor instead of two.
    """

    def __init__(self, window: int | None = None):
        super().__init__()
        self.window = window

    def visible(self, tokens: int) -> Tensor:
        """Return [1, T, T]: what a whole row looks at."""
        return between(torch.arange(tokens), torch.arange(tokens), self.window)

    def pieces(self, ids: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return the logits [B, T, V] of a row that is read in pieces of these sizes."""
        kept = [torch.zeros(len(ids), 0, self.head.in_features) for _ in self.attention]
        return torch.cat([self.read(piece, kept) for piece in ids.split(list(sizes), dim=1)], dim=1)

    def read(self, ids: Tensor, kept: list[Tensor]) -> Tensor:
        """Return the logits of a piece [B, T], after what was kept, and keep it as well."""
        start, tokens = kept[0].shape[1], ids.shape[1]
        x = self.enter(ids, self.standing(start, tokens).expand(ids.shape))
        for number, (attention, mlp) in enumerate(zip(self.attention, self.mlp, strict=True)):
            kept[number] = torch.cat((kept[number], norm(x)), dim=1)
            x = x + attention(norm(x), kept[number], self.looking(start, tokens), torch.zeros(1))
            x = x + mlp(norm(x))
        return self.head(norm(x))

    def standing(self, start: int, tokens: int) -> Tensor:
        """Return the places [T] of a piece after `start` tokens."""
        return torch.arange(start, start + tokens)

    def looking(self, start: int, tokens: int) -> Tensor:
        """Return [1, T, S]: what a piece after `start` tokens looks at."""
        return between(torch.arange(start, start + tokens), torch.arange(start + tokens), self.window)


def _subject(model: Cached) -> Subject:
    return replace(plain(model), reading=Reading(cached=model.pieces, window=model.window))


@exhibit(cached_equals_full)
def a_cache_that_ignores_the_window(wrong: bool) -> Subject:
    """A cache that ignores the window.

    While writing token by token, attention read all of the cache, though the model had learned with a sliding window.
    Nothing was wrong until a text grew longer than the window.

    Source: https://github.com/karpathy/nanochat/pull/456
    """

    class Whole(Cached):
        def looking(self, start: int, tokens: int) -> Tensor:
            window = None if wrong and tokens == 1 else self.window
            return between(torch.arange(start, start + tokens), torch.arange(start + tokens), window)

    return _subject(Whole(WINDOW))


@exhibit(cached_equals_full)
def a_window_of_two_widths(wrong: bool) -> Subject:
    """A window one token wider in the prompt than in the cache.

    The mask of a prompt let a token look at as many tokens before it as the window is wide, and at itself; the
    rotating cache kept one fewer. A prompt and the same text written word by word were read differently.

    Source: https://github.com/ml-explore/mlx-lm/pull/390
    """

    class Wide(Cached):
        def visible(self, tokens: int) -> Tensor:
            return between(torch.arange(tokens), torch.arange(tokens), WINDOW + wrong)

    return _subject(Wide(WINDOW))


@exhibit(cached_equals_full)
def places_that_begin_anew_after_the_cache(wrong: bool) -> Subject:
    """Places that begin anew after the cache.

    New tokens after a cache always got the places from 0 on, whatever had been read before. Small models wrote
    distorted and repetitive text; a large one hid it.

    Source: https://github.com/ml-explore/mlx-lm/pull/93
    """

    class Anew(Cached):
        def standing(self, start: int, tokens: int) -> Tensor:
            return torch.arange(tokens) + (0 if wrong else start)

    return _subject(Anew())


@exhibit(cached_equals_full)
def a_mask_in_the_corner_of_the_cache(wrong: bool) -> Subject:
    """A causal mask aligned with the wrong corner of the cache.

    Several tokens read after a cache got the triangle of an empty one: the first looked at the first key only, the
    second at two. The whole prompt before them was hidden, whenever more than one token came at once.

    Source: https://github.com/hyprstream/hyprstream/pull/1521
    """

    class Corner(Cached):
        def looking(self, start: int, tokens: int) -> Tensor:
            mask = torch.ones(1, tokens, start + tokens, dtype=torch.bool)
            return mask.tril(0 if wrong and tokens > 1 else start)

    return _subject(Corner())
