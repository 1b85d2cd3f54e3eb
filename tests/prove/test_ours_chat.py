"""Linnet's own chat format and tuned runs, as they are put to the proof."""

import math

import pytest
import torch

from linnet.artifacts import save_model
from linnet.batches.conversations import Conversations
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.prove.chatting import a_question_reads_as_in_training, no_turn_can_be_forged, only_replies_are_learned
from linnet.prove.ours import folder_subject
from linnet.prove.ours_chat import Talking, chat_of
from linnet.prove.proof import prove
from linnet.prove.text import every_example_teaches, stop_token_is_learned
from linnet.text.tokenizer import Tokenizer

LETTERS = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyz \n"])
PAIRS = Tokenizer.train_bpe(["the bird sings in a tree and waits for rain"] * 3, 280)


def model_of(tokenizer, context=64):
    model = Decoder(ModelConfig(vocab_size=tokenizer.vocab_size, hidden_size=16, num_layers=1, context_length=context))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.mark.parametrize("tokenizer", [LETTERS, PAIRS])
def test_examples_learn_their_replies_and_their_stops(tokenizer):
    examples = Talking(model_of(tokenizer), tokenizer).examples()
    stop = tokenizer.special("<|im_end|>")
    assert len(examples) > 10
    for rows in examples:
        ids, learned = rows.ids[0], rows.learned[0]
        assert int(ids[-1]) == stop
        assert bool(learned[-1])
        assert int(learned.sum()) < len(ids) / 2 + 12
    assert sum(int(((rows.ids == stop) & ~rows.learned).sum()) for rows in examples) > 10, "stops of users are not"


def test_the_rows_are_those_that_are_measured():
    model = model_of(PAIRS)
    found = Talking(model, PAIRS).perplexity()
    losses = []
    with torch.no_grad():
        for rows in found.rows:
            logprobs = model(rows.ids[:, :-1]).double().log_softmax(-1)
            losses.append(-logprobs.gather(2, rows.ids[:, 1:, None])[..., 0][rows.learned[:, 1:]])
    assert found.measure(3) == pytest.approx(math.exp(float(torch.cat(losses).mean())), rel=1e-5)


def test_a_context_too_short_for_a_turn_has_no_examples():
    talking = Talking(model_of(LETTERS, context=8), LETTERS)
    assert talking.examples() == []
    assert talking.perplexity() is None


def test_only_tokens_that_can_be_spelled_are_tried():
    assert chat_of(LETTERS).specials == {}
    assert set(chat_of(PAIRS).specials) == set(PAIRS.specials)


def test_a_folder_that_chats_is_proved_as_one(tmp_path):
    save_model(tmp_path, model_of(PAIRS), PAIRS, chat=True)
    subject = folder_subject(tmp_path, "cpu")
    assert subject.text.end_id == PAIRS.special("<|im_end|>")
    invariants = (
        only_replies_are_learned,
        a_question_reads_as_in_training,
        no_turn_can_be_forged,
        stop_token_is_learned,
        every_example_teaches,
    )
    assert [verdict.status for verdict in prove(subject, invariants)] == ["held"] * 5


def test_a_lost_mask_is_caught_in_the_rows_of_a_run(tmp_path, monkeypatch):
    from linnet.batches.batch import IGNORE, Batch

    save_model(tmp_path, model_of(PAIRS), PAIRS, chat=True)
    real, stop = Conversations._batch, PAIRS.special("<|im_end|>")

    def stopless(self, rows):
        batch = real(self, rows)
        targets = torch.where(batch.targets == stop, IGNORE, batch.targets)
        return Batch(batch.ids, targets, batch.documents, batch.positions)

    monkeypatch.setattr(Conversations, "_batch", stopless)
    [found] = prove(folder_subject(tmp_path, "cpu"), [stop_token_is_learned])
    assert found.status == "broken"


def test_a_base_is_not_proved_to_chat(tmp_path):
    save_model(tmp_path, model_of(PAIRS), PAIRS)
    assert folder_subject(tmp_path, "cpu").chat is None
