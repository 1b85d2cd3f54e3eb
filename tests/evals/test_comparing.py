"""The bench of a comparison: the same rows for all, none of them learned, measured once for the same weights."""

import json
import os

import pytest

from linnet.artifacts import load_model, save_model
from linnet.batches.prepare import prepare
from linnet.core.errors import BadInput
from linnet.evals.comparing import Bench
from tests.evals.comparisons import choices, home


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        yield home(folder)


def test_rows_that_were_learned_are_not_asked(place):
    bench = Bench.open(choices(place))
    asked = [one.row["sentence"] for one in bench.material.examples]
    assert bench.left_out == 10
    assert asked[0].endswith(" 60")
    assert len(asked) == 12
    assert "(10 that were learned too are left out)" in bench.protocol()[0]
    assert all(shot.row["sentence"] not in asked for shot in bench.shots.of(bench.material.examples[0]))


def test_of_one_file_the_rows_after_those_learned_are_asked(place):
    bench = Bench.open(choices(place, source=str(place / "rows" / "train.jsonl"), texts=40))
    asked = [one.row["sentence"] for one in bench.material.examples]
    assert asked[0].endswith(" 40")
    assert len(asked) == 12
    assert bench.left_out == 40


def test_the_base_forgets_nothing_and_is_measured_once(place):
    cfg = choices(place)
    found = Bench.open(cfg).measure("base", cfg.base)
    assert len(found["scores"]) == len(found["replies"]) == 12
    assert set(found["scores"]) <= {0.0, 1.0}
    assert sum(found["block_bits"]) / sum(found["block_bytes"]) == pytest.approx(found["bits_per_byte"])
    assert isinstance(found["wrote"], str)
    assert found["opening"]
    path = cfg.out / "measured" / "base.json"
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(1, 1))
    assert Bench.open(cfg).measure("base", cfg.base) == found
    assert path.stat().st_mtime_ns == 1 != before


def test_other_weights_and_other_rows_are_measured_anew(place, tmp_path):
    cfg = choices(place, out=tmp_path / "out")
    first = Bench.open(cfg).measure("x", cfg.base)
    model, tokenizer = load_model(cfg.base)
    model.head.weight.data.mul_(3)
    save_model(tmp_path / "other", model, tokenizer)
    second = Bench.open(cfg).measure("x", tmp_path / "other")
    assert second["bits_per_byte"] != first["bits_per_byte"]
    assert len(Bench.open(cfg.but(rows=5)).measure("x", tmp_path / "other")["scores"]) == 5


def test_shots_change_what_is_asked(place, tmp_path):
    cfg = choices(place, out=tmp_path)
    bench = Bench.open(cfg)
    assert "2 shots" in bench.measure("few-shot", cfg.base, bench.shots, text=False)["protocol"]
    assert "block_bits" not in bench.measure("few-shot", cfg.base, bench.shots, text=False)
    assert "no shots" in bench.measure("zero-shot", cfg.base)["protocol"]
    assert Bench.open(cfg.but(shots=3)).digest != bench.digest


def test_forgetting_is_measured_on_text_that_the_base_never_learned(place):
    cfg = choices(place)
    text = Bench.open(cfg).text
    assert text is not None
    _, tokenizer = load_model(cfg.base)
    rows = [json.loads(line)["text"] for line in (place / "text.jsonl").read_text().splitlines()]
    held_out, learned = (
        {row for row in rows if row in tokenizer.decode(shard.ids.tolist())}
        for shard in (text.shard, prepare(str(place / "text.jsonl"), tokenizer, held_out=0.3).train)
    )
    assert 0.2 * len(rows) < len(held_out) < 0.4 * len(rows)
    assert held_out == set(rows) - learned


def test_a_base_that_does_not_say_its_text_is_compared_without_forgetting(place, tmp_path):
    model, tokenizer = load_model(place / "base")
    save_model(tmp_path / "bare", model, tokenizer)
    cfg = choices(place, base=tmp_path / "bare", out=tmp_path / "out")
    assert Bench.open(cfg).text is None
    named = Bench.open(cfg.but(corpus=str(place / "text.jsonl"))).text
    assert named is not None
    assert named.name == str(place / "text.jsonl")


def test_a_packed_base_has_its_documents_apart(place, tmp_path):
    model, tokenizer = load_model(place / "base")
    save_model(tmp_path / "base", model, tokenizer)
    for packing in (True, False):
        said = {"corpus": str(place / "text.jsonl"), "packing": packing}
        (tmp_path / "base" / "config.json").write_text(json.dumps(said))
        text = Bench.open(choices(place, base=tmp_path / "base")).text
        assert text is not None
        assert text.apart is packing


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"source": "rows/train.jsonl"}, "0 rows are left"),
        ({"asked": "rows/train.jsonl"}, "0 rows are left"),
        ({"task": "wikitext"}, "whole texts"),
        ({"task": "sentimint"}, "sentiment"),
        ({"source": "nowhere"}, "nowhere"),
    ],
)
def test_bad_input(place, more, said):
    more = {name: str(place / value) if name != "task" else value for name, value in more.items()}
    with pytest.raises(BadInput, match=said):
        Bench.open(choices(place, **more))
