"""Whether a model prefers the better answers of pairs it has not seen, and whether it only prefers short or long ones.

N pairs; columns are (chosen, rejected).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.batches.padding import pad
from linnet.batches.pairs import Pairs
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.metrics import compare_paired, wilson_interval
from linnet.model.decoder import Decoder
from linnet.text.chat import reply_ends
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from linnet.train.preference import Preferring, Reference, both, logprobs_of, reference_table

MOST_TOKENS = 128  # of a reply


@dataclass(frozen=True)
class PairScores:
    """ln p [N, 2] of the answers under policy and reference, their tokens, and why the rejected one is worse."""

    policy: Tensor
    reference: Tensor
    lengths: Tensor
    reasons: tuple[str, ...]

    def margins(self, preferring: Preferring) -> np.ndarray:
        """Return how much more reward [N] the better answer gets."""
        chosen, rejected = both(preferring.rewards(self._scores(preferring), self.lengths.T.flatten()))
        return (chosen - rejected).double().numpy()

    def loss(self, preferring: Preferring) -> float:
        """Return the mean loss of the pairs."""
        return float(preferring.losses(self._scores(preferring), self.lengths.T.flatten()).mean())

    def numbers(self, preferring: Preferring) -> dict[str, Any]:
        """Return loss, accuracy with its 95% interval and by reason, the rule of length, and what was gained.

        `accuracy` is of rewards; `likelier` the share of pairs whose better answer has the higher mean ln p of a
        token, which also a model without a reference has: before (the reference) and after.
        """
        right = self.margins(preferring) > 0
        found: dict[str, Any] = {"loss": self.loss(preferring), "pairs": len(right), **share("accuracy", right)}
        reasons = np.array(self.reasons)
        found["accuracy_by_reason"] = {
            reason: share("accuracy", right[reasons == reason]) for reason in sorted(set(self.reasons) - {""})
        }
        before, after = (_likelier(scores, self.lengths) for scores in (self.reference, self.policy))
        gain = compare_paired(after.astype(float), before.astype(float), higher_is_better=True)
        found |= {**share("likelier_before", before), **share("likelier_after", after)}
        found["likelier_gain"] = {
            "difference": gain.difference, "low": gain.low, "high": gain.high, "verdict": gain.verdict
        }  # fmt: skip
        return found | self.by_length(preferring)

    def by_length(self, preferring: Preferring) -> dict[str, Any]:
        """Return what the rule of always taking the shorter (or the longer) answer gets, and where that rule fails.

        Of two answers of one length the rule gets half. A model that only knows lengths is right where the rule is,
        wrong where it is not, and its margins go with the difference in tokens.
        """
        margins, difference = self.margins(preferring), (self.lengths[:, 1] - self.lengths[:, 0]).numpy()
        shorter = float(np.mean((difference > 0) + 0.5 * (difference == 0)))
        against = difference <= 0 if shorter >= 0.5 else difference >= 0
        found: dict[str, Any] = {
            "chosen_tokens": float(self.lengths[:, 0].double().mean()),
            "rejected_tokens": float(self.lengths[:, 1].double().mean()),
            "rule_of_length": "shorter" if shorter >= 0.5 else "longer",
            "rule_of_length_accuracy": max(shorter, 1 - shorter),
            **share("accuracy_where_length_does_not_help", margins[against] > 0),
        }
        varies = len(margins) > 1 and margins.std() > 0 and difference.std() > 0
        found["margin_length_correlation"] = float(np.corrcoef(margins, difference)[0, 1]) if varies else None
        return found

    def _scores(self, preferring: Preferring) -> Tensor:
        scores = self.policy - self.reference if preferring.has_reference else self.policy
        return scores.T.flatten()


def score_pairs(policy: Reference, pairs: Pairs, reference: Tensor | None = None) -> PairScores:
    """Return the scores of all pairs; without a `reference` [N, 2] the policy is taken to be it."""
    table = reference_table(policy, pairs, range(len(pairs.items)))
    lengths = torch.tensor([(len(item.chosen), len(item.rejected)) for item in pairs.items])
    reasons = tuple(item.reason for item in pairs.items)
    return PairScores(table, table if reference is None else reference, lengths, reasons)


@dataclass(frozen=True)
class Replies:
    """What a policy writes to prompts: texts, tokens, and ln policy / reference of each reply."""

    texts: tuple[str, ...]
    tokens: np.ndarray
    log_ratios: np.ndarray

    def numbers(self) -> dict[str, float]:
        """Return the mean tokens of a reply, and KL(policy, reference) of a reply in nats with its standard error.

        The estimate is the mean ln policy / reference of the policy's own replies: unbiased, and so at times below 0.
        """
        error = float(self.log_ratios.std(ddof=1)) / len(self.tokens) ** 0.5 if len(self.tokens) > 1 else 0.0
        return {
            "reply_tokens": float(self.tokens.mean()),
            "kl": float(self.log_ratios.mean()),
            "kl_standard_error": error,
        }


def write_replies(
    model: Decoder, start: Decoder, tokenizer: Tokenizer, pairs: Pairs, precision: Precision, seed: int, most: int = 64
) -> Replies:
    """Return a reply of `model` (temperature 1) to each of the first prompts, and how likely it and `start` find it."""
    prompts = _prompts(pairs, most)
    sampling = SamplingConfig(max_tokens=MOST_TOKENS, seed=seed)
    written = generate(model, tokenizer, prompts, sampling, stop_ids=reply_ends(tokenizer), batch_size=most)
    rows = [
        ([*prompt, *one.ids], [False] * len(prompt) + [True] * len(one.ids))
        for prompt, one in zip(prompts, written, strict=True)
    ]
    # The last token that fits the context may be one more than can be read.
    rows = [
        (ids[: model.config.context_length + 1], learned[: model.config.context_length + 1]) for ids, learned in rows
    ]
    batch = pad(rows, pairs.pad_id, mark=pairs.mark)
    ours, theirs = (logprobs_of(one, precision)(batch).sum(1) for one in (model, start))
    tokens = np.array([len(one.ids) for one in written])
    return Replies(tuple(one.text for one in written), tokens, (ours - theirs).double().cpu().numpy())


def before_and_after(
    model: Decoder, start: Decoder, tokenizer: Tokenizer, pairs: Pairs, precision: Precision, seed: int, shown: int = 8
) -> tuple[dict[str, Any], list[str]]:
    """Return tokens of replies before and after with the KL between, and some prompts with both replies (greedy)."""
    before, after = (write_replies(one, start, tokenizer, pairs, precision, seed) for one in (start, model))
    numbers = {"reply_tokens_before": before.numbers()["reply_tokens"], **after.numbers()}
    prompts, sampling = _prompts(pairs, shown), SamplingConfig(temperature=0, max_tokens=MOST_TOKENS)
    first, second = (
        generate(one, tokenizer, prompts, sampling, stop_ids=reply_ends(tokenizer)) for one in (start, model)
    )
    samples = [
        f"{tokenizer.decode(prompt)}\n\nbefore: {a.text}\nafter:  {b.text}"
        for prompt, a, b in zip(prompts, first, second, strict=True)
    ]
    return numbers, samples


def _prompts(pairs: Pairs, most: int) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(item.prompt for item in pairs.items))[:most]


def share(name: str, right: np.ndarray) -> dict[str, Any]:
    """Return a share with its 95% interval and how many it is of; nothing but the count where there are none."""
    if not len(right):
        return {f"{name}_of": 0}
    low, high = wilson_interval(int(right.sum()), len(right))
    return {name: float(right.mean()), f"{name}_low": low, f"{name}_high": high, f"{name}_of": len(right)}


def _likelier(scores: Tensor, lengths: Tensor) -> np.ndarray:
    mean = scores / lengths
    return (mean[:, 0] > mean[:, 1]).numpy()
