"""What a user can get wrong, by the real command line: one line that says so, exit code 2, nothing half-written."""

import gzip
import json
import os
import random
import shutil
import subprocess
import sys

import numpy as np
import pytest

from linnet import cli
from linnet.artifacts import load_model
from linnet.batches.shards import Shard, ShardWriter
from linnet.core.errors import BadInput
from linnet.text.tokenizer import Tokenizer
from linnet.train import session
from tests.small_runs import WORDS, command, refused, small_disk

TEXT = WORDS * 100
PACKED = gzip.compress(TEXT.encode(), mtime=0)

# name of the corpus: (what to write where, what the line must say)
CORPORA = {
    "missing.txt": ({}, "no such file"),
    "empty.txt": ({"empty.txt": b""}, "empty, no text"),
    "spaces.txt": ({"spaces.txt": b" \n \n"}, "holds no characters"),
    "binary.txt": ({"binary.txt": random.Random(0).randbytes(5000)}, "a binary file, not text"),
    "sixteen.txt": ({"sixteen.txt": TEXT.encode("utf-16")}, "--encoding utf-16"),
    "short.txt": ({"short.txt": b"too short"}, "too short"),
    "letter.txt": ({"letter.txt": b"x"}, "too little text"),
    "hollow": ({"hollow/": b""}, "no text"),
    "pictures": ({"pictures/a.png": b"\x89PNG"}, "no text"),
    "columns.csv": ({"columns.csv": b"a,b\n1,2\n"}, 'no column "text". There are: a, b'),
    "ragged.csv": ({"ragged.csv": b'text,b\n"1",2,3\n'}, "ragged.csv:2"),
    "cut.txt.gz": ({"cut.txt.gz": PACKED[:-20]}, "damaged or cut short"),
    "flat.txt.gz": ({"flat.txt.gz": b"plain text"}, "damaged or cut short"),
    "rows.jsonl": ({"rows.jsonl": b'{"text": "abc"}\n{"text": \n'}, "rows.jsonl:2: not a JSON row"),
    "numbers.jsonl": ({"numbers.jsonl": b'{"text": 3}\n'}, "holds int, not text"),
    "rows.parquet": ({"rows.parquet": b"PAR1junkPAR1"}, "Parquet"),
    "world:much": ({}, "world:COUNT"),
    "/dev/null": ({}, "not a regular file"),
    "~nobody-has-this-name/a.txt": ({}, "no such file"),
    "a\0b": ({}, "no such file"),
    "": ({}, "empty name"),
    "\udcff.txt": ({}, "not UTF-8"),
}


@pytest.fixture(autouse=True)
def own_place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training
    (tmp_path / "corpus.txt").write_text(TEXT)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train once; return the run folder, which tests copy before they harm it."""
    place = tmp_path_factory.mktemp("trained")
    (place / "corpus.txt").write_text(TEXT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)
        assert cli.main(command(place / "corpus.txt", place / "run", "--steps", "2")) == 0
    return place / "run"


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


@pytest.mark.parametrize("name", CORPORA)
def test_a_bad_corpus(name, tmp_path, capsys):
    files, words = CORPORA[name]
    for file, data in files.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).mkdir() if file.endswith("/") else (tmp_path / file).write_bytes(data)
    line = refused(capsys, command(name, tmp_path / "out"))
    assert words in line
    assert name.isprintable() is False or name in line or name == "spaces.txt"
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_no_corpus(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.txt")
    assert "not a regular file" in refused(capsys, command("pipe.txt", tmp_path / "out"))


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("--stepz 3", "--steps?"),
        ("--model.num-head 3", "--model.num-heads?"),
        ("--steps 0", "--steps: "),
        ("--steps many", "--steps: "),
        ("--optimizer.lr nan", "--optimizer.lr: "),
        ("--held-out 0.9", "--held-out: "),
        ("--model.dropout 1", "--model.dropout: "),
        ("--model.num-heads 3", "num_heads 3"),
        ("--seed -1", "--seed: "),
        ("--vocab-size 2000000", "--vocab-size: "),
        ("--dtype fp8", "--dtype: "),
        ("--device gpu", "--device gpu: not one of"),
        ("--tokenizer character", '"characters"'),
        ("--tokenizer corpus.txt", "not a usable tokenizer.json"),
        ("--preset nanoo", '"nano"'),
        ("--config nowhere.yaml", "nowhere.yaml: cannot be read"),
        ("--config corpus.txt", "corpus.txt: "),
        ("--split validation", 'no split "validation"'),
        ("--out corpus.txt", "corpus.txt: is a file"),
        ("--out ", "--out: is empty"),
        ("--model.context-length 100000", "corpus.txt: too short"),
        ("--held-out 0.0001", "corpus.txt: too short, 1 token held out"),
        ("more words", "too many words"),
    ],
)
def test_a_bad_option(more, words, tmp_path, capsys):
    line = refused(capsys, command("corpus.txt", tmp_path / "out", *more.split(" ")))
    assert words in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["utf-99", "rot13", "base64", "idna", "utf-16", "a\0b"])
def test_a_bad_encoding(encoding, capsys):
    line = refused(capsys, ["tokenizer", "--corpus", "corpus.txt", "--out", "out", "--encoding", encoding])
    assert "encoding" in line or "utf-16" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("pretrian", '"pretrain"'),
        ("--hlep", '"--hlep"'),
        ("generate", "--run is missing"),
        ("generate nowhere", "nowhere: no model folder"),
        ("evaluate nowhere", "nowhere"),
    ],
)
def test_a_bad_command(words, said, capsys):
    assert said in refused(capsys, words.split())


@pytest.mark.parametrize("length", ["1", *(pytest.param(length, marks=pytest.mark.slow) for length in ("2", "4"))])
def test_the_shortest_contexts_train_and_write(length, tmp_path):
    words = command("corpus.txt", tmp_path / "out", "--model.context-length", length, "--steps", "1")
    assert cli.main([*words, "--model.positions", "learned"]) == 0


def test_a_name_of_a_folder_that_cannot_be_recorded(tmp_path, capsys):
    assert "not UTF-8" in refused(capsys, command("corpus.txt", tmp_path / "out\udcff"))


@pytest.mark.parametrize("program", [["generate"], ["evaluate"]])
@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_weights_cut_short(program, keep, run, capsys):
    path = run / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "model.safetensors" in refused(capsys, [*program, str(run)], lines=None)


def test_a_damaged_weight(run, capsys):
    path = run / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    assert "damaged or replaced" in refused(capsys, ["generate", str(run)])


@pytest.mark.parametrize("metadata", ["kept", "removed", "of the other"])
def test_the_tokenizer_of_another_model(metadata, run, tmp_path, capsys):
    other = tmp_path / "other"
    Tokenizer.train_characters([TEXT.replace("b", "B")]).save(other)
    shutil.copy(other / "tokenizer.json", run)
    if metadata == "removed":
        (run / "tokenizer_metadata.json").unlink()
    if metadata == "of the other":
        shutil.copy(other / "tokenizer_metadata.json", run)
    assert "tokenizer.json" in refused(capsys, ["generate", str(run)])


def test_a_tokenizer_that_does_not_know_the_text(tmp_path, capsys):
    Tokenizer.train_characters(["0123456789"]).save(tmp_path / "digits")
    assert "corpus.txt" in refused(capsys, command("corpus.txt", tmp_path / "out", "--tokenizer", "digits"))
    assert not (tmp_path / "out").exists()


def test_a_vocabulary_larger_than_the_type_of_the_shard(tmp_path):
    with pytest.raises(BadInput, match="70,000 does not fit uint16") as found:
        ShardWriter(tmp_path / "train", "hash", 70_000, "uint16")
    assert cli.verdict(found.value)[0] == 2
    with ShardWriter(tmp_path / "train", "hash", 70_000) as writer:
        writer.write(np.array([69_999, 3]), "ab")
        writer.end_document()
    assert Shard.open(tmp_path / "train").ids.tolist() == [69_999, 3]


@pytest.mark.parametrize("claim", [{"num_layers": 512}, {"hidden_size": 65536}, {"num_experts": 1024}])
def test_an_architecture_that_claims_too_much_takes_no_memory(claim, run, capsys):
    plain = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps({**plain, **claim}))
    assert "model.safetensors: " in refused(capsys, ["generate", str(run)])


ODD = [None, [], {}, -1, 0, 1.5, "", "x", True, 10**30, [[]], {"a": {}}, 1e400]


def spoiled(data: bytes, json_too: bool, draw: random.Random) -> bytes:
    """Return a file cut short, with some bytes changed, or with one JSON value of another kind."""
    way = draw.random()
    if json_too and way < 0.6:
        values = json.loads(data)
        places = [(values, name) for name in values]
        places += [(inner, name) for inner in values.values() if isinstance(inner, dict) for name in inner]
        holder, name = draw.choice(places)
        holder[name] = draw.choice(ODD)
        return json.dumps(values).encode()
    if way < 0.75:
        return data[: draw.randrange(len(data))]
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 3])):
        changed[draw.randrange(min(len(data), 3000))] = draw.randrange(256)
    return bytes(changed)


def test_a_spoiled_model_folder_is_refused_or_loads_but_never_crashes(run):
    names = ("model.json", "model.safetensors", "tokenizer.json", "tokenizer_metadata.json")
    (run / "result.json").unlink()  # without its hash the contents themselves must be looked at
    sound = {name: (run / name).read_bytes() for name in names}
    draw, refusals = random.Random(0), 0
    for _ in range(300):
        name = draw.choice(names)
        if name == "tokenizer.json" and draw.random() < 0.7:
            (run / "tokenizer_metadata.json").unlink()
        (run / name).write_bytes(spoiled(sound[name], name.endswith(".json"), draw))
        try:
            load_model(run)
        except BadInput:
            refusals += 1
        for name, data in sound.items():
            (run / name).write_bytes(data)
    assert refusals > 150
    load_model(run)


@pytest.mark.parametrize("name", ["config.json", "record.json", "result.json"])
@pytest.mark.parametrize(
    "content",
    [
        "",
        '{"numbers": 3, "config": 3, "recipe": []}',
        *(pytest.param(c, marks=pytest.mark.slow) for c in ("[]", "{}", "3")),
    ],
)
def test_a_spoiled_record_of_a_run_is_never_a_traceback(name, content, run, tmp_path, capsys):
    (run / name).write_text(content)
    programs = ["generate"] if name == "config.json" else ["generate", "evaluate"]
    for words in (command(tmp_path / "other.txt", run), *([program, str(run)] for program in programs)):
        assert cli.main([*words, "--json"]) in (0, 2), capsys.readouterr().err


def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    if os.geteuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o555)
        refused(capsys, command("corpus.txt", tmp_path / "closed" / "out"), lines=2)
        return
    with small_disk(tmp_path / "closed", mode="ro") as disk:
        line = refused(capsys, command("corpus.txt", disk / "out"), lines=2)  # the first says what was read
        assert "Read-only file system" in line


@pytest.mark.slow
@pytest.mark.parametrize("words", ["--help", "pretrain --help", "world --count 200"])
def test_a_reader_that_leaves_early(words):
    program = f"{sys.executable} -m linnet {words} | head -n 1"
    done = subprocess.run(program, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.slow
def test_output_that_cannot_be_written():
    linnet = f"{sys.executable} -m linnet"
    full = subprocess.run(f"{linnet} --help > /dev/full", shell=True, capture_output=True, text=True)
    assert (full.returncode, full.stderr) == (2, "linnet: No space left on device\n")
    closed = subprocess.run(f"{linnet} --version >&-", shell=True, capture_output=True, text=True)
    assert (closed.returncode, closed.stderr) == (0, "")
