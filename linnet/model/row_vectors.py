"""A row of tokens as one vector: the mean of its last states, or one of them, at length 1.

B rows, T tokens, D hidden size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.pooling import Pooling, pooled


def row_vectors(model: Decoder | Encoder, ids: Tensor, lengths: Tensor, pooling: Pooling = "mean") -> Tensor:
    """Return [B, D], fp32 or finer, of rows ids [B, T] with lengths [B]: padding has no say (Reimers, Gurevych 2019).

    A head is not asked; it may stay untrained.
    """
    states = model.states(ids, lengths=lengths) if isinstance(model, Decoder) else model.both_ways(ids, lengths=lengths)
    exact = states.to(torch.promote_types(states.dtype, torch.float32))
    return F.normalize(pooled(exact, lengths, pooling), dim=-1)
