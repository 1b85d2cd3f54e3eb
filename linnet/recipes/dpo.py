"""Teach a model that chats which of two answers is better: DPO, IPO or SimPO, against the model it starts from."""

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.core.errors import BadInput, NothingToLearn
from linnet.train.config import DPOConfig

if TYPE_CHECKING:
    from linnet.model.decoder import Decoder
    from linnet.text.tokenizer import Tokenizer


def main(cfg: DPOConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.adapt.surgery import start_of
    from linnet.artifacts import load_model, save_tuned
    from linnet.batches.pairs import data_hash
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.evals.preferences import before_and_after, score_pairs, write_replies
    from linnet.prove.before_training import prove_before_training
    from linnet.text.chat import chats
    from linnet.train.early_stop import EarlyStop
    from linnet.train.pairing import read_pair_sets
    from linnet.train.preference import (
        Preferring,
        logprobs_of,
        preference_objective,
        reference_table,
        without_dropout,
    )
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    refuse(cfg)
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "dpo", cfg.resume)
    if already_done(cfg, "dpo"):
        return cfg.out
    chats(cfg.parent)  # refuses a model that was taught another format
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model = begin_adapting(cfg, without_dropout(loaded), tokenizer)
    pairs, held_out = read_pair_sets(cfg, sources_of(cfg, model, tokenizer), tokenizer, model.config)
    preferring = Preferring(cfg.loss, cfg.beta, cfg.gamma, cfg.label_smoothing)
    policy, start = logprobs_of(model, precision), start_of(model)
    reference = logprobs_of(start, precision)
    if preferring.has_reference and cfg.keep_reference:
        pairs.reference = reference_table(reference, pairs, pairs.drawn_in(cfg.steps * cfg.accumulate))
    before = reference_table(reference, held_out, range(len(held_out.items)))
    state = begin_tuning(cfg, model, pairs, precision)
    objective = preference_objective(preferring, reference, cfg.balance_weight, cfg.chosen_weight)
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=True)
    best, hashes = Best(cfg.out / "state"), {"pairs": data_hash(pairs.items), "held_out": data_hash(held_out.items)}
    with training(cfg, "dpo", state, parents=[cfg.parent], data_hashes=hashes) as session:
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(objective):
            if step.every(cfg.eval_every):
                found = score_pairs(policy, held_out, before).numbers(preferring)
                session.note(held_out_loss=found["loss"], held_out_accuracy=found["accuracy"])
                session.note(**write_replies(model, start, tokenizer, held_out, precision, cfg.seed).numbers())
                if stop.see(found["loss"]) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every):
                _, samples = before_and_after(model, start, tokenizer, held_out, precision, cfg.seed)
                session.run.sample("\n\n".join(samples), step.number)
            session.enough = stop.enough
        if stop.enough:
            logger.info("stopping early: no better held-out loss in %d evaluations", cfg.patience)
        best.take(model)
        written, samples = before_and_after(model, start, tokenizer, held_out, precision, cfg.seed)
        session.run.sample("\n\n".join(samples), state.step)
        save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent, chat=True)
        measured = score_pairs(policy, held_out, before).numbers(preferring)
        short = {f"held_out_{name}": measured[name] for name in ("loss", "accuracy", "accuracy_low", "accuracy_high")}
        counts = {"train_pairs": len(pairs.items), "held_out_pairs": len(held_out.items)}
        session.run.finish(steps=state.step, **counts, **short, **written, held_out=measured)
    return cfg.out


def refuse(cfg: DPOConfig) -> None:
    """Raise BadInput for choices that do not go together."""
    if cfg.compile:
        raise BadInput("--compile: batches of pairs have a new width each, which would be compiled anew; leave it out")
    if cfg.label_smoothing and cfg.loss != "sigmoid":
        raise BadInput(f"--label-smoothing is a choice of --loss sigmoid, not of {cfg.loss}")
    if cfg.pairs == "none" and not cfg.pairs_from:
        raise BadInput("--pairs none leaves nothing to learn from; give --pairs-from TASK:COUNT with it")


def sources_of(cfg: DPOConfig, model: "Decoder", tokenizer: "Tokenizer") -> dict[str, str]:
    """Return the sources of pairs, each with its split; the model's own replies are made here, or found again.

    Where these give no pair, the other source is left; raises NothingToLearn where there is none.
    """
    from linnet.core.console import logger
    from linnet.infer.own_pairs import make_own_pairs

    sources = {} if cfg.pairs == "none" else {cfg.pairs: cfg.split}
    if cfg.pairs_from:
        try:
            own = make_own_pairs(cfg.out, model, tokenizer, cfg.pairs_from, cfg.replies, cfg.seed, cfg.pairs_by)
        except NothingToLearn as error:
            if not sources:
                raise
            logger.warning("%s; going on with %s alone", error, cfg.pairs)
        else:
            sources[str(own)] = "train"
    return sources
