"""The parts of a model's life that can be proved beside the network: each is optional and made of plain callables.

B rows, T tokens, V vocabulary, L layers with experts, E experts.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

Logits = Callable[[Tensor], Tensor]  # ids [B, T] -> logits [B, T, V]
Turn = tuple[str, str]  # role (system, user, assistant) and content


@dataclass(frozen=True)
class Rows:
    """Whole rows of tokens, and which of them are learned, i.e. predicted from those before (never the first).

    Nothing is shifted: the shift is the business of the loss, and so under proof.
    """

    ids: Tensor  # [B, T] int64
    learned: Tensor  # [B, T] bool

    def __post_init__(self) -> None:
        if self.ids.shape != self.learned.shape or self.ids.ndim != 2:
            raise ValueError(f"ids {list(self.ids.shape)} and learned {list(self.learned.shape)} must both be [B, T]")


@dataclass(frozen=True)
class Source:
    """The two sides of an encoder-decoder."""

    logits: Callable[[Tensor, Tensor], Tensor]
    """(source [B, S], target [B, T]) -> logits [B, T, V]."""
    padded: Callable[[Tensor, Tensor, Tensor], Tensor] | None = None
    """(source [B, S], lengths [B] of the sources, target [B, T]): sources filled up on the right."""


@dataclass(frozen=True)
class Experts:
    """A mixture of experts, seen from outside."""

    routers: tuple[str, ...]
    """Names of the routers' parameters."""
    load: Callable[[Tensor], Tensor]
    """ids [B, T] -> [L, E]: how many tokens each expert was asked for."""
    padded_load: Callable[[Tensor, Tensor], Tensor] | None = None
    """(ids [B, T], lengths [B]) -> [L, E]: the same when rows are filled up on the right."""
    balance: Callable[[Tensor, Tensor], Tensor] | None = None
    """(ids [B, T], lengths [B]) -> the load-balancing loss over real tokens, a scalar."""


@dataclass(frozen=True)
class Adapter:
    """A small part added to a frozen network (LoRA and its kin), in the states that it can be in."""

    base: Logits
    """The network without the adapter."""
    fresh: Logits | None = None
    """With an adapter as it is first made."""
    adapted: Logits | None = None
    """With an adapter that has learned something (random numbers in all its parts will do)."""
    off: Logits | None = None
    """With that adapter switched off."""
    merged: Logits | None = None
    """With that adapter folded into the weights."""


@dataclass(frozen=True)
class Pair:
    """A prompt with a better and a worse answer, as ids."""

    prompt: tuple[int, ...]
    chosen: tuple[int, ...]
    rejected: tuple[int, ...]


@dataclass(frozen=True)
class Preference:
    """Learning from preferences (DPO); the subject's model is the policy and starts equal to the reference."""

    loss: Callable[[Sequence[Pair]], Tensor]
    """The mean loss of the pairs, a scalar with gradient."""
    logps: Callable[[Sequence[Pair]], tuple[Tensor, Tensor]] | None = None
    """What the policy's answers are scored with: summed ln p of the chosen and of the rejected ones, [B] each."""
    reference_logps: Callable[[Sequence[Pair]], tuple[Tensor, Tensor]] | None = None
    """The same by the reference."""
    at_start: float | None = math.log(2)
    """The loss while the policy is the reference (that of DPO); None where there is no reference (SimPO)."""
    of_mean_token: bool = False
    """Whether the loss goes by the mean ln p of an answer's tokens (IPO, SimPO) instead of the sum."""


@dataclass(frozen=True)
class JudgedAnswer:
    """A prompt and an answer to it, as ids, and whether the answer is right."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    right: bool


@dataclass(frozen=True)
class Judging:
    """Scoring answers (a verifier, Cobbe et al. 2021); the last of the subject's logits are ln odds of being right."""

    loss: Callable[[Sequence[JudgedAnswer]], Tensor]
    """The mean loss of a judged token over the answers, a scalar with gradient."""
    scores: Callable[[Sequence[JudgedAnswer]], Tensor]
    """How likely each answer is right, [B] in (0, 1)."""
    likelihood: float = 0.0
    """What each nat of ln p(answer so far | prompt) adds to the ln odds; the other logits are the words then."""


@dataclass(frozen=True)
class Masking:
    """Hiding tokens to be guessed (BERT, Devlin et al. 2019); the logits of a place are about its own token."""

    mask: Callable[[Tensor, int], tuple[Tensor, Tensor]]
    """(ids [B, T], number of the batch) -> what is shown [B, T], and which are to be guessed, bool [B, T]."""
    loss: Callable[[Tensor, Tensor, Tensor], Tensor]
    """(shown [B, T], ids [B, T], to be guessed [B, T]) -> the mean loss of those, a scalar with gradient."""
    mask_id: int
    """The id that hides a token."""
    share: float
    """The share of a row's tokens that is to be guessed."""
    open_to: Callable[[Tensor], Tensor]
    """ids [B, T] -> bool [B, T]: which may be chosen at all (no special tokens)."""


@dataclass(frozen=True)
class Classifying:
    """Telling whole rows apart."""

    scores: Callable[[Sequence[Sequence[int]]], Tensor]
    """Rows of ids, of any lengths, in one batch -> scores of the classes, [B, C]."""
    loss: Callable[[Sequence[Sequence[int]], Sequence[int]], Tensor]
    """(rows, the number of the class of each) -> the mean loss, a scalar with gradient."""


@dataclass(frozen=True)
class Quantized:
    """A quantized copy, as it reports itself."""

    bits: int
    """Bits of a converted weight."""
    converted: Mapping[str, Tensor]
    """The matrices that were converted, by the names of the model's parameters, as full numbers again."""
    exempt: tuple[str, ...] = ()
    """Names of matrices that are meant to stay as they are (embeddings, head, routers)."""
    bytes_before: int | None = None
    bytes_after: int | None = None
    before: Mapping[str, Tensor] = field(default_factory=dict)
    """The matrices as they were, where the subject's model no longer has them; by default they are its parameters."""
    step: float | None = None
    """The widest gap between two levels as a share of the largest weight; by default that of an even grid."""
    bits_of: Mapping[str, int] = field(default_factory=dict)
    """Bits of matrices that have others than `bits`, by name."""
    calibrated: frozenset[str] = frozenset()
    """Names of matrices whose weights were moved on purpose, to make up for the errors of others (GPTQ)."""


@dataclass(frozen=True)
class Text:
    """Text to ids and back."""

    encode: Callable[[str], Sequence[int]]
    decode: Callable[[Sequence[int]], str]
    begin_id: int | None = None
    """The id that begins a row, where the model has one."""
    end_id: int | None = None
    """The id that ends an answer or a document: where writing stops."""
    pad_id: int | None = None
    samples: tuple[str, ...] = ()
    """Texts that must survive; by default hard ones of many alphabets."""
    lossless: bool = True
    """Whether ids are meant to give back the very text (a tokenizer that lowers case or drops spaces is not)."""


@dataclass(frozen=True)
class Chat:
    """A chat format: conversations to ids, and which of them are learned."""

    render: Callable[[Sequence[Turn], bool], tuple[Sequence[int], Sequence[bool]]]
    """(turns, whether a reply is to follow) -> ids, and which of them are learned."""
    decode: Callable[[Sequence[int]], str]
    stop_id: int
    """The token that ends a reply."""
    specials: Mapping[str, int] = field(default_factory=dict)
    """The special tokens that a message could spell, with their ids."""


@dataclass(frozen=True)
class Perplexity:
    """How the model's perplexity is measured."""

    measure: Callable[[int], float]
    """(batch size) -> perplexity of always the same rows."""
    rows: Sequence[Rows] = ()
    """Those rows, if they can be told: then the truth is known."""


@dataclass(frozen=True)
class Trace:
    """What a short training did."""

    weights: dict[str, Tensor]  # after the last step, by name; copies
    batches: list[Tensor]  # the ids of each batch that the weights learned from, in order
    rates: list[float]  # the learning rate (or its factor) of each optimizer step


@dataclass(frozen=True)
class Training:
    """The real training code on something small; every call starts anew from the same weights."""

    run: Callable[[int, int | None], Trace] | None = None
    """(steps, killed after how many or None): train, killed at that step and resumed from what it had saved."""
    gradients: Callable[[Sequence[Rows], float], dict[str, Tensor]] | None = None
    """(the batches of one optimizer step, bound of the norm or 0) -> the gradients that the optimizer is handed."""
    schedule: Callable[[int], float] | None = None
    """Step (from 0) -> the learning rate (or its factor) that it should have."""
    frozen: tuple[str, ...] = ()
    """Names of weights that training must not move."""
    on: str = ""
    """What it trains, if not the model itself; said beside the evidence."""
