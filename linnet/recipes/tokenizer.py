"""Train a tokenizer on a text, take over an existing one, or show how a text is cut."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from linnet.core.config import Config
from linnet.core.errors import BadInput

if TYPE_CHECKING:
    from linnet.batches.prepare import Source
    from linnet.data.cleaning import CleaningReport
    from linnet.text.tokenizer import Tokenizer

SAMPLE_CHARACTERS = 2**20


class TokenizerConfig(Config):
    """Choices of `linnet tokenizer`."""

    corpus: str = "world"
    """Text to learn from: a file, folder, glob, JSONL/CSV/Parquet, data-set folder or hub name, or `world`."""
    column: str = "text"
    """Column of the text in JSONL, CSV and Parquet rows."""
    split: str = "train"
    """Split of a data set."""
    encoding: str = "utf-8"
    """Encoding of text files, such as utf-8, latin-1 or utf-16."""
    held_out: float = Field(default=0.1, ge=0, le=0.5)
    """Share of the text that BPE does not read: what pretrain keeps out to measure on."""
    kind: Literal["bpe", "characters"] = "bpe"
    """Byte-level BPE (pieces of words), or an id for each character."""
    vocab_size: int = Field(default=1024, ge=260, le=2**20)
    """Most ids for BPE, with 256 bytes and 4 special tokens among them; characters take as many as there are."""
    tokenizer: str | None = None
    """Take this one instead of training: a folder with tokenizer.json, or with GPT-2's encoder.json + vocab.bpe."""
    show: str | None = None
    """Only show how --tokenizer cuts this text (or the tokenizer in --out)."""
    out: Path = Path("runs/tokenizer")
    """Run folder."""


def main(cfg: TokenizerConfig) -> Path | dict[str, Any]:
    """Write tokenizer.json and its numbers into the run folder; with `show`, return how the text is cut."""
    from linnet.batches.prepare import Source
    from linnet.batches.vocabulary import tokenizer_for
    from linnet.core.console import logger
    from linnet.core.run import Run
    from linnet.text.tokenizer import Tokenizer

    if cfg.show is not None:
        return cut(Tokenizer.load(cfg.tokenizer or cfg.out), cfg.show)
    source = Source(cfg.corpus, cfg.column, cfg.split, cfg.encoding, cfg.held_out)
    report, sample = _read(source)  # before the run folder is touched: a wrong corpus leaves nothing behind
    tokenizer = tokenizer_for(cfg.tokenizer or cfg.kind, source, cfg.vocab_size)
    with Run.start(cfg.out, cfg, recipe="tokenizer", track="none") as run:
        tokenizer.save(run.folder)
        numbers = describe(tokenizer, sample)
        for name, value in numbers.items():
            logger.info("%-20s %s", name.replace("_", " "), f"{value:,}" if isinstance(value, int) else value)
        logger.info("corpus               %s", report.line())
        logger.info("sample               %s", cut(tokenizer, sample[0][:80])["pieces"])
        run.finish(**numbers, **report.numbers())
    return run.folder


def describe(tokenizer: "Tokenizer", sample: list[str]) -> dict[str, Any]:
    """Return the numbers of a tokenizer; bytes per token are measured on the beginning of the corpus."""
    tokens = sum(len(ids) for ids in tokenizer.encode_batch(sample))
    return {
        "kind": tokenizer.kind,
        "vocabulary": tokenizer.vocab_size,
        "special_tokens": len(tokenizer.specials),
        "longest_token_bytes": int(tokenizer.byte_lengths().max()),
        "trained_characters": tokenizer.metadata.trained_characters,
        "bytes_per_token": round(sum(len(text.encode()) for text in sample) / tokens, 3),
    }


def cut(tokenizer: "Tokenizer", text: str) -> dict[str, Any]:
    """Return how a text is cut: pieces parted by a bar (bytes that are no whole character as \\xNN), ids, counts."""
    ids = tokenizer.encode(text)
    pieces = [tokenizer.token_bytes(id).decode("utf-8", errors="backslashreplace") for id in ids]
    return {
        "pieces": "|".join(pieces).replace("\n", "\\n"),
        "ids": ids,
        "tokens": len(ids),
        "bytes_per_token": round(len(text.encode()) / max(len(ids), 1), 3),
    }


def _read(source: "Source") -> tuple["CleaningReport", list[str]]:
    """Read the corpus once: return what cleaning found, and the beginning of the text, about a million characters."""
    from linnet.data.cleaning import CleaningReport

    report = CleaningReport()
    sample: list[str] = []
    room = SAMPLE_CHARACTERS
    for document in source.cleaned(report):
        if room > 0:
            sample.append(document.text[:room])
            room -= len(document.text)
    if not sample:
        raise BadInput(f"{source.corpus}: no text left after cleaning; a tokenizer cannot be trained on it")
    return report, sample
