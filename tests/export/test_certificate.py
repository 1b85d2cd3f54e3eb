"""The certificate: given for what is equal, refused, by what differs, for every fault that was planted."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.core.errors import BadInput, Failed
from linnet.export import certificate
from linnet.export.certificate import compare, compare_source
from linnet.text.chat import TEMPLATE
from tests.export.networks import build, run_of, tokenizer

transformers = pytest.importorskip("transformers")
from linnet.recipes.export import ExportConfig, check_files  # noqa: E402  needs transformers
from linnet.recipes.export import main as export  # noqa: E402

NAMES = ("llama gqa, tied", "llama mha", "gpt2", "mixtral")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return a function that exports a network which chats, once, and gives (network, folder)."""
    made = {}

    def get(name):
        if name not in made:
            place = tmp_path_factory.mktemp("certificate")
            model = build(name)
            run = run_of(place / "run", model, chat=True)
            made[name] = (model, export(ExportConfig(format="hf", run=run, out=place / "hf")))
        return made[name]

    return get


@pytest.fixture
def spoiled(exported, tmp_path):
    """Return a function that copies an export, spoils it, and expects one line that refuses it."""

    def refuse(name, spoil, *words, check=None):
        model, folder = exported(name)
        copy = shutil.copytree(folder, tmp_path / "copy")
        spoil(copy)
        with pytest.raises(Failed) as caught:
            (check or (lambda place: compare(place, model, tokenizer(), chats=True)))(copy)
        assert "\n" not in str(caught.value)
        for word in words:
            assert word in str(caught.value)
        shutil.rmtree(copy)

    return refuse


def tensors(change):
    """Return what changes a folder's tensors."""

    def spoil(folder):
        path = folder / "model.safetensors"
        stored = load_file(path)
        change(stored)
        save_file({name: tensor.contiguous() for name, tensor in stored.items()}, path, metadata={"format": "pt"})

    return spoil


def fields(name="config.json", **changes):
    """Return what changes fields of a JSON file; None takes one away."""

    def spoil(folder):
        path = folder / name
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))

    return spoil


def test_what_is_equal_is_certified_in_numbers(exported):
    model, folder = exported("llama gqa, tied")
    found = json.loads((folder / "certificate.json").read_text())
    network, texts = found["network"], found["texts"]
    assert network["max_logit_difference"] <= 1e-5 * max(1, network["largest_logit"]) == network["limit"]
    assert network["max_kl"] < 1e-8
    assert (network["greedy_prompts"], network["greedy_tokens"], network["greedy_equal"]) == (3, 64, 192)
    assert network["largest_logit"] > 1  # a network that says nothing would agree with anything
    assert (texts["texts"], texts["talks_left_out"]) == (29, 0)
    assert texts["talks"] == 62
    assert texts["talks_as_ids"] > 50
    assert texts["talks_cut_otherwise"] == 0
    assert found["reader"] == f"transformers {transformers.__version__}"
    again = compare(folder, model, tokenizer(), chats=True)
    assert again["network"] == network


LAYER, LATER = "model.layers.0.self_attn", "model.layers.1.self_attn"
MLP = "model.layers.1.mlp"


def changed(name, change):
    """Return what changes one tensor."""
    return tensors(lambda stored: stored.update({name: change(stored[name])}))


def exchanged(one, other):
    """Return what exchanges two tensors."""
    return tensors(lambda stored: stored.update({one: stored[other], other: stored[one]}))


def put(row, column, value):
    def change(tensor):
        tensor[row, column] = value
        return tensor

    return change


def two_words_exchanged(tensor):
    tensor[[7, 8]] = tensor[[8, 7]]
    return tensor


def interleave(stored):
    """Bring queries and keys from halves to neighbouring pairs: the rotary layout of Meta's own files."""
    for name in [name for name in stored if name.endswith(("q_proj.weight", "k_proj.weight"))]:
        heads = stored[name].view(-1, 2, 4, 32)
        stored[name] = heads.transpose(1, 2).reshape(stored[name].shape)


def narrow(stored):
    for name, tensor in stored.items():
        stored[name] = tensor.to(torch.bfloat16)


def template(text):
    """Return what writes another chat template."""
    return lambda folder: (folder / "chat_template.jinja").write_text(text)


def other_merges(folder):
    path = folder / "tokenizer.json"
    values = json.loads(path.read_text())
    values["model"]["merges"] = values["model"]["merges"][::-1]
    path.write_text(json.dumps(values))


def renamed_special(folder):
    path = folder / "tokenizer.json"
    path.write_text(path.read_text().replace("<|im_end|>", "<|im_stop|>"))


OTHER_BASE = {"rope_theta": 301.0, "rope_parameters": {"rope_type": "default", "rope_theta": 301.0}}
FAULTS = {
    "two layers' queries exchanged": (exchanged(f"{LAYER}.q_proj.weight", f"{LATER}.q_proj.weight"), "logits"),
    "rows permuted": (changed(f"{LAYER}.v_proj.weight", lambda tensor: tensor.roll(1, 0)), "logits"),
    "two words exchanged": (changed("model.embed_tokens.weight", two_words_exchanged), "logits"),
    "a square matrix transposed": (changed(f"{LAYER}.o_proj.weight", lambda tensor: tensor.T), "logits"),
    "gate and up exchanged": (exchanged(f"{MLP}.gate_proj.weight", f"{MLP}.up_proj.weight"), "logits"),
    "another rotary layout": (tensors(interleave), "logits"),
    "untied": (fields(tie_word_embeddings=False), "lm_head.weight", "missing keys"),
    "weights of another type": (tensors(narrow), "logits"),
    "a tensor left out": (
        tensors(lambda stored: stored.pop(f"{LAYER}.k_proj.weight")),
        "k_proj.weight",
        "missing keys",
    ),
    "a tensor too many": (tensors(lambda stored: stored.update(extra=torch.ones(2))), "extra", "unexpected keys"),
    "a NaN": (changed(f"{LAYER}.k_proj.weight", put(0, 0, torch.nan)), "logits differ by nan"),
    "another rotary base": (fields(**OTHER_BASE), "logits"),
    "another epsilon": (fields(rms_norm_eps=1e-5), "logits"),
    "another activation": (fields(hidden_act="gelu"), "logits"),
    "no such architecture": (fields(model_type="llamb"), "transformers cannot open it"),
    "another vocabulary size": (fields(vocab_size=300), "transformers"),
    "another template": (template(TEMPLATE.replace(" | trim", "")), "chat template writes"),
    "the template of another family": (
        template("{% for m in messages %}[{{ m.content }}]{% endfor %}"),
        "chat template",
    ),
    "merges in another order": (other_merges, "in transformers' tokenizer"),
    "a special token renamed": (renamed_special, "special token <|im_end|>"),
    "a normaliser": (fields("tokenizer.json", normalizer={"type": "Lowercase"}), "in transformers' tokenizer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_refused_by_what_differs(fault, spoiled):
    spoil, *words = FAULTS[fault]
    spoiled("llama gqa, tied", spoil, *words)


def test_an_untied_head_is_refused_where_it_is_stored_and_differs(spoiled):
    def tied(stored):
        stored["lm_head.weight"] = stored["model.embed_tokens.weight"].clone()

    spoiled("llama mha", tensors(tied), "logits")


@pytest.mark.slow
def test_faults_of_other_families_are_refused(spoiled):
    spoiled("gpt2", changed("transformer.h.0.attn.c_proj.weight", lambda tensor: tensor.T), "logits")
    spoiled("gpt2", fields(activation_function="gelu"), "logits")
    spoiled("gpt2", fields(n_head=2), "logits")
    experts = "model.layers.0.block_sparse_moe.experts"
    spoiled("mixtral", exchanged(f"{experts}.0.w2.weight", f"{experts}.1.w2.weight"), "logits")
    spoiled("mixtral", fields(num_experts_per_tok=3), "logits")


def test_the_files_themselves_are_read_without_the_library(spoiled, exported):
    check_files(exported("llama gqa, tied")[1], "F32")

    def check(place):
        check_files(place, "F32")

    spoiled("llama gqa, tied", tensors(narrow), "is stored as BF16, not F32", check=check)
    endless = changed(f"{LAYER}.k_proj.weight", put(0, 0, torch.inf))
    spoiled("llama gqa, tied", endless, "k_proj.weight holds numbers that are not finite", check=check)


@torch.no_grad()
def test_a_difference_between_equal_logits_is_a_tie_and_any_other_is_a_fault(exported, monkeypatch):
    folder, model = exported("llama mha")[1], build("llama mha")
    theirs = certificate.open_network(folder)
    written = certificate._their_greedy

    def swapped(*asked):
        rows = written(*asked)
        rows[1][10] ^= 1
        return rows

    monkeypatch.setattr(certificate, "_their_greedy", swapped)
    with pytest.raises(Failed, match=r"greedy text differs at token 11 of prompt 2: id \d+ in linnet"):
        certificate.compare_networks(folder, model, theirs)
    for table in (model.head.weight, theirs.lm_head.weight):  # each id with a twin that nobody can tell apart
        table[1::2] = table[::2]
    found = certificate.compare_networks(folder, model, theirs)
    assert (found.greedy_ties, found.greedy_equal) == (1, 64 + 10 + 64)


def test_another_model_is_no_source(exported):
    model, _ = exported("llama gqa, tied")
    _, other = exported("gpt2")
    with pytest.raises(Failed, match="logits differ"):
        compare_source(other, model, tokenizer(), chats=True)


def test_without_transformers_one_line_names_the_extra(monkeypatch):
    def absent(name):
        raise certificate.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(certificate.importlib.metadata, "version", absent)
    with pytest.raises(BadInput, match=r'needs the package transformers: pip install "linnet\[hf\]"'):
        certificate.check_reader()
