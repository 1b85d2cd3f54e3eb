"""Words of a sentence ask for its passage: in their order, from whole sentences, the same again by the seed."""

from linnet.train.cloze_questions import FEWEST, WORDS, cloze_questions, passages

TEXT = " ".join(f"The bird number {n} sings a song about the river {n}." for n in range(60))


def test_passages_are_runs_of_whole_sentences():
    found = list(passages(TEXT))
    assert " ".join(one for passage in found for one in passage) == TEXT
    assert all(len(passage) > 1 and sum(len(one.split()) for one in passage) <= WORDS for passage in found)
    assert list(passages("One sentence alone.")) == []
    assert list(passages("")) == []


def test_a_question_is_words_of_a_sentence_of_its_passage():
    found = list(cloze_questions([TEXT, "Short one. Too short."], 0, 1000))
    assert len(found) == 60  # one for each sentence of four words and more
    left_out = 0
    for one in found:
        words = one.question.removesuffix("?").split()
        sentences = [sentence for sentence in one.whole.split(". ") if _in_order(words, sentence.rstrip(".").split())]
        assert sentences
        left_out += one.passage != one.whole
        assert one.passage == one.whole or len(one.whole.split()) - len(one.passage.split()) >= FEWEST
    assert 5 < left_out < 35
    assert len({len(one.question.split()) for one in found}) > 3


def test_the_same_again_by_the_seed_and_no_more_than_asked_for():
    first = list(cloze_questions([TEXT], 1, 20))
    assert len(first) == 20
    assert first == list(cloze_questions([TEXT], 1, 20))
    assert first != list(cloze_questions([TEXT], 2, 20))


def _in_order(words, sentence):
    rest = iter(sentence)
    return all(word in rest for word in words)
