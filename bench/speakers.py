"""Ways to write with one model, many texts a call: one at a time, the engine, and the others of the race.

Run by `bench/engine.py` as `python -m bench.speakers JOB`; a job is the JSON of `Job`. All are greedy and write to the
end of their budget; the prompts are random ids, new in every round, so that no prefix is shared.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench import llamacpp, onnx_peer
from bench.turns import Turns
from linnet.adapt.kernels import choose
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import quantize
from linnet.artifacts import load_model
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.infer.engine import Engine, Request
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder

Prompts = list[list[int]]
Ids = list[list[int]]
Times = list[float]  # when tokens came, of who says so: seconds between the passes that gave some
Write = Callable[[Prompts, int, Times], Ids]  # so many ids that follow each prompt


@dataclass(frozen=True)
class Job:
    """Who writes what: the model (a run, or a shape with random weights), files of it, and what is measured.

    `files` is a folder with the model for the others; `measures` are (texts at once, tokens of a prompt, tokens that
    are written after the first), 0 of those for reading alone.
    """

    program: str
    run: str
    model: dict[str, Any]
    files: str
    measures: list[tuple[int, int, int]]
    threads: int | None

    @property
    def most(self) -> int:
        """Texts at once."""
        return max(streams for streams, _, _ in self.measures)


def network(run: str, shape: dict[str, Any]) -> Decoder:
    """Return the model of a run, or one of this shape whose random weights are the same in every process."""
    return (load_model(Path(run))[0] if run else Decoder(ModelConfig.model_validate(shape))).eval()


def one_at_a_time(job: Job) -> Write:
    """Write one text after the other, as `linnet generate` does for a single prompt."""
    model = network(job.run, job.model)

    def write(prompts: Prompts, tokens: int, times: Times) -> Ids:
        sampling = SamplingConfig(temperature=0, max_tokens=tokens)
        return [list(generate(model, None, [prompt], sampling, stop_ids=())[0].ids) for prompt in prompts]

    return write


def engine(job: Job, method: str | None = None, compiled: bool = False, dtype: torch.dtype = torch.float32) -> Write:
    """Submit all texts to an engine and let it step until they are written; `method` quantizes the model before."""
    model = network(job.run, job.model).to(dtype)
    if method is not None:
        quantize(model, QuantConfig.model_validate({"method": method, "rounding": "nearest"}))
        choose(model, dtype)
    running = Engine(model, None, slots=job.most, compiled=compiled)
    assert not compiled or running.stats().compiled, running.stats().why_plain

    def write(prompts: Prompts, tokens: int, times: Times) -> Ids:
        sampling = SamplingConfig(temperature=0, max_tokens=tokens)
        written: dict[int, list[int]] = {}
        for prompt in prompts:
            written[running.submit(Request(tuple(prompt), sampling, stop_ids=(), logprobs=False))] = []
        while running.busy:
            start = time.perf_counter()
            events = running.step()
            if events:
                times.append(time.perf_counter() - start)
            for event in events:
                assert event.id is not None
                written[event.request].append(event.id)
        return list(written.values())

    return write


def transformers(job: Job) -> Write:
    """Write all texts as one batch of transformers' generate."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(job.files, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None

    def write(prompts: Prompts, tokens: int, times: Times) -> Ids:
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            whole = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=tokens,
                do_sample=False,
                pad_token_id=0,
            )
        return whole[:, ids.shape[1] :].tolist()

    return write


def llama(job: Job, kind: str) -> Write:
    """Let llama.cpp's own engine write all texts."""
    context = max(prompt + new for _, prompt, new in job.measures) + 16
    path = Path(job.files) / f"{kind}.gguf"
    llamacpp.write_gguf(path, network(job.run, job.model), kind)
    asked = llamacpp.writer(path, job.most, context, job.threads or torch.get_num_threads())
    return lambda prompts, tokens, _: asked(prompts, tokens)


def onnxruntime(job: Job, kind: str) -> Write:
    """Write all texts as one batch of onnxruntime's generator."""
    return onnx_peer.writer(onnx_peer.folder_of(Path(job.files), kind), job.threads or torch.get_num_threads())


def prompts_of(job: Job, vocab_size: int, turn: int, call: int = 0) -> Prompts:
    """Return the prompts of a turn, the same for every program; others in each call, so that none is in a cache."""
    dice = torch.Generator().manual_seed(2 * turn + call)
    count, length, _ = job.measures[turn % len(job.measures)]
    return torch.randint(llamacpp.SPECIALS, vocab_size, (count, length), generator=dice).tolist()


PROGRAMS: dict[str, Callable[[Job], Write]] = {
    "one at a time": one_at_a_time,
    "engine": engine,
    "engine int8": partial(engine, method="int8"),
    "engine int8-dynamic": partial(engine, method="int8-dynamic"),
    "engine int4": partial(engine, method="int4"),
    "compiled": partial(engine, compiled=True),
    "compiled bf16": partial(engine, compiled=True, dtype=torch.bfloat16),
    "compiled int8-dynamic bf16": partial(engine, method="int8-dynamic", compiled=True, dtype=torch.bfloat16),
    "compiled int8-dynamic": partial(engine, method="int8-dynamic", compiled=True),
    "compiled int8": partial(engine, method="int8", compiled=True),
    "compiled int4": partial(engine, method="int4", compiled=True),
    "transformers": transformers,
    **{f"onnxruntime {kind}": partial(onnxruntime, kind=kind) for kind in onnx_peer.KINDS},
    **{f"llama.cpp {kind}": partial(llama, kind=kind) for kind in llamacpp.KINDS},
}


def main(words: str) -> None:
    """Take turns: in each the next of `measures`. What is written after the first token is timed by a second call."""
    turns, job = Turns(), Job(**json.loads(words))
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    vocab_size = network(job.run, job.model).config.vocab_size
    write, turn = PROGRAMS[job.program](job), 0
    while True:
        prompts, new = prompts_of(job, vocab_size, turn), job.measures[turn % len(job.measures)][2]
        turns.wait()
        with turns.part("first"):
            written = write(prompts, 1, [])
        if new:
            prompts = prompts_of(job, vocab_size, turn, call=1)
            with turns.part("whole"):
                written = write(prompts, 1 + new, times := [])
            turns.note("pauses", times[1:])
        turns.note("said", written)
        turns.done()
        assert [len(ids) for ids in written] == [1 + new] * len(prompts), "a text that is too short"
        turn += 1


if __name__ == "__main__":
    main(sys.argv[1])
