"""Mixture of experts in the place of an MLP: top-1 (Fedus et al. 2021), top-2 (Jiang et al. 2024) or more.

N tokens of a batch laid out flat, D hidden size, E experts, k experts a token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.model.config import ModelConfig
from linnet.model.mlp import MLP

FEW, MANY = 64, 256  # an expert reads its tokens in multiples of so many: fewer than MANY, and more


class MixtureOfExperts(nn.Module):
    """Send each token to its best experts and add up what they say, weighted by the router.

    After a forward pass `balance_loss` holds the load-balancing loss of that pass (1 when the load is even) and
    `load` the share of the routed tokens that each expert was asked for, both over real tokens only.
    """

    balance_loss: Tensor | None
    load: Tensor | None

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.chosen = config.experts_per_token
        self.capacity = config.expert_capacity
        # With one expert the probability itself must stay, or the router would get no gradient.
        self.normalise = config.normalise_experts and config.experts_per_token > 1
        self.router = nn.Linear(config.hidden_size, config.num_experts, bias=config.router_bias)
        self.experts = nn.ModuleList(MLP(config, config.expert_width) for _ in range(config.num_experts))
        self.balance_loss = None
        self.load = None

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Map [B, T, D] to [B, T, D]; `real` [B, T] bool marks tokens that are not padding (padding is not routed)."""
        flat = x.reshape(-1, x.shape[-1])
        keep = None if real is None else real.reshape(-1)
        # The router stays in fp32 or finer: in bf16, near ties between experts flip (Fedus et al. 2021, section 2.4).
        exact = torch.promote_types(flat.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            bias = None if self.router.bias is None else self.router.bias.to(exact)
            probabilities = F.linear(flat.to(exact), self.router.weight.to(exact), bias).softmax(-1)  # [N, E]
        weights, experts = probabilities.topk(self.chosen, dim=-1)  # [N, k]
        if self.normalise:
            weights = weights / weights.sum(-1, keepdim=True)
        taken = F.one_hot(experts, len(self.experts))  # [N, k, E]
        if keep is not None:
            taken = taken * keep[:, None, None]
        self._measure(probabilities, taken, keep)
        if self.capacity is not None:
            taken = self._within_capacity(taken, keep)
        return self._combine(flat, weights, taken).view_as(x)

    def _measure(self, probabilities: Tensor, taken: Tensor, keep: Tensor | None) -> None:
        # Fedus et al. 2021, equation 4: E * sum(share of tokens * mean probability), over real tokens.
        tokens = probabilities.shape[0] if keep is None else keep.sum().clamp(min=1)
        mean = (probabilities if keep is None else probabilities * keep[:, None]).sum(0) / tokens
        load = taken.sum((0, 1)).to(mean.dtype) / (tokens * self.chosen)
        self.balance_loss = len(self.experts) * (load * mean).sum()
        self.load = load.detach()

    def _within_capacity(self, taken: Tensor, keep: Tensor | None) -> Tensor:
        # First choices of all tokens are seated before second choices; the order of the batch decides ties.
        assert self.capacity is not None
        tokens = taken.shape[0] if keep is None else int(keep.sum())
        room = max(1, int(self.capacity * tokens * self.chosen / len(self.experts)))
        queue = taken.transpose(0, 1).reshape(-1, len(self.experts))  # [k * N, E]
        seated = queue * (queue.cumsum(0) <= room)
        return seated.view(self.chosen, -1, len(self.experts)).transpose(0, 1)

    def _combine(self, flat: Tensor, weights: Tensor, taken: Tensor) -> Tensor:
        out = torch.zeros_like(flat)
        share = (weights[:, :, None] * taken).sum(1)  # [N, E]
        for number, expert in enumerate(self.experts):
            rows = taken[:, :, number].any(-1).nonzero().squeeze(-1)
            said = expert(flat.index_select(0, _rounded_up(rows)))[: len(rows)]
            out = out.index_add(0, rows, (said * share[rows, number, None].to(flat.dtype)).to(flat.dtype))
        return out


def _rounded_up(rows: Tensor) -> Tensor:
    """Return places [n] with the first token's added, up to a multiple of FEW or MANY; fewer than FEW stay as they are.

    Experts see another number of tokens each step. A CPU's kernels are made and kept for each number, and its allocator
    finds no hole that fits: without this a training of 10M weights grew by 30 MB a step, and with multiples of 64 only
    it took a fifth more memory at its end, in the same time.
    """
    return F.pad(rows, (0, -len(rows) % (FEW if len(rows) < MANY else MANY))) if len(rows) > FEW else rows
