"""Adapters of peft on transformers models, read here and written back: equal logits, exact counts, clear refusals."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import all_detoured
from linnet.adapt.surgery import adapt, counts, fold
from linnet.core.errors import BadInput
from linnet.export.hf import import_hf
from linnet.export.peft import read_peft, write_peft
from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.decoder import Decoder
from tests.export.families import VOCABULARY, make

IDS = torch.randint(0, VOCABULARY, (3, 11), generator=torch.Generator().manual_seed(5))
LORA = {"r": 4, "lora_alpha": 10, "init_lora_weights": False}
CASES = {
    "gpt2, fused": ("gpt2", {"target_modules": ["c_attn"], **LORA}),
    "gpt2, everything, rsLoRA": ("gpt2", {"target_modules": ["c_attn", "c_proj", "c_fc"], "use_rslora": True, **LORA}),
    "gpt2, DoRA": ("gpt2", {"target_modules": ["c_attn", "c_fc"], "use_dora": True, **LORA}),
    "llama": ("llama gqa", {"target_modules": ["q_proj", "v_proj"], **LORA}),
    "llama, all linear, DoRA": ("llama gqa", {"target_modules": "all-linear", "use_dora": True, **LORA}),
    "llama, wider in one layer": (
        "llama gqa",
        {
            "target_modules": ["o_proj", "up_proj"],
            "rank_pattern": {"layers.0.self_attn.o_proj": 2},
            "alpha_pattern": {"up_proj": 3},
            **LORA,
        },
    ),
    "qwen3": ("qwen3", {"target_modules": ["k_proj", "down_proj", "lm_head"], **LORA}),
    "mixtral": ("mixtral", {"target_modules": ["q_proj", "o_proj"], **LORA}),
}


@pytest.fixture(scope="module")
def peft():
    return pytest.importorskip("peft", reason="the reference for adapters; pip install peft")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Return a transformers model of a family, and its folder."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp("base")
            make(name).save_pretrained(folder)
            made[name] = folder
        return make(name), made[name]

    return get


def trained(peft, base, config, folder):
    """Put an adapter with random numbers in all its parts on a transformers model, save it, return the logits."""
    model = peft.get_peft_model(base, config)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and "magnitude" not in name:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))
            elif parameter.requires_grad:
                parameter.mul_(1 + 0.3 * torch.rand(parameter.shape, generator=draw))
        model.save_pretrained(folder)
        return model.eval()(IDS).logits[:, -IDS.shape[1] :]


@torch.no_grad()
@pytest.mark.parametrize("case", CASES)
def test_lora_of_peft_gives_its_logits_and_goes_back_as_it_came(case, peft, base, tmp_path):
    family, choices = CASES[case]
    model, folder = base(family)
    theirs = trained(peft, model, peft.LoraConfig(task_type="CAUSAL_LM", **choices), tmp_path / "theirs")
    ours = import_hf(folder)
    before = ours(IDS)
    config = read_peft(tmp_path / "theirs", ours)
    torch.testing.assert_close(ours(IDS), theirs, atol=1e-5, rtol=1e-5)
    assert float((before - theirs).abs().max()) > 0.01
    write_peft(tmp_path / "ours", ours, config, str(folder))
    there, here = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("theirs", "ours"))
    there = {name: tensor for name, tensor in there.items() if not name.endswith(".base_layer.weight")}
    assert there.keys() == here.keys()
    assert all(torch.equal(there[name], here[name]) for name in there)
    back = peft.PeftModel.from_pretrained(base(family)[0], tmp_path / "ours").eval()(IDS).logits
    torch.testing.assert_close(back, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(fold(ours)(IDS), theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(
    ("kind", "family"), [("prompt", "gpt2"), ("prompt", "llama gqa"), ("prefix", "gpt2"), ("prefix", "llama gqa")]
)
def test_virtual_tokens_and_prefixes_of_peft_give_its_logits(kind, family, peft, base, tmp_path):
    model, folder = base(family)
    kinds = {"prompt": peft.PromptTuningConfig, "prefix": peft.PrefixTuningConfig}
    theirs = trained(peft, model, kinds[kind](task_type="CAUSAL_LM", num_virtual_tokens=5), tmp_path / "theirs")
    ours = import_hf(folder)
    config = read_peft(tmp_path / "theirs", ours)
    torch.testing.assert_close(ours(IDS), theirs, atol=1e-5, rtol=1e-5)
    cache = ours.new_cache(3, 20)
    pieces = torch.cat([ours(piece, cache=cache) for piece in IDS.split([4, 1, 6], dim=1)], dim=1)
    torch.testing.assert_close(pieces, theirs, atol=1e-5, rtol=1e-5)
    write_peft(tmp_path / "ours", ours, config, str(folder))
    back = peft.PeftModel.from_pretrained(base(family)[0], tmp_path / "ours").eval()(IDS).logits
    torch.testing.assert_close(back[:, -IDS.shape[1] :], theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("targets", ["c_attn", "query,value", "attention,mlp"])
@pytest.mark.parametrize("family", ["gpt2", "llama gqa"])
def test_an_adapter_of_ours_gives_its_logits_in_peft(targets, family, peft, base, tmp_path):
    model, folder = base(family)
    ours = adapt(import_hf(folder), AdaptConfig(method="lora", rank=3, targets=targets))
    draw = torch.Generator().manual_seed(2)
    for _, layer in all_detoured(ours):
        layer.detours["default"].up.copy_(0.3 * torch.randn(layer.detours["default"].up.shape, generator=draw))
    if (family, targets) == ("llama gqa", "c_attn"):  # three layers there
        assert len({id(layer.detours["default"].down) for _, layer in all_detoured(ours)}) == 2
    write_peft(tmp_path, ours, AdaptConfig(method="lora", rank=3, targets=targets), str(folder))
    back = peft.PeftModel.from_pretrained(model, tmp_path).eval()(IDS).logits
    torch.testing.assert_close(back, ours(IDS), atol=1e-5, rtol=1e-5)
    again = import_hf(folder)
    read_peft(tmp_path, again)
    torch.testing.assert_close(again(IDS), ours(IDS), atol=1e-5, rtol=1e-5)


def test_gpt2_small_with_rank_8_on_c_attn_trains_294912_parameters():
    config = ModelConfig(
        **CLASSIC, vocab_size=50257, context_length=1024, num_layers=12, hidden_size=768, num_heads=12,
        positions="learned", norm="layer", activation="gelu", attention_bias=True, mlp_bias=True, tie_embeddings=True,
    )  # fmt: skip
    with torch.device("meta"):
        model = Decoder(config)
        assert counts(model) == {"trainable": 124439808, "total": 124439808}
    model = model.to_empty(device="cpu")
    model.tie()
    assert counts(adapt(model, AdaptConfig(method="lora", rank=8, targets="c_attn")))["trainable"] == 294912


def write(folder, tensors, **fields):
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    said = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, **fields}
    (folder / "adapter_config.json").write_text(json.dumps(said))


def pair(module, rank=2, inputs=32, outputs=96):
    name = f"base_model.model.{module}"
    return {f"{name}.lora_A.weight": torch.zeros(rank, inputs), f"{name}.lora_B.weight": torch.zeros(outputs, rank)}


def test_what_cannot_be_read_is_one_line(base, tmp_path):
    folder = base("gpt2")[1]
    good = pair("transformer.h.0.attn.c_attn")
    cases = [
        (good, {"peft_type": "IA3"}, "peft_type = 'IA3'"),
        (good, {"bias": "all"}, "bias = 'all'"),
        (good, {"modules_to_save": ["lm_head"]}, "modules_to_save"),
        (pair("transformer.h.7.attn.c_attn"), {}, r"h\.7\.attn\.c_attn is no layer"),
        (pair("bert.encoder.layer.0.attention.self.query"), {}, "of another model"),
        (pair("transformer.h.0.attn.c_attn", outputs=64), {}, r"\[64, 2\], and \[96, 2\] fits"),
        (pair("transformer.h.0.attn.c_attn", rank=3), {}, r"\[3, 32\], and \[2, 32\] fits"),
        ({"base_model.model.x.lora_embedding_A": torch.zeros(2, 2)}, {}, "no matrix of a LoRA"),
        ({"prompt_embeddings": torch.zeros(3, 31)}, {"peft_type": "PROMPT_TUNING"}, "31 wide, and 32 fits"),
    ]
    for number, (tensors, fields, words) in enumerate(cases):
        write(tmp_path / str(number), tensors, **fields)
        model = import_hf(folder)
        before = model(IDS)
        with pytest.raises(BadInput, match=words) as caught:
            read_peft(tmp_path / str(number), model)
        assert "\n" not in str(caught.value)
        assert torch.equal(model(IDS), before)
    write(tmp_path / "good", good)
    read_peft(tmp_path / "good", import_hf(folder))


def test_dora_around_a_part_of_a_fused_layer_is_refused(base, tmp_path):
    config = AdaptConfig(method="dora", targets="query,value")
    with pytest.raises(BadInput, match=r"c_attn: is one layer there.*--adapt.targets c_attn"):
        write_peft(tmp_path, adapt(import_hf(base("gpt2")[1]), config), config, "gpt2")
