"""Rows of a batch token by token, for people: the text of each, its document, and whether it is learned.

A row of T places shows up to T tokens and one more for each document in it: the last target is in no input.
Shapes: B rows, T tokens in a row.
"""

from dataclasses import dataclass

import numpy as np

from linnet.batches.batch import IGNORE, Batch
from linnet.text.tokenizer import PAD, Tokenizer

MARKS = {"\n": "↵\n", "\t": "⇥\t", "\r": "␍"}  # white space that would not be seen


@dataclass(frozen=True)
class Token:
    """One token of a row. `predicted_at`: the place whose target it is, or None where nothing stands before it."""

    id: int
    text: str
    special: bool
    learned: bool
    padding: bool
    begins: bool
    """Whether it is the first of its document in this row."""
    document: int
    position: int
    predicted_at: int | None
    target: int | None
    """The target at its own place, None where there is none to learn."""
    wrong_target: int | None = None
    """What is learned in its stead, where the target before it is another token: a mistake of the data."""


def row_tokens(batch: Batch, row: int, tokenizer: Tokenizer) -> list[Token]:
    """Return the tokens of one row; the last target of each document follows its last input."""
    ids, targets = batch.ids[row].tolist(), batch.targets[row].tolist()
    documents = document_numbers(batch, tokenizer)[row].tolist()
    positions = list(range(len(ids))) if batch.positions is None else batch.positions[row].tolist()
    names = {id: name for name, id in tokenizer.specials.items()}
    found: list[Token] = []

    def add(id: int, before: int | None, document: int, position: int, target: int | None) -> None:
        wanted = IGNORE if before is None else targets[before]
        found.append(
            Token(
                id,
                text=names.get(id) or visible(tokenizer.token_bytes(id)) or f"[{id}]",
                special=id in names,
                learned=wanted != IGNORE,
                padding=document < 0,
                begins=before is None and document >= 0,
                document=document,
                position=position,
                predicted_at=before,
                target=target,
                wrong_target=wanted if wanted not in (IGNORE, id) else None,
            )
        )

    for place, (id, document) in enumerate(zip(ids, documents, strict=True)):
        target = None if targets[place] == IGNORE else targets[place]
        same = place > 0 and documents[place - 1] == document
        add(id, place - 1 if same else None, document, positions[place], target)
        last = place + 1 == len(ids) or documents[place + 1] != document
        if last and target is not None:
            add(target, place, document, positions[place] + 1, None)
    return found


def document_numbers(batch: Batch, tokenizer: Tokenizer) -> np.ndarray:
    """Return [B, T] int64: the document of each place, -1 for padding.

    Where a batch does not say, a row is one document; a tail of the padding token that is not learned is padding.
    """
    if batch.documents is not None:
        return batch.documents.numpy()
    pad = padding_id(tokenizer)
    empty = ((batch.targets == IGNORE) & (batch.ids == (-1 if pad is None else pad))).numpy()
    tail = np.logical_and.accumulate(empty[:, ::-1], axis=1)[:, ::-1]
    return np.where(tail, -1, 0)


def padding_id(tokenizer: Tokenizer) -> int | None:
    """Return the id that fills rows up: the one called so, else the end token; None where there is neither."""
    if PAD in tokenizer.specials:
        return tokenizer.specials[PAD]
    return None if tokenizer.metadata.end is None else tokenizer.end_id


def visible(data: bytes) -> str:
    """Return a token's bytes as text in which everything can be seen: breaks and tabs marked, the rest escaped."""
    text = data.decode("utf-8", errors="backslashreplace")
    shown = (MARKS.get(letter) or (letter if letter.isprintable() else escaped(letter)) for letter in text)
    return "".join(shown)


def escaped(letter: str) -> str:
    """Return a character that cannot be seen by its number: \\u{200b}."""
    return f"\\u{{{ord(letter):x}}}"
