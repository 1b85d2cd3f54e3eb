"""Prompts as ids: with shots, in a chat, cut from the left; what follows one is cut where lm-eval cuts it."""

import pytest

from linnet import tasks
from linnet.evals.asking import begun, chat_continuation_ids, continuation_ids, cut, prompt_ids, reply_room
from linnet.infer.decode import start_id
from linnet.tasks import rows
from linnet.text.chat import render, stop_id
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import bpe, network

TASK = tasks.find("sums")


def examples(count):
    return list(TASK.examples(rows.read(TASK, f"world:{count}", "train")))


def test_a_plain_prompt_begins_a_document_with_its_shots_before():
    tokenizer = bpe()
    one, asked = examples(2)
    ids = prompt_ids(tokenizer, asked, [one])
    assert ids[0] == start_id(tokenizer)
    assert tokenizer.decode(ids) == f"{one.prompt}{one.answer}\n\n{asked.prompt}"
    assert prompt_ids(tokenizer, asked, [one], begin=False) == ids[1:] == begun(tokenizer, tokenizer.decode(ids), False)


def test_a_chat_is_rendered_up_to_the_reply():
    tokenizer = bpe()
    one, asked = examples(2)
    ids = prompt_ids(tokenizer, asked, [one], chat=True)
    assert tokenizer.decode(ids, specials=True) == (
        f"<|im_start|>user\n{one.question}<|im_end|>\n<|im_start|>assistant\n{one.answer.strip()}<|im_end|>\n"
        f"<|im_start|>user\n{asked.question}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert chat_continuation_ids(tokenizer, " yes") == [*tokenizer.encode("yes"), stop_id(tokenizer)]
    assert render(tokenizer, [], reply=True).ids == ids[-len(render(tokenizer, [], reply=True).ids) :]


@pytest.mark.parametrize(("room", "kept"), [(4, 28), (16, 16), (200, 16)])
def test_a_prompt_loses_its_beginning_to_leave_room(room, kept):
    model = network()  # with a context of 32
    assert cut(model, range(100), room) == list(range(100 - kept, 100))
    assert cut(model, range(5), room) == list(range(5))
    assert reply_room(model, room) == 32 - kept


def test_what_follows_begins_where_the_prompts_own_ids_end():
    tokenizer = Tokenizer.train_bpe(["the cat sat on the mat and the cat ran. " * 20], 300)
    for prompt, continuation in [("the cat", " sat"), ("the cat ", "sat"), ("the cat\n", "sat"), ("the c", "at sat")]:
        before, after = continuation_ids(tokenizer, prompt, continuation)
        assert before == begun(tokenizer, prompt.rstrip())
        assert tokenizer.decode(after) == prompt[len(prompt.rstrip()) :] + continuation or prompt == "the c"
    spaced = continuation_ids(tokenizer, "the cat ", "sat")
    assert spaced == continuation_ids(tokenizer, "the cat", " sat")
    assert len(spaced[1]) < len(tokenizer.encode(" ") + tokenizer.encode("sat"))


def test_without_a_prompt_the_start_of_a_document_stands_before():
    tokenizer = bpe()
    for begin in (True, False):
        assert continuation_ids(tokenizer, "", "the bird", begin) == (
            [start_id(tokenizer)],
            tokenizer.encode("the bird"),
        )
