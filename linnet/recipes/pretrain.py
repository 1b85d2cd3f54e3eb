"""Train a language model from scratch on any text: tokenizer, shards, loop, held-out loss, samples."""

from functools import partial
from pathlib import Path

from linnet.train.config import PretrainConfig


def main(cfg: PretrainConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import save_model
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.infer.config import SamplingConfig
    from linnet.infer.decode import generate
    from linnet.prove.before_training import prove_before_training
    from linnet.train.early_stop import EarlyStop
    from linnet.train.pretraining import begin, learning, read_corpus, with_tokenizer
    from linnet.train.session import Best, Pace, already_done, set_up, training
    from linnet.train.validate import validate

    precision = set_up(cfg)
    cfg, tokenizer = with_tokenizer(cfg)
    Run.check(cfg.out, cfg, "pretrain", cfg.resume)
    if already_done(cfg, "pretrain"):
        return cfg.out
    data, batches = read_corpus(cfg, tokenizer)
    assert data.held_out is not None  # the share held out is above 0
    state = begin(cfg, batches, precision)
    model, context = state.model, cfg.model.context_length
    objective, _ = learning(cfg)
    best = Best(cfg.out / "state")
    logger.info("%s; %d parameters", data.report.line(), sum(p.numel() for p in model.parameters()))
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed)
    with training(cfg, "pretrain", state, data_hashes=data.data_hashes()) as session:
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        # A corpus of one document has no end tokens to begin after: go on from where its held-out part begins.
        prompt = "" if data.train.header.documents > 1 else data.held_out.ids[: min(4, max(1, context // 2))].tolist()
        sampling = SamplingConfig(max_tokens=max(1, min(256, context - 4)), seed=cfg.seed)
        measure = partial(validate, model, data.held_out, precision, packed=cfg.packing)
        for step in session.steps(objective, pace):
            if step.every(cfg.eval_every):
                pace.measure_limit(seconds=0.1)
                found = measure(most_tokens=cfg.eval_tokens)
                session.note(held_out_loss=found.loss, held_out_bits_per_byte=found.bits_per_byte)
                if stop.see(found.loss) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every):
                session.run.sample(generate(model.eval(), tokenizer, [prompt], sampling)[0].text, step.number)
                model.train()
            session.enough = stop.enough
        if stop.enough:
            logger.info("stopping early: no better held-out loss in %d evaluations", cfg.patience)
        best.take(model)
        last = measure()
        session.run.sample(generate(model.eval(), tokenizer, [prompt], sampling)[0].text, state.step)
        save_model(cfg.out, model, tokenizer)
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_documents=data.train.header.documents,
            tokens=state.step * pace.tokens_per_step,
            held_out_loss=last.loss,
            held_out_perplexity=last.perplexity,
            held_out_bits_per_byte=last.bits_per_byte,
            held_out_tokens=last.tokens,
            held_out_protocol=last.protocol(context),
        )
    return cfg.out
