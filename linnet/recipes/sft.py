"""Teach a pretrained model to reply: supervised fine-tuning on conversations, of which only the replies are learned."""

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.train.config import SftConfig

if TYPE_CHECKING:
    from linnet.model.decoder import Decoder
    from linnet.tasks.talks import Talk
    from linnet.text.tokenizer import Tokenizer


def main(cfg: SftConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.adapt.surgery import counts
    from linnet.artifacts import load_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.prove.before_training import prove_before_training
    from linnet.text.chat import chats
    from linnet.train.early_stop import EarlyStop
    from linnet.train.objectives import next_token_objective
    from linnet.train.session import Best, Pace, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning, read_talks, warn_of_still_head

    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "sft", cfg.resume)
    if already_done(cfg, "sft"):
        return cfg.out
    chatted = chats(cfg.parent)  # refuses a model that was taught another format
    model, tokenizer = load_model(cfg.parent)
    begin_adapting(cfg, model, tokenizer)
    if not chatted:
        warn_of_still_head(model, cfg.adapt.method)
    context = model.config.context_length
    talks = read_talks(cfg.data, cfg.held_out, tokenizer, cfg.batch_size, context, cfg.seed)
    state = begin_tuning(cfg, model, talks.train, precision)
    objective, best = next_token_objective(cfg.balance_weight, cfg.compile), Best(cfg.out / "state")
    logger.info("%s", talks.line())
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=True)
    with training(cfg, "sft", state, parents=[cfg.parent], data_hashes=talks.data_hashes()) as session:
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        shown = to_show(talks.mixture.held_out, cfg.samples, tokenizer, context)
        if state.step == 0:
            session.run.cut_after(-1)  # a run that was killed before its first saved state has done this already
            before, some = talks.measure(model, precision)[0], talks.measure(model, precision, cfg.eval_tokens)[0]
            session.run.log(0, held_out_loss=some, held_out_loss_before=before)
            session.run.sample(answered(model, tokenizer, shown), 0)
            if cfg.patience:
                best.keep(model)
        logged = read_metrics(cfg.out)
        stop = EarlyStop(cfg.patience, [line["held_out_loss"] for line in logged if "held_out_loss" in line])
        for step in session.steps(objective, pace):
            if step.every(cfg.eval_every):
                loss, _ = talks.measure(model, precision, cfg.eval_tokens)
                session.note(held_out_loss=loss)
                if stop.see(loss) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every) and step.number < step.total:
                session.run.sample(answered(model, tokenizer, shown), step.number)
            session.enough = stop.enough
        if stop.enough:
            logger.info("stopping early: no better held-out loss in %d evaluations", cfg.patience)
        best.take(model)
        last, targets = talks.measure(model, precision)
        session.run.sample(answered(model, tokenizer, shown), state.step)
        save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent, chat=True)
        session.run.finish(
            steps=state.step,
            parameters=counts(model)["total"],
            trained_parameters=counts(model)["trainable"],
            **talks.fitted.numbers(),
            targets_in_an_epoch=talks.fitted.learned,
            tokens=state.step * pace.tokens_per_step,
            rows_filled=talks.train.filled,
            held_out_loss_before=logged[0]["held_out_loss_before"],
            held_out_loss=last,
            held_out_targets=targets,
            held_out_conversations=len(talks.fitted_held_out.examples),
            held_out_protocol=f"{targets} learned tokens of held-out replies, each conversation by itself",
        )
    return cfg.out


def to_show(talks: "list[Talk]", count: int, tokenizer: "Tokenizer", context: int) -> "list[Talk]":
    """Return conversations from all over the list that end with a reply, and are short enough to be asked."""
    from linnet.text.chat import render_all

    ending = [talk for talk in talks if len(talk) > 1 and talk[-1].role == "assistant"]
    ending = [talk for talk, ids in zip(ending, render_all(tokenizer, ending), strict=True) if len(ids.ids) <= context]
    count = min(count, len(ending))
    return [ending[number * len(ending) // count] for number in range(count)]


def answered(model: "Decoder", tokenizer: "Tokenizer", talks: "list[Talk]") -> str:
    """Return what was asked, the reference and the model's greedy reply, for people."""
    from linnet.infer.chatting import replies
    from linnet.infer.config import SamplingConfig

    was_training = model.training
    sampling = SamplingConfig(max_tokens=max(1, model.config.context_length // 2), temperature=0)
    found = replies(model.eval(), tokenizer, [talk[:-1] for talk in talks], sampling)
    model.train(was_training)
    said = []
    for talk, reply in zip(talks, found, strict=True):
        asked = [f"[{message.role}] {message.content.strip()}" for message in talk[:-1]]
        said.append("\n".join([*asked, f"[reference] {talk[-1].content.strip()}", f"[reply] {reply.text}"]))
    return "\n\n".join(said)
