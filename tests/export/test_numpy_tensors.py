"""The reader of safetensors in NumPy alone: equal to the library's, and strict about what stands where."""

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from linnet.core.errors import BadInput
from linnet.export.numpy_tensors import read_folder, read_header

TENSORS = {
    "a": torch.randn(3, 4),
    "b": torch.randn(5).to(torch.bfloat16),
    "c": torch.randn(2, 1, 2).to(torch.float16),
    "d": torch.tensor(1.5, dtype=torch.float64),
    "empty": torch.zeros(0, 3),
}


def test_numbers_are_those_that_were_written(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    found = read_folder(tmp_path)
    assert found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert np.array_equal(found[name].read(), tensor.double().numpy().astype(found[name].read().dtype))
    assert [found[name].dtype for name in "abcd"] == ["F32", "BF16", "F16", "F64"]


def test_shards_and_an_index_that_does_not_fit(tmp_path):
    for name in "ab":
        save_file({name: TENSORS[name]}, tmp_path / f"{name}.safetensors")
    places = {"a": "a.safetensors", "b": "b.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert read_folder(tmp_path).keys() == {"a", "b"}
    index.write_text(json.dumps({"weight_map": {**places, "c": "a.safetensors"}}))
    with pytest.raises(BadInput, match="does not list the tensors that the files hold"):
        read_folder(tmp_path)


def written(path, header, data):
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.mark.parametrize(
    ("header", "data", "words"),
    [
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 7, "cut short"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, 9, "more than its tensors"),
        ({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, 8, "a does not stand where its F32"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}}, 12, "a does not stand where"),
        ({"a": {"dtype": "I8", "shape": [8], "data_offsets": [0, 8]}}, 8, "a does not stand where its I8"),
    ],
)
def test_what_does_not_fill_the_file_is_refused(header, data, words, tmp_path):
    with pytest.raises(BadInput, match=words):
        read_header(written(tmp_path / "x.safetensors", header, bytes(data)))


def test_a_wild_header_is_refused(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"\xff" * 8)
    with pytest.raises(BadInput, match="not safetensors"):
        read_header(tmp_path / "x.safetensors")
