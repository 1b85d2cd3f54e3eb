"""Which tokenizer a corpus is cut with: an existing one, or one trained on it here."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from linnet.batches.prepare import Source
from linnet.core.errors import BadInput, nearest
from linnet.data.cleaning import CleaningReport
from linnet.data.split import plan_split
from linnet.text.tokenizer import Tokenizer

KINDS = ("bpe", "characters")
MOST_CHARACTERS = 10**8  # byte-pair merges do not change beyond this much text, and counting takes memory


def tokenizer_for(choice: str, source: Source, vocab_size: int) -> Tokenizer:
    """Load the tokenizer in the folder or file `choice`, or train one of the kind it names on the corpus.

    Byte pairs are counted on the training part only; characters are collected from all of the text, since one that
    is missing could not be encoded at all. Raises BadInput when `choice` is neither a kind nor a tokenizer.
    """
    if choice == "characters":
        return Tokenizer.train_characters(_texts(source, held_out_too=True))
    if choice == "bpe":
        return Tokenizer.train_bpe(_texts(source, held_out_too=False), vocab_size)
    return _existing(choice)


def tokenizer_of_texts(choice: str, texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Load the tokenizer in the folder or file `choice`, or train one of the kind it names on texts."""
    if choice == "characters":
        return Tokenizer.train_characters(texts)
    return Tokenizer.train_bpe(texts, vocab_size) if choice == "bpe" else _existing(choice)


def _existing(choice: str) -> Tokenizer:
    if not Path(choice).exists():
        kinds = f"{', '.join(KINDS)}.{nearest(choice, KINDS)}"
        raise BadInput(f"--tokenizer {choice}: no such folder or file, nor one of {kinds}")
    return Tokenizer.load(choice)


def _texts(source: Source, held_out_too: bool) -> Iterator[str]:
    documents = source.cleaned(CleaningReport())
    characters = 0
    if source.has_own_held_out():
        sides = ((False, document) for document in documents)
    else:
        sides = plan_split(source.cleaned(CleaningReport()), source.held_out).assign(documents)
    for held, document in sides:
        if held and not held_out_too:
            continue
        yield document.text
        characters += len(document.text)
        if characters >= MOST_CHARACTERS and not held_out_too:
            return
    if held_out_too and source.has_own_held_out():
        for document in source.cleaned(CleaningReport(), held_out=True):
            yield document.text
