"""`linnet tokenizer`: trains, takes over, shows; says its numbers and finishes its run."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.core.run import Run
from linnet.recipes.tokenizer import TokenizerConfig, cut, main
from linnet.text.tokenizer import Tokenizer

STORIES = [f"Story {number}: a bird sang on day {number * 7}.\n" for number in range(200)]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "stories.jsonl"
    path.write_text("\n".join(json.dumps({"text": story}) for story in STORIES))
    return str(path)


@pytest.mark.parametrize("kind", ["bpe", "characters"])
def test_training_fills_a_finished_run(corpus, tmp_path, kind):
    folder = main(TokenizerConfig(corpus=corpus, kind=kind, vocab_size=300, out=tmp_path / "run"))
    tokenizer = Tokenizer.load(folder)
    assert Run.finished(folder)
    numbers = Run.result(folder)
    assert numbers["vocabulary"] == tokenizer.vocab_size
    assert numbers["kept"] == 200
    tokens = sum(len(ids) for ids in tokenizer.encode_batch(STORIES))
    assert numbers["bytes_per_token"] == round(sum(map(len, STORIES)) / tokens, 3)
    assert tokenizer.decode(tokenizer.encode(STORIES[7])) == STORIES[7]


def test_an_existing_tokenizer_is_taken_over(corpus, tmp_path):
    first = main(TokenizerConfig(corpus=corpus, vocab_size=300, out=tmp_path / "one"))
    second = main(TokenizerConfig(corpus=corpus, tokenizer=str(first), out=tmp_path / "two"))
    assert Tokenizer.load(second).metadata == Tokenizer.load(first).metadata


def test_show_cuts_a_text_and_trains_nothing(corpus, tmp_path):
    folder = main(TokenizerConfig(corpus=corpus, vocab_size=300, out=tmp_path / "one"))
    shown = main(TokenizerConfig(tokenizer=str(folder), show="a bird\n", out=tmp_path / "two"))
    assert shown["pieces"].replace("|", "") == "a bird\\n"
    assert shown["tokens"] == len(shown["ids"])
    assert Tokenizer.load(folder).decode(shown["ids"]) == "a bird\n"
    assert not (tmp_path / "two").exists()


def test_half_characters_are_shown_as_bytes():
    assert cut(Tokenizer.train_bpe(["abc"], 260), "aé")["pieces"] == "a|\\xc3|\\xa9"


def test_a_wrong_corpus_leaves_no_run_behind(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        main(TokenizerConfig(corpus=str(tmp_path / "absent.txt"), out=tmp_path / "run"))
    (tmp_path / "blank.txt").write_text(" \n ")
    with pytest.raises(BadInput, match=r"blank.txt: no text left after cleaning"):
        main(TokenizerConfig(corpus=str(tmp_path / "blank.txt"), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()
