"""Train an encoder-decoder to turn one text into another: toys, tasks such as summaries, or own rows of two columns."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.core.errors import BadInput
from linnet.train.row_config import Seq2SeqConfig

if TYPE_CHECKING:
    from linnet.model.encoder_decoder import EncoderDecoder
    from linnet.train.two_sides import TwoSides


def main(cfg: Seq2SeqConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    return train(cfg, "seq2seq")


def train(cfg: Seq2SeqConfig, recipe: str) -> Path:
    """Train under the name of a recipe, `seq2seq` or one that is a special case of it; return the run folder."""
    from functools import partial

    from linnet.artifacts import load_encoder_decoder, save_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.evals.written import beside_baselines, shown
    from linnet.prove.before_training import prove_before_training
    from linnet.train.early_stop import EarlyStop
    from linnet.train.objectives import source_to_target
    from linnet.train.session import Best, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning
    from linnet.train.two_sides import network, read_two_sides

    if cfg.compile:
        raise BadInput("--compile: batches of pairs have a new width each, which would be compiled anew; leave it out")
    precision = set_up(cfg)
    Run.check(cfg.out, cfg, recipe, cfg.resume)
    if already_done(cfg, recipe):
        return cfg.out
    given = None if cfg.parent is None else load_encoder_decoder(cfg.parent)
    sides, config = read_two_sides(cfg, given)
    model = begin_adapting(cfg, network(cfg, config, given), sides.tokenizer)
    state = begin_tuning(cfg, model, sides.train, precision)
    objective, best = partial(source_to_target, label_smoothing=cfg.label_smoothing), Best(cfg.out / "state")
    logger.info("%s; %d parameters", sides.line(), sum(parameter.numel() for parameter in model.parameters()))
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=given is not None)
    parents = [] if cfg.parent is None else [cfg.parent]
    with training(cfg, recipe, state, parents=parents, data_hashes=sides.data_hashes()) as session:
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(objective):
            if step.every(cfg.eval_every):
                found, _ = sides.measure(model, precision, cfg.eval_tokens)
                session.note(held_out_loss=found["loss"], held_out_accuracy=found["accuracy"])
                if stop.see(found["loss"]) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every) and step.number < step.total:
                session.run.sample(shown(sides.asked[: cfg.samples], written(model, sides, cfg.samples)), step.number)
            session.enough = stop.enough
        best.take(model)
        last, targets = sides.measure(model, precision)
        said = written(model, sides, cfg.written)
        asked = sides.asked[: len(said)]
        session.run.sample(shown(asked[: cfg.samples], said[: cfg.samples]), state.step)
        if cfg.parent is None:
            save_model(cfg.out, model, sides.tokenizer)
        else:
            save_tuned(cfg.out, model, sides.tokenizer, cfg.adapt, cfg.parent)
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_pairs=len(sides.train.items),
            held_out_pairs=len(sides.held_out.items),
            pairs_left_out=sides.left_out,
            held_out_loss=last["loss"],
            held_out_accuracy=last["accuracy"],
            held_out_targets=targets,
            held_out_protocol=f"{targets} target tokens of held-out pairs, each after the true ones before it",
            **beside_baselines(sides.pairs.task, sides.pairs.train, asked, said, cfg.seed),
            written_protocol=f"greedy, of {len(said)} held-out sources alone, nothing of the target given",
        )
    return cfg.out


def written(model: "EncoderDecoder", sides: "TwoSides", count: int) -> list[str]:
    """Return what the model makes of the first held-out sources by itself, greedily."""
    from linnet.infer.config import SamplingConfig
    from linnet.infer.targets import write_targets

    longest = max(len(item.target) for item in sides.held_out.items)
    sampling = SamplingConfig(temperature=0, max_tokens=min(model.config.context_length, 2 * longest))
    found: list[Any] = write_targets(model, sides.tokenizer, [one.question for one in sides.asked[:count]], sampling)
    return [one.text for one in found]
