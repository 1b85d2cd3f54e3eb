"""The same LoRA trained twice: by linnet on its network, by peft on the transformers model that it exports as.

Both begin at the same weights and the same adapter, see the same batches and take the same steps of AdamW; so their
losses must be the same but for rounding, and what differs is the time.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.surgery import adapt, counts
from linnet.artifacts import load_model
from linnet.batches.batch import IGNORE, Batch
from linnet.core.errors import needs_extra
from linnet.export.hf_families import choose
from linnet.export.hf_folder import write_network
from linnet.export.peft import write_peft
from linnet.model.attend import visible
from linnet.train.tuning import read_talks

SHARD = 5 * 10**9
FULL = torch.finfo(torch.float32).min


@dataclass(frozen=True)
class Trained:
    """What came of one of the two: the loss of each step in nats a target, seconds a step, parameters that learned."""

    losses: list[float]
    seconds: float
    parameters: int


def twins(run: Path, data: str, config: AdaptConfig, steps: int, batch_size: int, lr: float) -> tuple[Trained, Trained]:
    """Train both and return (linnet's, peft's); raises BadInput where peft or transformers is missing."""
    try:
        import transformers
        from peft import PeftModel  # type: ignore[import-not-found]
    except ImportError:
        raise needs_extra("peft", "hf", "the comparison with peft") from None
    model, tokenizer = load_model(run)
    talks = read_talks(data, 0.1, tokenizer, batch_size, model.config.context_length)
    batches = [talks.train.next() for _ in range(steps)]
    with tempfile.TemporaryDirectory() as place:
        base, adapter = Path(place) / "base", Path(place) / "adapter"
        base.mkdir()
        write_network(base, model, choose(model.config, run), torch.float32, SHARD, {})
        ours = adapt(model, config)
        write_peft(adapter, ours, config, str(base))
        theirs = PeftModel.from_pretrained(
            transformers.AutoModelForCausalLM.from_pretrained(base, attn_implementation="sdpa"),
            adapter,
            is_trainable=True,
        )
        mine = train(
            ours, lambda batch: ours(batch.ids, positions=batch.positions, documents=batch.documents), batches, lr
        )
        return mine, train(theirs, lambda batch: their_logits(theirs, batch), batches, lr)


def their_logits(model: Any, batch: Batch) -> Tensor:
    """Return the logits [B, T, V] of a transformers model for packed rows whose documents do not see each other."""
    order = torch.arange(batch.ids.shape[1])[None]
    seen = visible(order, order, batch.documents, batch.documents)
    mask = torch.zeros(seen.shape).masked_fill(~seen, FULL).expand(len(batch.ids), -1, -1, -1)
    places = order if batch.positions is None else batch.positions
    return model(input_ids=batch.ids, attention_mask=mask, position_ids=places.expand_as(batch.ids)).logits


def train(model: nn.Module, logits: Callable[[Batch], Tensor], batches: list[Batch], lr: float) -> Trained:
    """Take one step of plain AdamW a batch."""
    learn = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer, losses = torch.optim.AdamW(learn, lr=lr, weight_decay=0.0), []
    model.train()
    start = time.perf_counter()
    for batch in batches:
        loss = F.cross_entropy(logits(batch).flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return Trained(losses, (time.perf_counter() - start) / len(batches), counts(model)["trainable"])


def main(arguments: list[str]) -> None:
    """Print both losses step by step, and the time; exits with 1 where they are not the same."""
    parser = argparse.ArgumentParser(prog="python -m bench peft", description=__doc__)
    parser.add_argument("run", type=Path, help="run folder of a network that can be exported")
    parser.add_argument("--data", default="world/reviews:400", help="conversations, as for linnet sft")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--targets", default="c_attn")
    parser.add_argument("--method", choices=["lora", "dora"], default="lora")
    parser.add_argument("--lr", type=float, default=1e-3)
    asked = parser.parse_args(arguments)
    config = AdaptConfig(method=asked.method, rank=asked.rank, targets=asked.targets)
    ours, theirs = twins(asked.run, asked.data, config, asked.steps, asked.batch_size, asked.lr)
    print("step      linnet        peft  difference")
    apart = 0.0
    for step, (mine, other) in enumerate(zip(ours.losses, theirs.losses, strict=True), start=1):
        apart = max(apart, abs(mine - other))
        print(f"{step:4}  {mine:10.6f}  {other:10.6f}  {abs(mine - other):10.1e}")
    same = "parameters learn" if ours.parameters == theirs.parameters else f"learn here, {theirs.parameters} there"
    print(
        f"{ours.parameters} {same}; {ours.seconds:.3f} s a step here, {theirs.seconds:.3f} s there; {apart:.1e} apart"
    )
    if ours.parameters != theirs.parameters or not apart < 1e-3:
        raise SystemExit(1)
