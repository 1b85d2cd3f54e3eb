"""Folders and files of transformers: what is opened, and each way in which a folder is refused."""

import json

import pytest
import torch
from safetensors.torch import save_file

from linnet.core.errors import BadInput
from linnet.export.hf_files import INDEX_MAX_BYTES, Stored, find_folder, open_tensors


def shards(folder, weight_map, **files):
    for name, tensors in files.items():
        save_file(tensors, folder / f"{name}.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def refused(folder, words):
    with pytest.raises(BadInput, match=words) as caught:
        open_tensors(folder)
    assert "\n" not in str(caught.value)


def test_one_file_and_pieces_of_its_tensors(tmp_path):
    experts = torch.arange(24.0).view(2, 4, 3)
    save_file({"experts": experts, "ids": torch.arange(3)}, tmp_path / "model.safetensors")
    stored = open_tensors(tmp_path)
    assert stored["experts"].shape == [2, 4, 3]
    assert torch.equal(stored["experts"].read(), experts)
    piece = Stored(stored["experts"].file, "experts", (1, 1, 3))
    assert piece.shape == [2, 3]
    assert torch.equal(piece.read(), experts[1, 1:3])
    assert (stored["experts"].is_float, stored["ids"].is_float) == (True, False)


def test_shards_are_read_through_the_index(tmp_path):
    names = {"a": "one.safetensors", "b": "two.safetensors"}
    stored = open_tensors(shards(tmp_path, names, one={"a": torch.ones(2)}, two={"b": torch.zeros(3)}))
    assert {name: tensor.shape for name, tensor in stored.items()} == {"a": [2], "b": [3]}


def test_an_index_that_does_not_fit_is_refused(tmp_path):
    one = {"a": torch.ones(2)}
    refused(shards(tmp_path, {"a": "one.safetensors", "c": "one.safetensors"}, one=one), "c is not in one")
    refused(shards(tmp_path, {"a": "two.safetensors"}), r"two\.safetensors")
    (tmp_path / "two.safetensors").write_bytes((tmp_path / "one.safetensors").read_bytes())
    refused(shards(tmp_path, {"a": "one.safetensors", "b": "two.safetensors"}), "which the index puts in one")
    refused(shards(tmp_path, "rubbish"), "weight_map")
    refused(shards(tmp_path, {"a": 3}), "weight_map")


@pytest.mark.parametrize("place", ["../one.safetensors", "/etc/passwd", "sub/one.safetensors", "one.bin", ".."])
def test_an_index_never_leads_out_of_the_folder_or_to_pickle(tmp_path, place):
    refused(shards(tmp_path, {"a": place}), "is not a safetensors file of this folder")


def test_an_index_beyond_its_bound_is_refused(tmp_path):
    with open(tmp_path / "model.safetensors.index.json", "wb") as file:
        file.truncate(INDEX_MAX_BYTES + 1)
    refused(tmp_path, "larger than")


def test_pickle_is_never_read(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    refused(tmp_path, r"pytorch_model\.bin is pickle")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"not a model at all")
    refused(tmp_path, "cannot be read")


def test_a_name_that_is_no_folder(monkeypatch, tmp_path):
    assert find_folder(tmp_path) == tmp_path
    for source in (tmp_path / "none", str(tmp_path / "none"), "../none", "a/b/c"):
        with pytest.raises(BadInput, match="no such folder"):
            find_folder(source)


def test_offline_a_hub_name_is_one_clear_line(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match="linnet/no-such-model: no folder here, and the Hugging Face hub") as caught:
        find_folder("linnet/no-such-model")
    assert "\n" not in str(caught.value)


def test_a_hub_name_is_read_from_the_local_cache_when_offline(monkeypatch, tmp_path):
    from huggingface_hub import constants

    commit = "a" * 40
    snapshot = tmp_path / "models--linnet--toy" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    save_file({"a": torch.ones(2)}, snapshot / "model.safetensors")
    refs = tmp_path / "models--linnet--toy" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert open_tensors(find_folder("linnet/toy"))["a"].shape == [2]
