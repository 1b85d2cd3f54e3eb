"""Beam search: the likeliest whole continuation, not the likeliest next token; cached, beams swap by `select`.

W beams, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Completion, prompt_ids
from linnet.infer.rows import check_prompts, goes_beyond_context, prefill, read
from linnet.infer.score import score
from linnet.model.decoder import Decoder
from linnet.model.kv_cache import KVCache
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Beam:
    """A continuation: ids (a stop id included), ln p of them all, and the score it is ranked by."""

    ids: tuple[int, ...]
    logprob: float
    score: float
    stopped: bool


@torch.inference_mode()
def beam_search(
    model: Decoder,
    prompt: Sequence[int],
    width: int,
    max_tokens: int,
    stop_ids: Sequence[int] = (),
    length_penalty: float = 1.0,
    vocab_size: int | None = None,
) -> list[Beam]:
    """Return the `width` best continuations of a prompt (ids) that the search met, best first.

    The score is ln p / length^length_penalty (0 ranks by probability, larger favours longer texts; Wu et al. 2016 in
    the form of transformers). The search ends when no running beam can beat the finished ones, at `max_tokens` or
    at the context. Raises BadInput for a bad prompt or a width below 1.
    """
    if width < 1 or max_tokens < 1:
        raise BadInput(f"a beam search needs a width and a number of tokens of at least 1, not {width}, {max_tokens}")
    check_prompts([prompt], model.config)
    context = model.config.context_length
    beyond = goes_beyond_context(model.config)
    most = max_tokens if beyond else min(max_tokens, context - len(prompt) + 1)
    longest = len(prompt) + most - 1
    logits, cache = prefill(model, [prompt], longest, rolling=beyond and longest > context)
    vocabulary = min(vocab_size or model.config.vocab_size, model.config.vocab_size)
    return search_on(model, logits, cache, width, most, stop_ids, length_penalty, vocabulary)


def search_on(
    model: Decoder,
    logits: Tensor,
    cache: KVCache,
    width: int,
    most: int,
    stop_ids: Sequence[int],
    length_penalty: float,
    vocabulary: int,
) -> list[Beam]:
    """Return the `width` best continuations of the one row that a cache holds, after logits [1, V] of its last token.

    Of the vocabulary only the first so many ids are written; at most `most` tokens, which the cache must have room for.
    """
    stops = frozenset(stop_ids)
    running: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[Beam] = []
    for length in range(1, most + 1):
        parents, running = _grow(running, logits[:, :vocabulary], width, stops, finished, length**length_penalty)
        if length == most:
            finished += [Beam(ids, logprob, logprob / most**length_penalty, False) for ids, logprob in running]
        if length == most or settled(running, finished, width, length, most, length_penalty):
            break
        device = model.embedding.weight.device
        cache.select(torch.tensor(parents, device=device))
        last = torch.tensor([[ids[-1]] for ids, _ in running], device=device)
        logits = read(model, last, cache)[:, -1]
    return sorted(finished, key=lambda beam: -beam.score)[:width]


def beam_texts(
    model: Decoder,
    tokenizer: Tokenizer,
    prompt: str | Sequence[int],
    sampling: SamplingConfig,
    width: int,
    count: int = 1,
    length_penalty: float = 1.0,
    begin: bool = True,
) -> list[Completion]:
    """Return the `count` best continuations of a prompt as texts, best first; of `sampling` only max_tokens counts.

    Raises BadInput when more are asked for than there are beams, and for stop strings, which beams cannot obey.
    """
    if count > width or sampling.stop or sampling.calculator:
        raise BadInput(
            f"a beam search of width {width} gives at most {width} texts, and obeys no stop strings and no calculator"
        )
    ids = prompt_ids(tokenizer, prompt, begin)
    ends = [] if tokenizer.metadata.end is None else [tokenizer.end_id]
    found = beam_search(model, ids, width, sampling.max_tokens, ends, length_penalty, tokenizer.vocab_size)[:count]
    scores = score(model, [ids] * len(found), [beam.ids for beam in found])
    return [
        Completion(tokenizer.decode(beam.ids), beam.ids, scored.logprobs, "stop" if beam.stopped else "length")
        for beam, scored in zip(found, scores, strict=True)
    ]


def _grow(
    running: list[tuple[tuple[int, ...], float]],
    logits: Tensor,
    width: int,
    stops: frozenset[int],
    finished: list[Beam],
    divisor: float,
) -> tuple[list[int], list[tuple[tuple[int, ...], float]]]:
    """Extend the running beams by a token; put those that stop among the best `width` into `finished`.

    Returns which old beam each of the (at most `width`) new ones continues, and the new beams.
    """
    before = torch.tensor([logprob for _, logprob in running], dtype=torch.float64, device="cpu")
    totals = before[:, None] + logits.float().log_softmax(-1).cpu().double()  # [W, V]
    # Each stop id can end at most every beam once: so many more candidates always leave enough that go on.
    count = min(totals.numel(), width * (1 + len(stops)))
    values, places = totals.flatten().topk(count)
    parents: list[int] = []
    grown: list[tuple[tuple[int, ...], float]] = []
    for rank, (value, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True)):
        parent, id = divmod(place, totals.shape[1])
        ids = (*running[parent][0], id)
        if id not in stops:
            if len(grown) < width:
                parents.append(parent)
                grown.append((ids, value))
        elif rank < width:
            finished.append(Beam(ids, value, value / divisor, True))
    return parents, grown


def settled(
    running: list[tuple[tuple[int, ...], float]],
    finished: list[Beam],
    width: int,
    length: int,
    most: int,
    penalty: float,
) -> bool:
    """Say whether the running beams cannot reach the `width` best finished ones any more.

    ln p only falls; its quotient by a power of the length is largest at the longest length when the power is
    positive, else at the next.
    """
    if not running or len(finished) < width:
        return not running
    worst = sorted((beam.score for beam in finished), reverse=True)[width - 1]
    hoped = most if penalty > 0 else length + 1
    return running[0][1] / hoped**penalty <= worst
