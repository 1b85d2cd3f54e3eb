"""The key/value cache: writing token by token is reading the whole row.

B rows, T tokens.
"""

import torch

from linnet.prove.measuring import awake, equal_logits, past_the_window, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, not_applicable


@torch.no_grad()
def cached_equals_full(subject: Subject, draw: torch.Generator) -> Finding:
    """Let rows read piece by piece through the cache have the logits of whole rows, also past a window's edge.

    Why: a cache that forgets the window, or counts positions anew, talks sense in training and nonsense in use.

    Measured: random rows, longer than the window where there is one, read at once, in pieces and token by token.
    """
    if subject.reading.cached is None:
        return not_applicable("no cached reading was given")
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    ids = random_ids(subject, draw, 2, past_the_window(subject))
    tokens, window = ids.shape[1], subject.reading.window
    beyond = "" if window is None else f", window {window}" + ("" if tokens > window else " not reached")
    pieces = ([tokens], [tokens - 3, 1, 1, 1], [tokens // 3, tokens - tokens // 3], [1] * tokens)
    caches = [("", subject.reading.cached), (" of a rolling cache", subject.reading.rolling)]
    with awake(subject, draw) as said:
        full = subject.logits(ids)
        findings = [
            equal_logits(subject, read(ids, sizes), full, f"{tokens} tokens in {_words(sizes)}{which}{beyond}{said}")
            for which, read in caches
            if read is not None
            for sizes in pieces
        ]
    return next((finding for finding in findings if finding.status == "broken"), findings[-1])


def _words(sizes: list[int]) -> str:
    return f"{len(sizes)} pieces" if len(sizes) > 1 else "one piece"
