"""Every bug on show is caught, by its name and with evidence, and its correct twin is not; the museum is complete."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.prove.invariants import ALL
from tests.museum.__main__ import main
from tests.museum.exhibit import Exhibit, complaints, exhibit
from tests.museum.gallery import EXHIBITS, ROOMS, exhibits
from tests.museum.looking import the_causal_mask_the_wrong_way_round as MASK

FOLDER = Path(__file__).parent
NOT_ROOMS = {"__init__", "__main__", "exhibit", "gallery", "networks", "trainer", "test_museum"}
# The bugs that the museum was founded for; how many it shows may only grow.
FOUNDED_FOR = (
    "The causal mask the wrong way round",
    "Labels shifted twice",
    "Rotary positions of two layouts mixed",
    "DPO without a reference",
    "Rejected answers without a gradient",
    "A mask lost in a rewrite",
    "Answers cut off, and a loss of 0",
    "Padding that is the end token",
    "A mean of means in accumulation",
    "Packed rows that see each other",
    "Packed rows that count on from the document before",
    "A cache that ignores the window",
    "Places that count the padding on the left",
    "A router of one expert a token that cannot learn",
    "A balance loss that counts padding",
    "A token with the number that is to be ignored",
    "A tied head that comes back alone",
    "A merge without its scale",
    "Weights transposed on the way",
    "A quantization of one kind of layer",
    "A perplexity that depends on the batch size",
    "A resume that replays the data",
    "A schedule stepped more than once a step",
    "Clipping before unscaling",
    "Dropout on while measuring",
    "A decoder that never reads its source",
)
FEWEST = 60


@pytest.mark.parametrize("one", EXHIBITS, ids=lambda one: one.build.__name__)
def test_the_bug_is_caught_by_name_and_its_correct_twin_is_not(one):
    assert complaints(one) == []


def test_nothing_is_missing():
    titles = [one.title for one in EXHIBITS]
    assert len(titles) == len(set(titles)) >= FEWEST
    assert set(FOUNDED_FOR) <= set(titles)
    files = {path.stem for path in FOLDER.glob("*.py")} - NOT_ROOMS
    assert {room.__name__.rsplit(".", 1)[1] for room in ROOMS} == files
    for name in files:
        assert exhibits(importlib.import_module(f"tests.museum.{name}")), f"{name}.py shows nothing"


@pytest.mark.parametrize("one", EXHIBITS, ids=lambda one: one.build.__name__)
def test_every_label_is_whole(one):
    assert wrong_with_label(one) == []


def test_every_source_is_cited_once():
    sources = [one.source for one in EXHIBITS]
    assert len(sources) == len(set(sources))


def test_every_invariant_catches_something_real():
    """An invariant that no known bug breaks has yet to show that it can be broken, and that it is needed."""
    idle = {invariant.__name__ for invariant in ALL} - {one.caught_by.__name__ for one in EXHIBITS}
    assert idle == set()


def test_the_table_has_a_row_an_exhibit(capsys):
    main([])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == len(EXHIBITS)
    for one, row in zip(EXHIBITS, rows, strict=True):
        assert one.title in row
        assert one.source in row
        assert one.caught_by.__name__.replace("_", " ") in row


def wrong_with_label(one: Exhibit) -> list[str]:
    """Return what is missing on a label: a title, what went wrong in two sentences, an address, a known invariant."""
    said = []
    if not one.title or one.title.endswith("."):
        said.append("no title")
    if len(re.split(r"(?<=\.)\s+(?=[A-Z])", one.went_wrong)) != 2 or not one.went_wrong.endswith("."):
        said.append("what went wrong is not told in two sentences")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+/(issues|pull)/\d+", one.source):
        said.append(f"no source: {one.source}")
    if one.caught_by not in ALL:
        said.append(f"{one.caught_by.__name__} is none of the invariants")
    return said


def test_an_exhibit_that_is_not_caught_is_told():
    tame = replace(MASK, build=lambda wrong: MASK.build(False))
    assert "not caught by causality: held" in complaints(tame)[0]


def test_an_invariant_that_is_always_red_is_told():
    red = replace(MASK, build=lambda wrong: MASK.build(True))
    assert "the correct twin is said to be broken" in complaints(red)[0]


def test_a_bug_that_crashes_is_no_bug_for_the_museum():
    def build(wrong):
        subject = MASK.build(False)
        return replace(subject, logits=lambda ids: 1 / 0) if wrong else subject

    assert "stumbled over instead of caught: raised ZeroDivisionError" in complaints(replace(MASK, build=build))[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": ""}, "no title"),
        ({"went_wrong": "One sentence."}, "two sentences"),
        ({"source": "not verified"}, "no source"),
        ({"caught_by": len}, "none of the invariants"),
    ],
)
def test_a_label_with_a_part_missing_is_told(change, words):
    said = wrong_with_label(replace(MASK, **change))
    assert len(said) == 1
    assert words in said[0]


def test_a_label_is_read_from_a_docstring():
    def build(wrong):
        """A title.

        Something broke.
        Nobody saw it.

        Source: https://example.org/1
        """

    made = exhibit(MASK.caught_by)(build)
    assert (made.title, made.went_wrong, made.source) == (
        "A title",
        "Something broke. Nobody saw it.",
        "https://example.org/1",
    )
