"""Teach a model that chats which of two answers is better: DPO, IPO or SimPO, against the model it starts from."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from linnet.core.errors import BadInput
from linnet.train.config import TuningConfig

if TYPE_CHECKING:
    from linnet.batches.pairs import Pairs
    from linnet.model.decoder import Decoder
    from linnet.text.tokenizer import Tokenizer


class DPOConfig(TuningConfig):
    """Choices of `linnet dpo`."""

    pairs: str = "world:8000"
    """Pairs to learn from: `world[:COUNT[:SEED]]`, rows of prompt, chosen and rejected, or `none`."""
    pairs_from: str = ""
    """Make pairs of the model's own right and wrong replies to a task of the small world, such as `sums:2000`."""
    replies: int = Field(default=8, ge=2, le=256)
    """Replies to each question of --pairs-from."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the prompts kept out of training, to measure on; of the small world it is its validation split."""
    held_out_pairs: int = Field(default=500, ge=2)
    """Most held-out pairs of each source."""
    loss: Literal["sigmoid", "ipo", "simpo"] = "sigmoid"
    """DPO's own loss, IPO's (a squared distance, of a mean token), or SimPO's, which has no reference."""
    beta: float = Field(default=0.1, gt=0)
    """How strongly the policy is held to the reference: smaller lets it move more. For SimPO 2 is usual."""
    gamma: float = Field(default=0.5, ge=0)
    """Margin of SimPO."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    """Share of pairs that sigmoid takes to be the wrong way round."""
    keep_reference: bool = True
    """Work the reference's log-probabilities out once, before training, instead of in every step."""
    out: Path = Path("runs/dpo")
    """Run folder."""


def main(cfg: DPOConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import load_model, save_model
    from linnet.batches.pairs import data_hash
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.evals.preferences import before_and_after, score_pairs, write_replies
    from linnet.prove.before_training import prove_before_training
    from linnet.text.chat import chats
    from linnet.train.early_stop import EarlyStop
    from linnet.train.preference import (
        Preferring,
        logprobs_of,
        preference_objective,
        reference_table,
        still_copy,
        without_dropout,
    )  # fmt: skip
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_tuning

    refuse(cfg)
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "dpo", cfg.resume)
    if already_done(cfg, "dpo"):
        return cfg.out
    chats(cfg.parent)  # refuses a model that was taught another format
    loaded, tokenizer = load_model(cfg.parent, precision.device)
    model = without_dropout(loaded)
    pairs, held_out = read_all(cfg, model, tokenizer)
    preferring = Preferring(cfg.loss, cfg.beta, cfg.gamma, cfg.label_smoothing)
    policy, start = logprobs_of(model, precision), still_copy(model)
    reference = logprobs_of(start, precision)
    if preferring.has_reference and cfg.keep_reference:
        pairs.reference = reference_table(reference, pairs, pairs.drawn_in(cfg.steps * cfg.accumulate))
    before = reference_table(reference, held_out, range(len(held_out.items)))
    state = begin_tuning(cfg, model, pairs, precision)
    objective = preference_objective(preferring, reference, cfg.balance_weight)
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
                for sample in before_and_after(model, start, tokenizer, held_out, precision, cfg.seed)[1]:
                    session.run.sample(sample, step.number)
            session.enough = stop.enough
        if stop.enough:
            logger.info("stopping early: no better held-out loss in %d evaluations", cfg.patience)
        best.take(model)
        written, samples = before_and_after(model, start, tokenizer, held_out, precision, cfg.seed)
        for sample in samples:
            session.run.sample(sample)
        save_model(cfg.out, model, tokenizer, chat=True)
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


def read_all(cfg: DPOConfig, model: "Decoder", tokenizer: "Tokenizer") -> "tuple[Pairs, Pairs]":
    """Return the pairs to learn from and those held out; none of these has a prompt of those."""
    from linnet.batches.pairs import Pairs
    from linnet.infer.own_pairs import make_own_pairs
    from linnet.train.pairing import HeldOutChoice, learn_and_hold_out

    context, keep = model.config.context_length, HeldOutChoice(cfg.held_out, cfg.held_out_pairs)
    sources = {} if cfg.pairs == "none" else {cfg.pairs: cfg.split}
    if cfg.pairs_from:
        own = make_own_pairs(cfg.out, model, tokenizer, cfg.pairs_from, cfg.replies, cfg.seed)
        sources[str(own)] = "train"
    parted = [learn_and_hold_out(source, split, tokenizer, context, keep) for source, split in sources.items()]
    train, held_out = ([item for part in parted for item in part[side]] for side in (0, 1))
    if not train or len(held_out) < 2:
        raise BadInput(f"{', '.join(sources)}: {len(train)} pairs to learn from and {len(held_out)} held out: too few")
    mark = bool(model.config.num_experts)
    return (
        Pairs(train, cfg.batch_size, cfg.seed, tokenizer.pad_id, mark),
        Pairs(held_out, 1, cfg.seed, tokenizer.pad_id, mark),
    )
