"""Judging answers: the ln odds that an answer is right, of a network with one score a token beside its words.

B answers, T tokens, V vocabulary.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Evidence:
    """What an answer's own likelihood says of it: weight * ln p(answer | problem) + offset, in ln odds of being right.

    A weight of 0 leaves the likelihood out, as for a network that gives scores and no words.
    """

    weight: float = 0.0
    offset: float = 0.0


NO_EVIDENCE = Evidence()


def ln_odds(logits: Tensor, before: Tensor, ids: Tensor, judged: Tensor, evidence: Evidence = NO_EVIDENCE) -> Tensor:
    """Return [B, T] ln odds after each token of ids [B, T]: the network's score, and the evidence of the answer so far.

    logits [B, T, V + 1] are those at each token, `before` those at the token before it: V words, then the score (with
    a weight of 0 the score alone will do). judged, bool [B, T], marks the tokens of the answer.
    """
    score = logits[..., -1].to(torch.promote_types(logits.dtype, torch.float32))
    if not evidence.weight:
        return score + evidence.offset
    words = before[..., :-1].to(score.dtype).transpose(1, 2)
    logprobs = -F.cross_entropy(words, ids, reduction="none")
    return score + evidence.weight * torch.where(judged, logprobs, 0).cumsum(1) + evidence.offset
