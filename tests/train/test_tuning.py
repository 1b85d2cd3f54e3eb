"""What a tuning begins with: conversations as batches, what is said of them, the held-out loss of replies."""

import json

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.chat import render
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import SftConfig
from linnet.train.objectives import next_token
from linnet.train.precision import Precision
from linnet.train.session import OneBatch
from linnet.train.tuning import begin_adapting, begin_tuning, read_talks, warn_of_still_head

FP32 = Precision(torch.float32, torch.device("cpu"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train_bpe(["Question user assistant system 0123456789? Answer."] * 4, 290)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"Question {n}?", "response": f"Answer {n % 7}."} for n in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_what_is_learned_are_the_replies_and_their_stops(rows, tokenizer):
    talks = read_talks(rows, 0.2, tokenizer, 4, 48)
    stop = tokenizer.special("<|im_end|>")
    targets = torch.cat([batch.targets.flatten() for batch in talks.train.in_order()])
    learned = targets[targets != IGNORE].tolist()
    said = tokenizer.decode(learned, specials=True).split("<|im_end|>")
    assert said[-1] == ""
    assert sorted(said[:-1]) == sorted(talk[-1].content for talk in talks.mixture.train)
    assert learned.count(stop) == len(talks.mixture.train)
    assert talks.fitted.learned == len(learned)
    line = talks.line()
    assert f"{len(talks.mixture.train)} conversations" in line
    assert "filled" in line
    assert set(talks.data_hashes()) == {"train", "held_out"}


def test_the_held_out_loss_is_that_of_each_reply_alone(rows, tokenizer):
    talks = read_talks(rows, 0.2, tokenizer, 4, 48)
    model = Decoder(ModelConfig(vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=2, context_length=48))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    total, count = 0.0, 0
    with torch.no_grad():
        for talk in talks.mixture.held_out:
            ids, learned = render(tokenizer, talk)
            logprobs = model.eval()(torch.tensor([ids[:-1]]))[0].double().log_softmax(-1)
            for place, marked in enumerate(learned[1:]):
                total -= float(logprobs[place, ids[place + 1]]) if marked else 0.0
                count += marked
    loss, targets = talks.measure(model, FP32)
    assert targets == count
    assert loss == pytest.approx(total / count, abs=1e-5)
    some, fewer = talks.measure(model, FP32, most_tokens=1)
    assert fewer < targets
    assert some != loss


def test_too_long_and_too_few_are_told(rows, tokenizer, tmp_path):
    with pytest.raises(BadInput, match=r"no conversation to learn from in a context of 4 tokens .*too long"):
        read_talks(rows, 0.2, tokenizer, 4, 4)
    (tmp_path / "one.jsonl").write_text('{"prompt": "Question", "response": "Answer"}\n')
    with pytest.raises(BadInput, match="no conversation held out to measure on"):
        read_talks(str(tmp_path / "one.jsonl"), 0.2, tokenizer, 4, 48)


def test_it_begins_from_the_given_weights(rows, tokenizer, tmp_path):
    talks = read_talks(rows, 0.2, tokenizer, 4, 48)
    model = Decoder(ModelConfig(vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=1, context_length=48))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    cfg = SftConfig(parent=tmp_path, checkpointing=True)
    state = begin_tuning(cfg, model, talks.train, FP32)
    assert state.model is model
    assert model.checkpointing
    assert state.step == 0
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    assert state.batches is talks.train
    assert isinstance(begin_tuning(cfg.but(overfit_one_batch=True), model, talks.train, FP32).batches, OneBatch)
    assert int(next_token(model, state.batches.next()).count) > 0


@pytest.mark.parametrize(("method", "targets", "still"), [
    ("lora", "attention", True), ("lora", "attention,head", False), ("prompt", "", True), ("head", "", False),
    ("full", "", False),
])  # fmt: skip
def test_a_head_that_stands_still_is_told(method, targets, still, tokenizer, tmp_path, caplog):
    model = Decoder(ModelConfig(vocab_size=tokenizer.vocab_size, num_layers=1, hidden_size=16, num_heads=2))
    adapt = {"method": method, "targets": targets or "attention"}
    begin_adapting(SftConfig(parent=tmp_path, adapt=adapt), model, tokenizer)
    with caplog.at_level("WARNING", logger="linnet"):
        warn_of_still_head(model, method)
    assert ("its head stands still" in caplog.text) == still
