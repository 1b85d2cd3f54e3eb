"""Tokenizers against the `tokenizers` library, known GPT-2 ids, and their own inverse."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from linnet.core.errors import BadInput
from linnet.text.tokenizer import FILE, METADATA_FILE, SPECIALS, Tokenizer

TEXT = "The cat's hat – déjà vu 🐦! We'll see 12345 birds.\n\n  Two  spaces\tand a tab.\r\n" * 8
BPE = Tokenizer.train_bpe([TEXT], 400)
CHARACTERS = Tokenizer.train_characters([TEXT])


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_byte_level_bpe_is_an_exact_inverse_for_any_text(text):
    assert BPE.decode(BPE.encode(text)) == text


@settings(deadline=None)
@given(st.text(alphabet=sorted(set(TEXT))))
def test_characters_are_an_exact_inverse_and_equal_the_library(text):
    ids = CHARACTERS.encode(text)
    assert CHARACTERS.decode(ids) == text
    assert ids == Backend.from_str(CHARACTERS._source).encode(text).ids
    assert len(ids) == len(text)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=5))
def test_bpe_equals_the_library_alone_and_in_batches(texts):
    raw = Backend.from_str(BPE._source)
    raw.encode_special_tokens = True
    expected = [raw.encode(text).ids for text in texts]
    assert BPE.encode_batch(texts) == expected
    assert [BPE.encode(text) for text in texts] == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, BPE.vocab_size - 1)))
def test_decode_equals_the_library_on_any_ids(ids):
    assert BPE.decode(ids) == Backend.from_str(BPE._source).decode(ids, skip_special_tokens=True)


@pytest.mark.parametrize("tokenizer", [BPE, CHARACTERS], ids=["bpe", "characters"])
def test_text_never_becomes_a_special_token(tokenizer):
    special_ids = set(tokenizer.specials.values())
    known = "".join(letter for letter in "<|im_start|>" if tokenizer.kind == "bpe" or letter in set(TEXT))
    for text in [*SPECIALS, known, "a<|end|>b"] if tokenizer.kind == "bpe" else [known]:
        assert not special_ids & set(tokenizer.encode(text))
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.special("<|end|>") == tokenizer.end_id == 0
    with pytest.raises(BadInput, match=r'Did you mean "<\|end\|>"'):
        tokenizer.special("<|eend|>")


def test_characters_that_spell_a_special_token_stay_characters():
    tokenizer = Tokenizer.train_characters(["<|end|>"])
    assert tokenizer.decode(tokenizer.encode("<|end|>")) == "<|end|>"
    assert tokenizer.end_id not in tokenizer.encode("<|end|>")


def test_an_unknown_character_is_named_with_its_place():
    with pytest.raises(BadInput, match=r"'Ω' \(U\+03A9\) at position 4 .*2 of 8 characters"):
        CHARACTERS.encode("The Ω\U0010ffff s"[:8])


def test_a_lone_surrogate_is_refused_with_its_place():
    with pytest.raises(BadInput, match=r"lone surrogate \(U\+D800\) at position 2"):
        BPE.encode("ab\ud800")


def test_special_tokens_are_decoded_only_when_asked():
    ids = [BPE.end_id, *BPE.encode("cat"), BPE.special("<|im_end|>")]
    assert BPE.decode(ids) == "cat"
    assert BPE.decode(ids, specials=True) == "<|end|>cat<|im_end|>"


def test_byte_lengths_add_up_to_the_bytes_of_the_text():
    for tokenizer in (BPE, CHARACTERS):
        lengths = tokenizer.byte_lengths()
        assert lengths[tokenizer.encode(TEXT)].sum() == len(TEXT.encode())
        assert lengths.shape == (tokenizer.vocab_size,)
        assert all(lengths[id] == 0 for id in tokenizer.specials.values())


def test_training_is_repeatable_and_counts_what_it_read():
    again = Tokenizer.train_bpe([TEXT], 400)
    assert again.hash == BPE.hash != CHARACTERS.hash
    assert again.metadata.trained_characters == len(TEXT)
    assert BPE.vocab_size <= 400


def test_a_saved_tokenizer_comes_back_the_same(tmp_path):
    for tokenizer in (BPE, CHARACTERS):
        tokenizer.save(tmp_path)
        loaded = Tokenizer.load(tmp_path)
        assert loaded.metadata == tokenizer.metadata
        assert loaded.encode(TEXT) == tokenizer.encode(TEXT)
        assert Tokenizer.load(tmp_path / FILE).kind == tokenizer.kind


def test_a_changed_file_is_refused(tmp_path):
    CHARACTERS.save(tmp_path)
    content = json.loads((tmp_path / FILE).read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["T"], vocabulary["c"] = vocabulary["c"], vocabulary["T"]
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(BadInput, match="changed or belongs to another model"):
        Tokenizer.load(tmp_path)


def test_layout_of_the_file_does_not_matter(tmp_path):
    BPE.save(tmp_path)
    content = json.loads((tmp_path / FILE).read_text())
    (tmp_path / FILE).write_text(json.dumps(content, indent=None))
    assert Tokenizer.load(tmp_path).hash == BPE.hash


@pytest.mark.parametrize("content", ["", "{}", "[1]", "null", '{"model": {"type": "BPE"}}', "\x00"])
def test_a_broken_file_is_one_line(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(BadInput, match=FILE):
        Tokenizer.load(tmp_path)


def test_broken_metadata_is_one_line(tmp_path):
    BPE.save(tmp_path)
    (tmp_path / METADATA_FILE).write_text('{"kind": "bpe"}')
    with pytest.raises(BadInput, match="not the metadata"):
        Tokenizer.load(tmp_path)


def test_a_file_above_the_bound_is_refused(tmp_path, monkeypatch):
    BPE.save(tmp_path)
    monkeypatch.setattr("linnet.text.byte_level.MAX_FILE_BYTES", 100)
    with pytest.raises(BadInput, match="at most 100"):
        Tokenizer.load(tmp_path)


def test_ids_of_another_vocabulary_are_refused():
    with pytest.raises(BadInput, match="id 99999 is not in this vocabulary"):
        BPE.decode([99999])
    with pytest.raises(BadInput, match="id -1"):
        BPE.decode([-1])


def test_nothing_to_train_on_is_refused():
    with pytest.raises(BadInput, match="no characters"):
        Tokenizer.train_characters([])
    with pytest.raises(BadInput, match="no characters"):
        Tokenizer.train_bpe(["", ""], 300)
    with pytest.raises(BadInput, match="at least 260"):
        Tokenizer.train_bpe(["abc"], 200)


def llama_style(folder):
    """Save a SentencePiece-style tokenizer as a Hugging Face folder: byte fallback, BOS template, truncation on."""
    from tokenizers import AddedToken, decoders, models, normalizers, processors

    words = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *"▁hatse", "▁h", "at", "▁hat"]
    vocabulary = {word: id for id, word in enumerate(words)}
    merges = [("▁", "h"), ("a", "t"), ("▁h", "at")]
    backend = Backend(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.decoder = decoders.Sequence(steps)
    backend.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    backend.enable_truncation(4)
    backend.save(str(folder / FILE))
    (folder / "tokenizer_config.json").write_text('{"eos_token": {"content": "</s>"}}')
    return backend


@settings(deadline=None, max_examples=40)
@given(st.text())
def test_a_llama_style_folder_is_read_like_the_library_does(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    raw = llama_style(folder)
    raw.no_truncation()
    raw.encode_special_tokens = True
    tokenizer = Tokenizer.load(folder)
    assert (tokenizer.kind, tokenizer.end_id, tokenizer.pad_id) == ("huggingface", 2, 2)
    ids = tokenizer.encode(text)
    assert ids == raw.encode(text, add_special_tokens=False).ids  # no <s>, not cut at 4
    assert tokenizer.decode(ids) == text
    stream = tokenizer.stream()
    assert "".join([stream.push(id) for id in ids]) + stream.flush() == text
    assert tokenizer.decode(tokenizer.encode("the </s>")) == "the </s>"
    assert 2 not in tokenizer.encode("</s>")


@settings(deadline=None, max_examples=40)
@given(before=st.text("hat <s>", min_size=1), text=st.text("hat se\u2581\n"))
def test_a_text_that_goes_on_gets_no_space_before_it(tmp_path_factory, before, text):
    folder = tmp_path_factory.getbasetemp()
    llama_style(folder)
    llama = Tokenizer.load(folder)
    whole = [*llama.encode(before), *llama.encode_after(text)]
    assert llama.decode(whole) == before + text.replace("\u2581", " ")
    assert llama.encode_after(text, special=True) == llama.encode(text)  # its library normalises each run by itself
    assert BPE.encode_after(text) == BPE.encode(text)


def test_where_only_the_first_run_has_a_space(tmp_path):
    llama_style(tmp_path)
    values = json.loads((tmp_path / FILE).read_text())
    values["normalizer"] = None
    values["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": False}
    first = Tokenizer(json.dumps(values), "huggingface")
    raw = Backend.from_str(first._source)
    raw.no_truncation()
    for text in ("hat", " hat", "hat\nhat"):
        expected = raw.encode(f"hat</s>{text}", add_special_tokens=False).ids
        assert [*first.encode("hat"), 2, *first.encode_after(text, special=True)] == expected
    values["pre_tokenizer"]["prepend_scheme"] = "always"
    always = Tokenizer(json.dumps(values), "huggingface")
    raw = Backend.from_str(always._source)
    raw.no_truncation()
    expected = raw.encode("hat</s>hat", add_special_tokens=False).ids
    assert [*always.encode("hat"), 2, *always.encode_after("hat", special=True)] == expected


def test_a_pattern_is_known_by_its_text_and_its_normaliser():
    values = json.loads(BPE._source)
    cut = {"type": "Split", "pattern": {"Regex": "a+"}, "behavior": "Isolated", "invert": False}
    values["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [cut, values["pre_tokenizer"]["pretokenizers"][1]]}
    assert not Tokenizer(json.dumps(values), "bpe").cuts_by("a+")
    values["normalizer"] = {"type": "NFC"}
    found = Tokenizer(json.dumps(values), "bpe")
    assert (found.cuts_by("a+"), found.cuts_by("b+"), BPE.cuts_by("a+")) == (True, False, False)


# Published by OpenAI's encoder.py for these texts.
GPT2_KNOWN = {
    "Hello world": [15496, 995],
    "Hello, world!": [15496, 11, 995, 0],
    "The quick brown fox jumps over the lazy dog": [464, 2068, 7586, 21831, 18045, 625, 262, 16931, 3290],
    " the": [262],
    "\n\n": [628],
}


def gpt2_of_two_files(folder, place):
    """Return GPT-2's tokenizer by its two files alone, copied to a place where no tokenizer.json is."""
    for name in ("encoder.json", "vocab.bpe"):
        (place / name).write_bytes((folder / name).read_bytes())
    return Tokenizer.gpt2(place)


def assert_known(tokenizer):
    assert {text: tokenizer.encode(text) for text in GPT2_KNOWN} == GPT2_KNOWN
    assert (tokenizer.vocab_size, tokenizer.end_id) == (50257, 50256)
    assert 50256 not in tokenizer.encode("<|endoftext|>")


def test_gpt2_from_its_own_files_gives_the_known_ids(shared_data, tmp_path):
    assert_known(gpt2_of_two_files(shared_data / "gpt2-tokenizer", tmp_path))


@pytest.mark.slow
def test_gpt2_is_the_same_by_two_files_and_by_one(shared_data, tmp_path):
    folder = shared_data / "gpt2-tokenizer"
    own, theirs = gpt2_of_two_files(folder, tmp_path), Tokenizer.gpt2(folder)
    for tokenizer in (theirs, Tokenizer.load(folder)):
        assert_known(tokenizer)
    sample = (shared_data / "gutenberg" / "book.txt").read_text()[:100_000]
    raw = Backend.from_file(str(folder / FILE))
    assert own.encode(sample) == theirs.encode(sample) == raw.encode(sample).ids
    assert own.decode(own.encode(sample)) == sample


def test_gpt2_files_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"no encoder.json \+ vocab.bpe"):
        Tokenizer.gpt2(tmp_path)
    with pytest.raises(BadInput, match="no such folder"):
        Tokenizer.gpt2(tmp_path / "absent")


@pytest.mark.slow
def test_shakespeare_in_characters_takes_no_time(shared_data):
    text = (shared_data / "tinyshakespeare" / "input.txt").read_text()
    tokenizer = Tokenizer.train_characters([text])
    assert tokenizer.vocab_size == 65 + len(SPECIALS)
    ids = tokenizer.encode_array(text)
    assert len(ids) == 1_115_394
    assert tokenizer.decode(ids) == text
