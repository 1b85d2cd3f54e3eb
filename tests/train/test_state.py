"""State: what is saved is what goes on, to the bit; damage is noticed and survived."""

import shutil

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.config import OptimizerConfig
from linnet.train.loop import steps
from linnet.train.objectives import next_token
from linnet.train.optimizers import make_optimizer
from linnet.train.precision import Precision
from linnet.train.state import Checkpoints, TrainState, verify
from tests.train.batches_for_tests import Counted

SMALL = ModelConfig(
    vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8, ngram_buckets=64, dropout=0.2
)
VARIANTS = {
    "muon": ("muon", torch.float32, SMALL),
    "adamw": ("adamw", torch.bfloat16, SMALL),
    "fp16": ("muon", torch.float16, SMALL),
    "tied": ("adamw", torch.float32, SMALL.but(tie_embeddings=True)),
    "experts": ("muon", torch.float32, SMALL.but(num_experts=3)),
}


def make_state(variant):
    kind, dtype, config = VARIANTS[variant]
    torch.manual_seed(0)
    model = Decoder(config)
    optimizer = make_optimizer(model, OptimizerConfig(kind=kind))
    return TrainState(model, optimizer, Counted(ragged=True), Precision(dtype, torch.device("cpu")))


def train(state, total):
    list(steps(state, next_token, lambda step: 1.0 - step / 20, total=total, accumulate=2))


def same(a, b):
    left, right = a._tensors(), b._tensors()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize(
    "variant", [v if v in ("muon", "fp16") else pytest.param(v, marks=pytest.mark.slow) for v in VARIANTS]
)
def test_resumed_equals_uninterrupted_to_the_bit(variant, tmp_path):
    whole = make_state(variant)
    train(whole, 10)
    first = make_state(variant)
    train(first, 4)
    first.save(tmp_path / "s")
    torch.manual_seed(999)  # what another process would have
    second = make_state(variant)
    second.restore(tmp_path / "s")
    assert second.step == 4
    assert same(first, second)
    # a fresh object that was never trained goes on from the file alone
    torch.manual_seed(999)
    second.restore(tmp_path / "s")
    train(second, 10)
    assert same(whole, second)
    assert second.precision.state() == whole.precision.state()


def test_every_part_of_the_state_matters(tmp_path):
    """Leaving out any one part changes what comes after: the equality above is not vacuous."""
    whole = make_state("muon")
    train(whole, 8)
    first = make_state("muon")
    train(first, 4)
    first.save(tmp_path / "s")
    rng = torch.get_rng_state()
    for lost in ("batches", "rng", "optimizer", "step"):
        other = make_state("muon")
        other.restore(tmp_path / "s")
        torch.set_rng_state(rng)
        if lost == "batches":
            other.batches.number = 0
        elif lost == "rng":
            torch.manual_seed(5)
        elif lost == "optimizer":
            for part in other.optimizer.parts:
                part.state.clear()
        else:
            other.step = 3
        train(other, 8)
        assert not same(whole, other), lost


def damage(path, how):
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-100])
    elif how == "flip":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "flip", "missing"])
@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json", "manifest.json"])
def test_damage_to_the_newest_falls_back_to_the_one_before(how, name, tmp_path):
    if (how, name) == ("cut", "state.json"):
        pytest.skip("shorter than the cut")
    state, saved = make_state("muon"), Checkpoints(tmp_path)
    for total in (2, 4):
        train(state, total)
        saved.save(state)
    damage(tmp_path / "step-00000004" / name, how)
    fresh = make_state("muon")
    path, damaged = saved.restore_newest(fresh)
    assert path == tmp_path / "step-00000002"
    assert fresh.step == 2
    assert len(damaged) == 1
    assert "step-00000004" in damaged[0]


def test_when_none_is_whole_it_says_so(tmp_path):
    state, saved = make_state("muon"), Checkpoints(tmp_path)
    train(state, 2)
    damage(saved.save(state) / "tensors.safetensors", "flip")
    with pytest.raises(BadInput, match="no saved state is whole"):
        saved.restore_newest(state)


def test_no_state_is_no_error(tmp_path):
    assert Checkpoints(tmp_path / "nothing").restore_newest(make_state("muon")) == (None, [])


def test_only_the_newest_are_kept(tmp_path):
    state, saved = make_state("muon"), Checkpoints(tmp_path, keep=2)
    for total in (1, 2, 3, 4):
        train(state, total)
        saved.save(state)
    assert [path.name for path in saved.found()] == ["step-00000003", "step-00000004"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000003", "step-00000004"]


def test_the_state_of_another_model_is_refused(tmp_path):
    make_state("muon").save(tmp_path / "s")
    verify(tmp_path / "s")
    for variant, words in (("experts", "another model"), ("tied", "another model")):
        with pytest.raises(BadInput, match=words):
            make_state(variant).restore(tmp_path / "s")
    wider = Decoder(SMALL.but(mlp_size=32))
    optimizer = make_optimizer(wider, OptimizerConfig())
    state = TrainState(wider, optimizer, Counted(), Precision(torch.float32, torch.device("cpu")))
    with pytest.raises(BadInput, match="shape"):
        state.restore(tmp_path / "s")


def test_a_failed_save_leaves_the_old_state(tmp_path, monkeypatch):
    state = make_state("muon")
    state.save(tmp_path / "s")
    shutil.copytree(tmp_path / "s", tmp_path / "copy")
    train(state, 1)
    monkeypatch.setattr(state, "_plain", lambda: {"broken": object()})
    with pytest.raises(TypeError):
        state.save(tmp_path / "s")
    for file in (tmp_path / "copy").iterdir():
        assert (tmp_path / "s" / file.name).read_bytes() == file.read_bytes()
