"""A small source of batches for the tests of the train room: a pure function of a counter."""

import torch

from linnet.batches.batch import IGNORE, Batch


class Counted:
    """Batches of random ids, the n-th drawn from seed + n; `ragged` hides a random part of the targets."""

    def __init__(self, vocab=17, rows=4, tokens=8, seed=0, ragged=False):
        self.vocab, self.rows, self.tokens, self.seed, self.ragged = vocab, rows, tokens, seed, ragged
        self.number = 0

    def next(self):
        generator = torch.Generator().manual_seed(self.seed + self.number)
        line = torch.randint(self.vocab, (self.rows, self.tokens + 1), generator=generator)
        targets = line[:, 1:].clone()
        if self.ragged:
            lengths = torch.randint(1, self.tokens + 1, (self.rows, 1), generator=generator)
            targets[torch.arange(self.tokens)[None] >= lengths] = IGNORE
        self.number += 1
        return Batch(line[:, :-1].contiguous(), targets)

    def state(self):
        return {"number": self.number}

    def restore(self, state):
        self.number = state["number"]
