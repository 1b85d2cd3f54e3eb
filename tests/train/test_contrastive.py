"""The contrastive loss against the formula by hand; the same passage is no negative; gradients reach both sides."""

import json
import math

import pytest
import torch

from linnet.batches.questions import QuestionIds, question_batch
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.model.row_vectors import row_vectors
from linnet.train.contrastive import contrast, network, read_questions
from linnet.train.row_config import EmbedConfig

SMALL = ModelConfig(kind="encoder", vocab_size=12, context_length=16, num_layers=1, hidden_size=16, num_heads=2)
ITEMS = [QuestionIds((1, 2), (3, 4, 5), 0), QuestionIds((6,), (7, 8), 1), QuestionIds((9, 1), (3, 4, 5), 0)]


def by_hand(model, batch, temperature):
    asked = row_vectors(model, batch.questions, batch.question_lengths).tolist()
    given = row_vectors(model, batch.passages, batch.passage_lengths).tolist()
    total = 0.0
    for i, question in enumerate(asked):
        cosines = [sum(a * b for a, b in zip(question, passage, strict=True)) / temperature for passage in given]
        others = [c for j, c in enumerate(cosines) if j == i or batch.numbers[j] != batch.numbers[i]]
        total += math.log(sum(math.exp(c) for c in others)) - cosines[i]
    return total


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_the_loss_by_hand(kind):
    model = build(SMALL.but(kind=kind), torch.Generator().manual_seed(0)).double().eval()
    batch = question_batch(ITEMS, 0)
    loss = contrast(model, batch, 0.1)
    assert float(loss.total.detach()) == pytest.approx(by_hand(model, batch, 0.1), rel=1e-9)
    assert int(loss.count) == 3


def test_a_batch_of_one_passage_has_nothing_to_learn():
    model = build(SMALL, torch.Generator().manual_seed(0))
    loss = contrast(model, question_batch([ITEMS[0], ITEMS[2]], 0), 0.1)
    assert float(loss.total.detach()) == pytest.approx(0, abs=1e-6)


def test_gradients_reach_questions_and_passages():
    model = build(SMALL, torch.Generator().manual_seed(0))
    contrast(model, question_batch(ITEMS[:2], 0), 0.1).total.backward()
    moved = model.embedding.weight.grad.abs().sum(1) > 0
    assert moved[[1, 2, 6]].all()  # of questions
    assert moved[[3, 4, 5, 7, 8]].all()  # of passages
    assert not moved[[9, 10]].any()


@pytest.fixture
def rows(tmp_path):
    written = [{"question": f"Who is {n}?", "context": f"Number {n // 2} is here."} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written))
    return tmp_path / "rows.jsonl"


def test_a_passage_is_on_one_side_only_and_has_one_number(rows):
    cfg = EmbedConfig(data=str(rows), held_out=0.3, tokenizer="characters", model=SMALL.but(context_length=32))
    found = read_questions(cfg, None)
    sides = [{item.passage for item in side.items} for side in (found.train, found.held_out)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 20
    items = found.train.items
    assert all((a.passage == b.passage) == (a.number == b.number) for a in items for b in items)
    assert len(items) + len(found.held_out.items) == 40


def test_the_small_world_is_held_out_by_its_split():
    cfg = EmbedConfig(data="world/questions:20", tokenizer="characters", held_out=0.5)
    found = read_questions(cfg, None)
    assert (len(found.train.items), len(found.held_out.items)) == (20, 10)
    assert not {one.passage for one in found.train.items} & {one.passage for one in found.held_out.items}


def test_texts_without_questions_get_some(tmp_path):
    texts = [". ".join(f"Bird {n} sings song {m} in the tall tree {n * m}" for m in range(4)) + "." for n in range(30)]
    (tmp_path / "birds.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in texts))
    chosen = {"data": str(tmp_path / "birds.jsonl"), "texts": True, "column": "body", "held_out": 0.3}
    found = read_questions(EmbedConfig(**chosen, tokenizer="characters"), None)
    assert len(found.train.items) + len(found.held_out.items) == 120
    assert len({item.number for item in found.train.items}) < 30
    assert len({item.passage for item in found.train.items}) > len({item.number for item in found.train.items})
    with pytest.raises(BadInput, match="leave out --texts"):
        read_questions(EmbedConfig(data="world/questions:20", texts=True), None)


def test_a_head_that_is_never_asked_does_not_learn():
    cfg = EmbedConfig(data="world/questions:20", tokenizer="characters", model=SMALL)
    model = network(cfg, read_questions(cfg, None).tokenizer, None)
    assert model.head.weight.requires_grad == model.config.tie_embeddings


def test_refusals(rows, tmp_path):
    (tmp_path / "other.jsonl").write_text('{"question": "a", "text": "b"}\n')
    with pytest.raises(BadInput, match="columns question and context"):
        read_questions(EmbedConfig(data=str(tmp_path / "other.jsonl")), None)
    with pytest.raises(BadInput, match=r"world/questions\[:COUNT"):
        read_questions(EmbedConfig(data="world/sums:20"), None)
    (tmp_path / "one.jsonl").write_text('{"question": "a", "context": "b"}\n')
    with pytest.raises(BadInput, match="give more rows"):
        read_questions(EmbedConfig(data=str(tmp_path / "one.jsonl")), None)
