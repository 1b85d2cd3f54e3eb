"""Our own adapters and packed bases under proof: right ones hold, and what is broken on purpose is found by name."""

import pytest
import torch

from linnet.adapt import quant, surgery, whole_numbers
from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import Detour, Detoured
from linnet.adapt.surgery import adapt
from linnet.artifacts import load_model, save_tuned
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.prove import ours_adapter
from linnet.prove.invariants import ALL
from linnet.prove.ours import folder_subject
from tests.adapt.networks import learn
from tests.prove.subjects import judge
from tests.recipes.tuned_runs import TOKENIZER, save_base

METHODS = ("lora", "dora", "qlora", "prompt", "prefix", "head")
NAMES = {invariant.__name__: invariant for invariant in ALL}
OF_ADAPTERS = ("new_adapter_changes_nothing", "adapter_off_is_base", "merged_equals_unmerged")
OF_QUANTIZED = ("quantization_covers_every_matrix", "quantized_is_smaller", "rounding_within_a_step")
QUICK = (*OF_ADAPTERS, *OF_QUANTIZED, "causality", "cached_equals_full", "frozen_parameters_get_none",
         "every_trainable_parameter_gets_gradient", "packed_equals_alone", "saved_and_loaded_is_equal",
         "moved_rows_read_the_same")  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", hidden_size=64, num_experts=2, dropout=0.0)


def run(base, method, **more):
    """Save what a training of this method would have left."""
    folder = base.parent / f"{method}-{len(list(base.parent.iterdir()))}"
    config = AdaptConfig(method=method, rank=3, virtual_tokens=4, **more)
    model, tokenizer = load_model(base)
    learn(adapt(model, config), size=0.1)
    save_tuned(folder, model, tokenizer, config, base)
    return folder


def found(folder, names):
    subject = folder_subject(folder, "cpu")
    return {name: judge(NAMES[name], subject) for name in names}


@pytest.mark.parametrize(
    "method", [m if m in ("lora", "prompt") else pytest.param(m, marks=pytest.mark.slow) for m in METHODS]
)
def test_right_ones_hold(method, base):
    verdicts = found(run(base, method), QUICK)
    assert not {name: one.evidence for name, one in verdicts.items() if one.status == "broken"}
    held = {name for name, one in verdicts.items() if one.status == "held"}
    detours, packed = method in ("lora", "dora", "qlora"), method == "qlora"
    assert held >= {"causality", "cached_equals_full", "frozen_parameters_get_none", "saved_and_loaded_is_equal"}
    assert (set(OF_ADAPTERS) <= held) == detours
    assert (set(OF_QUANTIZED) <= held) == packed
    assert ("adapter_off_is_base" in held) == (method != "head")
    assert ("moved_rows_read_the_same" in held) == (method not in ("prompt", "prefix"))


def broken(folder):
    return {name for name, one in found(folder, (*OF_ADAPTERS, *OF_QUANTIZED)).items() if one.status == "broken"}


def test_an_adapter_that_is_something_at_first(base, monkeypatch):
    folder = run(base, "lora")
    real = surgery.add_detours

    def drawn(model, *more):
        real(model, *more)
        learn(model)

    monkeypatch.setattr(surgery, "add_detours", drawn)
    assert broken(folder) == {"new_adapter_changes_nothing"}


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "dora"])
def test_a_merge_without_its_scale(method, base, monkeypatch):
    folder = run(base, method)
    monkeypatch.setattr(Detour, "product", lambda self: self.up @ self.down)
    # DoRA's lengths go by the same product, so that a wrong one is wrong beside the weights as well.
    assert "merged_equals_unmerged" in broken(folder)


@pytest.mark.slow
def test_an_adapter_that_cannot_be_switched_off(base, monkeypatch):
    folder = run(base, "lora")
    real = ours_adapter.switch

    def half(model, weights):
        real(model, weights)
        model.blocks[1].mlp.experts[0].up.use = {"default": 1.0}

    monkeypatch.setattr(ours_adapter, "switch", half)
    assert broken(folder) == {"adapter_off_is_base"}


@pytest.mark.slow
def test_a_base_that_was_touched(base, monkeypatch):
    folder = run(base, "lora")
    real = Detoured.__init__

    def touched(self, layer):
        real(self, layer)
        self.base.weight.data.mul_(1.01)

    monkeypatch.setattr(Detoured, "__init__", touched)
    assert broken(folder) >= {"adapter_off_is_base", "new_adapter_changes_nothing"}


@pytest.mark.slow
def test_experts_that_were_left_out(base, monkeypatch):
    folder = run(base, "qlora")
    real = surgery.layers
    for module in (surgery,):
        monkeypatch.setattr(
            module, "layers", lambda model: {n: m for n, m in real(model).items() if ".experts." not in n}
        )
    assert broken(folder) == {"quantization_covers_every_matrix"}


@pytest.mark.slow
def test_a_packed_copy_that_keeps_what_it_replaces(base, monkeypatch):
    folder = run(base, "qlora")
    real = quant.PackedLinear.__init__

    def beside(self, linear, *more):
        real(self, linear, *more)
        self.register_buffer("full", linear.weight.detach().clone())

    monkeypatch.setattr(quant.PackedLinear, "__init__", beside)
    assert broken(folder) == {"quantized_is_smaller"}


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["int8", "nf4"])
def test_scales_of_other_blocks(quantization, base, monkeypatch):
    folder = run(base, "qlora", quantization=quantization)
    home = whole_numbers if quantization == "int8" else quant
    real = home._as_kept

    def mixed(bits):
        values = real(bits)
        return values.flip(0) * 3 if values.ndim and values.dtype == torch.float32 else values

    monkeypatch.setattr(home, "_as_kept", mixed)
    assert "rounding_within_a_step" in broken(folder)


def test_a_whole_model_is_left_as_it_is(base):
    subject = folder_subject(base, "cpu")
    assert subject.adapter is None
    assert subject.quantized is None
    bare = Decoder(ModelConfig(vocab_size=TOKENIZER.vocab_size, num_layers=1, hidden_size=8, num_heads=1))
    assert not list(surgery.added(bare))
