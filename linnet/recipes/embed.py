"""Teach a network to search: questions come near to the passages that answer them, far from the others."""

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.core.errors import BadInput
from linnet.train.row_config import EmbedConfig

if TYPE_CHECKING:
    from linnet.train.contrastive import Given


def main(cfg: EmbedConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from functools import partial

    from linnet.artifacts import save_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.prove.before_training import prove_before_training
    from linnet.train.contrastive import contrast, network, read_questions
    from linnet.train.early_stop import EarlyStop
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    refuse(cfg)
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "embed", cfg.resume)
    if already_done(cfg, "embed"):
        return cfg.out
    given = trunk(cfg)
    questions = read_questions(cfg, given)
    model = begin_adapting(cfg, network(cfg, questions.tokenizer, given), questions.tokenizer)
    state = begin_tuning(cfg, model, questions.train, precision)
    objective = partial(contrast, temperature=cfg.temperature, balance_weight=cfg.balance_weight)
    best = Best(cfg.out / "state")
    logger.info("%s; %d parameters", questions.line(), sum(parameter.numel() for parameter in model.parameters()))
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=given is not None)
    parents = [] if cfg.parent is None else [cfg.parent]
    with training(cfg, "embed", state, parents=parents, data_hashes=questions.data_hashes()) as session:
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(objective):
            if step.every(cfg.eval_every):
                found = questions.measure(model, precision, cfg.temperature)
                session.note(held_out_loss=found["loss"], held_out_accuracy=found["accuracy"])
                if stop.see(found["loss"]) and cfg.patience:
                    best.keep(model)
            session.enough = stop.enough
        best.take(model)
        if cfg.parent is None:
            save_model(cfg.out, model, questions.tokenizer)
        else:
            save_tuned(cfg.out, model, questions.tokenizer, cfg.adapt, cfg.parent)
        last = questions.measure(model, precision, cfg.temperature)
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_questions=len(questions.train.items),
            held_out_loss=last["loss"],
            held_out_accuracy=last["accuracy"],
            held_out_questions=len(questions.held_out.items),
            held_out_protocol=f"the own passage among those of {cfg.batch_size} questions in their order",
        )
    return cfg.out


def refuse(cfg: EmbedConfig) -> None:
    """Raise BadInput for choices that do not go together."""
    if cfg.compile:
        raise BadInput("--compile: batches of texts have a new width each, which would be compiled anew; leave it out")


def trunk(cfg: EmbedConfig) -> "Given | None":
    """Return network and tokenizer to go on from, None without a parent; raises BadInput for another kind."""
    from linnet.artifacts import kind_of, load_network
    from linnet.model.encoder_decoder import EncoderDecoder

    if cfg.parent is None:
        return None
    model, tokenizer = load_network(cfg.parent)
    if isinstance(model, EncoderDecoder):
        raise BadInput(f"{cfg.parent}: {kind_of(model.config)}; texts get their vectors from a decoder or an encoder")
    return model, tokenizer
