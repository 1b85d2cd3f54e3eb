"""From a corpus to token shards, train and held-out, in one streaming pass; a second time they are found again."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.batches.shards import Shard, ShardWriter
from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, replace_folder
from linnet.data.cleaning import CleaningReport, clean
from linnet.data.document import Document
from linnet.data.sources import documents, identity, is_world, world_options
from linnet.data.split import Split, plan_split
from linnet.text.tokenizer import Tokenizer

RECORD = "prepared.json"
VERSION = 1  # part of the key: raised when the same corpus would give other shards
BATCH_CHARACTERS = 2**22
TRAIN, HELD_OUT = "train", "held_out"


@dataclass(frozen=True)
class Prepared:
    """The shards of a corpus; `held_out` is None when nothing was held out. `reused`: found, not made anew."""

    folder: Path
    train: Shard
    held_out: Shard | None
    report: CleaningReport
    split: str
    reused: bool

    def check_length(self, corpus: str, context: int) -> None:
        """Raise BadInput, naming the corpus, when it is too short for a window to learn or a token to measure."""
        if self.train.tokens < context + 1:
            raise BadInput(
                f"{corpus}: too short, {self.train.tokens:,} tokens to train on; a window of context {context} needs "
                f"{context + 1}: use more text or a smaller --model.context-length"
            )
        if self.held_out is not None and self.held_out.tokens < 2:
            raise BadInput(
                f"{corpus}: too short, {self.held_out.tokens} token held out; nothing can be measured on it: "
                "use more text or a larger --held-out"
            )

    def data_hashes(self) -> dict[str, str]:
        """Return the hashes of the tokens, for run records."""
        shards = {TRAIN: self.train, HELD_OUT: self.held_out}
        return {name: shard.header.data_hash for name, shard in shards.items() if shard is not None}


@dataclass(frozen=True)
class Source:
    """What to read and how: the options of `linnet.data.sources.documents`, cleaning and splitting."""

    corpus: str
    column: str = "text"
    split: str = "train"
    encoding: str = "utf-8"
    held_out: float = 0.1
    held_out_split: str | None = None
    keep_duplicates: bool = False

    def cleaned(self, report: CleaningReport, held_out: bool = False) -> Iterator[Document]:
        """Yield the cleaned documents; of the held-out split if asked."""
        corpus, split = self._held_out_place() if held_out else (self.corpus, self.split)
        found = documents(corpus, self.column, split, self.encoding)
        return clean(found, report, self.keep_duplicates)

    def has_own_held_out(self) -> bool:
        """Say whether the held-out documents come from a split of their own (always so for the small world)."""
        return self.held_out_split is not None or (is_world(self.corpus) and self.held_out > 0)

    def key(self, tokenizer: Tokenizer) -> dict[str, Any]:
        """Return what decides the shards, as JSON values."""
        found = identity(self.corpus, self.column, self.split, self.encoding)
        if self.held_out_split is not None and not is_world(self.corpus):
            found["held_out_split"] = identity(self.corpus, self.column, self.held_out_split, self.encoding)
        options = {"held_out": self.held_out, "keep_duplicates": self.keep_duplicates}
        return {"version": VERSION, "source": found, "tokenizer": tokenizer.hash, **options}

    def _held_out_place(self) -> tuple[str, str]:
        split = self.held_out_split or "validation"
        if not is_world(self.corpus):
            return self.corpus, split
        _, count, seed = world_options(self.corpus)
        place = self.corpus.partition(":")[0]
        return f"{place}:{max(1, round(count * self.held_out))}:{seed}", split


def prepare(
    corpus: str | Path,
    tokenizer: Tokenizer,
    folder: str | Path | None = None,
    *,
    held_out: float = 0.1,
    held_out_split: str | None = None,
    column: str = "text",
    split: str = "train",
    encoding: str = "utf-8",
    keep_duplicates: bool = False,
) -> Prepared:
    """Clean, split and tokenize a corpus into shards under `folder` (by default the user's cache), or find them there.

    The folder's name is a hash of the corpus' content, the tokenizer and the options, so shards never go stale.
    `held_out` is the share kept from training, unless `held_out_split` names a split to hold out as a whole; the
    small world holds out documents of its own validation split. Raises BadInput for a corpus without enough text.
    """
    source = Source(str(corpus), column, split, encoding, held_out, held_out_split, keep_duplicates)
    key = source.key(tokenizer)
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    place = Path(folder if folder is not None else cache_folder()) / digest
    found = _found(place, tokenizer)
    if found is not None:
        return found
    with replace_folder(place) as temporary:
        report, how = _write_shards(source, tokenizer, temporary)
        record = {"key": key, "split": how, "report": report.numbers()}
        (temporary / RECORD).write_text(json_text(record))
    return _opened(place, tokenizer, reused=False)


def cache_folder() -> Path:
    """Return where prepared corpora are kept: `linnet/corpora` in XDG_CACHE_HOME or `~/.cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "linnet" / "corpora"


def _found(place: Path, tokenizer: Tokenizer) -> Prepared | None:
    if not (place / RECORD).is_file():
        return None
    try:
        return _opened(place, tokenizer, reused=True)
    except (BadInput, KeyError, TypeError):  # damaged: made anew
        return None


def _opened(place: Path, tokenizer: Tokenizer, reused: bool) -> Prepared:
    record = read_json(place / RECORD)
    has_held_out = (place / f"{HELD_OUT}.json").is_file()
    return Prepared(
        folder=place,
        train=Shard.open(place / TRAIN, tokenizer),
        held_out=Shard.open(place / HELD_OUT, tokenizer) if has_held_out else None,
        report=CleaningReport(**record["report"]),
        split=record["split"],
        reused=reused,
    )


def _write_shards(source: Source, tokenizer: Tokenizer, folder: Path) -> tuple[CleaningReport, str]:
    """Write both shards; return the report and how the corpus was split."""
    own = source.has_own_held_out()
    plan = Split("none", 0.0) if own else plan_split(source.cleaned(CleaningReport()), source.held_out)
    report = CleaningReport()
    # A corpus of one document gets no end token: its text is a stream without an end (as in nanoGPT).
    end_id = None if len(plan.lengths) == 1 else tokenizer.end_id
    with ExitStack() as stack:
        names = (TRAIN, HELD_OUT) if own or plan.by != "none" else (TRAIN,)
        writers = [stack.enter_context(ShardWriter(folder / n, tokenizer.hash, tokenizer.vocab_size)) for n in names]
        _write(plan.assign(source.cleaned(report)), tokenizer, writers, end_id)
        if own:
            held = Split("none", 0.0).assign(source.cleaned(CleaningReport(), held_out=True))
            _write(((True, document) for _, document in held), tokenizer, writers, end_id)
        for name, writer in zip(names, writers, strict=True):
            if writer.tokens == 0:
                raise BadInput(f"{source.corpus}: too little text, none left for {name}: {report.line()}")
    return report, "own split" if own else plan.by


def _write(
    assigned: Iterator[tuple[bool, Document]], tokenizer: Tokenizer, writers: list[ShardWriter], end_id: int | None
) -> None:
    """Tokenize documents in batches of bounded size and append each to the writer of its side."""
    waiting: list[tuple[bool, Document]] = []
    size = 0
    for pair in assigned:
        waiting.append(pair)
        size += len(pair[1].text)
        if size >= BATCH_CHARACTERS:
            _append(waiting, tokenizer, writers, end_id)
            waiting, size = [], 0
    _append(waiting, tokenizer, writers, end_id)


def _append(
    waiting: list[tuple[bool, Document]], tokenizer: Tokenizer, writers: list[ShardWriter], end_id: int | None
) -> None:
    for (held, document), ids in zip(waiting, _encoded(waiting, tokenizer), strict=True):
        writers[held].write(ids, document.text)
        if not document.continues:
            writers[held].end_document(end_id)


def _encoded(waiting: list[tuple[bool, Document]], tokenizer: Tokenizer):
    try:
        return tokenizer.encode_arrays([document.text for _, document in waiting])
    except BadInput:
        for _, document in waiting:  # say whose text it was
            try:
                tokenizer.encode_array(document.text)
            except BadInput as error:
                raise BadInput(f"{document.source}: {error}") from None
        raise
