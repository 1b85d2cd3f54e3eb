"""Stop strings: what is shown equals a plain search of the whole text, however it is cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.infer.stopping import StopScanner


def plain(text: str, stops: list[str]) -> tuple[str, bool]:
    """Grow the text letter by letter; the first letter that completes a stop string ends it."""
    for end in range(1, len(text) + 1):
        done = [stop for stop in stops if text[:end].endswith(stop)]
        if done:
            return text[: end - max(map(len, done))], True
    return text, False


def scan(pieces: list[str], stops: list[str]) -> tuple[str, bool]:
    scanner = StopScanner(stops)
    shown = "".join(scanner.push(piece) for piece in pieces)
    return (shown, True) if scanner.stopped else (shown + scanner.flush(), False)


@settings(deadline=None, max_examples=300)
@given(
    pieces=st.lists(st.text("ab\n", max_size=4), max_size=10),
    stops=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
)
def test_equals_a_search_of_the_whole_text(pieces, stops):
    assert scan(pieces, stops) == plain("".join(pieces), stops)


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(st.text("ab", max_size=3), max_size=10), stop=st.text("ab", min_size=1, max_size=4))
def test_nothing_shown_is_ever_taken_back(pieces, stop):
    scanner, shown = StopScanner([stop]), ""
    for piece in pieces:
        shown += scanner.push(piece)
        assert plain("".join(pieces), [stop])[0].startswith(shown)


def test_holds_back_no_more_than_needed():
    scanner = StopScanner(["\n\n"])
    assert scanner.push("one\n") == "one"
    assert scanner.push("two") == "\ntwo"


@pytest.mark.parametrize("pieces", [["Qu: x", " EN", "D more"], ["Qu: x END more"]])
def test_a_stop_string_across_pieces(pieces):
    assert scan(pieces, ["END"]) == ("Qu: x ", True)
