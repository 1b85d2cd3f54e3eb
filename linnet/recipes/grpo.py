"""Let a model that chats learn from its own replies: a task's grader rewards those that are right (GRPO)."""

from pathlib import Path

from linnet.core.errors import BadInput
from linnet.train.config import GRPOConfig


def main(cfg: GRPOConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.adapt.surgery import start_of
    from linnet.artifacts import load_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.evals.replies import greedy_replies, reply_gain, reply_numbers, reply_samples, scores_of
    from linnet.infer.candidates import read_questions
    from linnet.infer.config import SamplingConfig
    from linnet.infer.rollouts import Rollouts
    from linnet.prove.before_training import prove_before_training
    from linnet.tasks import find
    from linnet.text.chat import chats
    from linnet.train.early_stop import EarlyStop
    from linnet.train.grpo import grpo_objective
    from linnet.train.preference import logprobs_of, without_dropout
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    refuse(cfg)
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "grpo", cfg.resume)
    if already_done(cfg, "grpo"):
        return cfg.out
    chats(cfg.parent)  # refuses a model that was taught another format
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model = begin_adapting(cfg, without_dropout(loaded), tokenizer)
    task = find(cfg.task)
    context, longest = model.config.context_length, cfg.max_tokens or task.max_tokens
    limits = (cfg.held_out, cfg.held_out_questions)
    questions, held_out, hashes = read_questions(task, cfg.source, tokenizer, context, *limits)
    sampling = SamplingConfig(
        temperature=cfg.temperature, max_tokens=longest, seed=cfg.seed, calculator=cfg.calculator
    )  # fmt: skip
    start = start_of(model)
    policy, reference = (logprobs_of(one, precision, cfg.temperature) for one in (model, start))
    rollouts = Rollouts(
        model, tokenizer, task, questions, prompts=cfg.batch_size // cfg.group, group=cfg.group, sampling=sampling,
        updates=cfg.updates, scaled=cfg.scale_rewards, old=policy if cfg.updates > 1 else None, reference=reference,
    )  # fmt: skip
    state = begin_tuning(cfg, model, rollouts, precision)
    objective = grpo_objective(
        cfg.averaging, longest=longest, clip_low=cfg.clip_low, clip_high=cfg.clip_high, kl_weight=cfg.kl_weight,
        temperature=cfg.temperature, balance_weight=cfg.balance_weight,
    )  # fmt: skip
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=True)
    best = Best(cfg.out / "state")
    with training(cfg, "grpo", state, parents=[cfg.parent], data_hashes=hashes) as session:
        earlier = [-line["held_out_score"] for line in read_metrics(cfg.out) if "held_out_score" in line]
        stop = EarlyStop(cfg.patience, earlier)  # it looks for the least
        for step in session.steps(objective):
            if step.every(cfg.eval_every):
                score = float(scores_of(greedy_replies(model, tokenizer, task, held_out, sampling)).mean())
                session.note(held_out_score=score)
                if stop.see(-score) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every):
                now = greedy_replies(model, tokenizer, task, held_out[:6], sampling)
                said = [f"{example.question}\n\n{reply.text}" for example, reply in zip(held_out, now, strict=False)]
                session.run.sample("\n\n".join(said), step.number)
            session.enough = stop.enough
        if stop.enough:
            logger.info("stopping early: no better held-out score in %d evaluations", cfg.patience)
        best.take(model)
        before, after = (greedy_replies(one, tokenizer, task, held_out, sampling) for one in (start, model))
        session.run.sample("\n\n".join(reply_samples(held_out, before, after)), state.step)
        save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent, chat=True)
        session.run.finish(
            steps=state.step, questions=len(questions), held_out_questions=len(held_out), metric=task.metric,
            **reply_numbers(before, "_before"), **reply_numbers(after), **reply_gain(after, before),
        )  # fmt: skip
    return cfg.out


def refuse(cfg: GRPOConfig) -> None:
    """Raise BadInput for choices that do not go together."""
    if cfg.compile:
        raise BadInput("--compile: replies have a new width each step, which would be compiled anew; leave it out")
    if cfg.batch_size % cfg.group:
        raise BadInput(f"--batch-size {cfg.batch_size}: not whole groups of {cfg.group}; give a multiple of --group")
    if cfg.updates > 1 and cfg.accumulate > 1:
        raise BadInput("--updates with --accumulate: a step would count the same replies again; give one of the two")
