"""The measurement of guesses runs, and its numbers hold together."""

import pytest

from bench.guesses import HEAD, Row, main
from linnet.artifacts import save_model
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network


def test_a_row():
    row = Row("sums", 8, [1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 100, 50, 300, 40, 30, 0)
    assert row.faster == 2
    assert row.line().split() == ["sums", "8", "3.00", "6.00", "75%", "150", "2.00", "0"]
    assert len(row.line()) == len(HEAD)


@pytest.mark.slow
def test_one_round(tmp_path, capsys):
    tokenizer = Tokenizer.train_bpe(["Tom has 3 apples. He buys 4 more. How many are there?" * 9], 300)
    save_model(tmp_path, network(vocab_size=tokenizer.vocab_size, context_length=512).eval(), tokenizer)
    main(["--run", str(tmp_path), "--tasks", "sums", "--streams", "2", "--rounds", "1"])
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["sums", "2"]
