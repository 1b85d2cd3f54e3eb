"""A small untrained model and conversations for the tests of tunings, and the words of their commands."""

import json
from pathlib import Path

import torch

from linnet.artifacts import save_model
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

LETTERS = "abcdefghijklmnopqrstuvwxyz 0123456789?!.\n"
TOKENIZER = Tokenizer.train_characters([LETTERS])
SMALL = ModelConfig(
    vocab_size=TOKENIZER.vocab_size, context_length=96, num_layers=2, hidden_size=32, num_heads=2, dropout=0.1
)
OPTIONS = {
    "--batch-size": "4",
    "--steps": "12",
    "--log-every": "1",
    "--eval-every": "6",
    "--save-every": "4",
    "--held-out": "0.2",
    "--track": "none",
    "--threads": "1",
    "--device": "cpu",
}


def save_base(folder: Path, seed: int = 0, tokenizer: Tokenizer = TOKENIZER, **choices) -> Path:
    """Save a model whose tokens of turns were never trained, as after pretraining."""
    model = Decoder(SMALL.but(**choices), torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(seed)))
    save_model(folder, model, tokenizer)
    return folder


def write_talks(path: Path, count: int = 40) -> Path:
    """Write conversations of one question each: whether a number is even, in three letters."""
    rows = [{"prompt": f"even {n}", "response": "no." if n % 2 else "yes"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def command(recipe: str, parent: Path, data: Path | str, out: Path, *more: str) -> list[str]:
    """Return the words of a small tuning; what `more` says wins over OPTIONS."""
    kept = [word for option, value in OPTIONS.items() if option not in more for word in (option, value)]
    return [recipe, str(parent), "--data", str(data), "--out", str(out), *kept, *more]
