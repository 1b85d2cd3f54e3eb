"""`linnet quantize`: a folder of its own, read to the bit, measured, proved; refusals; a kill leaves nothing half."""

import json
import shutil

import pytest
import torch

from linnet.adapt import kernels
from linnet.adapt.quant import PackedLinear
from linnet.artifacts import find_source, load_model, quantized_header
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run
from tests.adapt.networks import logits
from tests.recipes.tuned_runs import save_base
from tests.small_runs import interrupt, refused

TEXT = "the bird sings in a tree 12 times.\nand waits for rain!\n"
METHODS = {
    "int8": ["--method", "int8"],
    "int8-dynamic": [],
    "int4": ["--method", "int4", "--group", "32", "--calibration-rows", "4"],
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", hidden_size=64)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kernels, "SECONDS", 0.02)
    (tmp_path / "text.txt").write_text(TEXT * 200)


def command(base, tmp_path, method="int8-dynamic", *more):
    words = ["quantize", str(base), *METHODS[method], "--out", str(tmp_path / "small"), "--threads", "1"]
    speed = [] if "--speed" in more else ["--no-speed"]
    return [*words, "--corpus", str(tmp_path / "text.txt"), *speed, *(word for word in more if word != "--speed")]


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_folder_stands_alone_and_is_measured(method, base, tmp_path, capsys):
    more = ("--json", "--speed") if method == "int4" else ("--json",)
    assert linnet(command(base, tmp_path, method, *more)) == 0
    report = json.loads(capsys.readouterr().out)
    folder = shutil.move(tmp_path / "small", tmp_path / "elsewhere")
    assert report.pop("run").endswith("small")
    assert Run.result(folder) == report
    model, _ = load_model(folder)
    header = quantized_header(folder)
    assert set(report["converted"]) == set(header.packed)
    assert report["converted_weights"] + report["left_weights"] == sum(
        p.numel() for p in load_model(base)[0].parameters()
    )
    assert report["bytes_before"] == (base / "model.safetensors").stat().st_size
    assert report["bytes_after"] == (folder / "model.safetensors").stat().st_size
    lost = report["held_out"]["lost_bits_per_byte"]
    assert lost["low"] <= lost["difference"] <= lost["high"]
    found = report["held_out"]["quantized"]["bits_per_byte"] - report["held_out"]["full"]["bits_per_byte"]
    assert lost["difference"] == pytest.approx(found, abs=1e-9)
    assert len(report["speed"]) == (4 if method == "int4" else 0)
    assert (report["calibration_tokens"] > 0) == (method == "int4")
    assert not list(folder.glob("*.pkl"))
    names = {file.name for file in folder.iterdir()}
    assert {"model.json", "model.safetensors", "tokenizer.json", "result.json", "record.json"} <= names
    assert report["kernels"] == kernels.chosen(model)


@pytest.mark.slow
def test_what_was_written_is_read_to_the_bit(base, tmp_path):
    assert linnet(command(base, tmp_path, "int4")) == 0
    first = file_hash(tmp_path / "small" / "model.safetensors")
    model, _ = load_model(tmp_path / "small")
    kernels.plain_products(model)
    again, _ = load_model(tmp_path / "small")
    kernels.plain_products(again)
    assert torch.equal(logits(model), logits(again))
    assert linnet(command(base, tmp_path, "int4")) == 0, "the same again is no error"
    assert file_hash(tmp_path / "small" / "model.safetensors") == first, "and gives the same bytes"


def test_it_says_what_was_converted_and_what_it_cost(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path)) == 0
    said = capsys.readouterr().out
    for words in ("converted: ", "left, a vector", "value_gate", "file: ", "products here", "perplexity: ", "lost "):
        assert words in said


def test_it_is_evaluated_written_with_and_searched_as_any_run(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path)) == 0
    small = str(tmp_path / "small")
    capsys.readouterr()
    assert linnet(["evaluate", small, "--threads", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[small]["held_out"]
    assert found["bits_per_byte"] == pytest.approx(Run.result(small)["held_out"]["quantized"]["bits_per_byte"])
    assert linnet(["generate", small, "--prompt", "the", "--max-tokens", "4", "--device", "cpu"]) == 0
    assert capsys.readouterr().out.startswith("the")


def test_whole_weights_come_back_as_they_were_kept(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path, "int8")) == 0
    small = tmp_path / "small"
    assert linnet(["quantize", str(small), "--undo", "--out", str(tmp_path / "whole")]) == 0
    whole, packed = load_model(tmp_path / "whole")[0], load_model(small)[0]
    assert not any(isinstance(module, PackedLinear) for module in whole.modules())
    kernels.plain_products(packed)
    torch.testing.assert_close(logits(whole), logits(packed))
    assert quantized_header(tmp_path / "whole") is None


def test_what_needs_whole_weights_is_refused_in_one_line(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path)) == 0
    small, out = str(tmp_path / "small"), ["--out", str(tmp_path / "out")]
    talks = tmp_path / "talks.jsonl"
    talks.write_text('{"prompt": "a", "response": "b"}\n' * 20)
    for words in (
        ["sft", small, "--data", str(talks), *out],
        ["finetune", small, "--corpus", str(tmp_path / "text.txt"), *out],
    ):
        assert "wants whole weights" in refused(capsys, words, lines=None)
    assert "is quantized already" in refused(capsys, ["quantize", small, *out], lines=None)
    assert "nothing to undo" in refused(capsys, ["quantize", str(base), "--undo", *out])
    assert "is the model itself" in refused(capsys, ["quantize", str(base), "--out", str(base)])
    assert "name one to calibrate on" in refused(capsys, ["quantize", str(base), "--method", "int4", *out])
    assert "no model folder" in refused(capsys, ["quantize", str(tmp_path / "nowhere"), *out])
    assert not (tmp_path / "out").exists()


def test_a_damaged_copy_is_refused_in_one_line(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path)) == 0
    weights = tmp_path / "small" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    words = ["generate", str(tmp_path / "small")]
    assert "damaged or replaced" in refused(capsys, words)
    (tmp_path / "small" / "result.json").unlink()
    weights.write_bytes(whole.replace(b'"I8"', b'"U8"'))
    assert "not codes of torch.int8" in refused(capsys, words)
    weights.write_bytes(whole[:-100])
    assert "cut short or damaged" in refused(capsys, words)


def test_a_stop_in_the_middle_leaves_no_half_copy(base, tmp_path, monkeypatch, capsys):
    import linnet.artifacts as artifacts

    real = artifacts.write_atomic

    def stops(path, data):
        if path.name == "model.json":
            interrupt()
        real(path, data)

    monkeypatch.setattr(artifacts, "write_atomic", stops)
    assert linnet(command(base, tmp_path)) == 130
    assert not Run.finished(tmp_path / "small")
    assert "no model folder" in refused(capsys, ["generate", str(tmp_path / "small")])
    monkeypatch.undo()
    assert linnet(command(base, tmp_path)) == 0
    assert Run.finished(tmp_path / "small")


def test_the_source_is_known_while_it_is_the_same(base, tmp_path):
    source = shutil.copytree(base, tmp_path / "source")
    assert linnet(command(source, tmp_path)) == 0
    assert find_source(tmp_path / "small").resolve() == source.resolve()
    save_base(source, seed=5, hidden_size=64)
    assert find_source(tmp_path / "small") is None
    shutil.rmtree(source)
    assert find_source(tmp_path / "small") is None
    load_model(tmp_path / "small")


def test_it_is_quantized_once_more_otherwise_only_elsewhere(base, tmp_path, capsys):
    assert linnet(command(base, tmp_path)) == 0
    assert "was made otherwise" in refused(capsys, command(base, tmp_path, "int8"))
