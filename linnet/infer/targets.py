"""Texts from an encoder-decoder: each source is read once, its target written token by token; greedy, drawn or beams.

B rows, S source tokens, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.batches.source_target import source_batch, start_of
from linnet.core.errors import BadInput
from linnet.infer.beam import Beam, search_on
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import Completion
from linnet.infer.rows import count_copies, read
from linnet.infer.sampling import Draws, filtered, sample
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.kv_cache import KVCache
from linnet.text.tokenizer import Tokenizer


@torch.inference_mode()
def write_targets(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    sources: Sequence[str],
    sampling: SamplingConfig,
    batch_size: int = 64,
) -> list[Completion]:
    """Return what a model makes of each source, in order; a row's draws depend on the seed and its own source alone.

    Of `sampling` stop strings, the calculator, the repetition penalty and top_logprobs are not for sources. Raises
    BadInput for these, and for a source longer than the context.
    """
    if sampling.stop or sampling.calculator or sampling.repetition_penalty != 1 or sampling.top_logprobs:
        raise BadInput("stop strings, calculator, repetition penalty and top_logprobs are not for an encoder-decoder")
    rows = source_rows(model, tokenizer, sources)
    copies = count_copies(rows)
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))  # rows of like length share a batch
    found: dict[int, Completion] = {}
    for first in range(0, len(order), batch_size):
        part = order[first : first + batch_size]
        draws = None
        if sampling.temperature:
            chosen = [rows[row] for row in part], [copies[row] for row in part]
            draws = Draws(sampling.seed, *chosen, torch.device("cpu"))
        written = _write(model, tokenizer, [rows[row] for row in part], sampling, draws)
        found |= dict(zip(part, written, strict=True))
    return [found[row] for row in range(len(rows))]


@torch.inference_mode()
def beam_targets(
    model: EncoderDecoder, tokenizer: Tokenizer, source: str, width: int, max_tokens: int, length_penalty: float = 1.0
) -> list[Beam]:
    """Return the `width` best targets of a source that a beam search met, best first; scores as in `beam_search`."""
    [row] = source_rows(model, tokenizer, [source])
    most = min(max_tokens, model.config.context_length)
    logits, cache = _begin(model, tokenizer, [row], most)
    vocabulary = min(tokenizer.vocab_size, model.config.vocab_size)
    return search_on(model.decoder, logits, cache, width, most, [tokenizer.end_id], length_penalty, vocabulary)


def source_rows(model: EncoderDecoder, tokenizer: Tokenizer, sources: Sequence[str]) -> list[list[int]]:
    """Return sources as ids with the end token; raises BadInput for one longer than the model's context."""
    rows = [[*ids.tolist(), tokenizer.end_id] for ids in tokenizer.encode_arrays(sources)]
    longest, context = max(map(len, rows), default=0), model.config.context_length
    if longest > context:
        raise BadInput(f"a source has {longest:,} tokens, the model's context {context:,}: shorten it")
    return rows


def _begin(
    model: EncoderDecoder, tokenizer: Tokenizer, rows: Sequence[Sequence[int]], most: int
) -> tuple[Tensor, KVCache]:
    """Read sources and the start token; return the logits [B, V] of the first token of each, and the cache."""
    device = model.embedding.weight.device
    was_training = model.training
    source, lengths = source_batch(rows, tokenizer.pad_id)
    model.eval()
    cache = model.new_cache(source.to(device), most, lengths.to(device))
    model.train(was_training)
    start = torch.full((len(rows), 1), start_of(model.config, tokenizer), device=device)
    return read(model.decoder, start, cache)[:, -1], cache


def _write(
    model: EncoderDecoder,
    tokenizer: Tokenizer,
    rows: Sequence[Sequence[int]],
    sampling: SamplingConfig,
    draws: Draws | None,
) -> list[Completion]:
    most = min(sampling.max_tokens, model.config.context_length)
    logits, cache = _begin(model, tokenizer, rows, most)
    vocabulary = min(tokenizer.vocab_size, model.config.vocab_size)
    ids: list[list[int]] = [[] for _ in rows]
    logprobs: list[list[float]] = [[] for _ in rows]
    alive = list(range(len(rows)))
    for length in range(1, most + 1):
        scores = logits[:, :vocabulary].float().cpu()
        candidates = filtered(scores, sampling)
        chosen = candidates.argmax(-1) if draws is None else sample(candidates, draws.next())
        sure = scores.log_softmax(-1).gather(1, chosen[:, None])[:, 0].tolist()
        for row, id, logprob in zip(alive, chosen.tolist(), sure, strict=True):
            ids[row].append(id)
            logprobs[row].append(logprob)
        stay = [place for place, id in enumerate(chosen.tolist()) if id != tokenizer.end_id]
        if not stay or length == most:
            break
        if len(stay) < len(alive):
            alive, chosen = [alive[place] for place in stay], chosen[stay]
            cache.select(torch.tensor(stay, device=logits.device))
            if draws is not None:
                draws.select(stay)
        logits = read(model.decoder, chosen[:, None].to(logits.device), cache)[:, -1]
    return [
        Completion(tokenizer.decode(row), tuple(row), tuple(sure), "stop" if row[-1] == tokenizer.end_id else "length")
        for row, sure in zip(ids, logprobs, strict=True)
    ]
