"""What is to be proved, and how it is called: a model with the parts of its life that its owner can show.

B rows, T tokens, V vocabulary. Only `name`, `model`, `vocab_size` and `logits` are needed; every part that is left out
makes its invariants "not applicable". The parts of a life around the network are in `linnet.prove.parts`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from linnet.prove.parts import (
    Adapter,
    Chat,
    Classifying,
    Experts,
    Judging,
    Logits,
    Masking,
    Perplexity,
    Preference,
    Quantized,
    Rows,
    Source,
    Text,
    Training,
)


@dataclass(frozen=True)
class Reading:
    """Other ways to the same logits [B, T, V] that a model offers beside reading whole rows."""

    padded: Callable[[Tensor, Tensor], Tensor] | None = None
    """(ids [B, T], lengths [B]): rows are filled up on the right; what stands at the padding is not looked at."""
    left_padded: Callable[[Tensor, Tensor], Tensor] | None = None
    """(ids [B, T], lengths [B]): rows are filled up on the left, as when writing in batches."""
    packed: Callable[[Tensor, Tensor], Tensor] | None = None
    """(ids [B, T], documents [B, T]): numbers from 0 on say which tokens of a row are one document."""
    moved: Callable[[Tensor, int], Tensor] | None = None
    """(ids [B, T], offset): the row stands at offset, offset + 1, ...; only of models of relative positions."""
    rotate: Callable[[Tensor, Tensor], Tensor] | None = None
    """(x [B, H, T, d], positions [B, T]): rotary positions applied to queries or keys."""
    head_size: int = 64
    """The d that `rotate` takes."""
    cached: Callable[[Tensor, Sequence[int]], Tensor] | None = None
    """(ids [B, T], sizes of pieces): the row read piece by piece through the key/value cache, logits of all pieces."""
    rolling: Callable[[Tensor, Sequence[int]], Tensor] | None = None
    """The same through a cache that keeps no more than the window."""
    window: int | None = None
    """Tokens that a layer with a sliding window sees; rows longer than this are tried."""
    reads: Callable[[int], Tensor] | None = None
    """(T) -> bool [T, T]: whether place i can know of place j through all layers; by default of every j <= i."""


@dataclass(frozen=True)
class Subject:
    """A model under proof. Callables are called with tensors on the model's device and must not keep gradients."""

    name: str
    model: nn.Module
    """Owns every parameter; invariants switch its mode, read its gradients, and move weights to and back."""
    vocab_size: int
    logits: Logits
    """Whole rows, in the mode and with the weights that the model has at the time."""
    longest: int = 64
    """Most tokens in a row."""
    both_ways: bool = False
    """An encoder: a token sees those after it too."""
    depends_on_batch: str = ""
    """Why an output depends, by design, on all tokens of the batch (a capacity of experts); empty if it does not."""
    reading: Reading = Reading()
    """Other ways to the same logits."""
    source: Source | None = None
    """An encoder-decoder's two sides; `logits` is then its decoder over one fixed source."""
    loss: Callable[[Rows], Tensor] | None = None
    """The loss that training uses: its mean over the learned tokens in nats, a scalar with gradient."""
    fresh: Callable[[], Logits] | None = None
    """A newly initialised network of the same shape."""
    tied: tuple[tuple[str, str], ...] = ()
    """Pairs of names of parameters that are to be one and the same."""
    reloaded: Callable[[], "Subject"] | None = None
    """Save the model, load what was saved, and return it."""
    converted: Mapping[str, Logits] = field(default_factory=dict)
    """The same network in other forms (exported, imported, compiled) by name."""
    experts: Experts | None = None
    adapter: Adapter | None = None
    preference: Preference | None = None
    judging: Judging | None = None
    masking: Masking | None = None
    classifying: Classifying | None = None
    quantized: Quantized | None = None
    text: Text | None = None
    chat: Chat | None = None
    examples: Sequence[Rows] = ()
    """Rows as the loss is handed them in training, padding included (the row of a batch each has its own length)."""
    perplexity: Perplexity | None = None
    training: Training | None = None

    def __post_init__(self) -> None:
        if self.vocab_size < 2 or self.longest < 4:
            raise ValueError(
                f"{self.name}: a vocabulary of {self.vocab_size} and rows of {self.longest} tokens; "
                "a proof needs at least 2 ids and 4 tokens"
            )

    @property
    def device(self) -> torch.device:
        """Return where the model's parameters are."""
        return next((parameter.device for parameter in self.model.parameters()), torch.device("cpu"))
