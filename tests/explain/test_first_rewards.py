"""What is told of GRPO from its first replies: how wide batches are, how often it writes; that room changes nothing."""

import json

import torch

from linnet.artifacts import load_model
from linnet.batches.batch import IGNORE
from linnet.explain import first_rewards
from linnet.explain.first_rewards import rewarding, widened
from linnet.explain.first_step import places_in, rows_in
from linnet.explain.writing import row_bytes
from linnet.infer.candidates import chat_prompt, read_questions
from linnet.tasks import find
from linnet.train.config import GRPOConfig
from tests.explain.chats import ON_A_CPU, start  # noqa: F401
from tests.recipes.chat_parents import sums


def choices(start, tmp_path, **more):  # noqa: F811
    source = sums(tmp_path / "sums.jsonl")
    longer = [{"question": f"what is {n} and what will it be?", "answer": f"#### {n}"} for n in range(3)]
    source.write_text(source.read_text() + "".join(json.dumps(row) + "\n" for row in longer))
    common = {"parent": start, "source": str(source), "batch_size": 8, "group": 4, "max_tokens": 24, "steps": 3}
    return GRPOConfig.build({**common, **more}, "test")


def test_batches_are_as_wide_as_the_longest_reply_may_be(start, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(first_rewards, "PATIENCE", 0.0)
    cfg = choices(start, tmp_path, updates=4, kl_weight=0.1)
    begun = rewarding(cfg, ON_A_CPU)
    _, tokenizer = load_model(start)
    questions, held_out, _ = read_questions(find("sums"), cfg.source, tokenizer, 512, cfg.held_out, 200)
    longest = max(len(chat_prompt(tokenizer, one)) for one in questions)
    assert not begun.widest.finished.all()
    assert int((begun.widest.rows.targets != IGNORE).any(0).nonzero().max()) < longest + 22  # no long one was asked yet
    assert places_in(begun.rows(1)) == longest + 24 - 1
    assert [rows_in(begun.rows(count)) for count in (1, 8, 12)] == [1, 8, 12]
    assert begun.widest.old is not None  # another policy will have written the later updates' replies
    assert torch.isfinite(begun.objective(begun.state.model, begun.rows(3)).total)
    assert [one.times for one in begun.chores] == [(0, 1 / 4, 0, 0), (0, 0, 1, 2)]
    assert begun.chores[1].take() > 0
    assert begun.spent >= begun.chores[0].take() > 0
    assert begun.writing.rows == begun.writing.probed == 8
    assert begun.writing.row == row_bytes(begun.state.model, longest + 24)
    assert held_out


def test_of_a_heavy_network_fewer_groups_are_written(start, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(first_rewards, "PATIENCE", 0.0)
    monkeypatch.setattr(first_rewards, "light_rows", lambda model, tokens, rows: 5)
    cfg = choices(start, tmp_path, batch_size=16, accumulate=2)
    begun = rewarding(cfg, ON_A_CPU)
    assert rows_in(begun.widest) == begun.writing.probed == 4
    assert begun.writing.rows == 16
    assert begun.chores[0].each_step == 2 * 4


def test_more_room_changes_no_loss(start, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(first_rewards, "PATIENCE", 0.0)
    begun = rewarding(choices(start, tmp_path, kl_weight=0.5, updates=2), ON_A_CPU)
    batch = begun.rows(4)
    wide = widened(batch, batch.rows.ids.shape[1] + 7)
    assert wide.rows.ids.shape[1] == batch.rows.ids.shape[1] + 7
    assert (wide.rows.targets[:, -7:] == IGNORE).all()
    assert widened(batch, 3) is batch
    model = begun.state.model.eval()
    losses = [begun.objective(model, one) for one in (batch, wide)]
    torch.testing.assert_close(losses[0].total, losses[1].total)
    torch.testing.assert_close(losses[0].numbers["kl"], losses[1].numbers["kl"])
