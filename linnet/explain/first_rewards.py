"""The first step of `linnet grpo`: its first replies are written, and say what all will be like."""

import time
from dataclasses import replace

import torch.nn.functional as F

from linnet import tasks
from linnet.adapt.surgery import start_of
from linnet.artifacts import load_model
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.rollouts import RolloutBatch
from linnet.core.machine import memory_bytes
from linnet.explain.first_step import Beginning, Chore, Measuring, places_in
from linnet.explain.probe import Writing
from linnet.explain.writing import PATIENCE, light_rows, row_bytes, timed
from linnet.infer.candidates import candidates, chat_prompt, read_questions
from linnet.infer.config import SamplingConfig
from linnet.infer.rollouts import Rollouts
from linnet.text.chat import chats
from linnet.train.config import GRPOConfig
from linnet.train.grpo import grpo_objective
from linnet.train.precision import Precision
from linnet.train.preference import logprobs_of, without_dropout
from linnet.train.tuning import begin_adapting, begin_tuning


def widened(batch: RolloutBatch, width: int) -> RolloutBatch:
    """Return replies with places for as many tokens as the longest may have."""
    more = (0, width - batch.rows.ids.shape[1])
    if more[1] <= 0:
        return batch
    rows = batch.rows
    documents = None if rows.documents is None else F.pad(rows.documents, more, value=-1)
    padded = Batch(F.pad(rows.ids, more), F.pad(rows.targets, more, value=IGNORE), documents)
    old, reference = (None if part is None else F.pad(part, more) for part in (batch.old, batch.reference))
    return replace(batch, rows=padded, old=old, reference=reference)


def rewarding(cfg: GRPOConfig, precision: Precision) -> Beginning:
    """Return the beginning of `linnet grpo`; raises BadInput as the recipe does."""
    chats(cfg.parent)
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model, task = begin_adapting(cfg, without_dropout(loaded), tokenizer), tasks.find(cfg.task)
    context, longest = model.config.context_length, cfg.max_tokens or task.max_tokens
    limits = (cfg.held_out, cfg.held_out_questions)
    questions, held_out, _ = read_questions(task, cfg.source, tokenizer, context, *limits)
    sampling = SamplingConfig(
        temperature=cfg.temperature, max_tokens=longest, seed=cfg.seed, calculator=cfg.calculator
    )  # fmt: skip
    start = start_of(model)
    policy, reference = (logprobs_of(one, precision, cfg.temperature) for one in (model, start))
    groups = max(1, light_rows(model, longest, cfg.batch_size) // cfg.group)
    rollouts = Rollouts(
        model, tokenizer, task, questions, prompts=groups, group=cfg.group, sampling=sampling,
        scaled=cfg.scale_rewards, old=policy if cfg.updates > 1 else None, reference=reference,
    )  # fmt: skip
    began, before = time.perf_counter(), memory_bytes(precision.device)
    seen, seconds = _rolled_out(rollouts)
    prompts = [len(chat_prompt(tokenizer, one)) for one in questions]
    ended = all(bool(batch.finished.all()) for batch in seen)
    width = max(batch.rows.ids.shape[1] for batch in seen)
    widest_of_all = width if ended else min(context, max(width, max(prompts) + longest - 1))
    share = sum(batch.rows.ids.shape[1] for batch in seen) / len(seen) / widest_of_all
    first = widened(max(seen, key=places_in), widest_of_all)
    spent, grown = time.perf_counter() - began, memory_bytes(precision.device) - before
    state = begin_tuning(cfg, model, rollouts, precision)
    objective = grpo_objective(
        cfg.averaging, longest=longest, clip_low=cfg.clip_low, clip_high=cfg.clip_high, kl_weight=cfg.kl_weight,
        temperature=cfg.temperature, balance_weight=cfg.balance_weight,
    )  # fmt: skip
    of_batch = cfg.batch_size / (groups * cfg.group)
    asked = held_out[: light_rows(model, longest, len(held_out))]
    greedy = sampling.but(temperature=0.0)
    of_all = len(held_out) / len(asked)
    chores = (
        Chore("replies", lambda: seconds, each_step=of_batch * cfg.accumulate / cfg.updates),
        Chore(
            "held-out replies",
            lambda: timed(lambda: candidates(model, tokenizer, task, asked, 1, greedy))[1],
            each_look=of_all, last=2 * of_all,
        ),
    )  # fmt: skip
    writing = Writing(row_bytes(model, max(prompts) + longest), groups * cfg.group, cfg.batch_size)
    return Beginning(state, objective, first, Measuring(0, 0, 0, 1), share, False, True, chores, writing, spent, grown)


def _rolled_out(rollouts: Rollouts) -> tuple[list[RolloutBatch], float]:
    """Return batches of replies, at least one, and the mean seconds of one."""
    seen: list[RolloutBatch] = []
    began = time.perf_counter()
    while not seen or time.perf_counter() - began < PATIENCE:
        seen.append(rollouts.next())
    return seen, (time.perf_counter() - began) / len(seen)
