"""The key/value cache: writing token by token is reading the whole row.

B rows, T tokens.
"""

import torch

from linnet.prove.measuring import awake, equal_logits, past_the_window, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, held, not_applicable


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
    with awake(subject, draw) as said:
        full = subject.logits(ids)
        for pieces in ([tokens], [tokens - 3, 1, 1, 1], [tokens // 3, tokens - tokens // 3], [1] * tokens):
            found = subject.reading.cached(ids, pieces)
            words = f"pieces of {pieces[0]}, {pieces[-1]}" if len(pieces) > 1 else "one piece"
            finding = equal_logits(subject, found, full, f"{tokens} tokens in {words}{beyond}{said}")
            if finding.status == "broken":
                return finding
    return held(finding.evidence)
