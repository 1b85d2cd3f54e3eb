"""Quantized copies beside what they were made from: bytes, speed, and what is lost of a trained model's held-out text.

`python -m bench quantize --run runs/quickstart/pretrain` makes a copy of a run by every method, and beside it copies
of random weights of GPT-2's 124M shape, of which only size and speed mean anything.
"""

import argparse
import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import torch

from linnet.adapt.kernels import choose
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import Rows, quantize
from linnet.artifacts import load_model, save_model, save_quantized
from linnet.batches.prepare import prepare
from linnet.core.device import set_threads
from linnet.core.files import read_json
from linnet.core.machine import describe
from linnet.evals.quantized import calibration_rows, file_bytes, held_out, speeds
from linnet.evals.table import text_table
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

METHODS = {
    "int8": QuantConfig(method="int8"),
    "int8-dynamic": QuantConfig(method="int8-dynamic"),
    "int4 nearest": QuantConfig(method="int4", rounding="nearest"),
    "int4 nearest symmetric": QuantConfig(method="int4", rounding="nearest", zero_point=False),
    "int4 gptq": QuantConfig(method="int4"),
    "int4 gptq, groups of 32": QuantConfig(method="int4", group=32),
}
GPT2 = ModelConfig(
    vocab_size=50257, context_length=1024, num_layers=12, hidden_size=768, num_heads=12, positions="learned",
    norm="layer", norm_epsilon=1e-5, norm_gain=True, activation="gelu", attention_bias=True, mlp_bias=True,
    qk_norm=False, tie_embeddings=True, head_bias=False, embedding_norm=False, residual_mix=False,
    value_embedding_every=0, logit_soft_cap=None,
)  # fmt: skip


def main(arguments: list[str]) -> None:
    """Measure and print a row for each method."""
    parser = argparse.ArgumentParser(prog="python -m bench quantize", description=__doc__)
    parser.add_argument("--run", type=Path, help="a trained run: also what is lost of its held-out text")
    parser.add_argument("--corpus", default="world/stories:10000:77")
    parser.add_argument("--tokens", type=int, default=100_000, help="held-out tokens that are measured")
    parser.add_argument("--rows", type=int, default=128, help="rows of the text to calibrate on")
    parser.add_argument("--no-gpt2", action="store_true", help="leave out the random weights of GPT-2's shape")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    set_threads(asked.threads)
    found: dict[str, Any] = {"machine": describe()}
    if asked.run is not None:
        model, tokenizer = load_model(asked.run)
        data = prepare(asked.corpus, tokenizer)
        assert data.held_out is not None, "a tenth of the corpus is held out"
        how = {"apart": read_json(asked.run / "config.json").get("packing") is True, "max_tokens": asked.tokens}
        rows = calibration_rows(data.train, asked.rows, model.config.context_length, how["apart"])
        found["run"] = []
        for name in METHODS:
            made = measure(model, tokenizer, name, rows, asked.rounds)
            made |= lost(held_out(model, made.pop("copy"), tokenizer, data.held_out, **how))
            found["run"].append(made)
        print(f"{asked.run}, held-out text of {asked.corpus}", text_table(found["run"]), sep="\n", flush=True)
    if not asked.no_gpt2:
        found["gpt2"] = []
        model, tokenizer = Decoder(GPT2).eval(), Tokenizer.train_characters(["ab"])
        for name in ("int8", "int8-dynamic", "int4 nearest"):
            made = measure(model, tokenizer, name, [], asked.rounds)
            made.pop("copy")
            found["gpt2"].append(made)
        print("\nGPT-2 124M, random weights", text_table(found["gpt2"]), sep="\n", flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))


def measure(model: Decoder, tokenizer: Tokenizer, name: str, rows: list[Rows], rounds: int) -> dict[str, Any]:
    """Return a row of the table: files in megabytes, tokens a second as times of full precision; and the copy."""
    small = copy.deepcopy(model)
    header = quantize(small, METHODS[name], rows)
    with tempfile.TemporaryDirectory() as place:
        whole, packed = Path(place) / "whole", Path(place) / "packed"
        save_model(whole, model, tokenizer)
        save_quantized(packed, small, tokenizer, header, whole)
        before, after = file_bytes(whole), file_bytes(packed)
        small, _ = load_model(packed)
    kernels = choose(small, torch.float32)
    row: dict[str, Any] = {"method": name, "MB": after / 1e6, "share": after / before}
    for speed in speeds({"full": model, "quantized": small}, rounds=rounds):
        where = f"{speed['what']} {speed['batch']}"
        row |= {where: round(speed["quantized"]), f"{where}, times": speed["times"]}
    return {**row, "kernels": ", ".join(kernels.values()), "copy": small}


def lost(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a copy loses of held-out text, for the table."""
    change = found["lost_bits_per_byte"]
    return {
        "perplexity": found["quantized"]["perplexity"],
        "full": found["full"]["perplexity"],
        "bits per byte lost": f"{change['difference']:+.5f} [{change['low']:+.5f}, {change['high']:+.5f}]",
    }
