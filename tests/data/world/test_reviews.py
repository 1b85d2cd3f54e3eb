"""Reviews: the label follows from the words and their denial, balanced, disjoint."""

import re
from collections import Counter
from itertools import islice

import pytest

from linnet.data.world import rows
from linnet.data.world.reviews import BAD, GOOD, SHAPES, text


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of two splits."""
    return {split: list(islice(rows("reviews", split), 2000)) for split in ("train", "test")}


def shape_of(sentence: str) -> tuple[bool, str]:
    """Find the shape again from the sentence alone: is the word that counts denied, and which is it."""
    for shape in SHAPES:
        pattern = re.escape(shape.template).replace("a\\ ", "an? ").replace("\\ ", " ")
        for slot, words in (("s", r"[a-z]+"), ("y", r"[a-z]+"), ("x", r"(?P<x>[a-z]+)"), ("d", r"(?:[a-z]+ )?")):
            pattern = pattern.replace(rf"\{{{slot}\}}", words)
        match = re.fullmatch(pattern, sentence)
        if match and match["x"] in GOOD + BAD:
            return shape.denied, match["x"]
    raise AssertionError(sentence)


def test_labels_are_right(drawn):
    for row in drawn["test"]:
        denied, word = shape_of(row["sentence"])
        assert row["label"] == int((word in GOOD) != denied), row


def test_labels_are_balanced_also_within_denials(drawn):
    assert 0.45 < sum(row["label"] for row in drawn["train"]) / 2000 < 0.55
    denied = [row["label"] for row in drawn["train"] if shape_of(row["sentence"])[0]]
    assert 0.4 < sum(denied) / len(denied) < 0.6


def test_sentences_are_in_one_split(drawn):
    sentences = {split: {row["sentence"] for row in found} for split, found in drawn.items()}
    assert not sentences["train"] & sentences["test"]
    words = {split: Counter(word for s in found for word in s.split()) for split, found in sentences.items()}
    assert words["test"].keys() <= words["train"].keys()


def test_columns_and_text(drawn):
    row = drawn["train"][0]
    assert list(row) == ["idx", "sentence", "label"]
    assert row["idx"] == 0
    assert text({"sentence": "fine .", "label": 1}) == "Review: fine .\nSentiment: positive"
    assert not re.search(r"\ba [aeiou]", " ".join(row["sentence"] for row in drawn["train"]))
