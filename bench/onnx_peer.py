"""onnxruntime on our weights: files with a key/value cache, written for the race alone, and its own generator.

Needs the `onnxruntime-genai`, `onnx` and `onnx-ir` packages, which nothing else here uses. A Llama is written by their
model builder; a GPT-2, which that does not know, by `bench/onnx_gpt2.py`, of the same fused operators. Both keep keys
and values in one buffer that attention writes to in place, and work out the last place's logits alone. int8 is
onnxruntime's dynamic quantization: matrices in int8 by columns, what enters them in uint8. It was faster here than the
blocks of 32 that the builder's own int8 has.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from bench import onnx_gpt2
from linnet.core.errors import BadInput

PACKAGES = ("onnxruntime_genai", "onnxruntime", "onnx", "onnx_ir", "transformers")
INSTALL = "onnxruntime is left out: pip install onnxruntime-genai onnx onnx-ir transformers"
KINDS = ("fp32", "int8")


def is_there() -> bool:
    """Say whether all packages are installed."""
    return all(find_spec(name) is not None for name in PACKAGES)


def folder_of(files: Path, kind: str) -> Path:
    """Return where the model of a kind lies."""
    return files / f"onnx-{kind}"


def write_onnx(files: Path, kinds: Sequence[str] = KINDS) -> None:
    """Write a transformers folder's model beside it, once for each kind; raises BadInput where that cannot be."""
    plain = folder_of(files, "fp32")
    if json.loads((files / "config.json").read_text())["model_type"] == "gpt2":
        onnx_gpt2.write(files, plain)
    else:
        _build(files, plain)
    if "int8" in kinds:
        _quantize(plain, folder_of(files, "int8"))


def _build(files: Path, to: Path) -> None:
    """Let the model builder write its fp32 model for a CPU; it insists on a tokenizer, so that one is made up."""
    size = json.loads((files / "config.json").read_text())["vocab_size"]
    Tokenizer(WordLevel({str(id): id for id in range(size)}, unk_token="0")).save(str(files / "tokenizer.json"))
    (files / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    # The head apart from the embedding it is tied to costs memory alone, and saves transposing it.
    options = ["hf_token=false", "prune_lm_head=true", "shared_embeddings=false"]
    builder = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", files, "-o", to, "-c", files / "cache"]
    said = subprocess.run(
        [*builder, "-p", "fp32", "-e", "cpu", "--extra_options", *options],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if said.returncode != 0:
        last = said.stdout.strip().splitlines()[-1:]
        raise BadInput(f"onnxruntime's model builder: {''.join(last) or 'failed without a word'}")


def _quantize(plain: Path, to: Path) -> None:
    """Copy a model with its matrices in int8; embeddings, norms and attention stay in fp32."""
    from onnxruntime.quantization import QuantType, quantize_dynamic  # pyrefly: ignore[missing-import]

    shutil.copytree(plain, to, ignore=shutil.ignore_patterns("model.onnx*"))
    logging.disable(logging.WARNING)  # it advises fusing operators, which they are
    try:
        quantize_dynamic(
            plain / "model.onnx",
            to / "model.onnx",
            op_types_to_quantize=["MatMul"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            use_external_data_format=True,
            extra_options={"DefaultTensorType": 1},  # what a fused operator gives is float, too
        )
    finally:
        logging.disable(logging.NOTSET)


def writer(folder: Path, threads: int) -> Callable[[list[list[int]], int, list[float]], list[list[int]]]:
    """Open a model; return what writes so many greedy ids after each prompt, all of one length, as one batch.

    The seconds of each pass are added to the list.
    """
    import onnxruntime_genai  # pyrefly: ignore[missing-import]

    config = onnxruntime_genai.Config(str(folder))
    # No id ends a text; prompts have no id 0, which would count as filling.
    decoder = {"session_options": {"intra_op_num_threads": threads}}
    config.overlay(json.dumps({"model": {"eos_token_id": [], "pad_token_id": 0, "decoder": decoder}}))
    model = onnxruntime_genai.Model(config)

    def write(prompts: list[list[int]], tokens: int, times: list[float]) -> list[list[int]]:
        asked, length = onnxruntime_genai.GeneratorParams(model), len(prompts[0])
        asked.set_search_options(batch_size=len(prompts), max_length=length + tokens, do_sample=False)
        generator = onnxruntime_genai.Generator(model, asked)
        start = time.perf_counter()
        generator.append_tokens(np.array(prompts, np.int32))
        while not generator.is_done():
            generator.generate_next_token()
            times.append(time.perf_counter() - start)
            start = time.perf_counter()
        return [generator.get_sequence(place)[length:].tolist() for place in range(len(prompts))]

    return write
