"""The text of a token shard, as bytes for compressors and as documents to see what was only remembered."""

from linnet.batches.shards import Shard
from linnet.text.tokenizer import Tokenizer


def text_of(shard: Shard, tokenizer: Tokenizer, most_bytes: int | None = None) -> bytes:
    """Return the text of a shard (of its end), a zero byte for each end token: what a model has to predict too."""
    pieces = [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)]
    if tokenizer.metadata.end is not None:
        pieces[tokenizer.end_id] = b"\0"
    if most_bytes is None:
        return b"".join(map(pieces.__getitem__, shard.ids.tolist()))
    # A token has at least one byte (specials apart): so many tokens hold enough.
    text = b"".join(map(pieces.__getitem__, shard.ids[-most_bytes:].tolist()))
    return text[-most_bytes:]


def known_texts(train: Shard, tokenizer: Tokenizer) -> set[str]:
    """Return the documents of a shard as texts, to see what was only remembered."""
    documents = text_of(train, tokenizer).split(b"\0")
    return {document.decode("utf-8", errors="replace").strip() for document in documents}
