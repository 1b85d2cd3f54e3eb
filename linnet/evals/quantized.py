"""A quantized copy beside the model that it was made from: what was converted, bytes, speed, held-out text.

B rows, T tokens.
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linnet.adapt.quantize import Header, Rows, packed_modules
from linnet.artifacts import weights_file
from linnet.batches.packing import PackedRows
from linnet.batches.shards import Shard
from linnet.core.errors import BadInput
from linnet.evals.heldout import measure
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

PROMPT, NEW, ROUNDS = 128, 32, 7
BATCHES = (1, 8)


def calibration_rows(shard: Shard, count: int, context: int, packed: bool = False, batch_size: int = 8) -> list[Rows]:
    """Return about `count` rows of a shard: windows evenly spread over it or, `packed`, rows of whole documents.

    Raises BadInput for a shard that is too short.
    """
    if shard.tokens < context:
        raise BadInput(f"{shard.path}: {shard.tokens:,} tokens are too few to calibrate on; a row takes {context:,}")
    if packed:
        source = PackedRows(shard, min(batch_size, count), context, seed=0)
        batches = map(source.batch, range(-(-min(count, len(source.rows)) // batch_size)))
        return [(batch.ids, batch.documents) for batch in batches]
    starts = np.unique(np.linspace(0, shard.tokens - context, count).astype(np.int64))
    rows = [torch.from_numpy(np.asarray(shard.ids[start : start + context]).astype(np.int64)) for start in starts]
    return [(torch.stack(rows[first : first + batch_size]), None) for first in range(0, len(rows), batch_size)]


def converted(header: Header, copy: Decoder) -> dict[str, Any]:
    """Return how many weights were converted, each module with its bits, and what was left with the reason."""
    sizes = {name: module.matrix.rows * module.matrix.columns for name, module in packed_modules(copy)}
    parameters = dict(copy.named_parameters())
    shared = copy.config.tie_embeddings and "head" in header.packed
    weights = sum(size for name, size in sizes.items() if not (shared and name == "head"))
    left = {name: {"weights": parameters[name].numel(), "why": why} for name, why in header.left.items()}
    return {
        "converted": {name: {"weights": sizes[name], "bits": kept.bits} for name, kept in header.packed.items()},
        "converted_weights": weights,
        "left": left,
        "left_weights": sum(one["weights"] for one in left.values()),
    }


def held_out(full: Decoder, copy: Decoder, tokenizer: Tokenizer, shard: Shard, **how: Any) -> dict[str, Any]:
    """Return the held-out numbers of both, and what the copy loses in pairs over the same blocks of text."""
    before, after = measure(full, shard, tokenizer, **how), measure(copy, shard, tokenizer, **how)
    comparison = after.against(before)
    assert comparison is not None, "the same text for both"
    return {"full": before.numbers(), "quantized": after.numbers(), "lost_bits_per_byte": asdict(comparison)}


@torch.inference_mode()
def speeds(
    models: Mapping[str, Decoder], rounds: int = ROUNDS, batches: Sequence[int] = BATCHES, new: int = NEW
) -> list[dict[str, Any]]:
    """Return tokens a second of reading a prompt and of writing, for each number of rows: medians of turns.

    Every model has its turn in every round, so a slow spell of the machine meets all. `times` is the median over
    rounds of how many times as fast the last model is as the first.
    """
    names, found = list(models), []
    for batch in batches:
        taken = {(what, name): [] for what in ("prefill", "decode") for name in names}
        for turn in range(rounds + 1):
            for name, model in models.items():
                for what, speed in _turn(model, batch, new).items():
                    if turn:  # the first only warms up
                        taken[what, name].append(speed)
        for what in ("prefill", "decode"):
            row: dict[str, Any] = {"what": what, "batch": batch}
            row |= {name: statistics.median(taken[what, name]) for name in names}
            pairs = zip(taken[what, names[-1]], taken[what, names[0]], strict=True)
            row["times"] = statistics.median(last / first for last, first in pairs)
            found.append(row)
    return found


def _turn(model: Decoder, batch: int, new: int) -> dict[str, float]:
    context, vocabulary = model.config.context_length, model.config.vocab_size
    prompt = min(PROMPT, max(1, context // 2))
    new = max(1, min(new, context - prompt))
    draw = torch.Generator().manual_seed(0)
    device = model.embedding.weight.device
    ids = torch.randint(0, vocabulary, (batch, prompt + new), generator=draw).to(device)
    cache = model.new_cache(batch, prompt + new)
    last = torch.full((batch,), prompt - 1, device=device)
    start = time.perf_counter()
    model(ids[:, :prompt], cache=cache, after=last)
    middle = _now(device)
    for place in range(prompt, prompt + new):
        model(ids[:, place : place + 1], cache=cache)
    end = _now(device)
    return {"prefill": batch * prompt / (middle - start), "decode": batch * new / (end - middle)}


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def table(report: Mapping[str, Any]) -> str:
    """Return the lines for people of a report as `linnet quantize` leaves it."""
    lines = [
        f"converted: {len(report['converted'])} modules with {report['converted_weights']:,} weights; left in full "
        f"precision: {report['left_weights']:,} weights",
    ]
    reasons: dict[str, list[str]] = {}
    for name, one in report["left"].items():
        reasons.setdefault(one["why"], []).append(name)
    lines += [f"  left, {why}: {', '.join(names[:3])}{_more(names)}" for why, names in reasons.items()]
    before, after = report["bytes_before"], report["bytes_after"]
    lines.append(f"file: {before:,} bytes, now {after:,} ({after / before:.1%})")
    lines.append("products here: " + (", ".join(f"{k} by {v}" for k, v in report["kernels"].items()) or "widened anew"))
    for row in report["speed"]:
        lines.append(
            f"{row['what']}, {row['batch']} row(s): {row['quantized']:,.0f} tokens/s, full precision "
            f"{row['full']:,.0f}; {row['times']:.2f} times as fast"
        )
    if (found := report["held_out"]) is None:
        lines.append("held-out text: not measured (name one with --corpus)")
    else:
        full, small, lost = found["full"], found["quantized"], found["lost_bits_per_byte"]
        lines += [
            f"perplexity: {small['perplexity']:.4f}, full precision {full['perplexity']:.4f}",
            f"bits per byte: {small['bits_per_byte']:.5f}, full precision {full['bits_per_byte']:.5f}; lost "
            f"{lost['difference']:+.5f} [{lost['low']:+.5f}, {lost['high']:+.5f}], in pairs over blocks of text",
            f"measured: {small['protocol']}",
        ]
    return "\n".join(lines)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 3} more" if len(names) > 3 else ""


def file_bytes(folder: Path) -> int:
    """Return the size of the weights of a model folder, header and all."""
    return weights_file(folder).stat().st_size
