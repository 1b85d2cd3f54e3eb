"""Rows come back as they were written, and errors name file and line."""

import csv
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.data.tables import is_table, table_rows, text_of

ROWS = [{"text": 'a "b"\nÉ, 🐦', "label": "1"}, {"text": "", "label": "2"}, {"text": "\u2028x", "label": "3"}]


def test_json_lines_arrays_csv_and_tsv_give_the_same_rows(tmp_path):
    lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    (tmp_path / "a.jsonl").write_text(lines + "\n\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.json").write_text(json.dumps(ROWS, indent=1))
    (tmp_path / "d.json").write_text(lines)
    for name, delimiter in (("e.csv", ","), ("f.tsv", "\t")):
        with open(tmp_path / name, "w", newline="") as file:
            writer = csv.DictWriter(file, ["text", "label"], delimiter=delimiter)
            writer.writeheader()
            writer.writerows(ROWS)
    for path in sorted(tmp_path.iterdir()):
        assert is_table(path)
        assert list(table_rows(path)) == ROWS, path.name
    assert not is_table(tmp_path / "a.txt.gz")


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2, max_size=2)
    )
)
def test_any_csv_fields_come_back(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("a") / "a.csv"
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([["one column", "other"], *values])
    assert [[row["one column"], row["other"]] for row in table_rows(path)] == values


def test_long_csv_fields_are_read(tmp_path):
    (tmp_path / "a.csv").write_text(f"text\n{'x' * 200_000}\n")
    assert [len(row["text"]) for row in table_rows(tmp_path / "a.csv")] == [200_000]


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra `data` is not installed")
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert list(table_rows(tmp_path / "a.parquet")) == ROWS
    (tmp_path / "b.parquet").write_bytes(b"not parquet")
    with pytest.raises(BadInput, match="not a readable Parquet file"):
        list(table_rows(tmp_path / "b.parquet"))


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(BadInput, match=r'needs the package pyarrow: pip install "linnet\[data\]"'):
        list(table_rows(tmp_path / "a.parquet"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"text": "a"}\n{"text": ', r"a\.jsonl:2: not a JSON row"),
        ("a.jsonl", "[1]\n", r"a\.jsonl:1: a row must be a JSON object, not list"),
        ("a.json", "[1]", "element 1 must be a JSON object, not int"),
        ("a.csv", "text,label\na,b\nc\n", r"a\.csv:3: 1 fields, the header has 2"),
        ("a.csv", 'text\n"open', r"a\.csv:2: not a CSV row"),
    ],
)
def test_broken_rows_are_one_line_with_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=message):
        list(table_rows(tmp_path / name))


def test_the_text_of_a_row():
    row = {"text": "a", "tweet": None, "count": 3}
    assert text_of(row, "text", "here") == "a"
    assert text_of(row, "tweet", "here") == ""
    with pytest.raises(BadInput, match=r'here: no column "tex"\. Did you mean "text"\? There are: text, tweet, count'):
        text_of(row, "tex", "here")
    with pytest.raises(BadInput, match='column "count" holds int, not text'):
        text_of(row, "count", "here")
