"""Folders of sentence-transformers: vectors equal to transformers' own arithmetic, and what must be refused by name."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

from linnet.artifacts import load_network
from linnet.cli import main as linnet
from linnet.core.errors import BadInput
from linnet.export.hf_sentence import import_sentence
from linnet.retrieve.dense import Embedder
from linnet.retrieve.index import Index
from tests.retrieve.networks import TEXTS
from tests.small_runs import refused

transformers = pytest.importorskip("transformers")
SPECIALS = ["<s>", "[PAD]", "</s>", "[UNK]", "[CLS]", "[SEP]"]  # RoBERTa counts no position for the id of padding
ASKED = ["What do cats hunt at night?", "a", "", "Fish " * 60, "Dogs [SEP] bark"]
SMALL = {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
         "max_position_embeddings": 40, "attn_implementation": "eager"}  # fmt: skip
QWEN = SMALL | {"num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": True}
DISTIL = {"vocab_size": 90, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 40}
FAMILIES = {
    "bert": ("BertConfig", "BertModel", SMALL, "mean"),
    "bert, first token, tanh GELU": ("BertConfig", "BertModel", SMALL | {"hidden_act": "gelu_new"}, "cls"),
    "roberta": ("RobertaConfig", "RobertaModel", SMALL | {"type_vocab_size": 1, "pad_token_id": 1}, "mean"),
    "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaModel", SMALL | {"type_vocab_size": 1, "pad_token_id": 1}, "cls"),
    "distilbert": ("DistilBertConfig", "DistilBertModel", DISTIL | {"attn_implementation": "eager"}, "mean"),
    "qwen3": ("Qwen3Config", "Qwen3Model", QWEN, "lasttoken"),
}


def tokenizer(begin, end):
    made = Backend(models.WordPiece(unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.BertNormalizer(lowercase=True), pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(TEXTS.values(), trainers.WordPieceTrainer(vocab_size=90, special_tokens=SPECIALS))
    given = [(name, SPECIALS.index(name)) for name in (begin, end) if name]
    made.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}".strip(), special_tokens=given)
    return made


def save_sentence(folder, family="bert", longest=20, normalise=True, pooling=None, prompts=None):
    """Write a small random model the way the hub holds those of sentence-transformers, and return the model."""
    config, model_class, choices, pooled = FAMILIES[family]
    torch.manual_seed(0)
    model = getattr(transformers, model_class)(getattr(transformers, config)(**choices)).eval()
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, std=0.2)
    model.save_pretrained(folder)
    ends = {"qwen3": ("", "</s>"), "roberta": ("<s>", "</s>"), "xlm-roberta": ("<s>", "</s>")}
    tokenizer(*ends.get(family, ("[CLS]", "[SEP]"))).save(str(folder / "tokenizer.json"))
    kinds = ["Transformer", "Pooling", *(["Normalize"] if normalise else [])]
    places = ["", "1_Pooling", "2_Normalize"]
    listed = [{"idx": n, "name": str(n), "path": place, "type": f"sentence_transformers.models.{kind}"}
              for n, (kind, place) in enumerate(zip(kinds, places, strict=False))]  # fmt: skip
    write(folder / "modules.json", listed)
    write(folder / "sentence_bert_config.json", {"max_seq_length": longest, "do_lower_case": False})
    name = {"mean": "mean_tokens", "cls": "cls_token", "lasttoken": "lasttoken"}[pooling or pooled]
    modes = {f"pooling_mode_{mode}": mode == name for mode in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")}
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, **modes})
    if prompts:
        write(folder / "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": None})
    return model


def write(path, value):
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))


@torch.no_grad()
def reference(folder, model, texts, pooling, longest=20, prompt=""):
    """Return the vectors by transformers' states: each text by itself, cut, pooled, at length 1."""
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.enable_truncation(longest)
    backend.encode_special_tokens = True
    found = []
    for text in texts:
        ids = torch.tensor([backend.encode(prompt + text).ids])
        states = model(input_ids=ids).last_hidden_state[0].double()
        vector = {"mean": states.mean(0), "cls": states[0], "lasttoken": states[-1]}[pooling]
        found.append((vector / vector.norm()).numpy())
    return np.array(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors_are_those_of_transformers(family, tmp_path):
    model = save_sentence(tmp_path / "theirs", family)
    import_sentence(tmp_path / "theirs", tmp_path / "ours")
    embedder = Embedder.open(tmp_path / "ours", load_network)
    expected = reference(tmp_path / "theirs", model, ASKED, FAMILIES[family][3])
    np.testing.assert_allclose(embedder.vectors(ASKED), expected, rtol=0, atol=1e-5)
    # Texts are told apart by far more than the tolerance; how far hangs on the vocabulary, whose training has no order.
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    assert embedder.count(["cats hunt"])[0] > 0


def test_a_question_and_a_passage_have_their_own_prompts(tmp_path):
    model = save_sentence(tmp_path / "theirs", prompts={"query": "query: ", "document": "passage: "})
    import_sentence(tmp_path / "theirs", tmp_path / "ours")
    embedder = Embedder.open(tmp_path / "ours", load_network)
    for asked, prompt in ((True, "query: "), (False, "passage: ")):
        expected = reference(tmp_path / "theirs", model, ASKED, "mean", prompt=prompt)
        np.testing.assert_allclose(embedder.vectors(ASKED, asked), expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "qwen3"])
def test_vectors_are_those_of_sentence_transformers(family, tmp_path):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    prompts = {"query": "query: ", "document": "passage: "}
    save_sentence(tmp_path / "theirs", family, prompts=prompts)
    ends = {"eos_token": "</s>"} if family == "qwen3" else {}
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 40, **ends}
    write(tmp_path / "theirs" / "tokenizer_config.json", about)
    theirs = sentence_transformers.SentenceTransformer(str(tmp_path / "theirs"), device="cpu")
    import_sentence(tmp_path / "theirs", tmp_path / "ours")
    embedder = Embedder.open(tmp_path / "ours", load_network)
    texts = ASKED[:4]  # in the fifth special tokens stand, which are plain text here
    np.testing.assert_allclose(embedder.vectors(texts, asked=True), theirs.encode_query(texts), rtol=0, atol=1e-5)
    np.testing.assert_allclose(embedder.vectors(texts), theirs.encode_document(texts), rtol=0, atol=1e-5)


def test_an_index_by_such_an_encoder_needs_the_folder_no_more(tmp_path, capsys):
    save_sentence(tmp_path / "theirs", prompts={"query": "query: "})
    (tmp_path / "docs").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "docs" / f"{name}.txt").write_text(text)
    words = ["index", str(tmp_path / "docs"), "--out", str(tmp_path / "index"), "--threads", "1"]
    assert linnet([*words, "--encoder", str(tmp_path / "theirs")]) == 0
    capsys.readouterr()
    assert linnet([*words, "--encoder", str(tmp_path / "theirs"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 4
    shutil.rmtree(tmp_path / "theirs")
    index = Index.open(tmp_path / "index", load_network)
    assert index.embedder.how.question == "query: "
    assert index.search("Dogs bark", 4, by="meaning")
    how = json.loads((tmp_path / "index" / "encoder" / "vectors.json").read_text())
    write(tmp_path / "index" / "encoder" / "vectors.json", how | {"question": "other: "})
    assert "another" in refused(capsys, ["rag", str(tmp_path / "index"), "dogs"])


def test_what_cannot_be_expressed_is_refused_by_name(tmp_path):
    save_sentence(tmp_path)
    kept = {name: (tmp_path / name).read_text() for name in ("modules.json", "1_Pooling/config.json", "config.json")}
    listed = json.loads(kept["modules.json"])
    pooling = json.loads(kept["1_Pooling/config.json"])

    def refused_for(words, name, value):
        write(tmp_path / name, value)
        with pytest.raises(BadInput, match=words):
            import_sentence(tmp_path, tmp_path / "ours")
        if name in kept:
            (tmp_path / name).write_text(kept[name])
        else:
            (tmp_path / name).unlink()

    refused_for("a module Dense", "modules.json", [*listed, {"path": "3_Dense", "type": "a.b.Dense"}])
    refused_for("paths inside the folder", "modules.json", [{"path": "../x", "type": "Transformer"}])
    refused_for("no Transformer and Pooling", "modules.json", listed[:1])
    refused_for("max_tokens", "1_Pooling/config.json", pooling | {"pooling_mode_max_tokens": True})
    refused_for("weightedmean", "1_Pooling/config.json", {"pooling_mode": "weightedmean"})
    refused_for("mpnet", "config.json", json.loads(kept["config.json"]) | {"model_type": "mpnet"})
    write(tmp_path / "modules.json", listed[:2])
    kept["modules.json"] = json.dumps(listed[:2])
    refused_for("'dot'", "config_sentence_transformers.json", {"similarity_fn_name": "dot"})
    tensors = load_file(tmp_path / "model.safetensors")
    save_file(
        {name: tensor for name, tensor in tensors.items() if "layer.1" not in name}, tmp_path / "model.safetensors"
    )
    with pytest.raises(BadInput, match="missing"):
        import_sentence(tmp_path, tmp_path / "ours")
