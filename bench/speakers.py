"""Three ways to write with one model, many texts a call: one at a time, the engine, transformers' generate.

Run by `bench/engine.py` as `python -m bench.speakers JOB`; a job is the JSON of `Job`. All are greedy and write to the
end of their budget; the prompts are random ids, new in every round, so that no prefix is shared.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from bench.turns import Turns
from linnet.artifacts import load_model
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.infer.engine import Engine, Request
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder

Prompts = list[list[int]]
Write = Callable[[Prompts], list[list[int]]]  # the ids that follow each prompt


@dataclass(frozen=True)
class Job:
    """Who writes what: the model (a run, or a shape with random weights), its export, texts at once, tokens of each."""

    program: str
    run: str
    model: dict[str, object]
    exported: str
    streams: list[int]
    prompt_tokens: int
    new_tokens: int
    threads: int | None


def network(run: str, shape: dict[str, object]) -> Decoder:
    """Return the model of a run, or one of this shape whose random weights are the same in every process."""
    return (load_model(Path(run))[0] if run else Decoder(ModelConfig.model_validate(shape))).eval()


def one_at_a_time(job: Job) -> Write:
    """Write one text after the other, as `linnet generate` does for a single prompt."""
    model, sampling = network(job.run, job.model), SamplingConfig(temperature=0, max_tokens=job.new_tokens)

    def write(prompts: Prompts) -> list[list[int]]:
        return [list(generate(model, None, [prompt], sampling, stop_ids=())[0].ids) for prompt in prompts]

    return write


def engine(job: Job) -> Write:
    """Submit all texts to an engine and let it step until they are written."""
    running = Engine(network(job.run, job.model), None, slots=max(job.streams))
    sampling = SamplingConfig(temperature=0, max_tokens=job.new_tokens)

    def write(prompts: Prompts) -> list[list[int]]:
        written: dict[int, list[int]] = {}
        for prompt in prompts:
            written[running.submit(Request(tuple(prompt), sampling, stop_ids=(), logprobs=False))] = []
        while running.busy:
            for event in running.step():
                assert event.id is not None
                written[event.request].append(event.id)
        return list(written.values())

    return write


def transformers(job: Job) -> Write:
    """Write all texts as one batch of transformers' generate."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(job.exported, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None

    def write(prompts: Prompts) -> list[list[int]]:
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            whole = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=job.new_tokens,
                do_sample=False,
                pad_token_id=0,
            )
        return whole[:, ids.shape[1] :].tolist()

    return write


def prompts_of(job: Job, vocab_size: int, turn: int) -> Prompts:
    """Return the prompts of a turn, the same for every program."""
    dice = torch.Generator().manual_seed(turn)
    count = job.streams[turn % len(job.streams)]
    return torch.randint(vocab_size, (count, job.prompt_tokens), generator=dice).tolist()


PROGRAMS: dict[str, Callable[[Job], Write]] = {
    "one at a time": one_at_a_time,
    "engine": engine,
    "transformers": transformers,
}


def main(words: str) -> None:
    """Take turns: each writes as many texts as the next of `streams` says."""
    turns, job = Turns(), Job(**json.loads(words))
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    vocab_size = network(job.run, job.model).config.vocab_size
    write, turn = PROGRAMS[job.program](job), 0
    while True:
        prompts = prompts_of(job, vocab_size, turn)
        turns.wait()
        written = write(prompts)
        turns.done()
        assert [len(ids) for ids in written] == [job.new_tokens] * len(prompts), "a text that is too short"
        turn += 1


if __name__ == "__main__":
    main(sys.argv[1])
