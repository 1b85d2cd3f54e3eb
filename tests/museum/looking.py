"""Exhibits about who looks at whom: causal masks, the axis of attention, an encoder-decoder's two sides, padding."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.causality import (
    causality,
    every_earlier_token_matters,
    every_source_token_matters,
    source_padding_changes_nothing,
)
from linnet.prove.invariance import batch_order_changes_nothing, batch_size_changes_nothing, padding_changes_nothing
from linnet.prove.parts import Source
from linnet.prove.subject import Reading, Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Attention, Decoder, EncoderDecoder, heads, plain


@exhibit(causality)
def the_causal_mask_the_wrong_way_round(wrong: bool) -> Subject:
    """The causal mask the wrong way round.

    A mask that marks what is hidden was handed to scaled_dot_product_attention, which wants what is visible: each
    token looked at the future only. Nothing crashes, and a loss is printed as ever.

    Source: https://github.com/rasbt/LLMs-from-scratch/pull/1062
    """

    class FastAttention(Attention):
        def forward(self, x: Tensor, memory: Tensor, mask: Tensor, places: Tensor) -> Tensor:
            query, key, value = heads(self.query(x)), heads(self.key(memory)), heads(self.value(memory))
            hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=hidden if wrong else ~hidden)
            return self.out(seen.transpose(1, 2).flatten(2))

    return plain(Decoder(FastAttention))


@exhibit(causality)
def softmax_over_the_queries(wrong: bool) -> Subject:
    """Softmax over the queries instead of the keys.

    The softmax of batched attention scores was taken over axis 1, right for one row without a batch, wrong with one:
    the weights of a key are shared out among all queries. Later tokens take attention away from earlier ones, so the
    mask no longer keeps the future out.

    Source: https://github.com/datawhalechina/llms-from-scratch-cn/issues/54
    """

    class Softmax(Attention):
        def weigh(self, scores: Tensor, mask: Tensor) -> Tensor:
            return scores.masked_fill(~mask[:, None], -1e9).softmax(-2 if wrong else -1)

    return plain(Decoder(Softmax))


@exhibit(every_earlier_token_matters)
def a_mask_that_hides_the_token_itself(wrong: bool) -> Subject:
    """A causal mask that hides the token itself.

    A tutorial's mask began at the diagonal instead of above it, so that the first token had nothing to look at: its
    softmax is over minus infinities and gives NaN. From there NaN spreads to every token that looks at it.

    Source: https://github.com/pbloem/former/issues/10
    """

    class Masked(Attention):
        def weigh(self, scores: Tensor, mask: Tensor) -> Tensor:
            above = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(0 if wrong else 1)
            return scores.masked_fill(above, float("-inf")).softmax(-1)

    return plain(Decoder(Masked))


@exhibit(batch_size_changes_nothing)
def attention_across_the_rows_of_a_batch(wrong: bool) -> Subject:
    """Attention across the rows of a batch.

    An encoder handed [batch, tokens, hidden] to nn.MultiheadAttention without batch_first, which takes the first axis
    for the tokens. Rows of a batch looked at each other, and results differed with the batch.

    Source: https://github.com/om-ai-lab/OmDet/issues/19
    """

    class TorchAttention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 2, batch_first=not wrong)

        def forward(self, x: Tensor, memory: Tensor, mask: Tensor, places: Tensor) -> Tensor:
            hidden = torch.ones(x.shape[0 if wrong else 1], x.shape[0 if wrong else 1], dtype=torch.bool).triu(1)
            return self.attention(x, memory, memory, attn_mask=hidden, need_weights=False)[0]

    return plain(Decoder(TorchAttention))


@exhibit(batch_order_changes_nothing)
def places_counted_along_the_batch(wrong: bool) -> Subject:
    """Places counted along the batch.

    The code of a course took the places of tokens from the size of axis 0, the batch, instead of axis 1. All tokens of
    a row got one and the same place, that of the row in its batch.

    Source: https://github.com/cmu-l3/anlp-fall2025-code/issues/1
    """

    class Counted(Decoder):
        def enter(self, ids: Tensor, places: Tensor) -> Tensor:
            rows, tokens = ids.shape
            counted = torch.arange(rows)[:, None] if wrong else torch.arange(tokens)[None]
            return self.tokens(ids) + self.positions(counted.expand(rows, tokens))

    return plain(Counted())


@exhibit(padding_changes_nothing)
def padding_looked_at_and_tokens_hidden(wrong: bool) -> Subject:
    """Padding looked at, and tokens hidden.

    True in a mask means "leave out" to nn.MultiheadAttention and "look here" to scaled_dot_product_attention. Code
    that moves from one to the other and keeps its mask looks at the padding instead of the tokens.

    Source: https://github.com/pytorch/pytorch/pull/170404
    """
    model = Decoder()

    def padded(ids: Tensor, lengths: Tensor) -> Tensor:
        padding = torch.arange(ids.shape[1]) >= lengths[:, None]
        keep = padding if wrong else ~padding
        return model(ids, model.visible(ids.shape[1]) & keep[:, None])

    return replace(plain(model), reading=Reading(padded=padded))


@exhibit(every_source_token_matters)
def a_decoder_that_never_reads_its_source(wrong: bool) -> Subject:
    """A decoder that never reads its source.

    An encoder-decoder put together from two pretrained models had no cross-attention layers in its decoder. A
    decoder learns to write by itself, so its loss falls all the same, and no answer has to do with its question.

    Source: https://github.com/huggingface/transformers/pull/4680
    """
    return _seq2seq(across=not wrong)


@exhibit(source_padding_changes_nothing)
def an_encoder_that_reads_its_padding(wrong: bool) -> Subject:
    """An encoder that reads its padding.

    The T5 encoder of a library had no mask for padding in its self-attention. What a source meant changed with the
    length of the longest source beside it.

    Source: https://github.com/bojone/bert4keras/issues/387
    """
    return _seq2seq(mask_padding=not wrong)


def _seq2seq(across: bool = True, mask_padding: bool = True) -> Subject:
    model = EncoderDecoder()
    if not across:
        model.across = nn.ModuleList(_Nothing() for _ in model.across)

    def padded(source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        real = torch.arange(source.shape[1]) < lengths[:, None]
        memory = model.encode(source, real if mask_padding else torch.ones_like(real))
        return model.decode(target, memory, real)

    def logits(source: Tensor, target: Tensor) -> Tensor:
        return padded(source, torch.full((len(source),), source.shape[1]), target)

    fixed = torch.arange(8)[None]
    own = plain(model, lambda ids: logits(fixed.expand(len(ids), -1), ids))
    return replace(own, source=Source(logits, padded))


class _Nothing(nn.Module):
    def forward(self, x: Tensor, memory: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        return torch.zeros_like(x)
