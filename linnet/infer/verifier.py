"""A verifier: how likely an answer to a problem is right, by a network with one score a token beside its words.

B answers, T tokens.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.batches.judged import answer_ids
from linnet.core.errors import BadInput
from linnet.infer.rows import prefill, read
from linnet.model.decoder import Decoder
from linnet.model.judging import NO_EVIDENCE, Evidence, ln_odds
from linnet.text.tokenizer import Tokenizer

LEAST = 1e-9  # no answer is certainly right or wrong


class Verifier:
    """Scores answers after problems, in the chat format; the score is that of the answer's last token."""

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer,
        share_right: float = 0.5,
        evidence: Evidence = NO_EVIDENCE,
    ):
        """Take a network with a score a token; raises BadInput for another.

        `share_right` is the share of right answers where it is used: it was trained at even odds. `evidence` is what
        its own likelihood of an answer says, as found before it was trained.
        """
        if not model.config.judges:
            raise BadInput(f"a verifier gives a score a token, this network {model.config.outputs:,} logits")
        self.model, self.tokenizer, self.evidence = model, tokenizer, evidence
        share = min(max(share_right, LEAST), 1 - LEAST)
        self._log_odds = math.log(share / (1 - share))

    def score(self, problem: str, answer: str) -> float:
        """Return how likely the answer is right, in (0, 1)."""
        return self.scores([(problem, answer)])[0]

    def scores(self, pairs: Sequence[tuple[str, str]], batch_size: int = 64) -> list[float]:
        """Return the score of each (problem, answer) in order; an answer beyond the context gets the lowest.

        Problems that stand together are read once: keep the answers to one problem side by side.
        """
        rows = [answer_ids(self.tokenizer, problem, answer) for problem, answer in pairs]
        found = [LEAST] * len(rows)
        fit = [n for n, row in enumerate(rows) if len(row[0]) + len(row[1]) <= self.model.config.context_length]
        for first in range(0, len(fit), batch_size):
            part = fit[first : first + batch_size]
            odds = last_odds(self.model, [rows[n][0] for n in part], [rows[n][1] for n in part], self.evidence)
            shares = (odds.double() + self._log_odds).sigmoid().clamp(LEAST, 1 - LEAST).tolist()  # Bayes' rule
            for n, share in zip(part, shares, strict=True):
                found[n] = share
        return found


@torch.inference_mode()
def last_odds(
    model: Decoder,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    evidence: Evidence = NO_EVIDENCE,
) -> Tensor:
    """Return the ln odds [B] at the last token of each answer (ids) after its prompt; equal prompts are read once."""
    lengths = torch.tensor([len(answer) for answer in answers])
    longest = int(lengths.max())
    room = max(map(len, prompts)) + longest
    if room > model.config.context_length and len(answers) > 1:  # each fits, the longest of both together do not
        half = len(answers) // 2
        parts = (slice(half), slice(half, None))
        return torch.cat([last_odds(model, prompts[part], answers[part], evidence) for part in parts])
    after, cache = prefill(model, prompts, room, rolling=False)
    ids = torch.zeros(len(answers), longest, dtype=torch.int64)
    for row, answer in enumerate(answers):
        ids[row, : len(answer)] = torch.tensor(answer)
    device = model.embedding.weight.device
    logits = read(model, ids.to(device), cache, lengths.to(device))
    before = torch.cat([after[:, None].to(device), logits[:, :-1]], dim=1)
    odds = ln_odds(logits, before, ids.to(device), torch.ones_like(ids, dtype=torch.bool, device=device), evidence)
    return odds.cpu().gather(1, lengths[:, None] - 1).squeeze(1)
