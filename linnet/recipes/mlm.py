"""Train an encoder to guess hidden tokens of a text from both sides: masked language modelling, as BERT learned."""

from pathlib import Path

from linnet.core.errors import BadInput
from linnet.train.row_config import MlmConfig


def main(cfg: MlmConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import kind_of, load_network, save_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.model.encoder import Encoder
    from linnet.prove.before_training import prove_before_training
    from linnet.train.early_stop import EarlyStop
    from linnet.train.masking import lesson, network, read_hidden, with_room_for_the_mask
    from linnet.train.pretraining import with_tokenizer
    from linnet.train.session import Best, Pace, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    precision = set_up(cfg)
    given = None
    if cfg.parent is None:
        cfg, tokenizer = with_tokenizer(cfg)
        cfg = with_room_for_the_mask(cfg, tokenizer)
    else:
        given, tokenizer = load_network(cfg.parent)
        if not isinstance(given, Encoder) or given.config.output_size is not None:
            raise BadInput(f"{cfg.parent}: {kind_of(given.config)}, not an encoder; give a run of linnet mlm")
        cfg = cfg.but(model=given.config)
    Run.check(cfg.out, cfg, "mlm", cfg.resume)
    if already_done(cfg, "mlm"):
        return cfg.out
    hidden = read_hidden(cfg, tokenizer)
    model = begin_adapting(cfg, network(cfg, given), tokenizer)
    state, context = begin_tuning(cfg, model, hidden.train, precision), cfg.model.context_length
    best = Best(cfg.out / "state")
    logger.info("%s; %d parameters", hidden.prepared.report.line(), sum(p.numel() for p in model.parameters()))
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=given is not None)
    parents = [] if cfg.parent is None else [cfg.parent]
    with training(cfg, "mlm", state, parents=parents, data_hashes=hidden.prepared.data_hashes()) as session:
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        for step in session.steps(lesson(cfg), pace):
            if step.every(cfg.eval_every):
                found, _ = hidden.measure(model, precision, cfg.eval_tokens)
                session.note(held_out_loss=found["loss"], held_out_accuracy=found["accuracy"])
                if stop.see(found["loss"]) and cfg.patience:
                    best.keep(model)
            session.enough = stop.enough
        best.take(model)
        last, count = hidden.measure(model, precision)
        if cfg.parent is None:
            save_model(cfg.out, model, tokenizer)
        else:
            save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent)
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_documents=hidden.prepared.train.header.documents,
            tokens=state.step * pace.tokens_per_step,
            held_out_loss=last["loss"],
            held_out_accuracy=last["accuracy"],
            held_out_tokens=count,
            held_out_protocol=f"{count} hidden tokens ({cfg.mask_share:.0%} of each row, the same each time)",
            common_words=hidden.common_words(),
        )
    return cfg.out
