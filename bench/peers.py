"""Three programs that train one shape of network on one shard, a step at a call: linnet, nanoGPT, transformers.

Run by `bench/speed.py` as `python -m bench.peers JOB`; a job is the JSON of `Job`.
"""

import contextlib
import importlib.util
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bench.turns import Turns
from linnet.batches.batch import Batch
from linnet.batches.shards import Shard
from linnet.batches.windows import Windows
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import TrainingConfig
from linnet.train.loop import steps
from linnet.train.objectives import Loss, next_token_objective
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.session import set_up
from linnet.train.state import TrainState

FOREVER = 10**6  # steps: more than any measurement takes
Precisions = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Job:
    """Who trains what: program, precision ("fp32", "bf16"), the network as linnet's config, rows, data."""

    program: str
    dtype: Precisions
    compiled: bool
    model: dict[str, Any]
    batch_size: int
    accumulate: int
    shard: str
    nanogpt: str
    threads: int | None


class TimedPrecision(Precision):
    """linnet's precision, with a watch on the backward pass."""

    def __init__(self, precision: Precision, turns: Turns):
        super().__init__(precision.dtype, precision.device)
        self._turns = turns

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a loss."""
        with self._turns.part("backward"):
            super().backward(loss)


class TimedWindows(Windows):
    """linnet's windows, with a watch on drawing a batch."""

    turns: Turns

    def next(self) -> Batch:
        """Return the next batch."""
        with self.turns.part("data"):
            return super().next()


def linnet(job: Job, turns: Turns) -> None:
    """Train as `linnet pretrain` does, by the same loop."""
    compiled, rows = job.compiled, job.batch_size
    cfg = TrainingConfig(out=Path("unused"), dtype=job.dtype, compile=compiled, threads=job.threads, batch_size=rows)
    precision = TimedPrecision(set_up(cfg), turns)
    config = ModelConfig(**job.model)
    batches = TimedWindows(Shard.open(job.shard), rows, config.context_length, cfg.seed)
    batches.turns = turns
    model = Decoder(config, torch.Generator().manual_seed(cfg.seed))
    state = TrainState(model, make_optimizer(model, cfg.optimizer), batches, precision)
    objective = next_token_objective(cfg.balance_weight, cfg.compile)

    def timed(model: Decoder, batch: Batch) -> Loss:
        with turns.part("forward"):
            return objective(model, batch)

    turns.wait()
    for _ in steps(state, timed, lambda _: 1.0, FOREVER, job.accumulate, cfg.clip):
        turns.done()
        turns.wait()


def nanogpt(job: Job, turns: Turns) -> None:
    """Train nanoGPT's GPT by the words of its train.py: its optimizer, its clipping, its way to draw a batch."""
    _set_threads(job)
    spec = importlib.util.spec_from_file_location("nanogpt_model", Path(job.nanogpt) / "model.py")
    assert spec is not None
    assert spec.loader is not None
    theirs = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt_model"] = theirs
    spec.loader.exec_module(theirs)
    config = ModelConfig(**job.model)
    context = config.context_length
    shape = theirs.GPTConfig(
        block_size=context,
        vocab_size=config.vocab_size,
        n_layer=config.num_layers,
        n_head=config.num_heads,
        n_embd=config.hidden_size,
        dropout=0.0,
        bias=False,
    )
    model = theirs.GPT(shape)
    # train.py's defaults: learning rate 6e-4, weight decay 0.1, betas 0.9 and 0.95, clip 1.
    optimizer = model.configure_optimizers(0.1, 6e-4, (0.9, 0.95), "cpu")
    step_model = torch.compile(model) if job.compiled else model
    region = torch.autocast("cpu", torch.bfloat16) if job.dtype == "bf16" else contextlib.nullcontext()
    while True:
        turns.wait()
        for _ in range(job.accumulate):
            data = np.memmap(f"{job.shard}.bin", dtype=np.uint16, mode="r")
            starts = torch.randint(len(data) - context, (job.batch_size,))
            ids = torch.stack([torch.from_numpy(data[i : i + context].astype(np.int64)) for i in starts])
            targets = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + context].astype(np.int64)) for i in starts])
            with region:
                _, loss = step_model(ids, targets)
                loss = loss / job.accumulate
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        turns.done()


class Rows(torch.utils.data.Dataset):
    """The windows of a shard as a data set of transformers: it shifts the labels itself."""

    def __init__(self, shard: str, context: int):
        self._ids, self._context = np.memmap(f"{shard}.bin", dtype=np.uint16, mode="r"), context

    def __len__(self) -> int:
        return len(self._ids) // self._context

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        start = number * self._context
        ids = torch.from_numpy(self._ids[start : start + self._context].astype(np.int64))
        return {"input_ids": ids, "labels": ids}


def trainer(job: Job, turns: Turns) -> None:
    """Train transformers' GPT-2 of the shape by its Trainer; a callback between steps takes the turns."""
    import tempfile

    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

    class TakeTurns(TrainerCallback):
        def on_step_end(self, *_: Any, **__: Any) -> None:  # the signature is the Trainer's
            turns.done()
            turns.wait()

    _set_threads(job)
    config = ModelConfig(**job.model)
    shape = GPT2Config(
        vocab_size=config.vocab_size,
        n_positions=config.context_length,
        n_embd=config.hidden_size,
        n_layer=config.num_layers,
        n_head=config.num_heads,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        use_cache=False,
    )
    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            max_steps=FOREVER,
            per_device_train_batch_size=job.batch_size,
            gradient_accumulation_steps=job.accumulate,
            bf16=job.dtype == "bf16",
            torch_compile=job.compiled,
            use_cpu=True,
            dataloader_pin_memory=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        rows = Rows(job.shard, config.context_length)
        learner = Trainer(GPT2LMHeadModel(shape), arguments, train_dataset=rows, callbacks=[TakeTurns()])
        turns.wait()
        learner.train()


def _set_threads(job: Job) -> None:
    if job.threads is not None:
        torch.set_num_threads(job.threads)


PROGRAMS = {"linnet": linnet, "nanogpt": nanogpt, "trainer": trainer}

if __name__ == "__main__":
    asked = Job(**json.loads(sys.argv[1]))
    PROGRAMS[asked.program](asked, Turns())
