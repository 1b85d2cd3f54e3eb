"""Rows from files: JSON lines, JSON arrays, CSV and TSV, Parquet; streamed, each error with its file and line."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput, nearest, needs_extra
from linnet.core.files import read_json
from linnet.data.streams import MAX_LINE_BYTES, lines, plain_suffix

Row = dict[str, Any]
JSON_ARRAY_BYTES = 2**29
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def is_table(path: Path) -> bool:
    """Say whether a file holds rows, by its suffix under the compression."""
    return plain_suffix(path) in SUFFIXES


def table_rows(path: Path, encoding: str = "utf-8") -> Iterator[Row]:
    """Yield the rows of a file in order; raises BadInput with file and line for what is no row."""
    suffix = plain_suffix(path)
    if suffix == ".parquet":
        yield from _parquet_rows(path)
    elif suffix in (".csv", ".tsv"):
        yield from _separated_rows(path, "\t" if suffix == ".tsv" else ",", encoding)
    elif suffix == ".json" and _is_array(path, encoding):
        yield from _array_rows(path)
    else:
        yield from _json_rows(path, encoding)


def text_of(row: Row, column: str, where: str) -> str:
    """Return the text in a column of a row (null is the empty text); raises BadInput for a missing column."""
    if column not in row:
        raise BadInput(
            f'{where}: no column "{column}".{nearest(column, row)} There are: {", ".join(row)} (choose with --column)'
        )
    value = row[column]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadInput(
            f'{where}: column "{column}" holds {type(value).__name__}, not text; choose another with --column'
        )
    return value


def _json_rows(path: Path, encoding: str) -> Iterator[Row]:
    for number, line in lines(path, encoding):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}:{number}: not a JSON row ({error})") from None
        if not isinstance(row, dict):
            raise BadInput(f"{path}:{number}: a row must be a JSON object, not {type(row).__name__}")
        yield row


def _is_array(path: Path, encoding: str) -> bool:
    first = next((line.strip() for _, line in lines(path, encoding) if line.strip()), "")
    return first.startswith("[")


def _array_rows(path: Path) -> Iterator[Row]:
    for number, row in enumerate(read_json(path, JSON_ARRAY_BYTES), start=1):
        if not isinstance(row, dict):
            raise BadInput(f"{path}: element {number} must be a JSON object, not {type(row).__name__}")
        yield row


def _separated_rows(path: Path, delimiter: str, encoding: str) -> Iterator[Row]:
    csv.field_size_limit(MAX_LINE_BYTES)  # the default refuses fields above 128 KiB
    reader = csv.reader((line for _, line in lines(path, encoding)), delimiter=delimiter, strict=True)
    try:
        header = next(reader, None)
        for values in reader:
            if not values:
                continue
            if header is None or len(values) != len(header):
                raise BadInput(f"{path}:{reader.line_num}: {len(values)} fields, the header has {len(header or [])}")
            yield dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: not a CSV row ({error})") from None


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise needs_extra("pyarrow", "data", f"{path}: reading Parquet") from None
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
