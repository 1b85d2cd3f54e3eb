"""Tokenizer and chat template of a transformers folder: read, or refused with a reason; written for both versions."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.export.hf_tokenizer import names, read_texts, ruled_out, token_ids, write_tokenizer
from linnet.text.chat import TEMPLATE, save_template
from linnet.text.tokenizer import Tokenizer
from tests.export.networks import tokenizer
from tests.export.test_chat_template import CHATML, QWEN2, REFUSED, ZEPHYR

BARE = Tokenizer.train_bpe(["Hello user assistant"] * 3, 270, specials=("<|endoftext|>",))


def folder(path, used, **about):
    used.save(path)
    (path / "tokenizer_metadata.json").unlink()
    (path / "tokenizer_config.json").write_text(json.dumps(about))
    return path


def test_a_base_gets_a_format_in_which_it_can_be_taught(tmp_path):
    plain = read_texts(folder(tmp_path / "plain", BARE, eos_token="<|endoftext|>"))
    assert (plain.template, plain.refused, plain.chats) == (None, None, False)
    assert plain.tokenizer.chat_format.stop == "<|endoftext|>"
    ours = read_texts(folder(tmp_path / "ours", tokenizer()))
    assert ours.tokenizer.chat_format is None  # linnet's own
    silent = Tokenizer.train_characters(["abc"], specials=())
    assert read_texts(folder(tmp_path / "silent", silent)).tokenizer.chat_format is None


@pytest.mark.parametrize("place", ["file", "config", "named"])
def test_a_template_is_read_from_each_of_its_places(place, tmp_path):
    about = {"eos_token": {"content": "<|im_end|>"}, "pad_token": None}
    about |= {"config": {"chat_template": QWEN2}, "file": {}}.get(
        place, {"chat_template": [{"name": "tools", "template": "x"}, {"name": "default", "template": QWEN2}]}
    )
    folder(tmp_path, tokenizer(), **about)
    if place == "file":
        (tmp_path / "chat_template.jinja").write_text(QWEN2)
    texts = read_texts(tmp_path)
    assert texts.chats
    assert texts.tokenizer.chat_format.template == QWEN2
    assert texts.tokenizer.chat_format.variables == {"eos_token": "<|im_end|>"}
    assert texts.tokenizer.metadata.end == "<|im_end|>"


def test_linnets_own_template_needs_no_other_format(tmp_path):
    folder(tmp_path, tokenizer())
    save_template(tmp_path, tokenizer())
    texts = read_texts(tmp_path)
    assert (texts.chats, texts.tokenizer.chat_format) == (True, None)


def test_a_template_that_cannot_be_used_is_kept_with_the_reason(tmp_path):
    source, reason = REFUSED["thinking"]
    texts = read_texts(folder(tmp_path, BARE, chat_template=source, eos_token="<|endoftext|>"))
    assert (texts.template, texts.chats) == (source, False)
    assert texts.refused.startswith(f"its chat template {reason}")
    assert texts.tokenizer.chat_format.template != source
    texts = read_texts(folder(tmp_path, BARE, chat_template=CHATML))
    assert texts.refused == "its chat template ends a reply with no special token"  # its <|im_end|> is none here
    texts = read_texts(folder(tmp_path, BARE, chat_template=TEMPLATE))
    assert not texts.chats  # nor is linnet's


def test_a_folder_without_a_tokenizer_that_we_read_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(BadInput, match=r"has no tokenizer\.json; give the folder .* as --tokenizer"):
        read_texts(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"has tokenizer\.model only; let transformers write the tokenizer\.json"):
        read_texts(tmp_path)
    folder(tmp_path / "other", BARE)
    assert read_texts(tmp_path, tmp_path / "other").tokenizer.hash == BARE.hash


@pytest.mark.slow
def test_gpt2s_two_files_are_read(shared_data, tmp_path):
    for name, theirs in (("encoder.json", "vocab.json"), ("vocab.bpe", "merges.txt")):
        (tmp_path / theirs).write_bytes((shared_data / "gpt2-tokenizer" / name).read_bytes())
    texts = read_texts(tmp_path)
    assert texts.tokenizer.encode("Hello world") == [15496, 995]
    assert texts.tokenizer.chat_format.stop == "<|endoftext|>"


def test_the_files_are_those_that_versions_4_and_5_both_load(tmp_path):
    write_tokenizer(tmp_path, tokenizer(), TEMPLATE, 96, chats=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")
    }
    about = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert about["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert about["chat_template"] == TEMPLATE == (tmp_path / "chat_template.jinja").read_text()
    special = {"eos_token": "<|im_end|>", "pad_token": "<|pad|>", "bos_token": "<|end|>"}
    assert json.loads((tmp_path / "special_tokens_map.json").read_text()) == special
    assert {**about, **special, "model_max_length": 96, "clean_up_tokenization_spaces": False} == about


def test_special_tokens_are_those_of_a_base_or_of_a_chat(tmp_path):
    ours = tokenizer()
    assert names(ours, chats=False) == {"eos_token": "<|end|>", "pad_token": "<|pad|>", "bos_token": "<|end|>"}
    ids = {name: ours.special(name) for name in ours.specials}
    assert token_ids(ours, chats=False)["eos_token_id"] == ids["<|end|>"]
    assert token_ids(ours, chats=True)["eos_token_id"] == [ids["<|im_end|>"], ids["<|end|>"]]
    spoken = read_texts(
        folder(tmp_path, Tokenizer.train_bpe(["a"] * 3, 270, ("<s>", "</s>")), chat_template=ZEPHYR, eos_token="</s>")
    )
    assert names(spoken.tokenizer, chats=True) == {"eos_token": "</s>", "pad_token": "</s>", "bos_token": "<s>"}
    silent = Tokenizer.train_characters(["abc"], specials=())
    assert names(silent, chats=False) == token_ids(silent, chats=False) == {}


def test_only_a_tokenizer_that_cuts_as_qwen_does_goes_with_a_qwen2():
    assert ruled_out(tokenizer("qwen2")) == {}
    assert "Qwen's own rules" in ruled_out(tokenizer())["qwen2"]


def test_chatml_of_others_does_not_trim(tmp_path):
    texts = read_texts(folder(tmp_path, tokenizer(), chat_template=CHATML))
    assert texts.tokenizer.chat_format.stripped == ()
