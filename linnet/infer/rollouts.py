"""Replies sampled from the policy as it is now, graded, as batches: what GRPO learns from.

G prompts a step, S replies to each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from linnet.batches.batch import Batch
from linnet.batches.cursor import Cursor
from linnet.batches.padding import pad
from linnet.batches.rollouts import RolloutBatch, group_advantages
from linnet.core.errors import BadInput
from linnet.infer.candidates import candidates, chat_prompt
from linnet.infer.config import SamplingConfig
from linnet.model.decoder import Decoder
from linnet.tasks.task import Example, Task
from linnet.text.tokenizer import Tokenizer

Logprobs = Callable[[Batch], torch.Tensor]
TENSORS = ("rewards", "advantages", "finished", "old", "reference")


class Rollouts:
    """Batches without end: the n-th asks prompts and throws dice that follow from (seed, n) alone.

    What the replies say depends on the weights of the moment, so a batch that is used for several updates is part of
    the state to resume from.
    """

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer,
        task: Task,
        examples: Sequence[Example],
        *,
        prompts: int,
        group: int,
        sampling: SamplingConfig,
        updates: int = 1,
        scaled: bool = False,
        old: Logprobs | None = None,
        reference: Logprobs | None = None,
    ):
        """Ask `prompts` examples a batch, `group` replies each; hand every batch out `updates` times.

        `old` measures the policy of the moment, as is needed for more than one update; `reference` the reference.
        """
        self.model, self.tokenizer, self.task, self.examples = model, tokenizer, task, list(examples)
        self.group, self.sampling, self.updates, self.scaled = group, sampling, updates, scaled
        self._old, self._reference = old, reference
        identity = {"group": group, "updates": updates, "task": task.name}
        self._cursor = Cursor(len(self.examples), prompts, sampling.seed, identity)
        self._now: RolloutBatch | None = None
        self._used = 0  # how often the batch of now was handed out

    def next(self) -> RolloutBatch:
        """Return the batch of now, or a new one when it was used up."""
        if self._now is None or self._used == self.updates:
            self._now, self._used = self._sampled(self._cursor.drawn), 0
            self._cursor.drawn += 1
        self._used += 1
        return self._now

    def state(self) -> dict[str, Any]:
        """Return the position and what is left to be learned from the batch of now, as JSON values."""
        pending = self._now is not None and self._used < self.updates
        return {**self._cursor.state(), "used": self._used, "now": _plain(self._now) if pending else None}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; raises BadInput when it was taken with other choices."""
        self._cursor.restore(state)
        self._now = None if state.get("now") is None else _batch(state["now"], self.group)
        self._used = int(state.get("used", 0))

    def _sampled(self, number: int) -> RolloutBatch:
        asked = [self.examples[item] for _, items in self._cursor.items(number) for item in items.tolist()]
        sampling = self.sampling.but(seed=seed_of(self.sampling.seed, number))
        replies = candidates(self.model, self.tokenizer, self.task, asked, self.group, sampling, batch_size=1024)
        rows = []
        for example, group in zip(asked, replies, strict=True):
            prompt = chat_prompt(self.tokenizer, example)
            rows += [([*prompt, *one.ids], [False] * len(prompt) + one.learned) for one in group]
        rewards = torch.tensor([one.reward for group in replies for one in group])
        finished = torch.tensor([one.finished for group in replies for one in group])
        advantages = group_advantages(rewards, self.group, self.scaled)
        padded = pad(rows, self.tokenizer.pad_id, mark=bool(self.model.config.num_experts))
        batch = RolloutBatch(padded, rewards, advantages, self.group, finished)
        return replace(batch, old=_asked(self._old, padded), reference=_asked(self._reference, padded))


def seed_of(seed: int, number: int) -> int:
    """Return the seed of the dice of one batch, 32 bits."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _asked(measure: Logprobs | None, rows: Batch) -> torch.Tensor | None:
    return None if measure is None else measure(rows).float().cpu()


def _plain(batch: RolloutBatch | None) -> dict[str, Any]:
    """Return a batch as JSON values; a float32 survives, as JSON writes enough digits of it."""
    assert batch is not None
    rows = {"ids": batch.rows.ids.tolist(), "targets": batch.rows.targets.tolist()}
    if batch.rows.documents is not None:
        rows["documents"] = batch.rows.documents.tolist()
    tensors = {name: getattr(batch, name) for name in TENSORS}
    return {**rows, **{name: None if tensor is None else tensor.tolist() for name, tensor in tensors.items()}}


def _batch(values: Mapping[str, Any], group: int) -> RolloutBatch:
    """Return what `_plain` was given; raises BadInput for anything else."""
    try:
        documents = values.get("documents")
        rows = Batch(
            torch.tensor(values["ids"]),
            torch.tensor(values["targets"]),
            None if documents is None else torch.tensor(documents),
        )
        found = {name: None if values[name] is None else torch.tensor(values[name]) for name in TENSORS}
        return RolloutBatch(rows, group=group, **found)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"the replies to go on with are damaged in the saved state ({error})") from None
