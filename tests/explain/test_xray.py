"""The X-ray counts what a slow reading counts, finds each planted mistake by name and says nothing of a sound set."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.packing import pack, packed_batch
from linnet.batches.padding import pad
from linnet.core.errors import BadInput
from linnet.explain.xray import TROUBLES, Seen, Xray, broken_characters, examine, stop_ids
from linnet.text.tokenizer import END, PAD, TURN_END, TURN_START, Tokenizer

TOKENIZER = Tokenizer.train_characters(["abcdefgh \ufffd"])
STOP, FILLER, START, FINISH = (TOKENIZER.special(name) for name in (END, PAD, TURN_START, TURN_END))


def troubles(xray):
    """Return the mistakes that were found, with their counts."""
    numbers = xray.numbers()
    return {name: numbers[name] for name in TROUBLES if numbers[name]}


def chat(question, answer, stop=True, learn_stop=True):
    """Return (ids, mask) of a question and its answer."""
    prompt = [START, *TOKENIZER.encode(question), FINISH, START]
    reply = TOKENIZER.encode(answer) + [FINISH] * stop
    return prompt + reply, [False] * len(prompt) + [True] * (len(reply) - stop) + [learn_stop] * stop


def then(example, text):
    """Return an example with a text after it that is not learned."""
    ids, mask = example
    return ids + TOKENIZER.encode(text), mask + [False] * len(text)


def examined(*examples, mark=True):
    return examine([pad(examples, FILLER, mark=mark)], TOKENIZER, 100)


@pytest.mark.parametrize("mark", [True, False])
def test_a_sound_set_gives_no_warning(mark):
    xray = examined(chat("ab", "cde"), chat("b", "gh a"), chat("h", "c"), mark=mark)
    assert xray.warnings() == []
    numbers = xray.numbers()
    assert (numbers["rows"], numbers["stretches"], numbers["stops_learned"]) == (3, 3, 3)
    assert numbers["learned"] == 4 + 5 + 2
    assert numbers["tokens"] == 8 + 8 + 5  # the last stop is in no input
    assert numbers["tokens"] + numbers["padding"] == 3 * 8


PLANTED = {
    "teaching_nothing": [chat("ab", "c"), (chat("ab", "cd")[0], [False] * 8)],
    # Something must come after the stop: a last id that is not learned is not in the batch at all.
    "stops_not_learned": [chat("ab", "cde"), then(chat("b", "gh", learn_stop=False), " ")],
    "cut_short": [chat("ab", "cde"), chat("b", "gh", learn_stop=False)],
    "doubled_specials": [chat("ab", "cde"), ([START, *chat("b", "gh")[0]], [False, *chat("b", "gh")[1]])],
    "duplicate_rows": [chat("ab", "cde"), chat("ab", "cde")],
    "unreadable": [chat("ab", "cde"), chat("b", "g\ufffdh")],
}


def test_an_answer_without_its_stop_is_cut_short():
    assert troubles(examined(chat("ab", "cde"), chat("b", "gh", stop=False), then(chat("c", "d"), "abc"))) == {
        "cut_short": 1
    }


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_mistake_is_found_by_name(name):
    found = troubles(examined(*PLANTED[name]))
    also = {"duplicate_stretches": 1} if name == "duplicate_rows" else {}
    assert found == {name: 1, **also}
    sentences = examined(*PLANTED[name]).warnings()
    assert len(sentences) == 1 + len(also)
    assert sentences[0].startswith(f"1 {TROUBLES[name][0]}: ")


def test_targets_shifted_twice_are_found():
    batch = pad([chat("ab", "cde")], FILLER, mark=True)
    targets = torch.full_like(batch.targets, IGNORE)
    targets[:, :-1] = batch.targets[:, 1:]
    assert "wrong_targets" in troubles(examine([Batch(batch.ids, targets, batch.documents)], TOKENIZER, 9))


def test_learned_padding_is_found():
    batch = pad([chat("ab", "cde"), chat("a", "b")], FILLER, mark=True)
    targets = batch.targets.clone()
    targets[batch.documents == -1] = FILLER
    found = troubles(examine([Batch(batch.ids, targets, batch.documents)], TOKENIZER, 9))
    assert found["padding_learned"] == 3


def test_an_end_that_serves_as_padding_and_is_masked_with_it_is_told():
    """Where pad = end, masking the padding masks the end: no model trained on it stops."""
    examples = [chat("ab", "cde", learn_stop=False), chat("c", "h", learn_stop=False)]
    assert any(line.startswith("No stop token is ever learned") for line in examined(*examples).warnings())


def test_windows_of_one_long_text_may_end_anywhere():
    ids = torch.tensor([TOKENIZER.encode("abcdefgh"), [*TOKENIZER.encode("abc"), STOP, *TOKENIZER.encode("defg")]])
    xray = examine([Batch(ids[:, :-1], ids[:, 1:])], TOKENIZER, 9)
    assert troubles(xray) == {}
    assert xray.warnings() == []
    assert xray.numbers()["learned_share"] == 1
    assert "Cut short" not in dict(xray.facts(2))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.integers(4, 11), min_size=1, max_size=14), min_size=1, max_size=8), st.integers(4, 12))
def test_packed_documents_are_counted_as_a_slow_reading_does(texts, context):
    documents = [np.array([STOP, *text, STOP]) for text in texts]
    rows = pack([len(document) - 1 for document in documents], context)
    batch = packed_batch(rows, documents, context)
    xray = examine([batch], TOKENIZER, 1000)
    numbers = xray.numbers()
    pieces = [-(-(len(text) + 1) // context) for text in texts]
    assert numbers["rows"] == len(rows)
    assert numbers["tokens"] == numbers["learned"] == sum(len(text) + 1 for text in texts)
    assert numbers["padding"] == len(rows) * context - numbers["tokens"]
    assert numbers["stretches"] == sum(pieces)
    assert numbers["stops_learned"] == len(texts)
    assert numbers["cut_short"] == sum(pieces) - len(texts)
    assert sum(length * count for length, count in xray.lengths.items()) == numbers["tokens"]
    absent = set(range(4, TOKENIZER.vocab_size)) - {id for text in texts for id in text}
    assert set(xray.never) == absent
    assert numbers["duplicate_stretches"] == sum(pieces) - len({tuple(p) for p in cut(texts, context)})
    assert not numbers["wrong_targets"]
    assert not numbers["doubled_specials"]


def cut(texts, context):
    """Yield the pieces of documents as rows hold them, with the target after each."""
    for text in texts:
        whole = [STOP, *text, STOP]
        for start in range(0, len(whole) - 1, context):
            yield whole[start : start + context + 1]


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_masked_rows_are_counted_as_a_slow_reading_does(data):
    width = data.draw(st.integers(2, 8))
    ids = st.lists(st.integers(0, 11), min_size=width + 1, max_size=width + 1)
    masks = st.lists(st.booleans(), min_size=width, max_size=width)
    rows = data.draw(st.lists(st.tuples(ids, masks), min_size=1, max_size=4))
    inputs = torch.tensor([ids[:-1] for ids, _ in rows])
    targets = torch.tensor([[t if m else IGNORE for t, m in zip(ids[1:], mask, strict=True)] for ids, mask in rows])
    documents = torch.zeros_like(inputs)
    numbers = examine([Batch(inputs, targets, documents)], TOKENIZER, 99).numbers()
    slow = dict.fromkeys(("learned", "doubled_specials", "stops_not_learned", "cut_short", "teaching_nothing"), 0)
    for ids, mask in rows:
        slow["learned"] += sum(mask)
        slow["teaching_nothing"] += not any(mask)
        for t in range(width):
            inside = t + 1 < width
            slow["doubled_specials"] += inside and ids[t] == ids[t + 1] and ids[t] < 4
            missed = inside and not mask[t] and t > 0 and mask[t - 1] and ids[t + 1] in (STOP, FINISH)
            slow["stops_not_learned"] += missed
            next_missed = t + 2 < width and mask[t] and not mask[t + 1] and ids[t + 2] in (STOP, FINISH)
            ends = mask[t] and (not inside or not mask[t + 1])
            slow["cut_short"] += ends and ids[t + 1] not in (STOP, FINISH) and not next_missed
    assert {name: numbers[name] for name in slow} == slow


def test_the_counts_do_not_depend_on_how_rows_are_batched():
    examples = [chat("ab", "cde"), chat("ab", "cde"), chat("b", "gh", stop=False), chat("g", "h")]
    whole = pad(examples, FILLER, mark=True)
    single = [whole.rows(slice(2)), whole.rows(slice(2, None))]
    assert examine([whole], TOKENIZER, 9).numbers() == examine(single, TOKENIZER, 9).numbers()


def test_only_so_many_rows_are_read_and_drawn():
    drawn = []

    def batches():
        while True:
            drawn.append(1)
            yield pad([chat("ab", "cde"), chat("c", "d")], FILLER, mark=True)

    xray = examine(batches(), TOKENIZER, 5)
    assert xray.numbers()["rows"] == 5
    assert len(drawn) == 3
    assert dict(xray.facts(77))["Rows read"] == "5 of 77"
    assert dict(xray.facts(5))["Rows read"] == "5"


def test_the_first_rows_and_the_first_with_each_mistake_are_kept():
    examples = [chat("a", "b")] + [chat("ab", "c" * n) for n in range(1, 20)] + [chat("b", "g", stop=False)] * 2
    samples = examine([pad(examples, FILLER, mark=True)], TOKENIZER, 99, shown=2).samples
    assert [sample.number for sample in samples] == [0, 1, 20, 21]
    assert [sample.troubles for sample in samples[2:]] == [
        ("cut_short",),
        ("cut_short", "duplicate_rows", "duplicate_stretches"),
    ]
    assert samples[2].row.ids.shape[0] == 1


def test_nothing_learned_is_the_first_thing_said():
    xray = examined((chat("ab", "c")[0], [False] * 7))
    assert xray.numbers()["learned"] == 0
    assert xray.warnings()[0].startswith("Nothing would be learned")


def test_ids_outside_the_vocabulary_and_empty_sets_are_refused():
    ids = torch.tensor([[4, 5, TOKENIZER.vocab_size]])
    with pytest.raises(BadInput, match=f"id {TOKENIZER.vocab_size} is not in the vocabulary"):
        Xray(TOKENIZER).see(Batch(ids, torch.full_like(ids, IGNORE)))
    with pytest.raises(BadInput, match="target -7 is not"):
        Xray(TOKENIZER).see(Batch(ids * 0 + 4, ids * 0 - 7))
    with pytest.raises(BadInput, match="no rows"):
        examine([], TOKENIZER, 9)


def test_what_is_only_the_last_target_of_a_document_occurs_too():
    a, b, c, d = TOKENIZER.encode("abcd")
    batch = Batch(torch.tensor([[a, b]]), torch.tensor([[c, d]]), documents=torch.tensor([[0, 1]]))
    assert not {a, b, c, d} & set(examine([batch], TOKENIZER, 9).never)


def test_unknown_tokens_are_counted():
    tokenizer = Tokenizer.train_characters(["abc"], [END, PAD, "<unk>"])
    ids = torch.tensor([[3, 2, 2, 4]])
    xray = examine([Batch(ids, torch.roll(ids, -1, 1))], tokenizer, 9)
    assert xray.numbers()["unknown"] == 2
    assert stop_ids(tokenizer) == [tokenizer.special(END)]
    assert stop_ids(TOKENIZER) == [STOP, FINISH]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ("é語 plain".encode(), 0),
        ("語".encode()[1:] + b" a", 0),  # the row begins inside a character
        (b"a " + "語".encode()[:2], 0),  # and ends inside one
        (b"a \xff b", 1),
        ("a \ufffd\ufffd b".encode(), 2),
        ("a\ufffd".encode(), 1),
        (b"", 0),
    ],
)
def test_broken_characters_are_counted_but_not_those_that_a_cut_broke(data, count):
    assert broken_characters(data) == count


def test_doubles_are_remembered_in_bounded_memory():
    seen = Seen(most=2)
    arrays = [np.array([n]) for n in range(4)]
    assert [seen.again([array]) for array in arrays] == [False] * 4
    assert [seen.again([array]) for array in arrays] == [True, True, False, False]
