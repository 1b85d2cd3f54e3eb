"""Replies that a policy wrote and that were graded, in groups of one prompt each, as a batch to learn from.

G groups of S replies, B = G S rows, T tokens.
"""

from dataclasses import dataclass, replace

import torch

from linnet.batches.batch import IGNORE, Batch


@dataclass(frozen=True)
class RolloutBatch:
    """`rows` [B, T]: the S replies to the first prompt, then those to the next; exactly the sampled tokens are learned.

    `rewards` [B] are the grades, `advantages` [B] what the loss weighs each reply with. `old` and `reference` [B, T]
    are ln p of the sampled tokens under the policy that wrote them and under the reference, where they are needed.
    """

    rows: Batch
    rewards: torch.Tensor
    advantages: torch.Tensor
    group: int
    finished: torch.Tensor  # bool [B]: ended by itself, not by the limit
    old: torch.Tensor | None = None
    reference: torch.Tensor | None = None

    @property
    def lengths(self) -> torch.Tensor:
        """Return the sampled tokens [B] of each reply."""
        return (self.rows.targets != IGNORE).sum(1)

    @property
    def with_signal(self) -> torch.Tensor:
        """Return the share of groups whose replies differ in reward: the others teach nothing."""
        grouped = self.rewards.view(-1, self.group)
        return (grouped.amax(1) > grouped.amin(1)).float().mean()

    def to(self, device: str | torch.device) -> "RolloutBatch":
        """Return the batch on a device."""

        def moved(part: torch.Tensor | None) -> torch.Tensor | None:
            return None if part is None else part.to(device)

        return replace(
            self,
            rows=self.rows.to(device),
            rewards=self.rewards.to(device),
            advantages=self.advantages.to(device),
            finished=self.finished.to(device),
            old=moved(self.old),
            reference=moved(self.reference),
        )


def group_advantages(rewards: torch.Tensor, group: int, scaled: bool) -> torch.Tensor:
    """Return how much better [B] each reply is than the mean of its group (Shao et al. 2024, section 4.1.2).

    `scaled` divides by the group's standard deviation (that of a sample, plus 1e-4 as in TRL), as the paper does. Liu
    et al. 2025 ("Dr. GRPO") leave it out: it gives prompts that are nearly solved, or nearly never, too much weight.
    """
    grouped = rewards.view(-1, group)
    centred = grouped - grouped.mean(1, keepdim=True)
    if scaled:
        centred = centred / (grouped.std(1, keepdim=True) + 1e-4)
    return centred.flatten()
