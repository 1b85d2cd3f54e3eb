"""A document: the unit that is cleaned, split and packed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Document:
    """A text and where it came from; a long text comes as several pieces, all but the last with `continues`."""

    text: str
    source: str
    continues: bool = False
