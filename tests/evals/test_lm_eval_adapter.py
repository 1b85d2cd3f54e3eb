"""lm-eval's own tasks on the real rows give our scores: by its adapter, and by its own wrapper of transformers.

The comparisons skip, saying so, without the package lm-eval or the real rows.
"""

import gzip
import importlib.util
import json
import os
import sys
from itertools import islice

import pytest
import torch

from linnet import tasks
from linnet.core.errors import BadInput
from linnet.evals import lm_eval_adapter
from linnet.evals.asking import cut, prompt_ids, reply_room
from linnet.evals.choices import measure, totals
from linnet.evals.lm_eval_adapter import LinnetLM
from linnet.export.hf import import_hf
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.tasks import rows
from linnet.tasks.prompts import as_text
from linnet.text.chat import Message, render
from linnet.text.tokenizer import Tokenizer
from tests.evals.lm_eval_tasks import FILES, evaluate
from tests.infer.networks import network

LIKELIHOOD = [name for name in FILES if name != "sums"]
TOTALS = {  # their name of each of our numbers
    "accuracy": "acc,none", "accuracy_by_length": "acc_norm,none", "perplexity": "perplexity,none",
    "word_perplexity": "word_perplexity,none", "byte_perplexity": "byte_perplexity,none",
    "bits_per_byte": "bits_per_byte,none",
}  # fmt: skip


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """Keep data sets to local files."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TQDM_DISABLE", "1")


@pytest.fixture(scope="session")
def harness():
    """Skip without lm-eval."""
    os.environ.setdefault("HF_DATASETS_OFFLINE", "1")  # read when datasets is imported
    return pytest.importorskip("lm_eval", reason="LM-EVAL NOT INSTALLED: pip install lm-eval to compare with it")


def real(shared_data, name, count):
    task, folder = tasks.find(name), shared_data / FILES[name][1]
    found = list(islice(rows.read(task, folder, rows.measured_split(task, folder)), count))
    return task, found, list(task.examples(found))


@pytest.fixture(scope="session")
def pair(shared_data):
    """Return a network of random weights and a tokenizer of real words."""
    texts = [example.prompt + example.answer for name in FILES for example in real(shared_data, name, 40)[2]]
    tokenizer = Tokenizer.train_bpe(texts, 1_000)
    return network(vocab_size=tokenizer.vocab_size, context_length=128, spread=0.3), tokenizer


def replies(model, tokenizer, task, examples, begin=True):
    """Let a model of ours write as the suite does, as long as lm-eval lets it."""
    most = reply_room(model, 256)
    asked = [cut(model, prompt_ids(tokenizer, example, begin=begin), most) for example in examples]
    sampling = SamplingConfig(temperature=0, max_tokens=most, stop=task.stop)
    return [one.text for one in generate(model, tokenizer, asked, sampling)]


def compare(task, examples, outcomes, theirs):
    """Hold each number and each likelihood of lm-eval to ours."""
    ours = totals(task, outcomes)
    shared = {name: number for name, number in ours.items() if TOTALS[name] in theirs.numbers}
    assert "accuracy" in shared or "bits_per_byte" in shared
    for name, number in shared.items():
        exact = name.startswith("accuracy")
        assert theirs.numbers[TOTALS[name]] == (number if exact else pytest.approx(number, rel=1e-6)), name
    assert len(theirs.samples) == len(outcomes)
    for sample, outcome in zip(theirs.samples, outcomes, strict=True):
        found = sample["filtered_resps"]
        values = [one if isinstance(one, float) else one[0] for one in found]
        assert values == pytest.approx(list(outcome.logprobs), rel=1e-6, abs=1e-5)
        if "acc" in sample:
            assert sample["acc"] == outcome.grade.score


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKELIHOOD)
def test_the_same_rows_give_the_same_scores(harness, shared_data, pair, name, tmp_path):
    task, found, examples = real(shared_data, name, 2 if name == "wikitext" else 200)
    theirs = evaluate(LinnetLM(*pair), name, found, tmp_path)
    compare(task, examples, measure(*pair, task, examples), theirs)
    if task.form != "text":
        prompts = [sample["arguments"][0][0] for sample in theirs.samples]
        assert prompts == [example.prompt for example in examples]


@pytest.mark.slow
def test_the_same_sums_get_the_same_replies(harness, shared_data, pair, tmp_path):
    task, found, examples = real(shared_data, "sums", 20)
    theirs = evaluate(LinnetLM(*pair), "sums", found, tmp_path)
    said = replies(*pair, task, examples)
    by_row = {sample["doc_id"]: sample["resps"][0][0] for sample in theirs.samples}
    assert [by_row[number] for number in range(len(said))] == said
    assert len(set(said)) > 10


def disguised(solution, way):
    """Return a solution with its last line `A: 42` written in one of five ways."""
    worked, _, final = solution.rpartition("A: ")
    number = f"{int(final):,}" if final.lstrip("-").isdigit() else final
    last = (
        f"A: {final}",
        f"#### {final}",
        f"#### {number}.",
        f"#### ${number}",
        f"####{final}\nIt is {number} in all.",
    )
    return worked + last[way]


@pytest.mark.slow
def test_written_sums_are_graded_alike(harness, shared_data, pair, tmp_path):
    """Solutions that four models of OpenAI wrote, right and wrong ones, said again by a model that reads them out."""
    with gzip.open(shared_data / "gsm8k" / "verifier_candidates.jsonl.gz", "rt", encoding="utf-8") as file:
        solutions = [json.loads(line) for line in islice(file, 600)]
    said = [disguised(row["solution"], number % 5) for number, row in enumerate(solutions)]

    class Reader(LinnetLM):
        def generate_until(self, requests, disable_tqdm=False):
            assert len(requests) == len(said)
            return said

    theirs = evaluate(Reader(*pair), "sums", solutions, tmp_path)
    task = tasks.find("sums")
    grades = [task.grade(example, reply) for example, reply in zip(task.examples(solutions), said, strict=True)]
    for ours, name in (("strict_match", "strict-match"), ("flexible_extract", "flexible-extract")):
        share = sum(grade.numbers[ours] for grade in grades) / len(grades)
        assert 0.05 < share < 0.95
        assert theirs.numbers[f"exact_match,{name}"] == pytest.approx(share, abs=1e-12)
        by_row = {s["doc_id"]: s["exact_match"] for s in theirs.samples if s["filter"] == name}
        assert [by_row[number] for number in range(len(grades))] == [grade.numbers[ours] for grade in grades]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sums", "sentiment", "choices", "boolq"])
def test_prompts_with_shots_are_the_same(harness, shared_data, pair, name, tmp_path):
    _, found, examples = real(shared_data, name, 12)
    shots, asked = examples[:3], examples[3:]
    theirs = evaluate(LinnetLM(*pair), name, found[3:], tmp_path, shots=found[:3], count=3)
    prompts = {sample["doc_id"]: sample["arguments"][0][0] for sample in theirs.samples}
    assert [prompts[number] for number in range(len(asked))] == [as_text(example, shots) for example in asked]


@pytest.fixture(scope="session")
def twins(harness, shared_data, pair, tmp_path_factory):
    """Return lm-eval's own wrapper of a transformers model, and the same weights as a model of ours."""
    transformers = pytest.importorskip("transformers", reason="TRANSFORMERS NOT INSTALLED")
    from lm_eval.models.huggingface import HFLM

    tokenizer = pair[1]
    folder = tmp_path_factory.mktemp("llama")
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=tokenizer.vocab_size, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, initializer_range=0.3,
        bos_token_id=None, eos_token_id=tokenizer.end_id, pad_token_id=None,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).eval()
    theirs.save_pretrained(folder)
    tokenizer.save(folder)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), eos_token="<|end|>")
    fast.pad_token = "<|pad|>"
    # In 64 bits: in 32 their sum over the tokens of a page rounds in the seventh digit.
    precise = {"softmax_dtype": "float64"}
    lm = HFLM(pretrained=theirs, tokenizer=fast, batch_size=8, max_length=512, device="cpu", **precise)
    return lm, import_hf(folder), tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sentiment", "hellaswag", "cloze", "choices", "boolq", "wikitext"])
def test_a_model_of_transformers_gets_the_same_scores_by_lm_evals_own_wrapper(twins, shared_data, name, tmp_path):
    lm, model, tokenizer = twins
    task, found, examples = real(shared_data, name, 1 if name == "wikitext" else 100)
    compare(task, examples, measure(model, tokenizer, task, examples, begin=False), evaluate(lm, name, found, tmp_path))


@pytest.mark.slow
def test_a_model_of_transformers_writes_the_same_by_lm_evals_own_wrapper(twins, shared_data, tmp_path):
    lm, model, tokenizer = twins
    task, found, examples = real(shared_data, "sums", 8)
    theirs = evaluate(lm, "sums", found, tmp_path)
    by_row = {sample["doc_id"]: sample["resps"][0][0] for sample in theirs.samples}
    assert [by_row[number] for number in range(8)] == replies(model, tokenizer, task, examples, begin=False)


@pytest.mark.slow
def test_a_rendered_chat_is_read_with_its_marks(harness, pair):
    lm, messages = LinnetLM(*pair), [Message("user", "Hello <|end|>"), Message("assistant", "Hi"), Message("user", "?")]
    text = lm.apply_chat_template([{"role": one.role, "content": one.content} for one in messages])
    assert lm.tok_encode(text) == render(pair[1], messages, reply=True).ids
    assert LinnetLM(*pair).tok_encode("<|im_end|>")[1:] == pair[1].encode("<|im_end|>")


@pytest.mark.slow
def test_choices_of_sampling_are_taken_over_or_refused(harness, pair):
    lm = LinnetLM(*pair)
    assert lm._sampling({"until": "\n", "do_sample": False, "temperature": 0.7}).temperature == 0
    chosen = lm._sampling({"until": ["a", ""], "do_sample": True, "temperature": 0.7, "top_p": 0.9, "max_gen_toks": 9})
    assert (chosen.temperature, chosen.top_p, chosen.max_tokens, chosen.stop) == (0.7, 0.9, 9, ("a",))
    assert lm._sampling({}).max_tokens == lm.max_gen_toks == 64
    with pytest.raises(BadInput, match="num_beams are not known"):
        lm._sampling({"num_beams": 4})


def test_without_the_package_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    spec = importlib.util.spec_from_file_location("alone", lm_eval_adapter.__file__)
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    with pytest.raises(BadInput, match=r'needs the package lm-eval: pip install "linnet\[eval\]"'):
        alone.LinnetLM(None, None)
