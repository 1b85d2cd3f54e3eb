"""From logits to tokens: the filters of sampling as pure functions, and draws that depend on the row alone.

B rows, V vocabulary. A token that a filter takes out gets the logit -inf; every filter leaves at least one.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.infer.config import SamplingConfig

COLDEST = 1e-6  # below it logits would overflow; what is said there is greedy already
BLOCK = 128  # random numbers drawn at a time for each row


def penalise_repetition(logits: Tensor, seen: Tensor, penalty: float) -> Tensor:
    """Divide positive and multiply negative logits [B, V] of the tokens in `seen` (bool [B, V]) by the penalty.

    Keskar et al. 2019 (CTRL), in the form of transformers, which also lowers negative logits.
    """
    return torch.where(seen, torch.where(logits > 0, logits / penalty, logits * penalty), logits)


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Keep the k largest logits of each row [B, V], ties with the k-th included (Fan et al. 2018)."""
    least = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < least, float("-inf"))


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Keep the fewest likeliest tokens of each row [B, V] whose probability reaches p (Holtzman et al. 2020)."""
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    probabilities = ordered.softmax(-1)
    before = probabilities.cumsum(-1) - probabilities
    beyond = before >= p
    beyond[..., 0] = False
    return logits.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), float("-inf"))


def keep_min_p(logits: Tensor, min_p: float) -> Tensor:
    """Keep tokens [B, V] whose probability is at least min_p times that of the likeliest (Nguyen et al. 2024)."""
    probabilities = logits.softmax(-1)
    return logits.masked_fill(probabilities < min_p * probabilities.amax(-1, keepdim=True), float("-inf"))


def filtered(logits: Tensor, config: SamplingConfig, seen: Tensor | None = None) -> Tensor:
    """Return the logits [B, V] to sample from: repetition, temperature, top-k, top-p, min-p, in this order.

    The order is that of transformers. `seen` (bool [B, V]) marks the tokens of prompt and text so far.
    """
    if config.repetition_penalty != 1 and seen is not None:
        logits = penalise_repetition(logits, seen, config.repetition_penalty)
    if config.temperature not in (0, 1):
        logits = logits / max(config.temperature, COLDEST)
    if config.top_k:
        logits = keep_top_k(logits, config.top_k)
    if config.top_p < 1:
        logits = keep_top_p(logits, config.top_p)
    if config.min_p > 0:
        logits = keep_min_p(logits, config.min_p)
    return logits


def sample(logits: Tensor, uniforms: Tensor) -> Tensor:
    """Return an id [B] for each row of logits [B, V] by inverting its distribution at uniforms [B] in [0, 1)."""
    reached = logits.softmax(-1).cumsum(-1, dtype=torch.float64)
    # Just under 1, so that rounding cannot step over the last token that has a probability.
    wanted = uniforms.clamp(max=1 - 2**-40)[:, None] * reached[:, -1:]
    return torch.searchsorted(reached, wanted, right=True).squeeze(-1)


def pick(logits: Tensor, config: SamplingConfig, uniforms: Tensor | None, seen: Tensor | None = None) -> Tensor:
    """Return the next id [B] of each row: drawn at uniforms [B], or without them the likeliest that the filters leave.

    logits [B, V] and seen [B, V] are those of `filtered`.
    """
    candidates = filtered(logits, config, seen)
    return likeliest(candidates) if uniforms is None else sample(candidates, uniforms)


def likeliest(logits: Tensor) -> Tensor:
    """Return the id [B] of the largest of each row of logits [B, V], the first of equal ones."""
    if logits.device.type == "cpu" and logits.dtype == torch.float32:  # NumPy is 8 to 13 times as fast here
        return torch.from_numpy(logits.detach().numpy().argmax(-1))
    return logits.argmax(-1)


def report(logits: Tensor, ids: Tensor, count: int) -> tuple[list[float], list[tuple[tuple[int, float], ...]]]:
    """Return ln p of the ids [B] chosen from logits [B, V], and of each row the `count` likeliest (id, ln p)."""
    logprobs = logits.log_softmax(-1)
    top: list[tuple[tuple[int, float], ...]] = [()] * len(ids)
    if count:
        values, places = logprobs.topk(min(count, logits.shape[-1]), dim=-1)
        top = [tuple(zip(*pair, strict=True)) for pair in zip(places.tolist(), values.tolist(), strict=True)]
    return logprobs.gather(1, ids[:, None]).squeeze(1).tolist(), top


class Draws:
    """Uniform random numbers of rows, each from a generator of its own.

    The numbers of a row follow from the seed, its prompt and which copy of that prompt it is, so batch mates never
    change what it says.
    """

    def __init__(self, seed: int, prompts: Sequence[Sequence[int]], copies: Sequence[int], device: torch.device):
        self._generators = [
            torch.Generator().manual_seed(row_seed(seed, prompt, copy))
            for prompt, copy in zip(prompts, copies, strict=True)
        ]
        self._device = device
        self._at = BLOCK
        self._block = torch.empty(0)

    def next(self) -> Tensor:
        """Return the next number of every row, [B] float64."""
        if self._at == BLOCK:
            rows = [torch.rand(BLOCK, generator=row, dtype=torch.float64) for row in self._generators]
            self._block = torch.stack(rows).to(self._device)
            self._at = 0
        self._at += 1
        return self._block[:, self._at - 1]

    def select(self, rows: Sequence[int]) -> None:
        """Keep the given rows, in that order."""
        self._generators = [self._generators[row] for row in rows]
        self._block = self._block[torch.tensor(rows, device=self._block.device)] if self._at < BLOCK else self._block


def row_seed(seed: int, prompt: Sequence[int], copy: int) -> int:
    """Return the seed of one row's generator, 63 bits of a BLAKE2 hash of the three."""
    words = f"{seed} {copy} {' '.join(map(str, prompt))}"
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest(), "big") >> 1
