"""A small model folder with a tokenizer of words and turns, as tunings start from; nothing is trained for it."""

import json
import string
from pathlib import Path

from linnet.artifacts import save_model
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network

SMALL = {
    "--batch-size": "4",
    "--steps": "8",
    "--log-every": "1",
    "--eval-every": "4",
    "--save-every": "3",
    "--track": "none",
    "--threads": "1",
    "--device": "cpu",
}


def command(recipe: str, start: Path, *more: str, **small: str) -> list[str]:
    """Return the words of a small tuning; what `more` says wins over `small`, and that over SMALL."""
    kept = {**SMALL, **{f"--{name.replace('_', '-')}": value for name, value in small.items()}}
    words = [word for option, value in kept.items() if option not in more for word in (option, value)]
    return [recipe, str(start), *words, *more]


def parent(folder: Path, **choices: object) -> Path:
    """Write a random network of letters, and return its folder."""
    tokenizer = Tokenizer.train_characters([f"{string.printable[:95]}\n"])
    # Little spread: every token is about as likely, so that some replies come to an end.
    model = network(tokenizer.vocab_size, context_length=256, spread=0.2, **choices)
    save_model(folder, model, tokenizer)
    return folder


def pairs(path: Path, count: int = 60) -> Path:
    """Write pairs of which the better answer always begins with `good`."""
    rows = [
        {"prompt": f"what is {n}?", "chosen": f"good {n % 7}", "rejected": f"bad {n % 5} answer", "reason": f"r{n % 2}"}
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def sums(path: Path, count: int = 40) -> Path:
    """Write questions with the columns of GSM8K."""
    rows = [{"question": f"what is {n}?", "answer": f"#### {n}"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
