"""X-ray of a training set: what of it is learned, counted over all its batches, and the marks of known mistakes.

Shapes: B rows, T tokens in a row, V vocabulary. A stretch is what a row holds of one document.
"""

import codecs
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.tokens import document_numbers, visible
from linnet.core.errors import BadInput
from linnet.text.chat import stop_name
from linnet.text.tokenizer import Tokenizer

MOST_HASHES = 2**20  # rows, and stretches, that are remembered to find doubles: about 100 MB
UNKNOWN_NAMES = ("<unk>", "[UNK]", "<|unk|>", "<UNK>")
REPLACEMENT = "\ufffd"
# What may be wrong in a row, in the order it is told: (one, many, what follows from it).
TROUBLES = {
    "teaching_nothing": (
        "document teaches nothing",
        "documents teach nothing",
        "that costs time and changes no weight",
    ),
    "wrong_targets": (
        "target is not the token that follows",
        "targets are not the tokens that follow",
        "targets shifted too little or too far teach another task",
    ),
    "padding_learned": ("place of padding is learned", "places of padding are learned", "mask padding out of the loss"),
    "stops_not_learned": (
        "stop token follows what is learned but is not learned",
        "stop tokens follow what is learned but are not learned",
        "a model does not learn to end where this is masked",
    ),
    "doubled_specials": (
        "special token comes twice in a row",
        "special tokens come twice in a row",
        "a double begin token means that two places add it",
    ),
    "cut_short": (
        "learned stretch ends without a stop token",
        "learned stretches end without a stop token",
        "cut off at the end of a row, written without one, or the stop is masked",
    ),
    "duplicate_rows": ("row was there before", "rows were there before", "what comes twice is learned twice"),
    "duplicate_stretches": (
        "document was there before",
        "documents were there before",
        "what comes twice is learned twice",
    ),
    "unreadable": (
        "character could not be read (U+FFFD)",
        "characters could not be read (U+FFFD)",
        "the text was decoded wrongly before it came here",
    ),
    "unknown": ("unknown token", "unknown tokens", "the vocabulary lacks a part of this text"),
}


@dataclass(frozen=True)
class SampleRow:
    """A row to show: its number from 0, a batch of this row alone, and what is wrong with it."""

    number: int
    row: Batch
    troubles: tuple[str, ...]


class Xray:
    """Counts over the rows seen so far; `see` takes them batch by batch, in bounded memory."""

    def __init__(self, tokenizer: Tokenizer, shown: int = 6, ends: bool = True):
        """Count for a tokenizer; `ends` says whether what is learned is text that ends: hidden tokens do not."""
        self.tokenizer, self.shown, self.ends = tokenizer, shown, ends
        self.counts: Counter[str] = Counter()
        self.samples: list[SampleRow] = []
        self.lengths: Counter[int] = Counter()  # tokens of stretches, or of rows that say nothing of documents
        self.occurrences = np.zeros(tokenizer.vocab_size, dtype=np.int64)  # [V]
        self._specials = np.array(sorted(tokenizer.specials.values()), dtype=np.int64)
        self._stops = np.array(stop_ids(tokenizer), dtype=np.int64)
        self._table = [tokenizer.token_bytes(id) for id in range(tokenizer.vocab_size)]
        self._rows, self._stretches = Seen(), Seen()
        self._told: set[str] = set()

    def see(self, batch: Batch) -> None:
        """Count a batch; raises BadInput for an id that the vocabulary does not have."""
        ids, targets = batch.ids.numpy(), batch.targets.numpy()
        self._check(ids, targets)
        documents = document_numbers(batch, self.tokenizer)
        real, learned = documents >= 0, targets != IGNORE
        follows = np.zeros_like(real)  # whether the next place goes on with the same document
        follows[:, :-1] = real[:, 1:] & (documents[:, 1:] == documents[:, :-1])
        found = self._marks(ids, targets, real, follows)
        # Windows of one long text begin and end anywhere: where they end says nothing.
        apart = np.full(len(ids), True) if batch.documents is not None else (real & ~learned).any(axis=1)
        found["cut_short"] &= apart[:, None]
        for name in ("cut_short", "stops_not_learned"):
            found[name] &= self.ends
        each_row = {name: mark.sum(axis=1) for name, mark in found.items()}
        each_row["duplicate_rows"] = np.array([self._rows.again(row) for row in zip(ids, targets, strict=True)])
        each_row |= self._each_stretch(ids, targets, documents, batch.documents is not None)
        stop = learned & np.isin(targets, self._stops)
        for name, mark in (("tokens", real), ("padding", ~real), ("learned", learned), ("stops_learned", stop)):
            self.counts[name] += int(mark.sum())
        self.counts["rows_of_documents"] += int(apart.sum())
        # The last target of a document is in no input, and occurs all the same.
        for seen in (ids[real], targets[learned & ~follows]):
            self.occurrences += np.bincount(seen, minlength=len(self.occurrences))
        for name, amounts in each_row.items():
            self.counts[name] += int(amounts.sum())
        self._keep_samples(batch, each_row)
        self.counts["rows"] += len(ids)

    def _check(self, ids: np.ndarray, targets: np.ndarray) -> None:
        for name, values in (("id", ids), ("target", targets[targets != IGNORE])):
            if values.size and not 0 <= values.min() <= values.max() < self.tokenizer.vocab_size:
                wrong = values.min() if values.min() < 0 else values.max()
                raise BadInput(
                    f"{name} {wrong} is not in the vocabulary of {self.tokenizer.vocab_size:,}; "
                    "were these rows made with another tokenizer?"
                )

    def _marks(
        self, ids: np.ndarray, targets: np.ndarray, real: np.ndarray, follows: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Return [B, T] for each mistake that has a place in a row."""
        learned = targets != IGNORE
        following = np.full_like(ids, IGNORE)
        following[:, :-1] = ids[:, 1:]
        goes_on = follows & np.roll(learned, -1, axis=1)
        # A stop in a prompt is read only, and rightly so; one that follows what is learned is to be learned too.
        missed = ~learned & follows & np.isin(following, self._stops)
        missed[:, 1:] &= learned[:, :-1] & follows[:, :-1]
        missed[:, 0] = False
        return {
            "wrong_targets": learned & follows & (targets != following),
            "padding_learned": learned & ~real,
            "stops_not_learned": missed,
            "doubled_specials": follows & (ids == following) & np.isin(ids, self._specials),
            "cut_short": learned & real & ~goes_on & ~np.isin(targets, self._stops) & ~np.roll(missed, -1, axis=1),
        }

    def _each_stretch(
        self, ids: np.ndarray, targets: np.ndarray, documents: np.ndarray, marked: bool
    ) -> dict[str, np.ndarray]:
        """Take up lengths of stretches; return [B] for each mistake that is one of a whole stretch."""
        again, empty, unreadable = (np.zeros(len(ids), dtype=np.int64) for _ in range(3))
        for row, numbers in enumerate(documents):
            borders = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(numbers)]
            for start, end in pairwise(borders):
                if numbers[start] < 0:
                    continue
                here = ids[row, start:end]
                self.lengths[end - start] += 1
                self.counts["stretches"] += 1
                again[row] += marked and self._stretches.again((here, targets[row, start:end]))
                empty[row] += (targets[row, start:end] == IGNORE).all()
                unreadable[row] += broken_characters(b"".join([self._table[id] for id in here.tolist()]))
        return {"duplicate_stretches": again, "teaching_nothing": empty, "unreadable": unreadable}

    def _keep_samples(self, batch: Batch, each_row: dict[str, np.ndarray]) -> None:
        """Keep the first rows, and the first row with each mistake."""
        for row in range(len(batch.ids)):
            troubles = tuple(name for name in TROUBLES if name in each_row and each_row[name][row])
            number = self.counts["rows"] + row
            if number < self.shown or not self._told.issuperset(troubles):
                self._told.update(troubles)
                self.samples.append(SampleRow(number, batch.rows(slice(row, row + 1)), troubles))

    @property
    def never(self) -> list[int]:
        """Return the ids that never occur, special tokens left out."""
        return np.setdiff1d(np.flatnonzero(self.occurrences == 0), self._specials).tolist()

    def numbers(self) -> dict[str, int | float]:
        """Return every count, and the learned share of the tokens."""
        names = ("rows", "tokens", "padding", "learned", "stretches", "stops_learned", *TROUBLES)
        counts = {name: self.counts[name] for name in names}
        names_of_unknown = [name for name in UNKNOWN_NAMES if name in self.tokenizer.specials]
        counts["unknown"] = sum(int(self.occurrences[self.tokenizer.special(name)]) for name in names_of_unknown)
        share = counts["learned"] / max(1, counts["tokens"])
        return {**counts, "learned_share": share, "ids_that_never_occur": len(self.never)}

    def warnings(self) -> list[str]:
        """Return what should be looked at, a sentence each; empty when nothing is."""
        numbers, said = self.numbers(), []
        if not numbers["learned"]:
            said.append("Nothing would be learned: no token of this set is a target.")
        elif self.ends and not numbers["stops_learned"]:
            said.append("No stop token is ever learned: a model trained on this does not end its texts by itself.")
        for name, (one, many, so) in TROUBLES.items():
            if numbers[name]:
                said.append(f"{numbers[name]:,} {one if numbers[name] == 1 else many}: {so}.")
        return said

    def facts(self, rows_in_set: int) -> list[tuple[str, str]]:
        """Return the counts for people, as names and values."""
        numbers = self.numbers()
        places = max(1, numbers["tokens"] + numbers["padding"])
        never = ", ".join(visible(self._table[id]) or f"[{id}]" for id in self.never[:12])
        more = f" ({never}{', ...' if len(self.never) > 12 else ''})" if never else ""
        return [
            ("Rows read", f"{numbers['rows']:,}" + ("" if numbers["rows"] >= rows_in_set else f" of {rows_in_set:,}")),
            ("Tokens", f"{numbers['tokens']:,}"),
            ("Learned", f"{numbers['learned']:,} targets, {numbers['learned'] / max(1, numbers['tokens']):.1%}"),
            ("Padding", f"{numbers['padding']:,} places, {numbers['padding'] / places:.1%}"),
            ("Stop tokens", f"{numbers['stops_learned']:,} learned, {numbers['stops_not_learned']:,} not learned"),
            *[(label, f"{numbers[name]:,}") for label, name in SHOWN_COUNTS if self._says(name)],
            ("Never occur", f"{len(self.never):,} of {len(self.occurrences):,} ids{more}"),
        ]

    def _says(self, name: str) -> bool:
        """Say whether a count means anything for these rows: windows of one text have no documents of their own."""
        return name not in ("stretches", "cut_short", "duplicate_stretches") or self.counts["rows_of_documents"] > 0


SHOWN_COUNTS = (
    ("Documents in rows", "stretches"),
    ("Cut short", "cut_short"),
    ("Double rows", "duplicate_rows"),
    ("Double documents", "duplicate_stretches"),
    ("Double specials", "doubled_specials"),
    ("Wrong targets", "wrong_targets"),
    ("Teach nothing", "teaching_nothing"),
    ("Unreadable", "unreadable"),
    ("Unknown", "unknown"),
)


class Seen:
    """Hashes of arrays, at most MOST_HASHES of them, to find out which came before."""

    def __init__(self, most: int = MOST_HASHES):
        self.most = most
        self._hashes: set[bytes] = set()

    def again(self, arrays: Iterable[np.ndarray]) -> bool:
        """Say whether these arrays were given before."""
        digest = hashlib.blake2b(digest_size=12)
        for array in arrays:
            digest.update(np.ascontiguousarray(array).tobytes())
        found = digest.digest() in self._hashes
        if len(self._hashes) < self.most:
            self._hashes.add(digest.digest())
        return found


def examine(batches: Iterable[Batch], tokenizer: Tokenizer, most_rows: int, shown: int = 6, ends: bool = True) -> Xray:
    """Return the X-ray of the first `most_rows` rows; raises BadInput when there are none."""
    xray = Xray(tokenizer, shown, ends)
    for batch in batches:
        xray.see(batch.rows(slice(most_rows - xray.counts["rows"])))
        if xray.counts["rows"] >= most_rows:
            break
    if not xray.counts["rows"]:
        raise BadInput("the set has no rows; there is nothing to look into")
    return xray


def stop_ids(tokenizer: Tokenizer) -> list[int]:
    """Return the ids that end a text or a turn; empty for a tokenizer without any."""
    found = [] if tokenizer.metadata.end is None else [tokenizer.end_id]
    turn = tokenizer.specials.get(stop_name(tokenizer))
    return found if turn is None or turn in found else [*found, turn]


def broken_characters(data: bytes) -> int:
    """Count the characters of a text that are none; what a cut at either end left of one does not count."""
    start = next((place for place in range(min(3, len(data))) if data[place] & 0xC0 != 0x80), min(3, len(data)))
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return decoder.decode(data[start:]).count(REPLACEMENT)  # an unfinished last one is held back
