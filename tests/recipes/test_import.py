"""`linnet import`: models of transformers and real weights become runs on which every command works; all or nothing."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from linnet import cli
from linnet.artifacts import load_model
from linnet.core.errors import Failed
from linnet.core.run import Run
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer
from tests.export.networks import tokenizer as qwens
from tests.export.sentencepiece_json import of_llama2_c, small
from tests.export.test_chat_template import MISTRAL, QWEN2, THINKING, ZEPHYR

transformers = pytest.importorskip("transformers")
from tests.export.families import FAMILIES, VOCABULARY, make  # noqa: E402  needs transformers

LETTERS = Tokenizer.train_characters(["Once upon a time, there was a bird. It sang: oh!\n0123"], specials=("</s>",))
QUICK = ("llama gqa",)
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES]


def source(folder, model, tokenizer, **about):
    """Write a folder as other people do: the model by transformers itself, tokenizer.json beside it."""
    model.save_pretrained(folder)
    tokenizer.save(folder)
    (folder / "tokenizer_metadata.json").unlink()
    values = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", **about}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return folder


def imported(folder, out, *more):
    assert cli.main(["import", str(folder), "--out", str(out), *more]) == 0
    return out


@pytest.mark.parametrize("name", EVERY)
def test_a_model_of_each_family_becomes_a_run(name, tmp_path):
    assert LETTERS.vocab_size <= VOCABULARY
    theirs = make(name)
    # Of a qwen2 transformers 5 reads no tokenizer but Qwen's: there it stands in a folder of its own.
    place, apart = tmp_path / "source", tmp_path / "letters"
    source(place, theirs, LETTERS)
    apart.mkdir()
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.move(place / file, apart / file)
    run = imported(place, tmp_path / "run", "--tokenizer", str(apart))
    numbers = Run.result(run)
    assert numbers["model_type"] == theirs.config.model_type
    model, tokenizer = load_model(run)
    ids = torch.tensor([tokenizer.encode("Once upon a time")])
    torch.testing.assert_close(model(ids), theirs(ids).logits, rtol=1e-5, atol=1e-5)
    proof = json.loads((run / "certificate.json").read_text())
    assert proof["source"] == str(place)
    assert numbers["certificate_max_logit_difference"] == proof["network"]["max_logit_difference"]
    assert proof["network"]["max_logit_difference"] <= proof["network"]["limit"]


@pytest.mark.slow
def test_every_command_works_on_it(tmp_path, capsys):
    """An imported base generates, is evaluated and exported; it is taught to chat, and then chats."""
    source(tmp_path / "source", make("llama gqa"), LETTERS)
    run = imported(tmp_path / "source", tmp_path / "run", "--context", "48")
    assert chats(run) is False
    assert cli.main(["generate", str(run), "--prompt", "Once", "--max-tokens", "5"]) == 0
    (tmp_path / "text.txt").write_text("Once upon a time, there was a bird.\n" * 40)
    words = ["evaluate", str(run), "--corpus", str(tmp_path / "text.txt"), "--held-out", "0.5"]
    assert cli.main(words) == 0
    said = [("user", "Once {}!"), ("assistant", "oh!")]
    rows = [
        {"messages": [{"role": role, "content": text.format(number % 2 * 10 + number % 3)} for role, text in said]}
        for number in range(30)
    ]
    (tmp_path / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tuned = tmp_path / "tuned"
    small = ["--steps", "2", "--batch-size", "2", "--track", "none", "--threads", "1", "--device", "cpu", "--no-prove"]
    words = ["sft", str(run), "--data", str(tmp_path / "talks.jsonl"), "--out", str(tuned), *small]
    capsys.readouterr()
    assert cli.main(words) == 0, capsys.readouterr().err
    assert chats(tuned)
    assert (tuned / "chat_template.jinja").read_text() == load_model(run)[1].chat_format.template
    assert cli.main(["export", "hf", str(tuned), "--out", str(tmp_path / "hf")]) == 0
    proof = json.loads((tmp_path / "hf" / "certificate.json").read_text())
    assert proof["texts"]["talks_as_ids"] > 0
    again = imported(tmp_path / "hf", tmp_path / "again")
    assert chats(again)


TEMPLATES = {"zephyr": (ZEPHYR, "</s>"), "mistral": (MISTRAL, "</s>")}


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_model_that_chats_in_a_format_of_its_own_goes_on_in_it(name, tmp_path):
    """With a tokenizer in the manner of Llama's, which puts a space before a text and after a special token."""
    template, stop = TEMPLATES[name]
    tokenizer = small()
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
        )
    )
    place = source(tmp_path / "source", theirs, tokenizer, bos_token="<s>", chat_template=template)
    run = imported(place, tmp_path / "run")
    assert chats(run)
    assert (run / "chat_template.jinja").read_text() == template
    assert load_model(run)[1].chat_format.stop == stop
    proof = json.loads((run / "certificate.json").read_text())
    assert proof["texts"]["talks_as_ids"] > 10
    assert "remark" not in proof
    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    assert (tmp_path / "hf" / "chat_template.jinja").read_text() == template


@pytest.mark.slow
def test_a_qwen2_that_chats_with_its_default_system_turn(tmp_path):
    """Its template trims nothing: a reply that begins with a break is cut otherwise by transformers; that is told."""
    tokenizer = qwens("qwen2")
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    theirs = transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(vocab_size=tokenizer.vocab_size, num_key_value_heads=2, **sizes)
    )
    about = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|end|>"}
    place = source(tmp_path / "source", theirs, tokenizer, chat_template=QWEN2, **about)
    run = imported(place, tmp_path / "run")
    assert chats(run)
    texts = json.loads((run / "certificate.json").read_text())["texts"]
    assert (texts["texts"], texts["talks_left_out"]) == (29, 0)
    assert texts["talks_cut_otherwise"] < 6 < 40 < texts["talks_as_ids"]
    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["model_type"] == "qwen2"


@pytest.mark.slow
def test_a_class_that_makes_the_tokenizer_anew_is_not_followed_and_that_is_said(tmp_path):
    tokenizer = small()
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=tokenizer.vocab_size,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=4,
        )
    )
    place = source(tmp_path / "source", theirs, tokenizer, tokenizer_class="LlamaTokenizer", bos_token="<s>")
    proof = json.loads((imported(place, tmp_path / "run") / "certificate.json").read_text())
    assert proof["remark"].startswith("tokenizer.json is followed: ")


@pytest.mark.slow
def test_a_template_that_cannot_be_used_is_kept_for_the_way_back(tmp_path, capsys):
    place = source(tmp_path / "source", make("llama gqa"), LETTERS, chat_template=THINKING)
    run = imported(place, tmp_path / "run")
    assert "linnet chat cannot use it" in capsys.readouterr().err
    assert chats(run) is False
    assert cli.main(["chat", str(run)]) == 2
    assert "was not taught to reply" in capsys.readouterr().err
    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    assert (tmp_path / "hf" / "chat_template.jinja").read_text() == THINKING


# Real weights and vocabularies, from the folder of shared data.


@pytest.fixture
def stories(shared_data, tmp_path):
    """Return the folder of stories260K, and one with the tokenizer.json made of llama2.c's own file."""
    place, words = shared_data / "weights" / "stories260K", tmp_path / "words"
    words.mkdir()
    (words / "tokenizer.json").write_text(of_llama2_c(place / "tok512.bin"))
    return place, words


@pytest.mark.slow
def test_stories260k_there_and_back(stories, tmp_path, capsys):
    place, words = stories
    run = imported(place, tmp_path / "run", "--tokenizer", str(words))
    proof = json.loads((run / "certificate.json").read_text())
    assert proof["network"]["greedy_equal"] == 192
    expected = json.loads((place / "expected_greedy_ids.json").read_text())
    capsys.readouterr()
    assert cli.main(["generate", str(run), "--temperature", "0", "--max-tokens", "200"]) == 0
    written = capsys.readouterr().out
    assert (place / "expected_greedy.txt").read_text().strip().startswith(written.strip()[:300])
    tokenizer = load_model(run)[1]
    assert written.strip().startswith(tokenizer.decode(expected["greedy_ids"]).strip()[:300])

    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    stored, again = (load_file(folder / "model.safetensors") for folder in (place, tmp_path / "hf"))
    stored.pop("lm_head.weight", None)  # tied
    assert stored.keys() == again.keys()
    assert all(torch.equal(stored[name], again[name]) for name in stored)


@pytest.mark.slow
def test_gpt_nano_sort_there_and_back(shared_data, tmp_path):
    place, words = shared_data / "weights" / "gpt-nano-sort", tmp_path / "words"
    Tokenizer.train_characters(["012"], specials=()).save(words)
    run = imported(place, tmp_path / "run", "--tokenizer", str(words))
    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    stored, again = (load_file(folder / "model.safetensors") for folder in (place, tmp_path / "hf"))
    assert stored.keys() == again.keys()
    assert all(torch.equal(stored[name], again[name]) for name in stored)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "hf")
    ids = torch.tensor([[2, 0, 1, 2, 1, 0]])
    for _ in range(6):
        ids = torch.cat((ids, model(ids).logits[:, -1:].argmax(-1)), dim=1)
    assert ids[0, 6:].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.slow
def test_gpt2s_real_vocabulary(shared_data, tmp_path):
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2))
    place = tmp_path / "source"
    theirs.save_pretrained(place)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(shared_data / "gpt2-tokenizer" / name, place)
    run = imported(place, tmp_path / "run")
    tokenizer = load_model(run)[1]
    assert (tokenizer.vocab_size, tokenizer.encode("Hello world"), tokenizer.end_id) == (50257, [15496, 995], 50256)
    assert tokenizer.chat_format.stop == "<|endoftext|>"  # in which it can be taught to chat
    assert cli.main(["export", "hf", str(run), "--out", str(tmp_path / "hf")]) == 0
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "hf")
    assert again("Hello world")["input_ids"] == [15496, 995]
    assert (again.eos_token, again.bos_token) == ("<|endoftext|>", "<|endoftext|>")
    proof = json.loads((tmp_path / "hf" / "certificate.json").read_text())
    assert (proof["family"], proof["texts"]["texts"]) == ("gpt2", 29)


def refused(capsys, *words, code=2):
    assert cli.main(["import", *map(str, words)]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1, printed.err
    return printed.err


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return source(tmp_path_factory.mktemp("plain") / "source", make("llama gqa"), LETTERS)


def test_what_cannot_be_read_is_one_line_and_leaves_nothing(plain, tmp_path, capsys):
    out = tmp_path / "run"
    assert "no such folder" in refused(capsys, tmp_path / "none", "--out", out)
    assert "--context 500" in refused(capsys, plain, "--out", out, "--context", "500")
    shutil.copytree(plain, tmp_path / "copy")
    (tmp_path / "copy" / "tokenizer.json").unlink()
    assert "--tokenizer" in refused(capsys, tmp_path / "copy", "--out", out)
    long = Tokenizer.train_bpe(["abc"] * 3, 270)
    long.save(tmp_path / "long")
    assert "61" in refused(capsys, plain, "--out", out, "--tokenizer", tmp_path / "long")
    out.mkdir()
    (out / "novel.txt").write_text("Once")
    assert "choose another --out" in refused(capsys, plain, "--out", out)
    assert [path.name for path in out.iterdir()] == ["novel.txt"]
    assert not list(tmp_path.glob(".*"))


def test_without_a_certificate_there_is_no_run(plain, tmp_path, capsys, monkeypatch):
    from linnet.export import certificate

    def unequal(*_):
        raise Failed("logits differ")

    monkeypatch.setattr(certificate, "compare_networks", unequal)
    assert cli.main(["import", str(plain), "--out", str(tmp_path / "run")]) == 1
    assert "logits differ" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_import_is_left_alone(plain, tmp_path, capsys):
    run = imported(plain, tmp_path / "run")
    before = (run / "result.json").stat().st_mtime_ns
    imported(plain, tmp_path / "run")
    assert (run / "result.json").stat().st_mtime_ns == before
    capsys.readouterr()
    assert "was made otherwise" in refused(capsys, plain, "--out", run, "--dtype", "bf16")


@pytest.mark.slow
def test_a_shorter_context_and_another_type(plain, tmp_path):
    run = imported(plain, tmp_path / "run", "--dtype", "bf16", "--context", "20")
    assert Run.result(run)["dtype"] == "bfloat16"
    assert load_model(run)[0].config.context_length == 20


def test_qwen2s_default_system_turn_is_said():
    """The format that an import keeps says what the family's template says where nobody says anything."""
    from linnet.export.chat_template import read_format

    form = read_format(QWEN2, {}, ["<|im_start|>", "<|im_end|>"])
    assert form.text([("user", "Hi")]).startswith("<|im_start|>system\nYou are a helpful assistant<|im_end|>\n")
