"""What a text costs a model: bits per byte and perplexity of a sum of -ln p (nats)."""

import math


def bits_per_byte(nats: float, byte_count: int) -> float:
    """Return the code length of a text in bits for each of its UTF-8 bytes: comparable across tokenizers."""
    if byte_count < 1:
        raise ValueError(f"bits per byte need at least one byte of text, not {byte_count}")
    return nats / math.log(2) / byte_count


def perplexity(nats: float, tokens: int) -> float:
    """Return exp(nats / tokens): comparable only between models with the same tokenizer; inf when too large."""
    if tokens < 1:
        raise ValueError(f"a perplexity needs at least one token, not {tokens}")
    return math.exp(nats / tokens) if nats / tokens < 700 else math.inf
