"""Small token shards for the tests of evaluation."""

from collections.abc import Sequence
from pathlib import Path

from linnet.batches.shards import Shard, ShardWriter
from linnet.text.tokenizer import Tokenizer

TEXTS = [
    "the little bird sang in the old tree.",
    "mia and the café by the river",
    "a",
    "'hello,' said mia to the bird, and the bird sang: the river is old and the tree is old, and i am little.",
]


def write_shard(path: Path, tokenizer: Tokenizer, texts: Sequence[str] = TEXTS, ends: bool = True) -> Shard:
    """Write texts as a shard, with an end token after each if asked."""
    with ShardWriter(path, tokenizer.hash, tokenizer.vocab_size) as writer:
        for text in texts:
            writer.write(tokenizer.encode_array(text), text)
            writer.end_document(tokenizer.end_id if ends else None)
    return Shard.open(path, tokenizer)
