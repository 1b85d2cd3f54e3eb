"""Cuts a story into sentences; a quotation belongs to the sentence that says who speaks."""

ENDS = ".!?"


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; the last is also returned when it breaks off.

    `'"Look! A kite," said Tom. He ran.'` gives `['"Look! A kite," said Tom.', 'He ran.']`.
    """
    found: list[str] = []
    start, quoted = 0, False
    for i, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        if not quoted and _ends(text, i) and _begins(text[i + 1 :]):
            found.append(text[start : i + 1].strip())
            start = i + 1
    rest = text[start:].strip()
    return [*found, rest] if rest else found


def _ends(text: str, i: int) -> bool:
    return text[i] in ENDS or (text[i] == '"' and i > 0 and text[i - 1] in ENDS)


def _begins(rest: str) -> bool:
    """Say whether a new sentence begins here: a space, then a capital letter or a quotation (or the end)."""
    following = rest.lstrip()
    return not following or (rest[0].isspace() and (following[0] == '"' or following[0].isupper()))
