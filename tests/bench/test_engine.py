"""The measurement of the serving engine runs and its numbers hold together, on the smallest shape."""

import json
import subprocess
import sys

import pytest

from bench import llamacpp, onnx_peer
from bench.engine import SHAPES, bytes_read, main, programs_for, summary, table, times
from bench.speakers import Job, network, prompts_of
from linnet.infer import native

JOB = Job("engine", "", {}, "", [(1, 100, 0), (4, 3, 10)], None)
READ = [{"first": 2.0, "said": [[7]]}, {"first": 1.0, "said": [[8]]}]
WRITTEN = [
    {"first": 1.0, "whole": whole, "said": [[1, 2], [3], [4], [5]], "pauses": [0.1, 0.3]} for whole in (2.0, 5.0)
]
SLOWER = [
    [{"first": 4.0, "said": [[7]]}, {"first": 4.0, "said": [[9]]}],
    [{"first": 0.5, "whole": whole, "said": [[1], [3], [4], [0]], "pauses": []} for whole in (2.5, 2.5)],
]


def test_ratios_are_taken_round_by_round():
    read, written = summary(JOB, {"engine": [READ, WRITTEN], "other": SLOWER}, "engine")
    assert (read["what"], written["what"]) == ("read 100 x 1", "write 10 x 4")
    assert read["tokens_per_second"] == {"engine": 75, "other": 25}
    assert read["ratio"] == {"engine": 1, "other": 3}  # the median of 2 and 4
    assert written["tokens_per_second"] == {"engine": (40 + 10) / 2, "other": 20}  # without the first tokens' time
    assert written["ratio"]["other"] == (2 + 0.5) / 2
    assert (read["alike"]["other"], written["alike"]["other"]) == (0.5, 0.75)
    assert "25 (3.00, 50%)" in table([read, written], "engine")
    assert read["first_seconds"] == {"engine": 1.5, "other": 4}
    assert written["between_seconds"]["other"] == 0.2
    assert "500.0 / 200.00" in times([read, written])
    assert "1,000.0 / 250.00 (300.00)" in times([read, written])


def test_what_is_read_for_a_token():
    model = network("", SHAPES["nano"])
    matrices = 512 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 256)
    assert bytes_read("compiled", model, 10) == 4 * matrices + 2 * 2 * 64 * 10 * 4
    assert bytes_read("llama.cpp Q8_0", model, 10) == 34 / 32 * matrices + 2 * 2 * 64 * 10 * 2
    assert bytes_read("onnxruntime fp32", model, 10) == bytes_read("compiled", model, 10)
    assert bytes_read("onnxruntime int8", model, 10) == matrices + 2 * 2 * 64 * 10 * 4
    assert bytes_read("one at a time", model, 10) is None


def test_prompts_are_new_in_every_turn_and_the_same_for_all():
    assert [len(prompts_of(JOB, 50, turn)) for turn in range(4)] == [1, 4, 1, 4]
    assert [len(prompts_of(JOB, 50, turn)[0]) for turn in range(2)] == [100, 3]
    assert prompts_of(JOB, 50, 1) == prompts_of(JOB, 50, 1)
    different = [str(prompts_of(JOB, 50, turn, call)) for turn in (1, 3, 5) for call in (0, 1)]
    assert len(set(different)) == 6


@pytest.mark.slow
@pytest.mark.alone  # on a busy machine reading can take longer than reading and writing a few tokens does later
def test_one_round_of_the_smallest_shape(tmp_path):
    pytest.importorskip("transformers")
    out = tmp_path / "engine.json"
    options = ["--shape", "nano", "--streams", "1", "3", "--rounds", "1", "--new-tokens", "5", "--json", str(out)]
    subprocess.run([sys.executable, "-m", "bench", "engine", *options], check=True, stdout=subprocess.PIPE)
    rows = json.loads(out.read_text())["rows"]
    assert [row["what"] for row in rows] == ["read 255 x 1", "write 5 x 1", "write 5 x 3"]
    assert all(row["tokens_per_second"]["transformers"] > 0 and row["ratio"]["engine"] > 0 for row in rows)
    assert all(row["alike"]["transformers"] == 1 for row in rows)


def test_who_cannot_take_part_is_left_out_and_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(llamacpp, "is_there", lambda: False)
    monkeypatch.setattr(onnx_peer, "is_there", lambda: False)
    monkeypatch.setenv("CC", "/no/such/compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    native.library.cache_clear()
    asked = ["engine", "compiled bf16", "llama.cpp Q8_0", "onnxruntime fp32", "onnxruntime int8"]
    assert programs_for(asked, "", SHAPES["nano"], tmp_path) == ["engine"]
    native.library.cache_clear()
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "onnxruntime is left out: pip install onnxruntime-genai onnx onnx-ir transformers"
    assert said[1] == "llama.cpp is left out: pip install gguf xllamacpp"
    assert said[2].startswith("the compiled pass is left out: /no/such/compiler: cannot compile")


def test_more_threads_than_cores_are_refused(monkeypatch, capsys):
    monkeypatch.setattr("bench.engine.programs_for", lambda *_: pytest.fail("it went on"))
    with pytest.raises(SystemExit, match="2"):
        main(["--shape", "nano", "--threads", "10000"])
    assert "10000 threads on" in capsys.readouterr().err
