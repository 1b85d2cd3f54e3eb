"""The beginning of a corpus as two plain texts, one to learn and one held out: for what fits in memory and minutes."""

from pathlib import Path

from linnet.data.document import Document
from linnet.data.sources import documents
from linnet.data.split import split_documents

BETWEEN = "\n\n"  # two documents are parted by a blank line


def excerpt(
    corpus: str | Path, characters: int, column: str = "text", split: str = "train", held_out: float = 0.1
) -> tuple[str, str]:
    """Return (text to learn, text held out) from the first `characters` of a corpus; reads no further.

    Held out are whole documents, or the end of each where there are few; raises BadInput as `documents` does.
    """
    kept: list[Document] = []
    room = characters
    for document in documents(corpus, column, split):
        kept.append(Document(document.text[:room], document.source, document.continues and room > len(document.text)))
        room -= len(document.text)
        if room <= 0:
            break
    train, held = (_joined(part) for part in split_documents(kept, held_out))
    return train, held


def _joined(part: list[Document]) -> str:
    texts = [document.text + ("" if document.continues else BETWEEN) for document in part if document.text]
    return "".join(texts).removesuffix(BETWEEN)
