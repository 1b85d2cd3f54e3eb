"""The lists of invariants: all of them, each once, and the quick ones among them."""

import importlib
import inspect
import pkgutil
from collections import Counter

import linnet.prove
from linnet.prove.invariants import ALL, QUICK
from linnet.prove.verdict import Finding, name_of


def written():
    """Yield every public function of the room that takes a subject and dice and returns a finding."""
    for module in pkgutil.iter_modules(linnet.prove.__path__):
        for name, function in vars(importlib.import_module(f"linnet.prove.{module.name}")).items():
            if inspect.isfunction(function) and not name.startswith("_"):
                signature = inspect.signature(function)
                if list(signature.parameters) == ["subject", "draw"] and signature.return_annotation is Finding:
                    yield function


def test_all_that_are_written_are_told_once():
    assert set(ALL) == set(written())
    assert max(Counter(map(name_of, ALL)).values()) == 1
    assert len(ALL) == 57


def test_the_quick_ones_are_among_them_in_the_same_order():
    places = [ALL.index(invariant) for invariant in QUICK]
    assert places == sorted(places)
    assert 10 < len(QUICK) < 20
