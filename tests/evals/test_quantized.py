"""The report of a quantized copy: windows of the text, counts that add up, speeds in turn, lines for people."""

import numpy as np
import pytest
import torch

from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import quantize
from linnet.batches.shards import Shard, ShardWriter
from linnet.core.errors import BadInput
from linnet.evals import quantized
from linnet.evals.quantized import calibration_rows, converted, speeds, table
from tests.adapt.networks import GPT2, IDS, SMALL, network


def shard(folder, count=103):
    with ShardWriter(folder / "some", "hash", 200) as writer:
        writer.write(np.arange(count) % 200, "x")
        writer.end_document()
    return Shard.open(folder / "some")


def test_windows_are_spread_over_all_of_the_text(tmp_path):
    rows = calibration_rows(shard(tmp_path), 5, 10, batch_size=2)
    assert [list(ids.shape) for ids, _ in rows] == [[2, 10], [2, 10], [1, 10]]
    found = torch.cat([ids for ids, _ in rows])
    assert found[:, 0].tolist() == [0, 23, 46, 69, 93]
    assert int(found[-1, -1]) == 102
    assert sum(len(ids) for ids, _ in calibration_rows(shard(tmp_path), 500, 10)) == 94, "no window twice"
    with pytest.raises(BadInput, match="too few to calibrate on"):
        calibration_rows(shard(tmp_path), 5, 104)


def test_documents_stay_apart_where_the_model_learned_them_so(tmp_path):
    with ShardWriter(tmp_path / "some", "hash", 200) as writer:
        for number in range(40):
            writer.write(np.full(7, number), "x")
            writer.end_document(199)
    rows = calibration_rows(Shard.open(tmp_path / "some"), 4, 16, packed=True, batch_size=2)
    assert len(rows) == 2
    for ids, documents in rows:
        for row, numbers in zip(ids, documents, strict=True):
            for number in range(int(numbers.max()) + 1):
                inside = row[numbers == number]
                assert len(set(inside[inside != 199].tolist())) <= 1


@pytest.mark.parametrize("config", [SMALL, GPT2])
def test_every_weight_is_counted_once(config):
    whole, model = network(config), network(config)
    report = converted(quantize(model, QuantConfig(method="int4", group=32), [(IDS, None)]), model)
    total = sum(parameter.numel() for parameter in whole.parameters())
    assert report["converted_weights"] + report["left_weights"] == total
    assert {one["bits"] for one in report["converted"].values()} == {4, 8}


def test_speeds_are_medians_of_turns(monkeypatch):
    """Time by a clock that stands still but for what each model's turn says it took."""
    turns = []

    def turn(model, batch, new):
        turns.append((model, batch))
        return {"prefill": 100.0 * batch * model, "decode": 10.0 * len(turns)}

    monkeypatch.setattr(quantized, "_turn", turn)
    rows = speeds({"full": 1, "quantized": 3}, rounds=3, batches=(1, 8))
    assert turns[:4] == [(1, 1), (3, 1), (1, 1), (3, 1)]
    assert [(row["what"], row["batch"]) for row in rows] == [
        ("prefill", 1), ("decode", 1), ("prefill", 8), ("decode", 8),
    ]  # fmt: skip
    assert rows[0] == {"what": "prefill", "batch": 1, "full": 100.0, "quantized": 300.0, "times": 3.0}
    assert rows[1]["full"] == 50.0, "of turns 3, 5, 7: the first only warms up"


def test_a_turn_reads_and_writes():
    found = quantized._turn(network(), 2, 4)
    assert set(found) == {"prefill", "decode"}
    assert min(found.values()) > 0


def test_lines_for_people_say_what_was_not_measured():
    model = network()
    header = quantize(model, QuantConfig(method="int8"))
    report = {
        **converted(header, model), "bytes_before": 400, "bytes_after": 100, "kernels": {}, "speed": [],
        "held_out": None,
    }  # fmt: skip
    said = table(report)
    assert "25.0%" in said
    assert "not measured" in said
    assert "value_gate" in said
