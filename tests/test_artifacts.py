"""Model folders: what is saved is what is loaded; whatever does not belong together is refused by name."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.artifacts import load_encoder_decoder, load_model, load_network, load_scorer, save_model
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.network import build
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["hello world"])
SMALL = ModelConfig(vocab_size=TOKENIZER.vocab_size, hidden_size=16, num_layers=2, num_heads=2, context_length=8)
VARIANTS = [
    SMALL,
    SMALL.but(tie_embeddings=True, ngram_buckets=32),
    SMALL.but(num_experts=3, norm="layer", norm_gain=True, positions="learned", mlp_bias=True),
]


@pytest.fixture
def folder(tmp_path):
    save_model(tmp_path, Decoder(SMALL), TOKENIZER)
    return tmp_path


@pytest.mark.parametrize("config", VARIANTS)
def test_loaded_model_is_the_saved_one_to_the_bit(config, tmp_path):
    model = Decoder(config, torch.Generator().manual_seed(3)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    save_model(tmp_path, model, TOKENIZER)
    loaded, tokenizer = load_model(tmp_path)
    ids = torch.randint(config.vocab_size, (2, 8))
    assert torch.equal(model(ids), loaded(ids))
    assert loaded.config == config
    assert tokenizer.hash == TOKENIZER.hash
    assert not loaded.training
    assert (loaded.head.weight is loaded.embedding.weight) == config.tie_embeddings
    assert not list(tmp_path.glob(".*")), "no temporary file stays"


def test_only_a_model_that_was_taught_to_chat_has_the_template(folder, tmp_path):
    assert chats(folder) is False
    save_model(tmp_path, Decoder(SMALL), TOKENIZER, chat=True)
    assert chats(tmp_path) is True
    load_model(tmp_path)


def test_weights_can_be_loaded_in_another_type(folder):
    model, _ = load_model(folder, dtype=torch.bfloat16)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(BadInput, match=name):
        load_model(folder)


@pytest.mark.parametrize("keep", [0, 4, 8, 60, 2000, -1])
def test_weights_cut_short_are_refused(keep, folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BadInput, match=r"safetensors.*cut short"):
        load_model(folder)


def test_a_header_that_claims_too_much_is_refused(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 7 + b"\x00" + b"{}")
    with pytest.raises(BadInput, match="not a safetensors file"):
        load_model(folder)


def test_another_tokenizer_is_refused(folder):
    Tokenizer.train_characters(["dlrow olleh!"[:11].replace("h", "j")]).save(folder)
    with pytest.raises(BadInput, match="not the one the weights were trained with"):
        load_model(folder)


def test_another_architecture_is_refused_by_the_first_tensor(folder):
    fewer = {"num_layers": 1, "value_embedding_every": 0}
    changes = [({"num_layers": 3}, "missing"), (fewer, "unknown"), ({"mlp_size": 20}, "shape")]
    plain = json.loads((folder / "model.json").read_text())
    for change, word in changes:
        (folder / "model.json").write_text(json.dumps({**plain, **change}))
        with pytest.raises(BadInput, match=word):
            load_model(folder)


def test_an_unknown_field_of_the_architecture_is_refused_with_the_nearest(folder):
    plain = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**plain, "num_layer": 3}))
    with pytest.raises(BadInput, match=r'num_layer".*"num_layers"'):
        load_model(folder)


def test_a_renamed_tensor_is_refused(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    tensors["embedding.weights"] = tensors.pop("embedding.weight")
    save_file(tensors, path)
    with pytest.raises(BadInput, match=r"embedding\.weight"):
        load_model(folder)


def test_the_same_weights_are_the_same_bytes(tmp_path):
    """The order of metadata was once left to chance, and equal weights had different hashes."""
    for number in range(8):
        save_model(tmp_path / str(number), Decoder(SMALL), TOKENIZER)
    assert len({(tmp_path / str(number) / "model.safetensors").read_bytes() for number in range(8)}) == 1


def test_a_verifier_is_no_language_model_and_the_other_way_round(folder, tmp_path):
    verifier = Decoder(SMALL.but(output_size=1), torch.Generator().manual_seed(2)).eval()
    save_model(tmp_path / "verifier", verifier, TOKENIZER)
    loaded, _ = load_scorer(tmp_path / "verifier")
    ids = torch.randint(SMALL.vocab_size, (2, 8))
    assert torch.equal(loaded(ids), verifier(ids))
    with pytest.raises(BadInput, match=r"verifier: a verifier \(a score a token\), not a language model"):
        load_model(tmp_path / "verifier")
    classifier = Decoder(SMALL.but(output_size=4), torch.Generator().manual_seed(2))
    save_model(tmp_path / "classifier", classifier, TOKENIZER)
    with pytest.raises(BadInput, match=r"a classifier \(4 outputs\), not a verifier"):
        load_scorer(tmp_path / "classifier")
    with pytest.raises(BadInput, match="a language model, not a verifier"):
        load_scorer(folder)
    assert load_network(tmp_path / "verifier")[0].config.output_size == 1
    with pytest.raises(BadInput, match="no words: it cannot write"):
        generate(verifier, None, [[1]], SamplingConfig(max_tokens=2))


@pytest.mark.parametrize("kind", ["encoder", "encoder_decoder"])
def test_other_kinds_come_back_and_are_no_language_models(kind, tmp_path):
    tied = SMALL.but(kind=kind, tie_embeddings=True)
    model = build(tied, torch.Generator().manual_seed(1))
    save_model(tmp_path, model, TOKENIZER)
    stored = load_file(tmp_path / "model.safetensors")
    assert not stored.keys() & model.copies().keys()
    loaded, _ = load_network(tmp_path)
    assert type(loaded) is type(model)
    for name, weights in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], weights)
    shared = dict(loaded.named_parameters(remove_duplicate=False))
    assert all(shared[one] is shared[other] for one, other in model.copies().items())
    with pytest.raises(BadInput, match=r"an encoder.*not a language model"):
        load_model(tmp_path)
    if kind == "encoder":
        with pytest.raises(BadInput, match="an encoder, not an encoder-decoder"):
            load_encoder_decoder(tmp_path)
    else:
        assert load_encoder_decoder(tmp_path)[0].config == tied
        values = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps({name: v for name, v in values.items() if name != "kind"}))
        with pytest.raises(BadInput, match=r"has no|unknown"):
            load_network(tmp_path)  # a decoder is what it would be by default
