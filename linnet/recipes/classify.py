"""Teach a network to tell texts apart: sentiment, fake news or own labels, from a trained trunk or from nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

from linnet.core.errors import BadInput
from linnet.train.row_config import ClassifyConfig

if TYPE_CHECKING:
    from linnet.train.classifying import Given


def main(cfg: ClassifyConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from functools import partial

    from linnet.artifacts import save_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.evals.classifying import classifier_quality, probed, rivals
    from linnet.prove.before_training import prove_before_training
    from linnet.train.classifying import network, probabilities, read_classes
    from linnet.train.early_stop import EarlyStop
    from linnet.train.objectives import classification
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    if cfg.compile:
        raise BadInput("--compile: batches of texts have a new width each, which would be compiled anew; leave it out")
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "classify", cfg.resume)
    if already_done(cfg, "classify"):
        return cfg.out
    given = trunk(cfg)
    classes = read_classes(cfg, given)
    texts, tokenizer = classes.texts, classes.tokenizer
    model = begin_adapting(cfg, network(cfg, classes, given), tokenizer, whole=("head", "head_layer"))
    state = begin_tuning(cfg, model, classes.train, precision)
    objective, best = partial(classification, balance_weight=cfg.balance_weight), Best(cfg.out / "state")
    logger.info("%s; %d parameters", classes.line(), sum(parameter.numel() for parameter in model.parameters()))
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=given is not None)
    parents = [] if cfg.parent is None else [cfg.parent]
    with training(cfg, "classify", state, parents=parents, data_hashes=classes.data_hashes()) as session:
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(objective):
            if step.every(cfg.eval_every):
                found = classes.measure(model, precision)
                session.note(held_out_loss=found["loss"], held_out_accuracy=found["accuracy"])
                if stop.see(found["loss"]) and cfg.patience:
                    best.keep(model)
            session.enough = stop.enough
        best.take(model)
        if cfg.parent is None:
            save_model(cfg.out, model, tokenizer)
        else:
            save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent)
        labels = [one.label for one in texts.held_out]
        said = probabilities(model, classes.held_out, precision).argmax(1).tolist()
        others = rivals(texts.train, texts.held_out, texts.names)
        leaks = probed(others, len(labels))
        for sentence in leaks:
            logger.warning("%s", sentence)
        session.run.sample(mistakes(classes.texts.held_out, said, texts.names))
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_texts=len(texts.train),
            texts_cut=classes.cut,
            classes=list(texts.names),
            held_out_loss=classes.measure(model, precision)["loss"],
            held_out=classifier_quality(labels, said, texts.names),
            held_out_protocol=texts.protocol,
            baselines=others,
            leaks=leaks,
        )
    return cfg.out


def trunk(cfg: ClassifyConfig) -> "Given | None":
    """Return network and tokenizer to go on from, None without a parent; raises BadInput for another kind."""
    from linnet.artifacts import kind_of, load_network
    from linnet.model.encoder_decoder import EncoderDecoder

    if cfg.parent is None:
        return None
    model, tokenizer = load_network(cfg.parent)
    if isinstance(model, EncoderDecoder):
        raise BadInput(f"{cfg.parent}: {kind_of(model.config)}; a classifier goes on from a decoder or an encoder")
    return model, tokenizer


def mistakes(held_out: list, said: list[int], names: tuple[str, ...], most: int = 6) -> str:
    """Return the first texts that were taken for another class, for people."""
    wrong = [(one, number) for one, number in zip(held_out, said, strict=True) if one.label != number]
    lines = [f"[{names[one.label]}, called {names[number]}] {one.text[:400]}" for one, number in wrong[:most]]
    return f"{len(wrong)} of {len(held_out)} held-out texts called wrongly\n\n" + "\n\n".join(lines)
