"""Teach a model to sum dialogues up: an encoder-decoder, or a decoder that chats; ROUGE beside what the lead gets."""

from pathlib import Path

from linnet.core.errors import BadInput
from linnet.train.config import SftConfig
from linnet.train.row_config import SummarizeConfig

FILE = "summaries.json"


def main(cfg: SummarizeConfig) -> Path:
    """Train, or go on training, and return the run folder; its summaries.json holds the scores."""
    from linnet.core.files import json_text, read_json, write_atomic
    from linnet.recipes import seq2seq, sft

    if cfg.parent is not None and kind_of_run(cfg.parent) == "decoder":
        sft.main(as_tuning(cfg))
        numbers = scores_of_replies(cfg)
    else:
        seq2seq.train(cfg, "summarize")
        result = read_json(cfg.out / "result.json")["numbers"]
        numbers = {name: result[name] for name in ("written", "baselines")}
    write_atomic(cfg.out / FILE, json_text(numbers))
    return cfg.out


def kind_of_run(folder: Path) -> str:
    """Return the kind of network in a run folder; raises BadInput where there is none, and for an encoder."""
    from linnet.core.files import read_json
    from linnet.model.config import ModelConfig

    if not (folder / "model.json").is_file():
        raise BadInput(f"{folder}: no model folder (model.json is missing); give the folder of a finished run")
    kind = ModelConfig.build(read_json(folder / "model.json"), where=folder / "model.json").kind
    if kind == "encoder":
        raise BadInput(f"{folder}: an encoder writes nothing; give a decoder or an encoder-decoder")
    return kind


def as_tuning(cfg: SummarizeConfig) -> SftConfig:
    """Return the choices of `linnet sft` that teach a decoder the same; raises BadInput for what it has no use for."""
    usual, own = SummarizeConfig(), {"written", "held_out_split", "parent", "data", "out"}
    chosen = {name for name in cfg.model_fields_set - own if getattr(cfg, name) != getattr(usual, name)}
    if foreign := sorted(chosen - SftConfig.model_fields.keys()):
        raise BadInput(f"--{foreign[0].replace('_', '-')} is for an encoder-decoder, and {cfg.parent} is a decoder")
    values = {name: getattr(cfg, name) for name in (*chosen, "parent", "data", "out", "batch_size")}
    return SftConfig.build(values, where="summarize")


def scores_of_replies(cfg: SummarizeConfig) -> dict:
    """Return the scores of a decoder's replies to the held-out dialogues, beside the baselines'."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device
    from linnet.evals.written import beside_baselines
    from linnet.infer.chatting import replies
    from linnet.infer.config import SamplingConfig
    from linnet.tasks.text_pairs import read_text_pairs
    from linnet.text.chat import Message, render

    model, tokenizer = load_model(cfg.out, pick_device(cfg.device))
    pairs = read_text_pairs(cfg.data, cfg.source_column, cfg.target_column, cfg.split, cfg.held_out, cfg.held_out_split)
    room = model.config.context_length
    asked = [
        one for one in pairs.held_out if len(render(tokenizer, [Message("user", one.question)], reply=True).ids) < room
    ][: cfg.written]
    if not asked:
        raise BadInput(f"--data {cfg.data}: no held-out dialogue fits the model's context of {room:,} tokens")
    sampling = SamplingConfig(temperature=0, max_tokens=pairs.task.max_tokens if pairs.task else 96)
    said = replies(model, tokenizer, [[Message("user", one.question)] for one in asked], sampling)
    return beside_baselines(pairs.task, pairs.train, asked, [one.text for one in said], cfg.seed)
