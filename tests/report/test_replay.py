"""The page of a replayed step: its numbers, its rows, the hardest tokens and how the costs are spread."""

import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.tokens import row_tokens
from linnet.report.replay import hardest, write_replay_page
from linnet.text.tokenizer import Tokenizer
from tests.report.test_page import Reader

FOUND = {
    "loss": 1.2345678901234567, "logged_loss": 1.2345678901234567, "equal": True, "steps_done_again": 3,
    "logged_losses_compared": 3, "logged_losses_equal": 3, "targets": 5,
}  # fmt: skip

TOKENIZER = Tokenizer.train_characters(["abcdefg <>"])
IDS = torch.tensor([TOKENIZER.encode("abcd"), TOKENIZER.encode("<g>a")])
BATCH = Batch(IDS[:, :-1], torch.where(torch.tensor([[True] * 3, [False, True, True]]), IDS[:, 1:], IGNORE))
LOSSES = torch.tensor([[0.01, 0.3, 8.5], [0.0, 2.5, 0.02]])


def write(folder, rows=9, **more):
    args = (folder / "run", 17, [BATCH], [LOSSES], TOKENIZER, {**FOUND, **more}, rows)
    html = write_replay_page(folder, *args).read_text()
    return html, " ".join(Reader(html).text.split())


def test_it_says_whether_the_loss_is_the_logged_one(tmp_path):
    _, said = write(tmp_path)
    for words in ("Step 17, once more", "1.2346", "logged: 1.2345678901234567", "equal to the last bit", "3 of 3"):
        assert words in said
    assert "17; 3 done again to reach it" in said
    assert "2 rows of 3 places" in said
    _, said = write(tmp_path, equal=False, logged_loss=1.5)
    assert "not equal" in said
    assert "last bit" not in said
    _, said = write(tmp_path, equal=None, logged_loss=None)
    assert "this step was not logged" in said
    assert "last bit" not in said


def test_the_hardest_tokens_come_first_with_what_stood_before():
    rows = hardest([(row_tokens(BATCH, row, TOKENIZER), LOSSES[row].tolist()) for row in range(2)]).rows
    assert rows[0] == ("d", "8.500", "0.02%", "0", "abc")
    assert rows[1] == (">", "2.500", "8.2%", "1", "<g")
    assert [row[1] for row in rows] == ["8.500", "2.500", "0.300", "0.020", "0.010"]  # not the one that is not learned


def test_the_spread_counts_every_target_once(tmp_path):
    html, _ = write(tmp_path)
    counts = html[html.index("How much the tokens cost") :]
    assert [int(part.split("<")[0]) for part in counts.split('<td class="number">')[1:]] == [2, 0, 1, 0, 0, 1, 0, 1]


def test_only_so_many_rows_are_shown_and_it_is_said(tmp_path):
    html, said = write(tmp_path, rows=1)
    assert "The first 1 of 2 rows are shown." in said
    assert html.count("<article>") == 1
    assert "rows are shown" not in write(tmp_path)[1]
