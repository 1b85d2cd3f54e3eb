"""Linnet's own chat format and its handling of conversations: what a tuned model's training is handed.

B rows, T tokens.
"""

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import torch

from linnet.batches.conversations import Conversations, Example, fit
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.prove.ours_data import rows_of
from linnet.prove.parts import Chat, Perplexity, Rows, Turn
from linnet.text.chat import ROLES, Message, Role, render, render_all, stop_id
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from linnet.train.validate import mean_loss

CONVERSATIONS, MOST_TURNS, MOST_PIECES = 40, 3, 4


class Talking:
    """Conversations of random pieces of text, read as `linnet sft` reads them."""

    def __init__(self, model: Decoder, tokenizer: Tokenizer):
        self.model, self.tokenizer = model, tokenizer

    def examples(self) -> list[Rows]:
        """Return rows as the training's batches hold them; none where the context is too short for a turn."""
        found = self._examples()
        if not found:
            return []
        source = Conversations(found, 4, self._context(), seed=0)
        return rows_of(source.batch(number) for number in range(4))

    def perplexity(self) -> Perplexity | None:
        """Return the held-out measurement of a tuning, and the rows that it measures."""
        found, context = self._examples(), self._context()
        if not found:
            return None
        precision = Precision(torch.float32, self.model.embedding.weight.device)

        def measure(batch_size: int) -> float:
            source = Conversations(found, batch_size, context, seed=0)
            return math.exp(min(mean_loss(self.model, source.in_order(), precision)[0], 700.0))

        rows = rows_of(batch.to(precision.device) for batch in Conversations(found, 8, context, seed=0).in_order())
        return Perplexity(measure, rows)

    def _context(self) -> int:
        return min(64, self.model.config.context_length)

    def _examples(self) -> list[Example]:
        dice = np.random.Generator(np.random.PCG64(0))
        special = set(self.tokenizer.specials.values())
        pieces = [self.tokenizer.decode([id]) for id in range(self.tokenizer.vocab_size) if id not in special]
        words = [piece for piece in pieces if piece.strip() and "\N{REPLACEMENT CHARACTER}" not in piece]

        def text() -> str:
            return "".join(dice.choice(words, dice.integers(0, MOST_PIECES + 1)).tolist())

        talks = [
            [Message(role, text()) for _ in range(dice.integers(1, MOST_TURNS + 1)) for role in ("user", "assistant")]
            for _ in range(CONVERSATIONS)
        ]
        return fit(render_all(self.tokenizer, talks), self._context()).examples


def chat_of(tokenizer: Tokenizer) -> Chat:
    """Return linnet's chat format in a tokenizer's ids."""

    def rendered(turns: Sequence[Turn], reply: bool) -> tuple[list[int], list[bool]]:
        names: dict[str, Role] = {role: role for role in ROLES}
        return render(tokenizer, [Message(names[role], content) for role, content in turns], reply)

    return Chat(rendered, tokenizer.decode, stop_id(tokenizer), _spellable(tokenizer))


def _spellable(tokenizer: Tokenizer) -> dict[str, int]:
    """Return the special tokens whose names can be written in the tokenizer's alphabet."""
    found = {}
    for name, id in tokenizer.specials.items():
        with contextlib.suppress(BadInput):
            tokenizer.encode(name)
            found[name] = id
    return found
