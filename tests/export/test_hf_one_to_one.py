"""Tables of names: every layer is written out, what is lost is named, a file is read into the network it was of."""

from pathlib import Path

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.export.hf_files import open_tensors
from linnet.export.hf_one_to_one import read_network, refuse_what_is_lost, stack_names, write_network
from linnet.model.config import ModelConfig
from tests.model.two_sided import ENCODERS, made, some_ids


def test_names_of_layers():
    assert stack_names(2, "h.{}", "blocks.{}", {"q": "query"}, ("weight", "bias")) == {
        "h.0.q.weight": "blocks.0.query.weight",
        "h.0.q.bias": "blocks.0.query.bias",
        "h.1.q.weight": "blocks.1.query.weight",
        "h.1.q.bias": "blocks.1.query.bias",
    }


def test_what_is_lost_is_named():
    refuse_what_is_lost(ModelConfig(), ModelConfig(dropout=0.5, context_length=9), "X")
    refuse_what_is_lost(ModelConfig(), ModelConfig(head_size=128, mlp_size=1024, num_kv_heads=2), "X")
    with pytest.raises(BadInput, match=r"num_heads = 2 cannot be said in X's config.json, which means 1"):
        refuse_what_is_lost(ModelConfig(), ModelConfig(num_heads=1), "X")


@torch.no_grad()
def test_written_and_read(tmp_path: Path):
    model = made("encoder", **ENCODERS["bert"])
    own = [name for name in model.state_dict() if name not in model.copies()]
    names = {f"their.{name}": name for name in own}
    write_network(model, names, {"a": 1}, tmp_path, more={"b": 2})
    assert (tmp_path / "more.json").is_file()
    stored = open_tensors(tmp_path)
    assert stored.keys() == names.keys()
    again = read_network(model.config, stored, names, tmp_path)
    assert torch.equal(again(some_ids(2, 5)), model(some_ids(2, 5)))
    assert again.head.weight is again.embedding.weight
    with pytest.raises(BadInput, match="speaks of 300 layers"):
        read_network(model.config.but(num_layers=300), stored, names, tmp_path)
