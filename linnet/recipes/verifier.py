"""Teach a model to judge answers: a verifier that scores how likely an answer to a problem is right."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from linnet.core.errors import BadInput
from linnet.train.config import VerifierConfig

if TYPE_CHECKING:
    from linnet.model.decoder import Decoder
    from linnet.text.tokenizer import Tokenizer


def main(cfg: VerifierConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import load_model, save_tuned
    from linnet.batches.judged import balanced, data_hash, encode, hold_out
    from linnet.core.console import logger
    from linnet.core.files import file_hash
    from linnet.core.run import Run, read_metrics
    from linnet.evals.verifying import baselines, calibration, measure, worst
    from linnet.infer.judged_answers import read_judged
    from linnet.infer.verifier import Verifier
    from linnet.prove.before_training import prove_before_training
    from linnet.report.judging import write_verifier_page
    from linnet.train.correctness import begin, correctness_objective, find_evidence, held_out_numbers
    from linnet.train.early_stop import EarlyStop
    from linnet.train.session import Best, already_done, set_up, training

    refuse(cfg)
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "verifier", cfg.resume)
    if already_done(cfg, "verifier"):
        return cfg.out
    parent, tokenizer = load_model(cfg.parent, precision.device)
    path = judged_answers(cfg, parent, tokenizer)
    learn, kept = hold_out(read_judged(path), cfg.held_out)
    train, _ = encode(balanced(learn, cfg.seed) if cfg.balance else learn, tokenizer, parent.config, cfg.blind)
    test, judged = encode(kept, tokenizer, parent.config, cfg.blind)
    logger.info("%d answers to learn from, %d to other problems to measure on", len(train), len(test))
    state = begin(parent, train, tokenizer.pad_id, cfg, precision)
    evidence = find_evidence(state.model, train, tokenizer.pad_id, precision)
    if cfg.prove:
        prove_before_training(state.model, cfg.steps, cfg.seed, trained=True)
    best, hashes = Best(cfg.out / "state"), {"candidates": file_hash(path), "judged": data_hash(train)}
    with training(cfg, "verifier", state, parents=[cfg.parent], data_hashes=hashes) as session:
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(correctness_objective(cfg.balance_weight, evidence)):
            if step.every(cfg.eval_every):
                found = held_out_numbers(state.model, test, tokenizer.pad_id, precision, evidence=evidence)
                session.note(**found)
                if stop.see(found["held_out_loss"]) and cfg.patience:
                    best.keep(state.model)
            session.enough = stop.enough
        best.take(state.model)
        save_tuned(cfg.out, state.model, tokenizer, cfg.adapt, cfg.parent, chat=True)
        share = sum(one.right for one in learn) / len(learn) if cfg.balance else 0.5
        verifier = Verifier(state.model.eval(), tokenizer, share, evidence)
        scores = verifier.scores([("" if cfg.blind else one.problem, one.answer) for one in judged])
        for sample in worst(judged, scores):
            session.run.sample(sample)
        quality, bins = measure(judged, scores, cfg.seed).numbers(), calibration(judged, scores)
        simple = baselines(learn, judged, parent, tokenizer, cfg.seed)
        rivals = {name: found.numbers() for name, found in simple.items()}
        write_verifier_page(cfg.out, quality, rivals, [(each.promised, each.came) for each in bins])
        numbers = {"held_out": quality, "baselines": rivals, "calibration": [asdict(each) for each in bins]}
        odds = {"share_right": share, "evidence": asdict(evidence)}
        session.run.finish(steps=state.step, train_answers=len(train), **odds, **numbers)
    return cfg.out


def refuse(cfg: VerifierConfig) -> None:
    """Raise BadInput for choices that do not go together."""
    if cfg.compile:
        raise BadInput(
            "--compile: batches of answers have a new width each, which would be compiled anew; leave it out"
        )


def judged_answers(cfg: VerifierConfig, parent: "Decoder", tokenizer: "Tokenizer") -> Path:
    """Return the file of judged answers: the one that was given, or one of the parent's own answers."""
    from linnet import tasks
    from linnet.infer.config import SamplingConfig
    from linnet.infer.judged_answers import make_judged_answers

    if cfg.candidates is not None:
        return cfg.candidates
    task = tasks.find(cfg.task)
    if task.form != "write":
        raise BadInput(f"--task {cfg.task}: its answers are chosen, not written; a verifier judges written answers")
    sampling = SamplingConfig(
        temperature=cfg.temperature, max_tokens=task.max_tokens, calculator=cfg.calculator, seed=cfg.seed
    )
    return make_judged_answers(
        cfg.out, parent, tokenizer, task, cfg.source, cfg.split, cfg.problems, cfg.answers, sampling
    )
