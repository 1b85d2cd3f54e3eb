"""Every engine finds what counting out finds, ties among it; one that is not installed is named with its extra."""

import sys

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.nearest import engine_of, nearest


def unit(rows):
    rows = np.asarray(rows, dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_the_nearest_by_hand_of_equal_ones_the_earlier():
    vectors = unit([[0, 1], [1, 0], [1, 1], [1, 0]])
    found = nearest(engine_of("numpy", vectors), vectors, np.array([1, 0], dtype=np.float32), 3)
    assert [number for number, _ in found] == [1, 3, 2]
    assert [cosine for _, cosine in found] == pytest.approx([1, 1, 2**-0.5])


@pytest.mark.parametrize(
    ("engine", "package"), [("faiss", "faiss"), pytest.param("qdrant", "qdrant_client", marks=pytest.mark.slow)]
)
def test_an_engine_ranks_as_counting_out_does(engine, package):
    pytest.importorskip(package)
    draw = np.random.default_rng(0)
    vectors = unit(draw.normal(size=(300, 24)))
    vectors[200:210] = vectors[100]  # ten of the same
    asked = unit(draw.normal(size=(12, 24)))
    asked[0] = vectors[100]
    by_hand, by_engine = engine_of("numpy", vectors), engine_of(engine, vectors)
    for question in asked:
        assert nearest(by_engine, vectors, question, 10) == nearest(by_hand, vectors, question, 10)
    assert [number for number, _ in nearest(by_engine, vectors, asked[0], 11)] == [100, *range(200, 210)]
    assert len(nearest(by_engine, vectors, asked[1], 1000)) == 300


@pytest.mark.parametrize(
    ("engine", "package", "extra"), [("faiss", "faiss", "rag"), ("qdrant", "qdrant_client", "qdrant")]
)
def test_an_engine_that_is_not_installed_is_named(engine, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadInput, match=rf"linnet\[{extra}\]"):
        engine_of(engine, unit([[1, 0]]))


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_named():
    pytest.importorskip("qdrant_client")
    with pytest.raises(BadInput, match=r"127\.0\.0\.1:9"):
        engine_of("qdrant", unit([[1, 0]]), "http://127.0.0.1:9")
