"""Train a language model from scratch on any text: tokenizer, shards, loop, held-out loss, samples."""

from functools import partial
from pathlib import Path

from pydantic import Field

from linnet.model.config import ModelConfig
from linnet.train.config import TrainingConfig


class PretrainConfig(TrainingConfig):
    """Choices of `linnet pretrain`."""

    corpus: str = "world"
    """Text to learn: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    held_out: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the text kept out of training, to measure on."""
    tokenizer: str = "bpe"
    """A tokenizer's folder or file, or `bpe` or `characters` to train one on the corpus."""
    vocab_size: int = Field(default=1024, ge=261, le=2**20)
    """Most ids of a tokenizer trained with `bpe`."""
    model: ModelConfig = ModelConfig()
    """The architecture; vocab_size is taken from the tokenizer."""
    packing: bool = False
    """Fill rows with whole documents that do not see each other, instead of windows of one long text."""
    out: Path = Path("runs/pretrain")
    """Run folder."""


def main(cfg: PretrainConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    import torch

    from linnet.artifacts import save_model
    from linnet.batches.packing import PackedRows
    from linnet.batches.prepare import Source, prepare
    from linnet.batches.vocabulary import tokenizer_for
    from linnet.batches.windows import Windows
    from linnet.core.console import Progress, logger
    from linnet.core.interrupt import Interrupt
    from linnet.core.run import Run, read_metrics
    from linnet.infer.config import SamplingConfig
    from linnet.infer.decode import generate
    from linnet.model.decoder import Decoder
    from linnet.train.early_stop import EarlyStop
    from linnet.train.loop import steps
    from linnet.train.objectives import next_token_objective
    from linnet.train.optimizers import make_optimizer
    from linnet.train.schedules import factor
    from linnet.train.session import Best, OneBatch, Pace, already_done, go_on, set_up
    from linnet.train.state import Checkpoints, TrainState
    from linnet.train.validate import validate

    precision = set_up(cfg)
    source = Source(cfg.corpus, cfg.column, cfg.split, held_out=cfg.held_out)
    tokenizer = tokenizer_for(cfg.tokenizer, source, cfg.vocab_size)
    cfg = cfg.but(model=cfg.model.but(vocab_size=tokenizer.vocab_size))
    Run.check(cfg.out, cfg, "pretrain", cfg.resume)
    if already_done(cfg, "pretrain"):
        return cfg.out
    data = prepare(cfg.corpus, tokenizer, held_out=cfg.held_out, column=cfg.column, split=cfg.split)
    assert data.held_out is not None  # the share held out is above 0
    context = cfg.model.context_length
    data.check_length(cfg.corpus, context)
    rows = PackedRows if cfg.packing else Windows
    batches = rows(data.train, cfg.batch_size, context, cfg.seed)
    model = Decoder(cfg.model, torch.Generator().manual_seed(cfg.seed)).to(precision.device)
    model.checkpointing = cfg.checkpointing
    source_of_batches = OneBatch(batches) if cfg.overfit_one_batch else batches
    state = TrainState(model, make_optimizer(model, cfg.optimizer), source_of_batches, precision)
    objective = next_token_objective(cfg.balance_weight, cfg.compile)
    saved, best = Checkpoints(cfg.out / "state"), Best(cfg.out / "state")
    logger.info("%s; %d parameters", data.report.line(), sum(p.numel() for p in model.parameters()))
    with (
        Run.start(cfg.out, cfg, "pretrain", data_hashes=data.data_hashes(), resume=cfg.resume, track=cfg.track) as run,
        Interrupt() as interrupt,
        Progress(cfg.steps, "pretrain") as progress,
    ):
        go_on(cfg, state, saved, run)
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        earlier = [line["held_out_loss"] for line in read_metrics(run.folder) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)
        # A corpus of one document has no end tokens to begin after: go on from where its held-out part begins.
        prompt = "" if data.train.header.documents > 1 else data.held_out.ids[: min(4, max(1, context // 2))].tolist()
        sampling = SamplingConfig(max_tokens=max(1, min(256, context - 4)), seed=cfg.seed)
        measure = partial(validate, model, data.held_out, precision, packed=cfg.packing)
        schedule = partial(factor, cfg.schedule, total=cfg.steps)
        for step in steps(state, objective, schedule, cfg.steps, cfg.accumulate, cfg.clip):
            numbers: dict[str, float] = {}
            if step.every(cfg.log_every):
                numbers = {**step.numbers, **pace.numbers(step)}
                progress.update(
                    step.number,
                    loss=numbers["loss"],
                    tokens_per_second=numbers["tokens_per_second"],
                    matmul_share=numbers["matmul_share"],
                    memory_bytes=int(numbers["memory_bytes"]),
                )
            if step.every(cfg.eval_every):
                pace.measure_limit(seconds=0.1)
                found = measure(most_tokens=cfg.eval_tokens)
                numbers |= {"held_out_loss": found.loss, "held_out_bits_per_byte": found.bits_per_byte}
                if stop.see(found.loss) and cfg.patience:
                    best.keep(model)
            if numbers:
                run.log(step.number, **numbers)
            if step.every(cfg.sample_every):
                run.sample(generate(model.eval(), tokenizer, [prompt], sampling)[0].text, step.number)
                model.train()
            if step.every(cfg.save_every) or interrupt.asked:
                path = saved.save(state)
                interrupt.leave(
                    f"stopped after step {step.number} and saved {path}; the same command with --resume goes on"
                )
            if stop.enough:
                logger.info("stopping early: no better held-out loss in %d evaluations", cfg.patience)
                break
        best.take(model)
        last = measure()
        run.sample(generate(model.eval(), tokenizer, [prompt], sampling)[0].text, state.step)
        save_model(cfg.out, model, tokenizer)
        run.finish(
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
