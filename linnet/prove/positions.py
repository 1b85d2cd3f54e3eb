"""Relative positions: where a row stands changes nothing, only how far its tokens are apart.

B rows, H heads, T tokens, d head size.
"""

import torch

from linnet.prove.measuring import TOLERANCE, apart, awake, equal_logits, largest, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, judged, not_applicable

HEADS = 2


@torch.no_grad()
def moved_rows_read_the_same(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a row have the same logits wherever it stands, in a model of relative positions.

    Why: rotary angles of mixed layouts, or applied to queries only, are not relative: what is learned at one place
    does not hold at another, and long texts fall apart.

    Measured: random rows whose positions begin at 1, 7 and 64 against the same rows at 0.
    """
    if subject.reading.moved is None:
        return not_applicable("positions are absolute by design, or cannot be moved from outside")
    ids = random_ids(subject, draw, 2, subject.longest // 2)
    offsets = sorted({min(offset, subject.longest - ids.shape[1]) for offset in (1, 7, 64)})
    with awake(subject, draw) as said:
        here = subject.logits(ids)
        findings = [
            equal_logits(subject, subject.reading.moved(ids, offset), here, f"rows at {offset} against rows at 0{said}")
            for offset in offsets
        ]
    return next((finding for finding in findings if finding.status == "broken"), findings[-1])


@torch.no_grad()
def rotary_scores_depend_on_distance_only(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the score of a turned query and a turned key depend on how far they are apart, and do depend on it.

    Why: this is all that rotary positions are for; a layout that mixes halves and pairs breaks it without an error.

    Measured: scores of random vectors at distances 0 to 12, from places 0, 3 and 40, against each other.
    """
    rotate = subject.reading.rotate
    if rotate is None:
        return not_applicable("no rotary positions were given")
    distances = 13
    shape = (1, HEADS, 1, subject.reading.head_size)
    query, key = (torch.randn(shape, generator=draw).to(subject.device) for _ in range(2))
    scores = []
    for start in (0, 3, 40):
        places = torch.arange(start, start + distances, device=subject.device)[None]
        turned_keys = rotate(key.expand(-1, -1, distances, -1), places)
        turned_query = rotate(query, places[:, :1])
        scores.append((turned_query * turned_keys).sum(-1)[0])  # [H, distances]
    # A turn in fp32 at place 40 is off by 40 roundings of the angle.
    limit = TOLERANCE[torch.float32] * largest(scores[0])
    worst = max(apart(score, scores[0]) for score in scores[1:])
    turning = float((scores[0] - scores[0][:, :1]).abs().max())
    if turning <= limit:
        return judged(False, f"scores at distances 0 to 12 differ by {turning:.1e} only: nothing is turned")
    evidence = f"scores of one distance differ by {worst:.1e} between places, rounding allows {limit:.1e}"
    return judged(worst <= limit < float("inf"), evidence)
