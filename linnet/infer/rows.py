"""Many rows of ids written at once: prefill, one cached step a token, finished rows leave.

B rows, T tokens, V vocabulary. Ids only; texts and stop strings are the matter of `linnet.infer.decode`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.sampling import Draws, pick, report
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.kv_cache import Cache, KVCache

# Prompts are read in pieces, so that neither attention (tokens) nor logits (rows x tokens x V) take much memory.
PREFILL_TOKENS, PREFILL_LOGITS = 512, 2**26
# Rows are taken out of the cache (a copy of what stays) when so many have finished, not one by one.
KEEP_SHARE = 0.75


@dataclass(frozen=True)
class Choice:
    """One token of one row; `last` when the row may not go on (its budget or the context is used up).

    `logprob` is the model's own, ln p before any filter or temperature; `top` holds (id, logprob) of the likeliest.
    A token that was `given`, not chosen, has a logprob of 0.
    """

    row: int
    id: int
    logprob: float
    top: tuple[tuple[int, float], ...]
    last: bool
    given: bool = False


class Rows:
    """A batch of rows being written; `choose`, look at the choices, `advance` without those that are finished.

    A row ends with its budget of `max_tokens`, or at the model's context: a prompt of P tokens leaves room for
    context_length - P + 1, the last of which the model need not read. A model with a window in every layer and no
    absolute positions goes on beyond its context, in a rolling cache.
    """

    def __init__(
        self,
        model: Decoder,
        prompts: Sequence[Sequence[int]],
        sampling: SamplingConfig,
        copies: Sequence[int] | None = None,
        vocab_size: int | None = None,
    ):
        """Read the prompts [each: ids]; equal prompts are read once.

        `copies` numbers equal prompts (for the random draws); `vocab_size` of the tokenizer bars ids beyond it.
        Raises BadInput for an empty prompt, one longer than the context, or an id the model does not have.
        """
        config = model.config
        check_prompts(prompts, config)
        self.model, self.sampling = model, sampling
        self.device = model.embedding.weight.device
        self.vocab_size = min(vocab_size or config.vocab_size, config.vocab_size)
        self.alive = list(range(len(prompts)))  # which row of the batch (and the cache) is which of the caller's
        unlimited = goes_beyond_context(config)
        most = sampling.max_tokens
        self._budget = [most if unlimited else min(most, config.context_length - len(p) + 1) for p in prompts]
        self._lengths = [len(prompt) for prompt in prompts]
        self._finished: set[int] = set()
        longest = max(length + budget - 1 for length, budget in zip(self._lengths, self._budget, strict=True))
        rolling = unlimited and longest > config.context_length
        self._logits, self._cache = prefill(model, prompts, longest, rolling)
        copies = copies if copies is not None else count_copies(prompts)
        self._draws = Draws(sampling.seed, prompts, copies, self._logits.device) if sampling.temperature else None
        self._seen = self._mark(prompts) if sampling.repetition_penalty != 1 else None
        self._chosen = torch.empty(0)

    @torch.inference_mode()
    def choose(self, given: Mapping[int, int] = MappingProxyType({})) -> list[Choice]:
        """Choose the next token of every row that is not finished; `given` says, by row, which token it must be."""
        logits = self._logits[:, : self.vocab_size].float()
        ids = pick(logits, self.sampling, None if self._draws is None else self._draws.next(), self._seen)
        for place, row in enumerate(self.alive if given else ()):
            if row in given:
                ids[place] = given[row]
        self._chosen = ids
        if self._seen is not None:
            self._seen.scatter_(1, ids[:, None], True)
        numbers, top = report(logits, ids, self.sampling.top_logprobs)
        found = []
        for place, (row, id) in enumerate(zip(self.alive, ids.tolist(), strict=True)):
            self._budget[row] -= 1
            if row not in self._finished:
                logprob = 0.0 if row in given else numbers[place]
                found.append(Choice(row, id, logprob, top[place], self._budget[row] == 0, row in given))
        return found

    @torch.inference_mode()
    def advance(self, finished: set[int]) -> bool:
        """Let the model read the chosen tokens of the rows that go on; False when none does.

        `finished` names rows that are to end before their last token.
        """
        self._finished |= finished | {row for row in self.alive if self._budget[row] <= 0}
        stay = [place for place, row in enumerate(self.alive) if row not in self._finished]
        if not stay:
            return False
        full = not self._cache.rolling and self._cache.longest == self._cache.capacity
        if full or len(stay) <= KEEP_SHARE * len(self.alive):
            self._keep(stay)
        for row in self.alive:
            self._lengths[row] += 1
        self._logits = read(self.model, self._chosen[:, None].to(self.device), self._cache)[:, -1]
        if self._logits.device.type == "mps":  # it has no float64, which the draws need
            self._logits = self._logits.cpu()
        return True

    def _keep(self, stay: list[int]) -> None:
        index = torch.tensor(stay, device=self._chosen.device)
        self._cache.select(index.to(self.device))
        self._chosen = self._chosen[index]
        if self._draws is not None:
            self._draws.select(stay)
        if self._seen is not None:
            self._seen = self._seen[index]
        self.alive = [self.alive[place] for place in stay]
        # The cache only counts up; here we know how long the longest row that stays really is.
        self._cache.longest = max(self._lengths[row] for row in self.alive)

    def _mark(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        seen = torch.zeros(len(prompts), self.vocab_size, dtype=torch.bool)
        for row, prompt in enumerate(prompts):
            seen[row, [id for id in prompt if id < self.vocab_size]] = True
        return seen.to(self._logits.device)


def goes_beyond_context(config: ModelConfig) -> bool:
    """Say whether a model can write on without end: a window in all layers, and no absolute positions."""
    return config.window is not None and not config.global_every and config.positions in ("rotary", "none")


def check_prompts(prompts: Sequence[Sequence[int]], config: ModelConfig) -> None:
    """Raise BadInput, naming the prompt, for one that is empty, too long, or holds an id the model does not have.

    Also for a model that does not write: one with a head of scores.
    """
    if config.output_size is not None:
        raise BadInput(f"this model gives {config.output_size} score(s) a token and no words: it cannot write")
    for number, prompt in enumerate(prompts, start=1):
        if not len(prompt):
            raise BadInput(f"prompt {number} is empty: give at least one token (the end token begins a document)")
        if len(prompt) > config.context_length and not goes_beyond_context(config):
            raise BadInput(
                f"prompt {number} has {len(prompt):,} tokens, the model's context {config.context_length:,}: shorten it"
            )
        if not 0 <= min(prompt) <= max(prompt) < config.vocab_size:
            raise BadInput(
                f"prompt {number} holds ids from {min(prompt)} to {max(prompt)}, the model has {config.vocab_size:,}; "
                "is it another model's tokenizer?"
            )


def count_copies(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Return for each prompt how many equal ones come before it."""
    before: dict[tuple[int, ...], int] = {}
    found = []
    for prompt in map(tuple, prompts):
        found.append(before.get(prompt, 0))
        before[prompt] = found[-1] + 1
    return found


@torch.inference_mode()
def prefill(model: Decoder, prompts: Sequence[Sequence[int]], longest: int, rolling: bool) -> tuple[Tensor, KVCache]:
    """Read the prompts, each distinct one once, in chunks; return the logits [B, V] after each and the cache."""
    distinct = {tuple(prompt): None for prompt in prompts}
    places = {prompt: place for place, prompt in enumerate(distinct)}
    lengths = torch.tensor([len(prompt) for prompt in distinct])
    ids = torch.zeros(len(distinct), int(lengths.max()), dtype=torch.int64)  # right-padded with 0
    for place, prompt in enumerate(distinct):
        ids[place, : len(prompt)] = torch.tensor(prompt)
    device = model.embedding.weight.device
    cache = model.new_cache(len(distinct), longest, rolling=rolling)
    after = torch.empty(0)
    chunk = max(1, min(PREFILL_TOKENS, PREFILL_LOGITS // (len(distinct) * model.config.vocab_size)))
    for start in range(0, ids.shape[1], chunk):
        piece = ids[:, start : start + chunk]
        real = (lengths - start).clamp(0, piece.shape[1])
        last = read(model, piece.to(device), cache, real.to(device), after=(real - 1).clamp(min=0).to(device))
        ends_here = (real > 0).to(device)[:, None]
        after = last[:, 0] if start == 0 else torch.where(ends_here, last[:, 0], after)
    if len(distinct) != len(prompts):
        rows = torch.tensor([places[tuple(prompt)] for prompt in prompts], device=device)
        cache.select(rows)
        after = after[rows]
    return (after.cpu() if device.type == "mps" else after), cache


def read(
    model: Decoder, ids: Tensor, cache: Cache, lengths: Tensor | None = None, after: Tensor | None = None
) -> Tensor:
    """Return the logits [B, T, V] of a model in evaluation mode, whatever mode it is in.

    lengths [B] and after [B] are those of `Decoder.forward`.
    """
    if not model.training:
        return model(ids, cache=cache, lengths=lengths, after=after)
    model.eval()
    try:
        return model(ids, cache=cache, lengths=lengths, after=after)
    finally:
        model.train()
