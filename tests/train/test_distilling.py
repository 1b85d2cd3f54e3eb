"""What a distillation begins with: a student of the teacher's vocabulary, a text or conversations."""

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import DistillConfig
from linnet.train.distilling import lesson, pupil, read_material
from linnet.train.precision import Precision
from linnet.train.validate import validate
from tests.train.batches_for_tests import Counted

FP32 = Precision(torch.float32, torch.device("cpu"))
TOKENIZER = Tokenizer.train_characters(["the bird sings in a tree and waits for rain .,?!"])
SMALL = ModelConfig(vocab_size=TOKENIZER.vocab_size, hidden_size=16, num_layers=1, num_heads=2, context_length=16)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def config(tmp_path, **choices):
    return DistillConfig(teacher=tmp_path / "teacher", **choices)


def test_a_new_student_has_the_vocabulary_and_context_of_its_teacher(tmp_path):
    student = ModelConfig(vocab_size=9, context_length=999, hidden_size=8, num_layers=1, num_heads=1)
    found = pupil(config(tmp_path, student=student, seed=3), (Decoder(SMALL), TOKENIZER), None)
    assert (found.config.vocab_size, found.config.context_length) == (SMALL.vocab_size, 16)
    assert found.config.hidden_size == 8
    again = pupil(config(tmp_path, student=student, seed=3), (Decoder(SMALL), TOKENIZER), None)
    assert all(torch.equal(*pair) for pair in zip(found.parameters(), again.parameters(), strict=True))


def test_a_given_student_must_have_the_same_tokenizer_and_fit(tmp_path):
    cfg, teacher = config(tmp_path, parent=tmp_path / "student"), (Decoder(SMALL), TOKENIZER)
    given = Decoder(SMALL.but(context_length=8))
    assert pupil(cfg, teacher, (given, TOKENIZER)) is given
    other = Tokenizer.train_characters(["the bird sings in a tree and waits for rain .,?;"])
    with pytest.raises(BadInput, match=r"student: its tokenizer \(\w{12}\) is not that of .*teacher"):
        pupil(cfg, teacher, (given, other))
    with pytest.raises(BadInput, match=r"context_length of 32, the teacher .* of 16"):
        pupil(cfg, teacher, (Decoder(SMALL.but(context_length=32)), TOKENIZER))
    with pytest.raises(BadInput, match="vocab_size of"):
        pupil(cfg, teacher, (Decoder(SMALL.but(vocab_size=SMALL.vocab_size + 2)), TOKENIZER))


@pytest.mark.parametrize("packing", [False, True])
def test_a_text_as_material(packing, tmp_path):
    corpus = tmp_path / "rows.jsonl"
    corpus.write_text("".join(f'{{"text": "{"the bird sings in " + "a " * n}tree ."}}\n' for n in range(60)))
    cfg = config(tmp_path, corpus=str(corpus), packing=packing, batch_size=4)
    material = read_material(cfg, TOKENIZER, 16)
    assert material.train.next().ids.shape == (4, 16)
    model = Decoder(SMALL)
    loss, tokens = material.measure(model, FP32)
    found = validate(model, material.prepared.held_out, FP32, packed=packing)
    assert (loss, tokens) == (pytest.approx(found.loss, abs=1e-6), found.tokens)
    assert set(material.data_hashes()) == {"train", "held_out"}
    assert "documents" in material.line()


def test_conversations_as_material(tmp_path):
    rows = tmp_path / "talks.jsonl"
    rows.write_text("".join(f'{{"prompt": "{"a " * n}?", "response": "the bird"}}\n' for n in range(9)))
    letters = Tokenizer.train_characters(["user assistant the bird a?\n"])
    material = read_material(config(tmp_path, data=str(rows), batch_size=2), letters, 64)
    assert material.train.next().documents is not None
    with pytest.raises(BadInput, match="no conversation to learn from"):
        read_material(config(tmp_path, data=str(rows)), letters, 4)


def test_the_teacher_stays_as_it_is_and_reads_without_dropout(tmp_path):
    teacher = Decoder(SMALL.but(vocab_size=17, dropout=0.5, context_length=8)).train()
    for parameter in teacher.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    student = Decoder(SMALL.but(vocab_size=17, context_length=8)).eval()
    objective, batch = lesson(config(tmp_path), teacher), Counted().next()
    first, second = objective(student, batch), objective(student, batch)
    assert torch.equal(first.total, second.total)
    first.total.backward()
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
