"""Train a smaller model to give the probabilities of a larger one: distillation on a text or on conversations."""

from pathlib import Path

from linnet.train.config import DistillConfig


def main(cfg: DistillConfig) -> Path:
    """Train, or go on training, and return the run folder."""
    from linnet.artifacts import load_model, save_tuned
    from linnet.core.console import logger
    from linnet.core.run import Run, read_metrics
    from linnet.infer.config import SamplingConfig
    from linnet.infer.decode import generate
    from linnet.prove.before_training import prove_before_training
    from linnet.text.chat import chats, stop_id
    from linnet.train.distilling import lesson, pupil, read_material
    from linnet.train.early_stop import EarlyStop
    from linnet.train.session import Best, Pace, already_done, set_up, training
    from linnet.train.tuning import begin_adapting, begin_tuning

    precision = set_up(cfg)
    Run.check(cfg.out, cfg, "distill", cfg.resume)
    if already_done(cfg, "distill"):
        return cfg.out
    parents = [cfg.teacher] if cfg.parent is None else [cfg.teacher, cfg.parent]
    for folder in parents if cfg.data else ():
        chats(folder)  # refuses a model that was taught another format
    teacher, tokenizer = load_model(cfg.teacher, precision.device)
    model = pupil(cfg, (teacher, tokenizer), None if cfg.parent is None else load_model(cfg.parent))
    begin_adapting(cfg, model, tokenizer)
    context = model.config.context_length
    material = read_material(cfg, tokenizer, context)
    state = begin_tuning(cfg, model, material.train, precision)
    objective, best = lesson(cfg, teacher), Best(cfg.out / "state")
    sizes = [sum(parameter.numel() for parameter in network.parameters()) for network in (model, teacher)]
    logger.info("%s; %d parameters learn from %d", material.line(), *sizes)
    if cfg.prove:
        prove_before_training(model, cfg.steps, cfg.seed, trained=cfg.parent is not None)
    with training(cfg, "distill", state, parents=parents, data_hashes=material.data_hashes()) as session:
        pace = Pace(model, precision, context, cfg.batch_size * context * cfg.accumulate)
        prompt = material.opening()
        stops = [tokenizer.end_id, *([stop_id(tokenizer)] if cfg.data else [])]
        sampling = SamplingConfig(max_tokens=max(1, min(256, context // 2)), seed=cfg.seed)
        taught, _ = material.measure(teacher, precision)
        earlier = [line["held_out_loss"] for line in read_metrics(cfg.out) if "held_out_loss" in line]
        stop = EarlyStop(cfg.patience, earlier)

        def sample(step: int) -> None:
            done = generate(model.eval(), tokenizer, [prompt], sampling, stop_ids=stops)
            session.run.sample(done[0].text, step)
            model.train()

        for step in session.steps(objective, pace):
            if step.every(cfg.eval_every):
                loss, _ = material.measure(model, precision, cfg.eval_tokens)
                session.note(held_out_loss=loss)
                if stop.see(loss) and cfg.patience:
                    best.keep(model)
            if step.every(cfg.sample_every) and step.number < step.total:
                sample(step.number)
            session.enough = stop.enough
        best.take(model)
        last, targets = material.measure(model, precision)
        sample(state.step)
        save_tuned(cfg.out, model, tokenizer, cfg.adapt, cfg.parent or cfg.teacher, chat=bool(cfg.data))
        session.run.finish(
            steps=state.step,
            parameters=sizes[0],
            teacher_parameters=sizes[1],
            tokens=state.step * pace.tokens_per_step,
            held_out_loss=last,
            teacher_held_out_loss=taught,
            held_out_targets=targets,
        )
    return cfg.out
