"""import_hf against transformers itself, against real weights, and against folders that must be refused."""

import base64
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.core.errors import BadInput
from linnet.export.hf import import_hf

transformers = pytest.importorskip("transformers")
from tests.export.families import FAMILIES, make, some_ids  # noqa: E402  needs transformers


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Return a function that saves a family's model once and gives (model, folder)."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("hf")
            made[name] = (make(name), folder)
            made[name][0].save_pretrained(folder)
        return made[name]

    return get


@pytest.fixture
def copy(saved, tmp_path):
    """Return a function that gives a private copy of a family's folder, to be spoiled."""

    def get(name):
        return shutil.copytree(saved(name)[1], tmp_path / "copy")

    return get


@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_logits_equal_those_of_transformers(saved, name):
    theirs, folder = saved(name)
    ours = import_hf(folder)
    assert not ours.training
    for rows, tokens in ((1, 1), (3, 17), (2, 40)):
        ids = some_ids(rows, tokens)
        expected = theirs(ids).logits
        assert expected.std() > 0.3  # a model that says nothing would agree with anything
        torch.testing.assert_close(ours(ids), expected, rtol=1e-5, atol=1e-5)
    mask = torch.ones(3, 17, dtype=torch.int64)
    mask[1, 9:] = 0
    padded = theirs(some_ids(3, 17), attention_mask=mask).logits[1, :9]
    own = ours(some_ids(3, 17), lengths=torch.tensor([17, 9, 17]))[1, :9]
    torch.testing.assert_close(own, padded, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_gradients_equal_those_of_transformers(saved):
    theirs, folder = saved("mixtral")
    ours = import_hf(folder)
    with torch.enable_grad():
        for model in (theirs, ours):
            model.zero_grad()
        theirs(some_ids(2, 12)).logits.square().mean().backward()
        ours(some_ids(2, 12)).square().mean().backward()
    gate = dict(theirs.named_parameters())["model.layers.0.mlp.gate.weight"].grad
    torch.testing.assert_close(ours.blocks[0].mlp.router.weight.grad, gate, rtol=1e-4, atol=1e-5)
    embedding = theirs.get_input_embeddings().weight.grad
    torch.testing.assert_close(ours.embedding.weight.grad, embedding, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["gpt2", "llama mha, tied", "mixtral"])
@torch.no_grad()
def test_shards_give_the_same_model(saved, tmp_path, name):
    theirs, folder = saved(name)
    theirs.save_pretrained(tmp_path, max_shard_size="8KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 2
    ids = some_ids(1, 9)
    assert torch.equal(import_hf(tmp_path)(ids), import_hf(folder)(ids))


@torch.no_grad()
def test_fused_experts_on_disk_give_the_same_model(saved, tmp_path):
    theirs, folder = saved("mixtral")
    theirs.save_pretrained(tmp_path, save_original_format=False)
    assert "model.layers.0.mlp.experts.gate_up_proj" in load_file(tmp_path / "model.safetensors")
    ids = some_ids(1, 9)
    assert torch.equal(import_hf(tmp_path)(ids), import_hf(folder)(ids))


@torch.no_grad()
def test_names_and_fields_of_older_versions_are_understood(saved, copy):
    # As on the hub: no "transformer." prefix, causal masks stored, no tie_word_embeddings; rope_theta, inv_freq.
    folder = copy("gpt2")
    tensors = {n.removeprefix("transformer."): t for n, t in load_file(folder / "model.safetensors").items()}
    tensors["h.0.attn.bias"] = torch.ones(1, 1, 48, 48).tril()
    save_file(tensors, folder / "model.safetensors")
    edit(folder, tie_word_embeddings=None)
    ids = some_ids(1, 9)
    assert torch.equal(import_hf(folder)(ids), import_hf(saved("gpt2")[1])(ids))
    shutil.rmtree(folder)

    folder = copy("llama wide heads, theta")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    save_file(tensors, folder / "model.safetensors")
    edit(folder, rope_parameters=None, rope_theta=500.0, rope_scaling={"type": "default"})
    assert torch.equal(import_hf(folder)(ids), import_hf(saved("llama wide heads, theta")[1])(ids))


@torch.no_grad()
def test_dtype_and_tie(saved):
    model = import_hf(saved("gpt2")[1], dtype=torch.bfloat16)
    assert model.head.weight is model.embedding.weight
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert model(some_ids(1, 4)).dtype == torch.bfloat16


def edit(folder, **changes):
    """Change fields of config.json; None removes one."""
    path = folder / "config.json"
    values = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not None}))


def refused(folder, *words: str) -> None:
    """Expect one line that holds all the words."""
    with pytest.raises(BadInput) as caught:
        import_hf(folder)
    assert "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_a_missing_an_unexpected_and_a_misshapen_tensor_are_refused_by_name(copy):
    folder = copy("llama gqa")
    tensors = load_file(folder / "model.safetensors")

    def with_tensors(changed):
        save_file(changed, folder / "model.safetensors")
        return folder

    name = "model.layers.1.mlp.up_proj.weight"
    refused(with_tensors({n: t for n, t in tensors.items() if n != name}), "no tensor", name)
    refused(with_tensors(tensors | {"model.layers.0.mlp.up_proj.bias": torch.ones(48)}), "unexpected", "up_proj.bias")
    refused(with_tensors(tensors | {name: tensors[name].T.contiguous()}), name, "[32, 48]", "[48, 32]")
    refused(with_tensors(tensors | {name: tensors[name].to(torch.int8)}), name, "quantized")
    edit(folder, num_hidden_layers=3)
    refused(with_tensors(tensors), "no tensor", "model.layers.2.")
    edit(folder, num_hidden_layers=500)
    refused(folder, "500 layers")


def test_a_tied_model_with_another_head_is_refused(copy):
    folder = copy("llama gqa")
    edit(folder, tie_word_embeddings=True)
    refused(folder, "tie_word_embeddings", "lm_head.weight")
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, folder / "model.safetensors")
    assert import_hf(folder).config.tie_embeddings


# Real weights, from the folder of shared data.


@pytest.fixture
def stories(shared_data):
    return shared_data / "weights" / "stories260K"


@pytest.mark.slow
@torch.no_grad()
def test_stories260k_writes_what_llama2_c_writes(stories):
    model = import_hf(stories)
    expected = json.loads((stories / "expected_greedy_ids.json").read_text())
    prompt, greedy = expected["prompt_ids"], expected["greedy_ids"]
    assert len(greedy) == 200

    # One full pass over the expected text: each place must choose the next id.
    chosen = model(torch.tensor([prompt + greedy[:-1]]))[0, len(prompt) - 1 :].argmax(-1)
    assert chosen.tolist() == greedy

    cache = model.new_cache(1, len(prompt) + len(greedy))
    written, ids = [], torch.tensor([prompt])
    for _ in greedy:
        ids = model(ids, cache=cache)[:, -1:].argmax(-1)
        written.append(int(ids))
    assert written == greedy


@pytest.fixture
def sorter(shared_data):
    return shared_data / "weights" / "gpt-nano-sort"


def decode(entry: dict) -> torch.Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(entry["data"])), dtype=torch.float32).view(entry["shape"])


@torch.no_grad()
def test_gpt_nano_sort_has_the_stored_activations(sorter):
    model = import_hf(sorter)
    partials = json.loads((sorter / "gpt-nano-sort-t0-partials.json").read_text())
    seen = {}

    def keep(name):
        return lambda _module, _inputs, out: seen.__setitem__(name, out)

    block = model.blocks[0]
    places = {
        "tok_emb": model.embedding,
        "pos_emb": model.position_embedding,
        "ln1": block.attention_norm,
        "yProj": block.attention.output,
        "ln2": block.mlp_norm,
        "fc": block.mlp.up,
        "mlp": block.mlp.down,
        **{f"block{layer}": model.blocks[layer] for layer in range(3)},
        "ln_f": model.norm,
    }
    for name, module in places.items():
        module.register_forward_hook(keep(name))
    for part in ("query", "key", "value"):
        getattr(block.attention, part).register_forward_hook(keep(part))
    block.attention.output.register_forward_pre_hook(lambda _module, inputs: seen.__setitem__("y", inputs[0]))
    block.mlp.down.register_forward_pre_hook(lambda _module, inputs: seen.__setitem__("gelu", inputs[0]))

    seen["lm_head"] = model(decode(partials["idx"]).long())
    seen["probs"] = seen["lm_head"].softmax(-1)
    seen["qkv"] = torch.cat([seen.pop(part) for part in ("query", "key", "value")], dim=-1)
    assert len(seen) == 16
    for name, tensor in seen.items():
        torch.testing.assert_close(tensor, decode(partials[name]), rtol=0, atol=1e-5, msg=lambda m, n=name: f"{n}: {m}")


@torch.no_grad()
def test_gpt_nano_sort_sorts_every_input(sorter):
    model = import_hf(sorter)
    inputs = torch.cartesian_prod(*[torch.arange(3)] * 6)
    cache, ids, out = model.new_cache(len(inputs), 11), inputs, []
    for _ in range(6):
        ids = model(ids, cache=cache)[:, -1:].argmax(-1)
        out.append(ids)
    assert torch.equal(torch.cat(out, dim=1), inputs.sort(dim=1).values)


def test_real_weights_cut_short_are_refused(stories, tmp_path):
    shutil.copy(stories / "config.json", tmp_path)
    data = (stories / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(data[: len(data) // 2])
    refused(tmp_path, "model.safetensors", "cut short")
