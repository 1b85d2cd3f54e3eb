"""Text and examples: nothing lost on the way to ids, begun once, learned, and ended."""

import torch
from torch import Tensor

from linnet.prove.parts import Rows, Text
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

# What tokenizers lose: blanks, line ends, letters beyond ASCII, signs made of several code points, bytes of no letter.
HARD = (
    "One day Mia found a ball.",
    "  two blanks  between, three at the end   ",
    "line\nnext\r\n\n\ttab",
    "café naïve Straße Łódź",
    "cafe\u0301 and \ufb01ne",
    "日本語 العربية हिन्दी Ελλάδα",
    "👩‍🚀 🏳️‍🌈 👍🏽",
    "if (x <= 10) { y[i] += 3.14e-7; }  // done",
    "1234567890 12,345.67",
    "\u200b\ufeff\u00a0",
)
NO_EXAMPLES = "no examples as training sees them were given"


def tokenizer_round_trip(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the ids of a text give back the very text.

    Why: what the tokenizer loses, the model cannot learn, and every score on the text is of another text.

    Measured: texts with blanks, line ends, many alphabets and emoji, to ids and back.
    """
    text = subject.text
    if text is None:
        return not_applicable("no tokenizer was given")
    if not text.lossless:
        return not_applicable("this tokenizer changes texts by design")
    samples = text.samples or HARD
    for sample in samples:
        back = text.decode(text.encode(sample))
        if back != sample:
            return broken(f"{sample[:60]!r} comes back as {back[:60]!r}")
    return held(f"{len(samples)} texts of {sum(map(len, samples))} characters come back as they were")


def no_double_begin(subject: Subject, draw: torch.Generator) -> Finding:
    """Let no row begin with two begin tokens.

    Why: a template that writes the begin token, before a tokenizer that adds it, makes rows that the model never
    saw; answers get worse and nothing says so.

    Measured: the first two tokens of every example.
    """
    begin = None if subject.text is None else subject.text.begin_id
    if begin is None or not subject.examples:
        return not_applicable("no begin token was given" if begin is None else NO_EXAMPLES)
    rows = _each(subject)
    twice = [number for number, (ids, _) in enumerate(rows) if _leading(ids, begin, subject.text) > 1]
    evidence = f"{len(twice)} of {len(rows)} examples begin with id {begin} twice"
    return judged(not twice, evidence + (f", first example {twice[0]}" if twice else ""))


def stop_token_is_learned(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the token that ends an answer be learned wherever what is learned ends with it.

    Why: where padding is the end token, or the template adds it after the mask, stopping is never learned: the model
    answers well and goes on for ever.

    Measured: in every example, the token after a learned stretch must not be an unlearned end token, and some end
    token must be learned.
    """
    end = None if subject.text is None else subject.text.end_id
    if end is None or not subject.examples:
        return not_applicable("no end token was given" if end is None else NO_EXAMPLES)
    learned_ends, cut = 0, []
    rows = _each(subject)
    for number, (ids, learned) in enumerate(rows):
        learned_ends += int(((ids == end) & learned).sum())
        if bool((learned[:-1] & ~learned[1:] & (ids[1:] == end) & (ids[:-1] != end)).any()):
            cut.append(number)
    if cut:
        share = f"{len(cut)} of {len(rows)} examples, first {cut[0]}"
        return broken(f"the end token after what is learned is not learned itself in {share}")
    return judged(learned_ends > 0, f"{learned_ends} end tokens (id {end}) are learned in {len(rows)} examples")


def every_example_teaches(subject: Subject, draw: torch.Generator) -> Finding:
    """Let every example have a token that is learned.

    Why: a template that is not found, or an answer that is cut off, masks a whole example: its loss is 0 or NaN, the
    curve falls, and nothing was taught.

    Measured: the learned tokens of every example; the first of a row cannot be one.
    """
    if not subject.examples:
        return not_applicable(NO_EXAMPLES)
    counts = [int(learned[1:].sum()) for _, learned in _each(subject)]
    empty = [number for number, count in enumerate(counts) if count == 0]
    if empty:
        return broken(f"{len(empty)} of {len(counts)} examples have no learned token, first example {empty[0]}")
    return held(f"{len(counts)} examples with {min(counts)} to {max(counts)} learned tokens each")


def _each(subject: Subject) -> list[tuple[Tensor, Tensor]]:
    """Return ids and learned [T] of every example."""
    return [pair for rows in subject.examples for pair in _pairs(rows)]


def _pairs(rows: Rows) -> list[tuple[Tensor, Tensor]]:
    return list(zip(rows.ids, rows.learned, strict=True))


def _leading(ids: Tensor, begin: int, text: Text | None) -> int:
    """Count the begin tokens that a row [T] begins with, after padding on its left."""
    values = ids.tolist()
    pad = None if text is None else text.pad_id
    place = 0
    while pad != begin and place < len(values) and values[place] == pad:
        place += 1
    count = 0
    while place + count < len(values) and values[place + count] == begin:
        count += 1
    return count
