"""Index documents to search in: text, Markdown, HTML, PDF, rows; brought up to date, never half-written."""

from pathlib import Path
from typing import Annotated, Any

from linnet.core.config import ByCommas, Config, OptionalInt, Positional
from linnet.core.errors import BadInput
from linnet.retrieve.config import ChunkConfig


class IndexConfig(Config):
    """Choices of `linnet index`."""

    documents: Annotated[tuple[str, ...], Positional()] = ()
    """Files and folders (.txt .md .html .pdf, rows with a column of text), or `world/documents[:COUNT[:SEED]]`. The
    index then holds these and no others."""
    out: Path = Path("runs/index")
    """Folder of the index; one that is there is brought up to date."""
    encoder: Path | None = None
    """Run whose network turns texts into vectors, to search by meaning too: an encoder, or any decoder; or a folder of
    sentence-transformers. An index that has one keeps it."""
    chunks: ChunkConfig | None = None
    """How documents are cut; an index keeps how it was cut."""
    column: str = "text"
    """Column of the text in rows."""
    keep: bool = False
    """Keep documents that are in the index and not among those given."""
    strict: bool = False
    """Make no index where a document cannot be read, instead of leaving it out with a line that says why."""
    remove: Annotated[tuple[str, ...], ByCommas] = ()
    """Names of documents to take out of the index."""
    device: str = "auto"
    """Where to compute vectors: auto, cpu, cuda, cuda:1, mps."""
    threads: OptionalInt = None
    """CPU threads; none leaves the choice to torch."""


def main(cfg: IndexConfig) -> dict[str, Any]:
    """Make the index or bring it up to date, and return what it holds."""
    import tempfile

    from linnet.core.console import logger
    from linnet.core.device import set_threads
    from linnet.retrieve.folder import encoder_of, save_index
    from linnet.retrieve.making import without

    set_threads(cfg.threads)
    if bool(cfg.documents) == bool(cfg.remove):
        raise BadInput("give documents to index, or names to take out with --remove")
    before = opened(cfg)
    with tempfile.TemporaryDirectory() as place:
        if cfg.remove:
            if before is None:
                raise BadInput(f"{cfg.out}: no index to remove documents from")
            index, done = without(before, cfg.remove)
            encoder = encoder_of(cfg.out)
        else:
            given = None if cfg.encoder is None else taken_over(cfg.encoder, Path(place))
            index, done, encoder = indexed(cfg, before, given)
        save_index(index, cfg.out, encoder)
    logger.info("%s", done.line())
    return {
        "index": str(cfg.out),
        "documents": len(index.entries),
        "chunks": len(index.chunks),
        "words": len(index.words.vocabulary),
        "encoder": "none" if encoder is None else index.encoder_hash[:12],
        "added": len(done.added),
        "changed": len(done.changed),
        "removed": len(done.removed),
        "kept": done.kept,
        "refused": len(done.refused),
    }


def opened(cfg: IndexConfig) -> Any:
    """Return the index that is to be brought up to date, None where there is none yet."""
    from linnet.retrieve.folder import is_index
    from linnet.retrieve.index import Index

    return Index.open(cfg.out, on_device(cfg.device)) if is_index(cfg.out) else None


def taken_over(encoder: Path, place: Path) -> Path:
    """Return the run of an encoder; a folder of sentence-transformers becomes one in `place`."""
    from linnet.export.hf_sentence import import_sentence, is_sentence_folder

    if not is_sentence_folder(encoder):
        return encoder
    import_sentence(encoder, place / "encoder")
    return place / "encoder"


def indexed(cfg: IndexConfig, before: Any, given: Path | None) -> Any:
    """Return the index of the documents of the choices, what was done, and the run of its encoder."""
    from linnet.retrieve.dense import Embedder
    from linnet.retrieve.documents import documents
    from linnet.retrieve.folder import encoder_hash, encoder_of
    from linnet.retrieve.making import strict, update

    encoder = given or (encoder_of(cfg.out) if before is not None else None)
    embedder, mark = None, ""
    if encoder is not None:
        mark = encoder_hash(encoder)
        same = before is not None and before.encoder_hash == mark
        embedder = before.embedder if same else Embedder.open(encoder, on_device(cfg.device))
    choices = cfg.chunks or (before.choices if before is not None else ChunkConfig())
    if embedder is not None and cfg.chunks is None and choices.tokens > embedder.room:  # as long as it can read
        choices = choices.but(tokens=embedder.room, overlap=min(choices.overlap, embedder.room // 4))
    found = documents(cfg.documents, cfg.column)
    refuse = strict if cfg.strict else said
    return *update(before, found, choices, embedder, mark, cfg.keep, refuse), encoder


def said(error: BadInput) -> None:
    """Say which document is left out, and why."""
    from linnet.core.console import logger

    logger.warning("left out: %s", error)


def on_device(device: str) -> Any:
    """Return `load_network` onto a device."""
    from functools import partial

    from linnet.artifacts import load_network
    from linnet.core.device import pick_device

    return partial(load_network, device=pick_device(device))
