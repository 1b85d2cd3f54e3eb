"""Let a pretrained model go on with another text and its own tokenizer: a book, documents, sums; causal, as before."""

from functools import partial
from pathlib import Path

from linnet.train.row_config import FinetuneConfig


def main(cfg: FinetuneConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import load_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.infer.config import SamplingConfig
    from linnet.infer.decode import generate
    from linnet.prove.before_training import prove_before_training
    from linnet.text.chat import chats
    from linnet.train.early_stop import EarlyStop
    from linnet.train.finetuning import as_pretraining
    from linnet.train.objectives import next_token_objective
    from linnet.train.pretraining import read_corpus
    from linnet.train.session import Best, Pace, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning
    from linnet.train.validate import validate

    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "finetune", cfg.resume)
    if already_done(cfg, "finetune"):
        return cfg.out
    model, tokenizer = load_model(cfg.parent)
    model = begin_adapting(cfg, model, tokenizer)
    context = model.config.context_length
    data, batches = read_corpus(as_pretraining(cfg, context), tokenizer)
    assert data.held_out is not None  # the share held out is above 0
    state = begin_tuning(cfg, model, batches, precision)
    objective, best = next_token_objective(cfg.balance_weight, cfg.compile), Best(cfg.out / "state")
    measure = partial(validate, model, data.held_out, precision, packed=cfg.packing)
    logger.info("%s", data.report.line())
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=True)
    with training(cfg, "finetune", state, parents=[cfg.parent], data_hashes=data.data_hashes()) as session:
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        prompt = "" if data.train.header.documents > 1 else data.held_out.ids[: min(4, max(1, context // 2))].tolist()
        sampling = SamplingConfig(max_tokens=max(1, min(256, context - 4)), seed=cfg.seed)

        def sample(step: int) -> None:
            session.run.sample(generate(model.eval(), tokenizer, [prompt], sampling)[0].text, step)
            model.train()

        if state.step == 0:
            session.run.cut_after(-1)  # a run that was killed before its first saved state has done this already
            session.run.log(0, held_out_loss_before=measure().loss)
            sample(0)
            if cfg.patience:
                best.keep(model)
        logged = read_metrics(cfg.out)
        stop = EarlyStop(cfg.patience, [line["held_out_loss"] for line in logged if "held_out_loss" in line])
        for step in session.steps(objective, pace):
            if step.every(cfg.eval_every):
                found = measure(most_tokens=cfg.eval_tokens)
                session.note(held_out_loss=found.loss, held_out_bits_per_byte=found.bits_per_byte)
                if stop.see(found.loss) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every) and step.number < step.total:
                sample(step.number)
            session.enough = stop.enough
        best.take(model)
        last = measure()
        sample(state.step)
        save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent, chat=chats(cfg.parent))
        session.run.finish(
            steps=state.step,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            train_documents=data.train.header.documents,
            tokens=state.step * pace.tokens_per_step,
            held_out_loss_before=logged[0]["held_out_loss_before"],
            held_out_loss=last.loss,
            held_out_perplexity=last.perplexity,
            held_out_bits_per_byte=last.bits_per_byte,
            held_out_tokens=last.tokens,
            held_out_protocol=last.protocol(context),
        )
    return cfg.out
