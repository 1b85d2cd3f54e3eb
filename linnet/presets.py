"""Whole lives as functions: what each recipe is given under a name such as `--preset tiny`."""

from collections.abc import Callable
from typing import Any

Life = dict[str, dict[str, Any]]


def nano() -> Life:
    """Seconds on a CPU: every part at its smallest, for tests."""
    model = {"context_length": 128, "num_layers": 2, "hidden_size": 64, "num_heads": 2, "ngram_buckets": 1024}
    pretrain = {
        "corpus": "world/stories:400",
        "vocab_size": 512,
        "model": model,
        "steps": 30,
        "batch_size": 8,
        "eval_every": 10,
        "eval_tokens": 4096,
        "save_every": 10,
    }
    few = {"batch_size": 8, "steps": 10, "eval_every": 5, "save_every": 5, "log_every": 5}
    stages = {
        "pretrain": pretrain,
        "sft": {
            **few,
            "data": "world/facts:1500",
            "steps": 120,
            "optimizer": {"matrix_lr": 0.02, "embedding_lr": 0.2, "head_lr": 0.02, "lr": 0.01},
        },
        "dpo": {**few, "pairs": "world:60", "pairs_from": "", "held_out_pairs": 10},
        # Such a model is right by luck, so it takes many answers for some right ones to be held out.
        "verifier": {**few, "task": "facts", "source": "world:300", "split": "train", "problems": 300, "held_out": 0.4},
        "search": {"tries": (1, 2, 4)},
    }
    choices = {"tokenizer_corpus": "world:400", "stories": 8, "rows": 6, "suite": ("facts",)}
    return {**stages, "xray": pretrain, "quickstart": {**stages, **choices}}


def tiny() -> Life:
    """The quick start: a whole life in under half an hour on two CPU cores, 4.0M weights of which 2.2M are multiplied.

    Pretraining takes under ten minutes of it, on short stories; then the model learns to answer, to prefer, to judge.
    """
    model = {
        "context_length": 256,
        "num_layers": 4,
        "hidden_size": 192,
        "num_heads": 3,
        "value_embedding_every": 1,
    }
    pretrain = {
        "corpus": "world/stories:60000",
        "vocab_size": 2048,
        "model": model,
        "packing": True,
        "optimizer": {"matrix_lr": 0.02, "embedding_lr": 0.2, "head_lr": 0.02, "lr": 0.01, "weight_decay": 0.05},
        "schedule": {"cooldown": 0.6, "final": 0.0},
        "steps": 840,
        "batch_size": 32,
        "eval_every": 100,
        "sample_every": 100,
        "save_every": 100,
        "log_every": 5,
    }
    stages = {
        "pretrain": pretrain,
        "sft": {
            "data": "world/sums:20000+world/reviews:3000+world/dialogues:4000+world/facts:12000"
            "+world/instructions:8000",
            "optimizer": {"matrix_lr": 0.012, "embedding_lr": 0.1, "head_lr": 0.01, "lr": 0.005},
            "schedule": {"kind": "trapezoid", "cooldown": 0.6},
            "steps": 400,
            "batch_size": 32,
            "eval_every": 100,
        },
        "dpo": {
            "pairs": "world:2000",
            "pairs_from": "sums:4000:1",
            "pairs_by": "steps",
            "replies": 1,
            "chosen_weight": 1.0,
            "optimizer": {"kind": "adamw", "lr": 3e-5, "weight_decay": 0.0},
            "steps": 80,
            "batch_size": 32,
            "held_out_pairs": 200,
            "eval_every": 40,
        },
        "verifier": {
            "source": "world:1000",
            "split": "validation",
            "problems": 1000,
            "answers": 8,
            "optimizer": {"matrix_lr": 6e-4, "embedding_lr": 3e-3, "head_lr": 6e-4, "lr": 1e-4},
            "steps": 150,
            "batch_size": 32,
        },
        "search": {"tries": (1, 2, 4, 8, 16)},
    }
    return {**stages, "xray": pretrain, "quickstart": stages}


def small() -> Life:
    """Tens of millions of weights, for an evening on one consumer GPU: 8 layers of width 512, 16k tokens a batch."""
    model = {
        "context_length": 512,
        "num_layers": 8,
        "hidden_size": 512,
        "num_heads": 4,
        "ngram_buckets": 65536,
    }
    pretrain = {
        "vocab_size": 8192,
        "model": model,
        "steps": 6000,
        "batch_size": 32,
        "accumulate": 2,
        "compile": True,
        "eval_every": 250,
        "eval_tokens": 500_000,
        "sample_every": 1000,
        "save_every": 500,
    }
    return {"pretrain": pretrain, "xray": pretrain}


def max_12gb() -> Life:
    """Fill a 12 GB card such as an RTX 3060: 24 layers of width 1024, half a million tokens a step.

    With bf16 products the weights, gradients and optimizer take 12 bytes a weight under Muon and 16 under AdamW:
    302M in blocks (3.6 GB), 34M each in embedding and head (1.1 GB). Each block is recomputed in the backward pass.
    This is a count, not a measurement: no such card was at hand.
    """
    model = {
        "context_length": 1024,
        "num_layers": 24,
        "hidden_size": 1024,
        "num_heads": 8,
        "value_embedding_every": 0,
    }
    pretrain = {
        "vocab_size": 32768,
        "model": model,
        "optimizer": {"matrix_lr": 0.02, "embedding_lr": 0.05, "head_lr": 0.005, "weight_decay": 0.1},
        "schedule": {"kind": "trapezoid", "warmup": 100, "cooldown": 0.4},
        "steps": 10_000,
        "batch_size": 8,
        "accumulate": 64,
        "dtype": "bf16",
        "compile": True,
        "checkpointing": True,
        "eval_every": 250,
        "eval_tokens": 1_000_000,
        "sample_every": 1000,
        "save_every": 250,
    }
    return {"pretrain": pretrain, "xray": pretrain}


PRESETS: dict[str, Callable[[], Life]] = {"nano": nano, "tiny": tiny, "small": small, "max_12gb": max_12gb}
