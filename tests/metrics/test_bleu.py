"""BLEU against sacrebleu, and by hand."""

import math
import random

import pytest

from linnet.metrics import bleu
from linnet.metrics.bleu import words_13a

SAID = [
    "the", "a", "cat,", "sat", "1,000", "on.", "U.S.", "it's", "mat-4", "5-x", "é", "x", "&", "&amp;", "&lt;b&gt;",
    "<skipped>", "don't", "3.5", ".", ",", "!?", "-\n", "$5", "x_y", "(so)", "\"no\"", "a/b", "100%",
]  # fmt: skip


def texts(dice: random.Random, count: int) -> list[str]:
    return [" ".join(dice.choices(SAID, k=dice.randrange(20))) for _ in range(count)]


def test_sacrebleu_says_the_same():
    sacrebleu = pytest.importorskip("sacrebleu", reason="SACREBLEU IS NOT INSTALLED: BLEU is not compared with it")
    dice = random.Random(0)
    for _ in range(300):
        references = texts(dice, dice.randrange(1, 6))
        candidates = texts(dice, len(references))
        candidates[0] = references[0][: dice.randrange(80)]
        expected = sacrebleu.corpus_bleu(candidates, [references]).score
        assert bleu(references, candidates) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "text", [*SAID, " ".join(SAID), "", " ", "a.b.c 1.2,3 4-5-6", "tab\tand\nline ", "end-\nofline"]
)
def test_words_are_those_of_sacrebleu(text):
    pytest.importorskip("sacrebleu", reason="SACREBLEU IS NOT INSTALLED: its words are not compared with ours")
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    assert " ".join(words_13a(text)) == Tokenizer13a()(text.rstrip())


def test_by_hand():
    assert bleu(["the cat sat on the mat"], ["the cat sat on the mat"]) == pytest.approx(100)
    assert bleu(["the cat sat on the mat"], ["a dog"]) == 0
    assert bleu(["the cat"], ["the cat"]) == 0  # no 4-gram to look at
    # 5 of 6 words, 3 of 5 pairs, 2 of 4 threes, 1 of 3 fours; as long as the reference.
    found = bleu(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert found == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    # Too short by two words; no fours match, so half of one counts.
    found = bleu(["a b c d e f"], ["a b c e"])
    assert found == pytest.approx(100 * math.exp(1 - 6 / 4) * (4 / 4 * 2 / 3 * 1 / 2 * 0.5 / 1) ** 0.25)


def test_a_reference_for_each():
    with pytest.raises(ValueError, match="2 for 1"):
        bleu(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="0 for 0"):
        bleu([], [])
